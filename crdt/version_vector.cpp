#include "crdt/version_vector.hpp"

#include <algorithm>

#include "core/base/limits.hpp"

namespace syncline {

namespace {

using VectorEntry = VersionVector::Entry;

bool vector_before(const VectorEntry& entry, const Actor& actor) {
    return entry.first < actor;
}

}  // namespace

std::uint64_t VersionVector::counter(const Actor& actor) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), actor, vector_before);
    return found != entries_.end() && found->first == actor ? found->second : 0;
}

bool VersionVector::covers(const VersionVector& other) const {
    if (other.entries_.size() > entries_.size()) return false;
    auto mine = entries_.begin();
    for (const auto& [actor, counter] : other.entries_) {
        while (mine != entries_.end() && mine->first < actor) ++mine;
        if (mine == entries_.end() || mine->first != actor || mine->second < counter) return false;
    }
    return true;
}

std::uint64_t VersionVector::lacks(const VersionVector& other) const {
    std::uint64_t events = 0;
    for (const auto& [actor, count] : other.entries_) {
        events += count - std::min(count, counter(actor));
    }
    return events;
}

VersionVector VersionVector::of_node(std::uint32_t node) const {
    VersionVector found;
    for (const Entry& entry : entries_) {
        if (entry.first.node == node) found.entries_.push_back(entry);
    }
    return found;
}

void VersionVector::add(const Dot& dot) {
    if (dot.counter == 0) return;
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), dot.actor, vector_before);
    if (place != entries_.end() && place->first == dot.actor) {
        place->second = std::max(place->second, dot.counter);
    } else {
        entries_.insert(place, {dot.actor, dot.counter});
    }
}

void VersionVector::join(const VersionVector& other) {
    // Raising counters in place is enough nearly always; actors rarely come.
    std::vector<VectorEntry> missing;
    auto mine = entries_.begin();
    for (const auto& [actor, counter] : other.entries_) {
        while (mine != entries_.end() && mine->first < actor) ++mine;
        if (mine != entries_.end() && mine->first == actor) {
            mine->second = std::max(mine->second, counter);
        } else {
            missing.emplace_back(actor, counter);
        }
    }
    if (missing.empty()) return;
    std::vector<VectorEntry> joined;
    joined.reserve(entries_.size() + missing.size());
    std::merge(entries_.begin(), entries_.end(), missing.begin(), missing.end(),
               std::back_inserter(joined));
    entries_ = std::move(joined);
}

std::string to_string(const VersionVector& vv) {
    std::string text = "{";
    for (const auto& [actor, counter] : vv.entries()) {
        if (text.size() > 1) text += ", ";
        text += to_string(Dot{actor, counter});
    }
    return text + "}";
}

void write(ByteWriter& out, const VersionVector& vv) {
    out.varint(vv.entries().size());
    for (const auto& [actor, counter] : vv.entries()) write(out, Dot{actor, counter});
}

VersionVector read_version_vector(ByteReader& in) {
    VersionVector vv;
    const std::uint64_t count = in.varint();
    if (count > limits::actors_max) in.fail();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const Dot dot = read_dot(in);
        const bool ascending = vv.empty() || vv.entries().back().first < dot.actor;
        if (!ascending || dot.counter == 0) in.fail();
        vv.add(dot);
    }
    if (!in.ok()) return {};
    return vv;
}

void pack(Packer& out, const VersionVector& vv) {
    out.array(3 * vv.entries().size());
    for (const auto& [actor, counter] : vv.entries()) pack(out, Dot{actor, counter});
}

VersionVector unpack_version_vector(Unpacker& in) {
    VersionVector vv;
    const std::size_t numbers_count = in.array();
    if (numbers_count % 3 != 0 || numbers_count / 3 > limits::actors_max) in.fail();
    for (std::size_t i = 0; i < numbers_count && in.ok(); i += 3) {
        const Dot dot = unpack_dot(in);
        const bool ascending = vv.empty() || vv.entries().back().first < dot.actor;
        if (!ascending || dot.counter == 0) in.fail();
        vv.add(dot);
    }
    if (!in.ok()) return {};
    return vv;
}

}  // namespace syncline
