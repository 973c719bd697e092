#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace syncline {

/// What health depends on, of one peer.
struct PeerCondition {
    std::string name;  ///< node name, or address while no name is known
    bool connected = false;
    bool blocked = false;                    ///< by CRDT.LINK down
    std::uint64_t silent_ms = 0;             ///< since anything was heard, while connected
    std::optional<std::uint64_t> lags_ms;    ///< age of the oldest own write it lacks
    std::optional<std::uint64_t> behind_ms;  ///< since when writes it has are missing here
};

/// What health depends on, of the replica.
struct Condition {
    bool stopping = false;
    bool has_data = false;    ///< the cluster is known and the data are loaded
    bool copying = false;     ///< the rows of a peer, to begin with
    bool overloaded = false;  ///< requests wait for a checkpoint
    bool caught_up = false;   ///< once since the start it had all that connected peers had
    std::optional<std::string> storage_failure;
    bool member = true;    ///< active, or there is no record of members
    bool space = false;    ///< writes that add something are refused
    bool damaged = false;  ///< rows are frozen until a peer repairs them
    std::uint64_t divergence_alarms = 0;
    std::vector<PeerCondition> peers;
};

/// One thing that is not as it should be.
struct HealthReason {
    std::string code;  ///< for programs; the list stands in net/http/README.md
    std::string peer;  ///< whom it is about; empty: the replica itself
    std::string text;  ///< for people; one sentence without figures that change

    bool operator==(const HealthReason&) const = default;
};

struct Health {
    /// ok: nothing to report; degraded: it serves, but look at the reasons; failing: do not send
    /// clients here.
    enum class Status : std::uint8_t { ok, degraded, failing };

    Status status = Status::ok;
    std::vector<HealthReason> reasons;  ///< those that fail first

    [[nodiscard]] bool ready() const { return status != Status::failing; }
};

const char* status_name(Health::Status status);

/// Heartbeats come every half second; a peer that was not heard for this long is called silent.
constexpr std::uint64_t silent_ms_max = 1500;
/// Writes that take longer than this to a connected peer, or from it, are a reason.
constexpr std::uint64_t lag_ms_max = 5000;

/// The one place that decides. A lost peer is a warning: the replica goes on serving, and taking
/// it out of service would make the loss worse.
Health assess(const Condition& condition);

}  // namespace syncline
