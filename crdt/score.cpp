#include "crdt/score.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace syncline {
namespace {

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63U;
constexpr double infinity = std::numeric_limits<double>::infinity();

bool is_word(BytesView text, BytesView word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
        if (c != word[i]) return false;
    }
    return true;
}

bool is_decimal_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<double> parse_finite(BytesView digits) {
    const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    if (hex) digits.remove_prefix(2);
    // A second sign, and the words that from_chars knows, are none here.
    if (digits.empty()) return std::nullopt;
    if (!hex && digits.front() != '.' && !is_decimal_digit(digits.front())) return std::nullopt;
    if (hex && (digits.front() == '-' || digits.front() == '+')) return std::nullopt;
    double number = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(
        digits.data(), end, number, hex ? std::chars_format::hex : std::chars_format::general);
    if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
    return number;
}

/// As a decimal, if it is exactly one.
std::optional<Decimal> exact_decimal(double number) {
    if (!std::isfinite(number)) return std::nullopt;
    const std::optional<Decimal> decimal = Decimal::parse(score_text(number));
    if (!decimal || decimal->nearest() != number) return std::nullopt;
    return decimal;
}

}  // namespace

std::optional<double> parse_score(BytesView text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const bool is_infinite = is_word(text, "inf") || is_word(text, "infinity");
    const std::optional<double> magnitude = is_infinite ? infinity : parse_finite(text);
    if (!magnitude) return std::nullopt;
    return (negative ? -*magnitude : *magnitude) + 0.0;  // no -0
}

std::string score_text(double score) {
    if (std::isinf(score)) return score < 0 ? "-inf" : "inf";
    // Exponents only where people would write them, too.
    const double magnitude = std::abs(score);
    const bool plain = score == 0 || (magnitude >= 1e-6 && magnitude < 1e21);
    char text[64];
    const auto [end, error] =
        std::to_chars(text, text + sizeof text, score,
                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    SYNCLINE_ASSERT(error == std::errc());
    return {text, end};
}

std::uint64_t score_order(double score) {
    SYNCLINE_ASSERT(!std::isnan(score));
    const auto bits = std::bit_cast<std::uint64_t>(score + 0.0);
    return (bits & sign_bit) != 0 ? ~bits : bits | sign_bit;
}

std::optional<double> score_from_order(std::uint64_t order) {
    const std::uint64_t bits = (order & sign_bit) != 0 ? order ^ sign_bit : ~order;
    const auto score = std::bit_cast<double>(bits);
    if (std::isnan(score) || bits == sign_bit) return std::nullopt;
    return score;
}

Bytes score_bytes(double score) {
    Bytes bytes;
    ByteWriter(bytes).u64(score_order(score));
    return bytes;
}

std::optional<double> score_from_bytes(BytesView bytes) {
    ByteReader in(bytes);
    const std::uint64_t order = in.u64();
    return in.done() ? score_from_order(order) : std::nullopt;
}

std::optional<double> score_value(const Cell& cell) {
    if (!cell.live()) return std::nullopt;
    const DotMap::Entry* const winner = cell.dots.winner();
    const double written = winner == nullptr ? 0 : *score_from_bytes(winner->payload.value);
    if (!cell.counter.exists()) return written;
    const Amount total = cell.counter.total();
    const Decimal sum = Decimal(static_cast<std::int64_t>(total.integer)) + total.decimal;
    const std::optional<Decimal> exact = exact_decimal(written);
    return exact ? (*exact + sum).nearest() : written + sum.nearest();
}

std::optional<Decimal> score_increment(double amount) {
    return exact_decimal(amount);
}

}  // namespace syncline
