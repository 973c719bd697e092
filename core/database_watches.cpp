#include "core/database_watches.hpp"

#include <set>

namespace syncline {
namespace {

/// Marks the thread that is inside callbacks, also if one of them throws.
class Mark {
public:
    explicit Mark(std::atomic<std::thread::id>& mark) : mark_(mark) {
        mark_ = std::this_thread::get_id();
    }
    ~Mark() { mark_ = std::thread::id(); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

private:
    std::atomic<std::thread::id>& mark_;
};

}  // namespace

std::uint64_t WatchList::add(BytesView key, Callback callback) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t id = next_id_++;
    watchers_.emplace(id, std::make_shared<Watcher>(Watcher{Bytes(key), std::move(callback)}));
    by_key_.emplace(key, id);
    ++count_;
    return id;
}

void WatchList::remove(std::uint64_t id) {
    std::shared_ptr<Watcher> gone;  // what its callback owns dies after the lock
    std::unique_lock lock(mutex_);
    const auto found = watchers_.find(id);
    if (found == watchers_.end()) return;
    gone = found->second;
    const auto [first, last] = by_key_.equal_range(found->second->key);
    for (auto it = first; it != last; ++it) {
        if (it->second != id) continue;
        by_key_.erase(it);
        break;
    }
    watchers_.erase(found);
    --count_;
    if (!telling_here()) told_.wait(lock, [&]() { return current_ != id; });
}

void WatchList::note(const Event& event, bool local, Position position) {
    if (count_ == 0) return;
    const std::lock_guard lock(mutex_);
    std::set<std::uint64_t> touched;
    for (const Op& op : event.ops) {
        if (const auto* buckets = std::get_if<ClearBuckets>(&op)) {
            for (const auto& [key, id] : by_key_) {
                if (lies_in(*buckets, key)) touched.insert(id);
            }
            continue;
        }
        const auto [first, last] = by_key_.equal_range(*key_of(op));
        for (auto it = first; it != last; ++it) touched.insert(it->second);
    }
    for (const std::uint64_t id : touched) {
        const Bytes& key = watchers_.at(id)->key;
        pending_.push_back(Pending{position, id, Change{key, event.dot, local}});
    }
}

void WatchList::note_adopted(Position position) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, watcher] : watchers_) {
        pending_.push_back(Pending{position, id, Change{watcher->key, std::nullopt, false}});
    }
}

void WatchList::tell(Position durable) {
    const std::lock_guard only_teller(telling_);
    const Mark mark(teller_);
    std::unique_lock lock(mutex_);
    while (!pending_.empty() && pending_.front().position <= durable) {
        const Pending due = std::move(pending_.front());
        pending_.pop_front();
        const auto found = watchers_.find(due.watcher);
        if (found == watchers_.end()) continue;  // stopped since
        const std::shared_ptr<Watcher> watcher = found->second;
        current_ = due.watcher;
        lock.unlock();
        watcher->callback(due.change);
        lock.lock();
        current_ = 0;
        told_.notify_all();
    }
}

bool WatchList::telling_here() const {
    return teller_ == std::this_thread::get_id();
}

}  // namespace syncline
