#include "tools/piece_cutter.hpp"

#include <utility>

namespace syncline {

PieceCutter::PieceCutter(KeyPiece head, std::optional<std::int64_t> ends_ms, const Take& take)
    : head_(std::move(head)), ends_ms_(ends_ms), take_(take) {}

Result<void> PieceCutter::add(std::vector<Bytes> values) {
    const std::size_t step = head_.type == "hash" || head_.type == "zset" ? 2 : 1;
    std::vector<Bytes> part;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i + step <= values.size(); i += step) {
        std::size_t more = 0;
        for (std::size_t j = i; j < i + step; ++j) more += values[j].size();
        if (!part.empty() && bytes + more > piece_bytes_max) {
            SYNCLINE_CHECK(hold(std::exchange(part, {})));
            bytes = 0;
        }
        for (std::size_t j = i; j < i + step; ++j) part.push_back(std::move(values[j]));
        bytes += more;
    }
    return part.empty() ? Result<void>() : hold(std::move(part));
}

Result<void> PieceCutter::hold(std::vector<Bytes> values) {
    if (held_) {
        held_->last = false;
        SYNCLINE_CHECK(take_(*held_));
        ++head_.part;
    }
    held_ = head_;
    held_->values = std::move(values);
    return {};
}

Result<void> PieceCutter::finish() {
    if (!held_) return {};  // it went meanwhile
    held_->ends_ms = ends_ms_;
    return take_(*held_);
}

}  // namespace syncline
