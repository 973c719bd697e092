#include "crdt/bounded_counter.hpp"

#include <algorithm>

namespace syncline {
namespace {

constexpr BytesView used_text = "used/";
constexpr BytesView made_text = "made/";
constexpr BytesView transferred_text = "transferred/";

}  // namespace

Bytes rights_field(const RightsRow& row) {
    Bytes field;
    ByteWriter out(field);
    write(out, row.writer);
    if (row.to) write(out, *row.to);
    return field;
}

std::optional<RightsRow> rights_row(BytesView field) {
    ByteReader in(field);
    RightsRow row;
    row.writer = read_actor(in);
    if (in.ok() && in.left() > 0) row.to = read_actor(in);
    return in.done() ? std::optional(row) : std::nullopt;
}

std::string to_string(const RightsRow& row) {
    const std::string writer = to_string(row.writer);
    if (!row.to) return std::string(used_text) + writer;
    if (*row.to == row.writer) return std::string(made_text) + writer;
    return std::string(transferred_text) + writer + "/" + to_string(*row.to);
}

std::optional<RightsRow> rights_row_from_text(BytesView text) {
    const auto rest_behind = [&](BytesView begin) {
        return text.starts_with(begin) ? std::optional(text.substr(begin.size())) : std::nullopt;
    };
    if (const auto name = rest_behind(used_text)) {
        const std::optional<Actor> writer = actor_from(*name);
        return writer ? std::optional(RightsRow{*writer, std::nullopt}) : std::nullopt;
    }
    if (const auto name = rest_behind(made_text)) {
        const std::optional<Actor> writer = actor_from(*name);
        return writer ? std::optional(RightsRow{*writer, writer}) : std::nullopt;
    }
    const auto names = rest_behind(transferred_text);
    const std::size_t slash = names ? names->find('/') : BytesView::npos;
    if (slash == BytesView::npos) return std::nullopt;
    const std::optional<Actor> writer = actor_from(names->substr(0, slash));
    const std::optional<Actor> to = actor_from(names->substr(slash + 1));
    if (!writer || !to || *writer == *to) return std::nullopt;
    return RightsRow{*writer, to};
}

Bytes rights_bytes(std::uint64_t number) {
    SYNCLINE_ASSERT(number > 0 && number <= rights_max);
    Bytes bytes;
    ByteWriter(bytes).varint(number);
    return bytes;
}

std::optional<std::uint64_t> rights_from_bytes(BytesView bytes) {
    ByteReader in(bytes);
    const std::uint64_t number = in.varint();
    return in.done() && number > 0 && number <= rights_max ? std::optional(number) : std::nullopt;
}

BoundedCounter::Sums& BoundedCounter::of(const Actor& actor) {
    const auto place =
        std::lower_bound(sums_.begin(), sums_.end(), actor,
                         [](const Sums& sums, const Actor& wanted) { return sums.actor < wanted; });
    if (place != sums_.end() && place->actor == actor) return *place;
    return *sums_.insert(place, Sums{actor});
}

void BoundedCounter::add(const RightsRow& row, std::uint64_t number) {
    if (!row.to) {
        of(row.writer).used += number;
    } else if (*row.to == row.writer) {
        of(row.writer).made += number;
    } else {
        of(row.writer).transferred += number;
        of(*row.to).received += number;
    }
}

std::uint64_t BoundedCounter::shown(Wide sum) {
    return static_cast<std::uint64_t>(std::clamp<Wide>(sum, 0, rights_max));
}

BoundedCounter::Part BoundedCounter::shown(const Sums& sums) {
    const Wide rights = sums.made + sums.received - sums.transferred - sums.used;
    return {sums.actor,           shown(rights),           shown(sums.made),
            shown(sums.received), shown(sums.transferred), shown(sums.used)};
}

std::int64_t BoundedCounter::value() const {
    Wide value = 0;
    for (const Sums& sums : sums_) value += sums.made - sums.used;
    return static_cast<std::int64_t>(shown(value));
}

BoundedCounter::Part BoundedCounter::part(const Actor& actor) const {
    for (const Sums& sums : sums_) {
        if (sums.actor == actor) return shown(sums);
    }
    return Part{actor};
}

std::vector<BoundedCounter::Part> BoundedCounter::parts_from(const Actor& first) const {
    std::vector<Part> parts{part(first)};
    for (const Sums& sums : sums_) {
        if (sums.actor != first) parts.push_back(shown(sums));
    }
    std::stable_sort(parts.begin() + 1, parts.end(),
                     [](const Part& a, const Part& b) { return a.rights > b.rights; });
    return parts;
}

}  // namespace syncline
