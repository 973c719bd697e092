#pragma once
#include <map>
#include <vector>

#include "core/engine/replica.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/timeline.hpp"

namespace syncline::sim {

/// What the network sees of a replica.
class Station {
public:
    virtual ~Station() = default;
    [[nodiscard]] virtual bool up() const = 0;
    [[nodiscard]] virtual const Uuid& uuid() const = 0;
    /// Runs the action on the replica now, or when it wakes; never, when it is down or dies first.
    virtual void run(std::function<void(Replica&)> action) = 0;
    /// The term it is in now. Precondition: up().
    [[nodiscard]] virtual TermId term() const = 0;
    /// Takes in a frame that its sender let go when it was in this term.
    virtual void receive(Replica& replica, LinkId link, std::uint8_t type, const Bytes& payload,
                         const TermId& sent_in) = 0;
};

/// One connection between each two replicas, made anew whenever both ends have lost it. Frames of
/// an old connection never arrive at a new one. Within a connection the plan's faults apply: loss,
/// duplicates, reordering, cuts in either direction, delays; without them frames keep their order.
class Network {
public:
    Network(const Plan& plan, Timeline& timeline, Coverage& coverage);

    /// Connects the stations; they must outlive the network's use.
    void start(std::vector<Station*> stations);
    void send(std::size_t from, const Outgoing& frame);
    /// The replica has closed this link for a reason. False: it had none, nothing wrong was sent.
    bool closed_by(std::size_t replica, LinkId link);
    void crashed(std::size_t replica);

    // Faults. `link`: index below links_count().
    [[nodiscard]] std::size_t links_count() const { return links_.size(); }
    void cut(std::size_t link, bool forward, bool backward);
    void set_slow(std::size_t link, bool slow) { links_[link].slow = slow; }
    void reset(std::size_t link);
    /// No frame with a log batch arrives.
    void cut_streams(bool cut) { streams_cut_ = cut; }
    /// No faults from now on.
    void heal();

    [[nodiscard]] bool is_cut(std::size_t replica) const;
    [[nodiscard]] bool is_slow(std::size_t replica) const;
    /// The replica's links that are up.
    [[nodiscard]] std::vector<LinkId> links_of(std::size_t replica) const;

private:
    struct End {
        std::size_t replica = 0;
        LinkId id = 0;
        bool up = false;
    };
    struct Link {
        End ends[2];
        std::uint64_t life = 0;  ///< grows with each connection
        bool cut[2] = {};        ///< frames from ends[i] vanish
        bool slow = false;
        bool truncated = false;  ///< a frame of this connection was cut short
        Micros arrival[2] = {};  ///< of the latest frame from ends[i]
    };

    void supervise(std::size_t link);
    void connect(std::size_t link);
    void bring_down(std::size_t link, std::size_t end, Micros delay);
    void transmit(std::size_t link, std::size_t from, const Outgoing& frame);
    void deliver(std::size_t link, std::size_t to, std::uint64_t life, std::uint8_t type,
                 const Bytes& payload, const TermId& sent_in);

    const Plan& plan_;
    Timeline& timeline_;
    Coverage& coverage_;
    SimRandom random_;
    std::vector<Station*> stations_;
    std::vector<Link> links_;
    std::map<LinkId, std::pair<std::size_t, std::size_t>> ends_;  // -> link, end
    LinkId last_id_ = 0;
    bool healed_ = false;
    bool streams_cut_ = false;
};

}  // namespace syncline::sim
