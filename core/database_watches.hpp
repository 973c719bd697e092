#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "core/database.hpp"
#include "core/engine/event.hpp"
#include "storage/log.hpp"

namespace syncline {

/// The watches of a database. Changes are noted as they are applied, under the database's lock, and
/// told when they are durable, without it.
/// Thread-safety: all methods.
class WatchList {
public:
    using Callback = std::function<void(const Change&)>;

    std::uint64_t add(BytesView key, Callback callback);
    /// Afterwards no call comes; waits for one under way unless called from inside it.
    void remove(std::uint64_t id);

    /// A transaction was applied; its record ends at `position`.
    void note(const Event& event, bool local, Position position);
    /// A peer's snapshot was adopted: any key may have changed.
    void note_adopted(Position position);
    /// Tells what is durable, in order, on this thread.
    void tell(Position durable);
    [[nodiscard]] bool empty() const { return count_ == 0; }
    /// This thread is inside a callback.
    [[nodiscard]] bool telling_here() const;

private:
    struct Watcher {
        Bytes key;
        Callback callback;
    };
    struct Pending {
        Position position = 0;
        std::uint64_t watcher = 0;
        Change change;
    };

    std::atomic<std::size_t> count_{0};      // of watchers: spares the lock when there are none
    std::atomic<std::thread::id> teller_{};  // the thread inside a callback
    std::mutex telling_;                     // held while telling; taken before mutex_
    std::mutex mutex_;                       // guards everything below
    std::condition_variable told_;
    std::map<std::uint64_t, std::shared_ptr<Watcher>> watchers_;  // shared with a call under way
    std::multimap<Bytes, std::uint64_t, std::less<>> by_key_;
    std::deque<Pending> pending_;  // ascending by position
    std::uint64_t next_id_ = 1;
    std::uint64_t current_ = 0;  // the watcher being called; 0: none
};

}  // namespace syncline
