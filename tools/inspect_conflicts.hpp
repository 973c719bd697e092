#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tools/inspect_nodes.hpp"

namespace syncline {

/// One of the two transactions of a conflict, as CRDT.CONFLICTS tells it.
struct ConflictSideView {
    std::string dot;
    std::string action;
    std::string type;
    std::optional<Bytes> field;
    std::string time;            ///< empty: its action has none
    std::optional<Bytes> value;  ///< as far as the record has it
    std::uint64_t value_bytes = 0;
};

struct ConflictView {
    std::string id;
    Bytes key;
    std::optional<Bytes> field;
    std::string kind;
    std::string rule;
    std::uint64_t first_seen_hlc = 0;
    std::string first_seen;
    ConflictSideView winner;
    ConflictSideView loser;
    std::vector<std::size_t> nodes;  ///< that have it on record
};

/// A reply of CRDT.CONFLICTS.
struct ConflictPageView {
    std::vector<ConflictView> conflicts;
    std::uint64_t last = 0;     ///< newest number in the ring
    std::uint64_t next = 0;     ///< where the next page begins
    std::uint64_t dropped = 0;  ///< records that left the ring for newer ones
    bool more = false;
};

/// Error unavailable: the node's error reply; corrupt: it is something else.
Result<ConflictPageView> parse_conflicts(const RespValue& reply);

/// The records of several nodes, each once, by id: the time at which a record was first seen is
/// each node's own. The newest are those that some node took down last; of each the earliest time
/// is told. Takes pages in any order. Memory: `count_max` records, and the ids of known_ids_max
/// others.
class ConflictMerge {
public:
    explicit ConflictMerge(std::size_t count_max) : count_max_(count_max) {}
    void add(std::size_t node, ConflictView conflict);
    /// The oldest first, as in a log.
    [[nodiscard]] std::vector<ConflictView> conflicts() const;
    /// Records that were told and are too old to be among the newest.
    [[nodiscard]] std::uint64_t omitted() const {
        return forgotten_ + known_.size() - newest_.size();
    }

private:
    struct Known {
        std::vector<std::size_t> nodes;  ///< that told it
        std::uint64_t latest_hlc = 0;
        std::uint64_t earliest_hlc = 0;
        std::string earliest;
    };

    std::size_t count_max_;
    std::map<std::string, Known> known_;  ///< by id
    /// By latest_hlc and id. Invariant: each id is in known_.
    std::map<std::pair<std::uint64_t, std::string>, ConflictView> newest_;
    std::uint64_t forgotten_ = 0;  ///< left known_, too
};

/// Which records were met before; remembers the latest of them only.
class ConflictsMet {
public:
    /// True the first time.
    bool meet(const std::string& id);

private:
    std::set<std::string> ids_;
    std::deque<std::string> order_;
};

std::string conflict_text(const ConflictView& conflict, const std::vector<NodeView>& nodes,
                          const ConsoleStyle& style);
/// One object on one line.
std::string conflict_json_line(const ConflictView& conflict, const std::vector<NodeView>& nodes);
std::string conflicts_json(const std::vector<ConflictView>& conflicts, std::uint64_t dropped,
                           const std::vector<NodeView>& nodes);

}  // namespace syncline
