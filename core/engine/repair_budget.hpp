#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>

namespace syncline {

/// How many bytes a second may leave for repair, all peers together, and whose turn it is to send
/// them: a token bucket that may be overdrawn, with a queue.
///
/// A piece goes out while anything is left in the bucket; what it takes beyond that is owed, and
/// the next one waits until it is paid. So no piece is too large, a tick that comes late loses
/// nothing, and in any time t no more goes out than rate * t + limits::repair_burst_ms * rate + one
/// piece. Pieces of all who wait go in turns.
/// Times are steady milliseconds of the caller's clock. Cost: O(1), a claim O(claims that wait).
/// Thread-safety: confined to one thread.
class RepairBudget {
public:
    /// What one sender has in the queue. It must not outlive the budget.
    class Claim {
    public:
        explicit Claim(RepairBudget& budget) : budget_(budget) {}
        ~Claim() { withdraw(); }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;

        /// Whether its next piece may go out now; spend() tells how large it was. If not, it has a
        /// place in the queue from now on, and asks again.
        bool granted(std::uint64_t now_ms);
        /// Keeps the place; until it asks again, those behind it may go first.
        void rest() { ready_ = false; }
        /// It has nothing to send.
        void withdraw();

    private:
        friend class RepairBudget;
        RepairBudget& budget_;
        bool ready_ = false;
    };

    /// Bytes a second; 0: no cap. More than limits::repair_bandwidth_max count as that.
    explicit RepairBudget(std::uint64_t rate);
    RepairBudget(const RepairBudget&) = delete;
    RepairBudget& operator=(const RepairBudget&) = delete;

    /// From now on. What is owed stays owed, unless there was no cap, or is none.
    void set_rate(std::uint64_t rate, std::uint64_t now_ms);
    [[nodiscard]] std::uint64_t rate() const { return rate_; }
    /// Some piece may go out: the ready claim that waits longest is granted.
    [[nodiscard]] bool open(std::uint64_t now_ms);
    /// A piece of so many bytes went out, granted or not.
    void spend(std::size_t bytes, std::uint64_t now_ms);
    /// In all, with a cap or without.
    [[nodiscard]] std::uint64_t spent_bytes() const { return spent_bytes_; }
    /// How large pieces should be that otherwise are of `bytes`: with a low cap smaller, so that
    /// what is no repair does not wait long behind one of them.
    [[nodiscard]] std::size_t piece_bytes(std::size_t bytes) const;

private:
    [[nodiscard]] std::int64_t burst() const;
    void refill(std::uint64_t now_ms);

    // Thousandths of a byte: each millisecond brings `rate_` of them.
    std::uint64_t rate_;
    std::int64_t level_;  // below 0: what is owed
    std::uint64_t refilled_ms_ = 0;
    std::uint64_t spent_bytes_ = 0;
    std::deque<const Claim*> waiting_;  // owned by the senders
};

}  // namespace syncline
