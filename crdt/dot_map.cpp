#include "crdt/dot_map.hpp"

#include <algorithm>

#include "core/base/mutation.hpp"

namespace syncline {

namespace {

using Entry = DotMap::Entry;

bool dot_before(const Entry& entry, const Dot& dot) {
    return entry.dot < dot;
}

}  // namespace

const DotValue* DotMap::find(const Dot& dot) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), dot, dot_before);
    return found != entries_.end() && found->dot == dot ? &found->payload : nullptr;
}

void DotMap::put(const Dot& dot, DotValue payload) {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), dot, dot_before);
    if (place != entries_.end() && place->dot == dot) {
        place->payload = std::move(payload);
    } else {
        entries_.insert(place, Entry{dot, std::move(payload)});
    }
}

void DotMap::remove_covered(const VersionVector& past) {
    std::erase_if(entries_, [&](const Entry& entry) { return past.covers(entry.dot); });
}

void DotMap::keep_last_writer(const VersionVector& cut) {
    std::optional<Dot> last;
    std::pair<Hlc, Actor> largest;
    for (const Entry& entry : entries_) {
        const std::pair order(entry.payload.hlc, entry.dot.actor);
        if (!cut.covers(entry.dot) || (last && order < largest)) continue;
        last = entry.dot;
        largest = order;
    }
    std::erase_if(entries_,
                  [&](const Entry& entry) { return cut.covers(entry.dot) && entry.dot != last; });
}

DotMap DotMap::join(const DotMap& a, const VersionVector& a_context, const DotMap& b,
                    const VersionVector& b_context) {
    DotMap joined;
    auto left = a.entries_.begin();
    auto right = b.entries_.begin();
    while (left != a.entries_.end() || right != b.entries_.end()) {
        const bool left_first =
            right == b.entries_.end() || (left != a.entries_.end() && left->dot < right->dot);
        const bool right_first =
            left == a.entries_.end() || (right != b.entries_.end() && right->dot < left->dot);
        if (left_first) {
            const bool keeps = mutated(Mutation::join_keeps);
            if (!b_context.covers(left->dot) || keeps) joined.entries_.push_back(*left);
            ++left;
        } else if (right_first) {
            if (!a_context.covers(right->dot)) joined.entries_.push_back(*right);
            ++right;
        } else {
            joined.entries_.push_back(*left);
            ++left;
            ++right;
        }
    }
    return joined;
}

const Entry* DotMap::winner() const {
    const auto loses = [](const Entry& x, const Entry& y) {
        return std::pair(x.payload.hlc, x.dot.actor) < std::pair(y.payload.hlc, y.dot.actor);
    };
    const auto found = std::max_element(entries_.begin(), entries_.end(), loses);
    return found == entries_.end() ? nullptr : &*found;
}

bool DotMap::has_negative() const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [](const Entry& entry) { return entry.payload.negative; });
}

bool DotMap::covered_by(const VersionVector& context) const {
    return std::all_of(entries_.begin(), entries_.end(),
                       [&](const Entry& entry) { return context.covers(entry.dot); });
}

}  // namespace syncline
