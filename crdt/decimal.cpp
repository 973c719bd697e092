#include "crdt/decimal.hpp"

#include <algorithm>
#include <charconv>

namespace syncline {
namespace {

__extension__ using Units = unsigned __int128;

constexpr unsigned decimal_places = 17;
constexpr std::uint64_t one = 100'000'000'000'000'000;  // 10^decimal_places
constexpr unsigned whole_digits_max = 21;
constexpr Units magnitude_max = Units{1'000} * 1'000'000'000'000'000'000U * one;  // 10^21
constexpr std::size_t text_bytes_max = 5 * 1024;                                  // as Redis
/// With a larger exponent a text of so many bytes is 0 or out of range.
constexpr int exponent_max = 10000;

/// The parts of a text, before it is known how large the number is.
struct Parts {
    bool negative = false;
    std::string digits;  // without leading zeros
    int exponent = 0;    // the number is 0.digits x 10^exponent
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool take_sign(BytesView& text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    return negative;
}

std::string take_digits(BytesView& text) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    std::string digits(text.begin(), end);
    text.remove_prefix(digits.size());
    return digits;
}

/// An exponent with its 'e'; true if there is none, false if it is broken.
bool take_exponent(BytesView& text, int& exponent) {
    if (text.empty()) return true;
    if (text.front() != 'e' && text.front() != 'E') return false;
    text.remove_prefix(1);
    const bool negative = take_sign(text);
    const std::string digits = take_digits(text);
    if (digits.empty() || !text.empty()) return false;
    int value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || value > exponent_max) value = exponent_max;
    exponent = negative ? -value : value;
    return true;
}

std::optional<Parts> split(BytesView text) {
    Parts parts;
    if (text.size() >= text_bytes_max) return std::nullopt;
    parts.negative = take_sign(text);
    const std::string whole = take_digits(text);
    std::string fraction;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = take_digits(text);
    }
    if (whole.empty() && fraction.empty()) return std::nullopt;
    if (!take_exponent(text, parts.exponent)) return std::nullopt;
    parts.digits = whole + fraction;
    const std::size_t zeros = std::min(parts.digits.find_first_not_of('0'), parts.digits.size());
    parts.digits.erase(0, zeros);
    parts.exponent += static_cast<int>(whole.size()) - static_cast<int>(zeros);
    return parts;
}

}  // namespace

Decimal::Decimal(std::int64_t whole) : units_(static_cast<Units>(whole) * one) {}

std::optional<Decimal> Decimal::parse(BytesView text) {
    const std::optional<Parts> parts = split(text);
    if (!parts) return std::nullopt;
    if (parts->digits.empty()) return Decimal();
    if (parts->exponent > static_cast<int>(whole_digits_max)) return std::nullopt;
    // Digits that count: those before the point and `decimal_places` behind it; the next one
    // rounds.
    const int wanted = parts->exponent + static_cast<int>(decimal_places);
    Units units = 0;
    for (int i = 0; i < wanted; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const int digit = at < parts->digits.size() ? parts->digits[at] - '0' : 0;
        units = units * 10 + static_cast<unsigned>(digit);
    }
    const auto next = static_cast<std::size_t>(std::max(wanted, 0));
    if (wanted >= 0 && next < parts->digits.size() && parts->digits[next] >= '5') ++units;
    const Decimal number(parts->negative ? Units{0} - units : units);
    if (!number.in_range()) return std::nullopt;
    return number;
}

std::string Decimal::text() const {
    Units rest = magnitude();
    std::string reversed;
    for (unsigned place = 0; place < decimal_places || rest > 0; ++place) {
        if (place == decimal_places && !reversed.empty()) reversed += '.';
        const char digit = static_cast<char>('0' + static_cast<int>(rest % 10));
        const bool trailing = place < decimal_places && digit == '0' && reversed.empty();
        if (!trailing) reversed += digit;
        rest /= 10;
    }
    const bool is_fraction = magnitude() < one && !is_zero();
    if (is_fraction) reversed += ".0";
    if (reversed.empty()) reversed = "0";
    if (negative()) reversed += '-';
    return {reversed.rbegin(), reversed.rend()};
}

double Decimal::nearest() const {
    const std::string digits = text();
    double number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    SYNCLINE_ASSERT(error == std::errc() && end == digits.data() + digits.size());
    return number;
}

bool Decimal::in_range() const {
    return magnitude() < magnitude_max;
}

std::optional<std::int64_t> Decimal::integer() const {
    if (magnitude() % one != 0) return std::nullopt;
    const Units whole = magnitude() / one;
    constexpr Units largest = Units{1} << 63U;
    if (whole > largest || (whole == largest && !negative())) return std::nullopt;
    const auto bits = static_cast<std::uint64_t>(whole);
    return static_cast<std::int64_t>(negative() ? 0 - bits : bits);
}

void write(ByteWriter& out, Decimal decimal) {
    out.signed_varint(static_cast<std::int64_t>(decimal.units_ >> 64U));
    out.varint(static_cast<std::uint64_t>(decimal.units_));
}

Decimal read_decimal(ByteReader& in) {
    const auto high = static_cast<std::uint64_t>(in.signed_varint());
    const std::uint64_t low = in.varint();
    return Decimal(Units{high} << 64U | low);
}

void pack(Packer& out, Decimal decimal) {
    out.sint(static_cast<std::int64_t>(decimal.units_ >> 64U));
    out.uint(static_cast<std::uint64_t>(decimal.units_));
}

Decimal unpack_decimal(Unpacker& in) {
    const auto high = static_cast<std::uint64_t>(in.sint());
    const std::uint64_t low = in.uint();
    return Decimal(Units{high} << 64U | low);
}

}  // namespace syncline
