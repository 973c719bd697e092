#include "tests/sim/timeline.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "core/base/hash.hpp"

namespace syncline::sim {

void Timeline::after(Micros delay, std::function<void()> action) {
    queue_.push_back(Action{now_ + delay, sequence_++, std::move(action)});
    std::push_heap(queue_.begin(), queue_.end());
}

void Timeline::run_until(Micros end) {
    while (!failure_ && !queue_.empty() && queue_.front().time <= end) {
        std::pop_heap(queue_.begin(), queue_.end());
        const Action next = std::move(queue_.back());
        queue_.pop_back();
        now_ = next.time;
        ++steps_;
        next.run();
    }
    if (!failure_ && now_ < end) now_ = end;
}

void Timeline::note(std::string_view kind, std::size_t replica, std::uint64_t data) {
    const std::array<std::uint64_t, 4> fact = {now_, replica, data, hash64(kind)};
    Bytes bytes;
    bytes.reserve(sizeof(fact));
    ByteWriter out(bytes);
    for (const std::uint64_t number : fact) out.u64(number);
    hash_ = hash64(bytes, hash_);
    ++notes_;
}

void Timeline::fail(std::string sentence) {
    if (failure_) return;
    if (tracing_) trace("FAILURE", nobody, sentence);
    failure_ = std::move(sentence);
}

void Timeline::trace(std::string_view kind, std::size_t replica, const std::string& words) const {
    const std::string who = replica == nobody ? "--" : "r" + std::to_string(replica);
    std::printf("%12s  %s  %-12s %s\n", to_text(now_).c_str(), who.c_str(),
                std::string(kind).c_str(), words.c_str());
}

std::string to_text(Micros time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%llu.%06llu",
                  static_cast<unsigned long long>(time / second),
                  static_cast<unsigned long long>(time % second));
    return text.data();
}

}  // namespace syncline::sim
