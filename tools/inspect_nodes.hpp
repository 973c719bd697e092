#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/console.hpp"
#include "tools/inspect_source.hpp"

namespace syncline {

/// A version vector as commands write it: actor -> highest counter seen.
using ActorVector = std::map<std::string, std::uint64_t>;

/// The link of a node to one of its peers, as that node tells.
struct LinkView {
    std::string name;
    std::string address;
    std::string uuid;
    std::string link;       ///< up, down, blocked
    std::string direction;  ///< out, in
    std::string actor;      ///< empty while there is no link
    std::string state;      ///< what the link is doing, for people
    ActorVector vv;         ///< what the peer last said it holds
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t connected_ms = 0;
};

/// One thing that is not as it should be, as CRDT.HEALTH tells it.
struct ReasonView {
    std::string code;  ///< for programs
    std::string peer;  ///< whom it is about; empty: the node itself
    std::string text;
};

/// What one node says of itself.
struct NodeView {
    std::string address;
    std::string error;  ///< why it does not answer; empty: it does
    std::string name;
    std::string cluster;
    std::string version;
    /// ok, degraded or failing, as CRDT.HEALTH and /readyz tell it; or stopped.
    std::string health;
    std::vector<ReasonView> reasons;  ///< why it is not ok
    bool ready = false;               ///< has data to show
    std::string actor;
    std::string root;
    ActorVector vv;
    std::uint64_t keys = 0;
    std::uint64_t rows = 0;
    std::optional<std::int64_t> skew_ms;  ///< its clock minus ours; nothing when it does not run
    std::vector<LinkView> links;

    /// Its name, or its address while the name is not known; harmless on a terminal.
    [[nodiscard]] std::string label() const;
};

/// Whether nodes hold the same.
struct Agreement {
    enum class State {
        equal,      ///< equal version vectors and roots
        behind,     ///< events are on their way
        different,  ///< equal version vectors and unequal roots: an alarm
        strangers,  ///< nodes of unequal clusters
        unknown,    ///< fewer than two nodes have data to compare
    };
    State state = State::unknown;
    std::vector<std::uint64_t> missing;  ///< events by node, of all that any node holds
    std::uint64_t events = 0;            ///< the sum
    std::string sentence;                ///< all of it, for people
};

/// What i has still to receive of what j holds.
std::uint64_t events_missing(const ActorVector& of, const ActorVector& than);
Agreement agreement(const std::vector<NodeView>& nodes);
std::string_view agreement_name(Agreement::State state);

/// Asks a node for everything; never fails, see NodeView::error.
NodeView ask_node(InspectSource& source);
/// Names for actors: own and those of peers, incarnations of one node alike.
class ActorNames {
public:
    explicit ActorNames(const std::vector<NodeView>& nodes);
    /// The name of the node that an actor or a dot belongs to, else the actor itself.
    [[nodiscard]] std::string name(std::string_view actor_or_dot) const;

private:
    std::map<std::string, std::string, std::less<>> names_;  // by node id
};

/// One place in the matrix of who sees whom.
struct SeenView {
    bool known = false;
    std::uint64_t missing = 0;       ///< events of the other that this node has not
    const LinkView* link = nullptr;  ///< of this node to the other; null: none
};
SeenView seen(const NodeView& node, const NodeView& other);
/// Peers that the nodes tell of and that were not asked themselves: with the version vector that
/// was last heard of them, and an error.
std::vector<NodeView> heard_of(const std::vector<NodeView>& nodes);

std::string status_text(const std::vector<NodeView>& nodes, const ConsoleStyle& style);
std::string status_json(const std::vector<NodeView>& nodes);
std::string peers_text(const std::vector<NodeView>& nodes, const ConsoleStyle& style);
std::string peers_json(const std::vector<NodeView>& nodes);

}  // namespace syncline
