#include "crdt/cell.hpp"

#include "core/base/mutation.hpp"
#include "crdt/bounded_counter.hpp"
#include "crdt/expiry.hpp"
#include "crdt/score.hpp"

namespace syncline {

namespace {

/// The first number of a packed delta.
enum DotsForm : std::uint8_t {
    dots_untouched = 0,
    dots_removed = 1,
    dots_replaced = 2,
    dots_negated = 3,
};

/// The first byte of a cell at rest: the compact form of the first dot's actor, whether counter
/// entries follow the dots (in signed types: whether the first dot is negative), and how many dots
/// there are.
constexpr std::uint8_t actor_form_mask = 7;
constexpr std::uint8_t negative_dot = 8;  ///< here, and in the form of each other dot's actor
constexpr std::uint8_t with_entries = 8;
constexpr unsigned dots_count_shift = 4;
constexpr std::uint64_t dots_count_beyond = 15;  ///< as a number after it, less 15

/// Planted bug: forgets siblings, so that a later removal of the winner finds nothing else.
void keep_only_winner(DotMap& dots) {
    const DotMap::Entry* winner = dots.winner();
    if (winner == nullptr) return;
    const DotMap::Entry kept = *winner;
    dots = DotMap();
    dots.put(kept.dot, kept.payload);
}

/// Planted bug: forgets resets, so that a late copy of the entry counts again.
void drop_reset_entries(Counter& counter) {
    Counter kept;
    for (const auto& [actor, entry] : counter.entries()) {
        if (entry.live()) kept.merge(actor, entry);
    }
    counter = kept;
}

std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

std::optional<CellType> cell_type_from(std::uint64_t number) {
    for (const CellType type : cell_types) {
        if (number == static_cast<std::uint64_t>(type)) return type;
    }
    return std::nullopt;
}

void Cell::apply(const CellDelta& delta, CellType type, const Dot& dot, Hlc hlc,
                 const VersionVector& past) {
    if (delta.writes_dots) {
        dots.remove_covered(past);
        if (mutated(Mutation::remove_all)) dots = DotMap();
        if (delta.negates && !mutated(Mutation::rw_forget)) {
            dots.put(dot, DotValue{Hlc{}, {}, true});
        } else if (delta.value) {
            dots.put(dot, traits_of(type).has_values ? DotValue{hlc, *delta.value} : DotValue{});
        }
    }
    for (const auto& [actor, entry] : delta.counter) counter.merge(actor, entry);

    if (mutated(Mutation::lww_prune) && traits_of(type).has_values) keep_only_winner(dots);
    if (mutated(Mutation::ctr_absent)) drop_reset_entries(counter);
}

Cell Cell::join(const Cell& a, const VersionVector& a_context, const Cell& b,
                const VersionVector& b_context) {
    Cell joined;
    joined.dots = DotMap::join(a.dots, a_context, b.dots, b_context);
    joined.counter = Counter::join(a.counter, a_context, b.counter, b_context);

    // Members of a set have no timestamps; all their dots say the same and must stay.
    const DotMap::Entry* winner = joined.dots.winner();
    const bool is_register = winner != nullptr && winner->payload.hlc != Hlc{};
    if (mutated(Mutation::lww_prune) && is_register) keep_only_winner(joined.dots);
    return joined;
}

bool Cell::collectable(CellType type) const {
    return (is_last_writer_wins(type) && dots.size() > 1) || dots.has_negative() ||
           counter.collectable();
}

void Cell::collect(CellType type, const VersionVector& cut) {
    if (is_last_writer_wins(type)) dots.keep_last_writer(cut);
    // Whoever adds from now on has seen them; before, an add could still be on its way.
    const bool settled = dots.covered_by(cut) || mutated(Mutation::negative_early);
    if (dots.has_negative() && settled) dots = DotMap();
    counter.collect(cut);
}

std::optional<Bytes> string_value(const Cell& cell) {
    const DotMap::Entry* winner = cell.dots.winner();
    if (winner == nullptr && !cell.counter.exists()) return std::nullopt;
    if (winner != nullptr && !cell.counter.exists()) return winner->payload.value;
    const Amount total = cell.counter.total();
    const auto sum = static_cast<std::int64_t>(total.integer);
    const std::optional<std::int64_t> integer =
        winner == nullptr ? 0 : parse_integer(winner->payload.value);
    if (integer && total.decimal.is_zero()) return std::to_string(wrapping_sum(*integer, sum));
    const std::optional<Decimal> decimal =
        integer ? Decimal(*integer) : Decimal::parse(winner->payload.value);
    // A value that is not a number hides the increments made beside it.
    if (!decimal) return winner->payload.value;
    return (*decimal + Decimal(sum) + total.decimal).text();
}

std::optional<Bytes> visible_value(const Cell& cell, CellType type) {
    if (type == CellType::expiry) {
        const std::optional<std::uint64_t> deadline = expiry_deadline(cell);
        return deadline ? std::optional<Bytes>(deadline_text(*deadline)) : std::nullopt;
    }
    if (type == CellType::bounded_counter) {
        const DotMap::Entry* const winner = cell.dots.winner();
        return winner ? std::optional(value_text(winner->payload.value, type)) : std::nullopt;
    }
    if (!traits_of(type).has_scores) return string_value(cell);
    const std::optional<double> score = score_value(cell);
    return score ? std::optional<Bytes>(score_text(*score)) : std::nullopt;
}

Bytes value_text(const Bytes& value, CellType type) {
    if (type == CellType::expiry) return deadline_text(deadline_from_bytes(value).value());
    if (type == CellType::bounded_counter) return std::to_string(rights_from_bytes(value).value());
    if (!traits_of(type).has_scores) return value;
    const std::optional<double> score = score_from_bytes(value);
    SYNCLINE_ASSERT(score.has_value());  // nothing else is read or unpacked
    return score_text(*score);
}

std::optional<std::int64_t> integer_value(const Cell& cell) {
    const std::optional<Bytes> value = string_value(cell);
    return value ? parse_integer(*value) : 0;
}

std::optional<Decimal> decimal_value(const Cell& cell) {
    const std::optional<Bytes> value = string_value(cell);
    return value ? Decimal::parse(*value) : Decimal();
}

namespace {

/// Bytes of every value of the type, or 0 if they differ.
constexpr std::size_t fixed_value_bytes(CellType type) {
    return traits_of(type).has_scores || type == CellType::expiry ? 8 : 0;
}

/// How a dot's actor is written, and its sign.
std::uint8_t dot_form(const DotMap::Entry& entry) {
    const unsigned sign = entry.payload.negative ? negative_dot : 0U;
    return static_cast<std::uint8_t>(compact_form(entry.dot.actor) | sign);
}

/// `last`: nothing follows in the cell.
void write_dot_value(ByteWriter& out, const DotValue& payload, CellType type, bool last) {
    write_compact(out, payload.hlc);
    if (last || fixed_value_bytes(type) > 0) {
        out.raw(payload.value);
    } else {
        out.sized(payload.value);
    }
}

}  // namespace

void write(ByteWriter& out, const Cell& cell, CellType type) {
    const auto& dots = cell.dots.entries();
    const bool entries_follow = !cell.counter.empty();
    const std::uint64_t dots_count = std::min<std::uint64_t>(dots.size(), dots_count_beyond);
    unsigned form = static_cast<unsigned>(dots_count) << dots_count_shift;
    if (entries_follow) form |= with_entries;
    if (!dots.empty()) form |= dot_form(dots.front());
    out.u8(static_cast<std::uint8_t>(form));
    if (dots_count == dots_count_beyond) out.varint(dots.size() - dots_count_beyond);

    for (const auto& entry : dots) {
        if (&entry != &dots.front()) out.u8(dot_form(entry));
        write_compact(out, entry.dot.actor);
        out.varint(entry.dot.counter);
        if (!traits_of(type).has_values) continue;
        write_dot_value(out, entry.payload, type, &entry == &dots.back() && !entries_follow);
    }
    if (!entries_follow) return;
    SYNCLINE_ASSERT(traits_of(type).has_counter);
    out.varint(cell.counter.entries().size());
    for (const auto& entry : cell.counter.entries()) write(out, entry);
}

namespace {

/// Whether bytes from outside can be a value of the type.
bool is_value(BytesView bytes, CellType type) {
    if (type == CellType::expiry) return deadline_from_bytes(bytes).has_value();
    if (type == CellType::bounded_counter) return rights_from_bytes(bytes).has_value();
    return !traits_of(type).has_scores || score_from_bytes(bytes).has_value();
}

BytesView read_dot_value(ByteReader& in, CellType type, bool last) {
    if (const std::size_t fixed = fixed_value_bytes(type); fixed > 0) return in.raw(fixed);
    return last ? in.raw(in.left()) : in.sized();
}

void read_dots(ByteReader& in, CellType type, std::uint8_t form, DotMap& dots) {
    std::uint64_t count = form >> dots_count_shift;
    if (count == dots_count_beyond) count += in.varint();
    if (count < form >> dots_count_shift) in.fail();  // past 2^64
    std::uint8_t actor_form =
        form & (is_signed(type) ? actor_form_mask | negative_dot : actor_form_mask);
    if (count == 0 && actor_form != 0) in.fail();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        if (i > 0) actor_form = in.u8();
        Dot dot;
        DotValue payload;
        payload.negative = is_signed(type) && (actor_form & negative_dot) != 0;
        if (payload.negative) actor_form ^= negative_dot;
        dot.actor = read_compact_actor(in, actor_form);
        dot.counter = in.varint();
        const bool ascending = dots.empty() || dots.entries().back().dot.actor < dot.actor;
        if (!ascending || dot.counter == 0) in.fail();
        if (traits_of(type).has_values) {
            payload.hlc = read_compact_hlc(in);
            const bool last = i + 1 == count && (form & with_entries) == 0;
            payload.value = read_dot_value(in, type, last);
            if (!is_value(payload.value, type)) in.fail();
        }
        dots.put(dot, std::move(payload));
    }
}

void read_counter(ByteReader& in, Counter& counter) {
    const std::uint64_t count = in.varint();
    if (count == 0) in.fail();
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        const auto [actor, entry] = read_counter_entry(in);
        const bool ascending = counter.empty() || counter.entries().back().first < actor;
        if (!ascending) in.fail();
        counter.merge(actor, entry);
    }
}

/// A set element's value is its presence.
std::optional<Bytes> unpack_value(Unpacker& in, CellType type) {
    if (!traits_of(type).has_values) return Bytes();
    Bytes value(in.bin());
    if (!is_value(value, type)) in.fail();
    return value;
}

}  // namespace

