#include "crdt/position.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"

namespace syncline {
namespace {

constexpr std::size_t number_bytes = 8;
constexpr std::uint64_t number_origin = std::uint64_t{1} << 63U;  // order of signed numbers
/// Ends the digits of a level; no digit, so that what is shorter comes first.
constexpr char digits_end = '\0';
constexpr unsigned lowest_digit = 1;
constexpr unsigned middle_digit = 0x80;
constexpr unsigned highest_digit = 0xFF;

unsigned digit(BytesView digits, std::size_t at) {
    return static_cast<unsigned char>(digits[at]);
}

void append(Bytes& digits, unsigned digit) {
    digits.push_back(static_cast<char>(digit));
}

// --- Digits: strings of 1..255 that do not end with 1, so that there is room below each.
//
// One after the other at a spot they count like a number: up or down by one in a block of digits.
// A full block makes way for one of twice as many, behind one more of the highest digits, or of the
// lowest ones: 127 insertions take a byte, the next 64,000 three, the next four billion six.

/// How wide the block behind so many outermost digits is.
std::size_t block_width(std::size_t outermost) {
    constexpr std::size_t doubled_max = 3;
    return std::size_t{1} << std::min(outermost, doubled_max);
}

/// The lowest digit at a place of a block: the last is not 1.
unsigned least(std::size_t at, std::size_t width) {
    return at + 1 == width ? lowest_digit + 1 : lowest_digit;
}

std::size_t count_leading(BytesView digits, unsigned which) {
    std::size_t count = 0;
    while (count < digits.size() && digit(digits, count) == which) ++count;
    return count;
}

/// The block behind the outermost digits, lowest digits where there are no more.
Bytes block_of(BytesView digits, std::size_t outermost) {
    const std::size_t width = block_width(outermost);
    Bytes block(digits.substr(outermost, width));
    block.resize(width, static_cast<char>(lowest_digit));
    return block;
}

/// Some digits below these; near them, because the next ones may have to go below again.
Bytes below(BytesView digits) {
    const std::size_t lowest = count_leading(digits, lowest_digit);
    Bytes block = block_of(digits, lowest);
    std::size_t at = block.size();
    for (; at > 0; --at) {
        if (digit(block, at - 1) > least(at - 1, block.size())) break;
        block[at - 1] = static_cast<char>(highest_digit);
    }
    if (at > 0) block[at - 1] = static_cast<char>(digit(block, at - 1) - 1);
    Bytes lower(lowest, static_cast<char>(lowest_digit));
    if (at > 0 && digit(block, 0) > lowest_digit) return lower + block;
    append(lower, lowest_digit);
    append(lower, highest_digit - 1);
    return lower + Bytes(block_width(lowest + 1) - 1, static_cast<char>(highest_digit));
}

/// Some digits above these; above nothing at all: the middle.
Bytes above(BytesView digits) {
    if (digits.empty()) return Bytes(1, static_cast<char>(middle_digit));
    const std::size_t highest = count_leading(digits, highest_digit);
    Bytes block = block_of(digits, highest);
    std::size_t at = block.size();
    for (; at > 0; --at) {
        if (digit(block, at - 1) < highest_digit) break;
        block[at - 1] = static_cast<char>(least(at - 1, block.size()));
    }
    if (at > 0) block[at - 1] = static_cast<char>(digit(block, at - 1) + 1);
    Bytes higher(highest, static_cast<char>(highest_digit));
    if (at > 0 && digit(block, 0) < highest_digit) return higher + block;
    append(higher, highest_digit);
    const std::size_t width = block_width(highest + 1);
    for (std::size_t i = 0; i < width; ++i) append(higher, least(i, width));
    return higher;
}

/// Precondition: low < high.
Bytes between(BytesView low, BytesView high) {
    const auto [end, other] = std::mismatch(low.begin(), low.end(), high.begin(), high.end());
    const auto common = static_cast<std::size_t>(end - low.begin());
    Bytes digits(low.substr(0, common));
    if (common == low.size()) return digits + below(high.substr(common));
    const unsigned step = digit(high, common) - digit(low, common);
    append(digits, digit(low, common) + (step > 1 ? 1 : 0));
    return step > 1 ? digits : digits + above(low.substr(common + 1));
}

// --- Levels

/// Numbers that order as bytes: how many bytes, then these, the highest first.
void write_ordered(Bytes& out, std::uint64_t number) {
    const auto bytes = static_cast<unsigned>((std::bit_width(number) + 7) / 8);
    append(out, bytes);
    for (unsigned i = bytes; i > 0; --i) {
        append(out, static_cast<unsigned>(number >> (8 * (i - 1)) & 0xFF));
    }
}

std::uint64_t read_ordered(ByteReader& in) {
    const unsigned bytes = in.u8();
    if (bytes > 8) in.fail();
    std::uint64_t number = 0;
    for (unsigned i = 0; i < bytes && in.ok(); ++i) number = number << 8U | in.u8();
    if (bytes > 0 && in.ok() && number >> (8 * (bytes - 1)) == 0) in.fail();
    return number;
}

struct Level {
    BytesView digits;  ///< of the first: its number
    std::size_t end;   ///< of the level, within the position
    Dot dot;
};

BytesView read_digits(ByteReader& in, BytesView position) {
    const std::size_t begin = position.size() - in.left();
    std::size_t count = 0;
    while (in.ok() && in.u8() != static_cast<std::uint8_t>(digits_end)) ++count;
    const BytesView digits = position.substr(begin, count);
    if (digits.empty() || digit(digits, count - 1) == lowest_digit) in.fail();
    return digits;
}

/// Nothing if these bytes are no position.
std::optional<std::vector<Level>> parse(BytesView position) {
    std::vector<Level> levels;
    ByteReader in(position);
    do {
        const BytesView digits = levels.empty() ? in.raw(number_bytes) : read_digits(in, position);
        const std::uint64_t node = read_ordered(in);
        const std::uint64_t incarnation = read_ordered(in);
        const std::uint64_t counter = read_ordered(in);
        read_ordered(in);  // the place within the command
        const bool is_actor = node <= UINT32_MAX && incarnation <= UINT32_MAX;
        if (!in.ok() || !is_actor || counter == 0) return std::nullopt;
        const Actor actor{static_cast<std::uint32_t>(node),
                          static_cast<std::uint32_t>(incarnation)};
        levels.push_back(Level{digits, position.size() - in.left(), Dot{actor, counter}});
    } while (in.left() > 0);
    return levels;
}

std::vector<Level> levels_of(BytesView position) {
    std::optional<std::vector<Level>> levels = parse(position);
    SYNCLINE_ASSERT(levels.has_value());
    return std::move(*levels);
}

std::uint64_t number_of(BytesView position) {
    return ByteReader(position).u64();
}

Bytes number_place(std::uint64_t number) {
    Bytes place;
    ByteWriter(place).u64(number);
    return place;
}

}  // namespace

Bytes place_between(std::optional<BytesView> left, std::optional<BytesView> right) {
    if (!left && !right) return number_place(number_origin);
    if (!left) return number_place(number_of(*right) - 1);
    if (!right) return number_place(number_of(*left) + 1);
    SYNCLINE_ASSERT(*left < *right);
    const std::vector<Level> lefts = levels_of(*left);
    const std::vector<Level> rights = levels_of(*right);
    std::size_t common = 0;  // levels
    while (common < lefts.size() && common < rights.size() &&
           left->substr(0, lefts[common].end) == right->substr(0, rights[common].end)) {
        ++common;
    }
    if (common == lefts.size()) {  // the right one hangs on the left one
        return Bytes(*left) + below(rights[common].digits) + digits_end;
    }
    const Level& mine = lefts[common];
    const Level& other = rights[common];
    if (common == 0) {
        if (number_of(*right) - number_of(*left) > 1) return number_place(number_of(*left) + 1);
    } else if (mine.digits < other.digits) {
        const Bytes shared(left->substr(0, lefts[common - 1].end));
        return shared + between(mine.digits, other.digits) + digits_end;
    }
    // No room at this level: hang on the left one, behind what hangs there.
    const bool hangs = common + 1 < lefts.size();
    return Bytes(left->substr(0, mine.end)) +
           above(hangs ? lefts[common + 1].digits : BytesView()) + digits_end;
}

Bytes position_at(BytesView place, const Dot& dot, std::uint64_t index) {
    Bytes position(place);
    write_ordered(position, dot.actor.node);
    write_ordered(position, dot.actor.incarnation);
    write_ordered(position, dot.counter);
    write_ordered(position, index);
    return position;
}

Dot position_dot(BytesView position) {
    return levels_of(position).back().dot;
}

bool is_position(BytesView bytes) {
    return bytes.size() <= limits::position_bytes_max && parse(bytes).has_value();
}

}  // namespace syncline
