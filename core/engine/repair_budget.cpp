#include "core/engine/repair_budget.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

constexpr std::int64_t thousandths = 1000;

std::uint64_t bounded(std::uint64_t rate) {
    return std::min(rate, limits::repair_bandwidth_max);
}

}  // namespace

RepairBudget::RepairBudget(std::uint64_t rate) : rate_(bounded(rate)), level_(burst()) {}

std::int64_t RepairBudget::burst() const {
    return static_cast<std::int64_t>(rate_ * limits::repair_burst_ms);
}

void RepairBudget::refill(std::uint64_t now_ms) {
    const std::uint64_t passed_ms = now_ms - std::min(now_ms, refilled_ms_);
    refilled_ms_ = std::max(now_ms, refilled_ms_);
    if (rate_ == 0 || level_ >= burst()) return;
    const auto missing = static_cast<std::uint64_t>(burst() - level_);
    // In this order, as the product of rate and time could be too large.
    if (passed_ms > missing / rate_) {
        level_ = burst();
    } else {
        level_ += static_cast<std::int64_t>(rate_ * passed_ms);
    }
}

void RepairBudget::set_rate(std::uint64_t rate, std::uint64_t now_ms) {
    refill(now_ms);
    const bool anew = rate_ == 0 || rate == 0;
    rate_ = bounded(rate);
    level_ = anew ? burst() : std::min(level_, burst());
}

bool RepairBudget::open(std::uint64_t now_ms) {
    refill(now_ms);
    return rate_ == 0 || level_ > 0;
}

void RepairBudget::spend(std::size_t bytes, std::uint64_t now_ms) {
    refill(now_ms);
    spent_bytes_ += bytes;
    if (rate_ > 0) level_ -= static_cast<std::int64_t>(bytes) * thousandths;
}

std::size_t RepairBudget::piece_bytes(std::size_t bytes) const {
    if (rate_ == 0) return bytes;
    const auto bucket = static_cast<std::size_t>(burst() / thousandths);
    return std::min(bytes, std::max(bucket, limits::repair_piece_bytes_min));
}

bool RepairBudget::Claim::granted(std::uint64_t now_ms) {
    std::deque<const Claim*>& waiting = budget_.waiting_;
    const bool open = budget_.open(now_ms);
    ready_ = true;
    if (std::find(waiting.begin(), waiting.end(), this) == waiting.end()) waiting.push_back(this);
    const auto first = std::find_if(waiting.begin(), waiting.end(),
                                    [](const Claim* claim) { return claim->ready_; });
    SYNCLINE_ASSERT(first != waiting.end());
    const bool mine = *first == this || budget_.rate_ == 0;
    if (!open || !mine) return false;
    withdraw();
    return true;
}

void RepairBudget::Claim::withdraw() {
    std::erase(budget_.waiting_, this);
    ready_ = false;
}

}  // namespace syncline