Result<std::optional<Bytes>> read_string_value(BytesView bytes) {
    ByteReader in(bytes);
    const std::uint8_t form = in.u8();
    if (form >> dots_count_shift != 1 || (form & with_entries) != 0) {
        SYNCLINE_TRY(const Cell cell, read_cell(bytes, CellType::string));
        return string_value(cell);
    }
    read_compact_actor(in, form & actor_form_mask);
    const std::uint64_t counter = in.varint();
    read_compact_hlc(in);
    if (in.ok() && counter > 0) return std::optional<Bytes>(in.raw(in.left()));
    return read_cell(bytes, CellType::string).error();
}

Result<Cell> read_cell(BytesView bytes, CellType type) {
    ByteReader in(bytes);
    Cell cell;
    const std::uint8_t form = in.u8();
    read_dots(in, type, form, cell.dots);
    if ((form & with_entries) != 0 && !is_signed(type)) {
        if (!traits_of(type).has_counter) in.fail();
        read_counter(in, cell.counter);
    }
    if (in.done()) return cell;
    return Error{Code::corrupt, "not a canonical " + std::string(cell_type_name(type)) +
                                    " cell: " + printable(bytes)};
}

void pack(Packer& out, const CellDelta& delta, CellType type) {
    SYNCLINE_ASSERT(delta.writes_dots || (!delta.value && !delta.negates));
    SYNCLINE_ASSERT(!delta.negates || (is_signed(type) && !delta.value));
    SYNCLINE_ASSERT(delta.counter.empty() || traits_of(type).has_counter);
    const bool with_value = delta.value && traits_of(type).has_values;
    const bool with_counter = !delta.counter.empty();
    DotsForm form = dots_untouched;
    if (delta.writes_dots) form = delta.value ? dots_replaced : dots_removed;
    if (delta.negates) form = dots_negated;

    out.array(1U + (with_value ? 1U : 0U) + (with_counter ? 1U : 0U));
    out.uint(form);
    if (with_value) out.bin(*delta.value);
    if (!with_counter) return;
    out.array(delta.counter.size());
    for (const auto& entry : delta.counter) pack(out, entry);
}

CellDelta unpack_cell_delta(Unpacker& in, CellType type) {
    CellDelta delta;
    const std::size_t parts_count = in.array();
    const std::uint64_t form = in.uint_at_most(is_signed(type) ? dots_negated : dots_replaced);
    delta.writes_dots = form != dots_untouched;
    delta.negates = form == dots_negated;
    if (form == dots_replaced) delta.value = unpack_value(in, type);

    const std::size_t parts_before =
        1U + (form == dots_replaced && traits_of(type).has_values ? 1U : 0U);
    const bool with_counter = parts_count == parts_before + 1 && traits_of(type).has_counter;
    if (parts_count != parts_before && !with_counter) in.fail();
    if (with_counter) {
        const std::size_t count = in.array();
        if (count == 0) in.fail();
        for (std::size_t i = 0; i < count && in.ok(); ++i) {
            delta.counter.push_back(unpack_counter_entry(in));
            const bool ascending = i == 0 || delta.counter[i - 1].first < delta.counter[i].first;
            if (!ascending) in.fail();
        }
    }
    if (!in.ok()) return {};
    return delta;
}

}  // namespace syncline
