#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/crdt/spec.hpp"

/// What a string key (or a hash field) that takes SET, INCRBY and INCRBYFLOAT means, as a function
/// of its history alone. Decimals are counted in hundredths here.
namespace syncline::test::spec {

__extension__ using Hundredths = __int128;

/// One transaction: at first perhaps SET or DEL, which cancel all they see, then perhaps it adds.
struct StringOperation {
    enum class First { nothing, set, del };
    First first;
    std::string value;                    ///< of set
    std::optional<std::uint64_t> amount;  ///< of the increment
    Hundredths hundredths = 0;            ///< of an increment by decimals; there is an amount, too
};

inline bool cancels(const StringOperation& operation) {
    return operation.first != StringOperation::First::nothing;
}

/// Redis's integers: a text of at most 20 characters that prints as it was read.
inline std::optional<std::int64_t> as_integer(const std::string& text) {
    constexpr std::size_t characters_max = 20;
    const bool negative = !text.empty() && text.front() == '-';
    std::uint64_t magnitude = 0;  // 20 digits may wrap it; then it prints differently.
    for (const char digit : text.substr(negative ? 1 : 0, characters_max)) {
        magnitude = 10 * magnitude + static_cast<unsigned char>(digit - '0');
    }
    const auto number = static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
    if (std::to_string(number) != text) return std::nullopt;
    return number;
}

/// Texts of digits with at most two behind a point, as the tests set them.
inline std::optional<Hundredths> as_decimal(const std::string& text) {
    const bool negative = !text.empty() && text.front() == '-';
    const std::string digits = text.substr(negative ? 1 : 0);
    const std::size_t point = std::min(digits.find('.'), digits.size());
    const std::string behind = point < digits.size() ? digits.substr(point + 1) : "";
    std::string all = digits.substr(0, point) + behind + std::string(2 - behind.size(), '0');
    Hundredths value = 0;
    for (const char digit : all) {
        if (digit < '0' || digit > '9') return std::nullopt;
        value = 10 * value + (digit - '0');
    }
    if (digits.empty()) return std::nullopt;
    return negative ? -value : value;
}

inline std::string decimal_text(Hundredths value) {
    const Hundredths magnitude = value < 0 ? -value : value;
    std::string text;
    for (Hundredths whole = magnitude / 100; whole > 0; whole /= 10) {
        text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(whole % 10)));
    }
    if (text.empty()) text = "0";
    const int behind = static_cast<int>(magnitude % 100);
    if (behind > 0) text += '.' + std::to_string(behind / 10);
    if (behind % 10 > 0) text += std::to_string(behind % 10);
    return (value < 0 ? "-" : "") + text;
}

/// The last of the SETs that nothing has cancelled, plus all increments that nothing has cancelled.
/// A SET value that is no number hides the increments. Integers add up mod 2^64, unless the value
/// or what decimals add is no integer.
inline std::optional<std::string> string_value(const Events<StringOperation>& visible) {
    const Event<StringOperation>* winner = nullptr;
    std::optional<std::uint64_t> sum;
    Hundredths hundredths = 0;
    for (const auto& event : visible) {
        if (seen_by_any(event, visible, cancels)) continue;
        const StringOperation& operation = event.operation;
        const bool sets = operation.first == StringOperation::First::set;
        if (sets && (winner == nullptr || winner->older_than(event))) winner = &event;
        if (operation.amount) sum = sum.value_or(0) + *operation.amount;
        hundredths += operation.hundredths;
    }
    const auto signed_text = [](std::uint64_t bits) {
        return std::to_string(static_cast<std::int64_t>(bits));
    };
    if (!sum) return winner ? std::optional(winner->operation.value) : std::nullopt;
    const std::string before = winner ? winner->operation.value : "0";
    const auto number = as_integer(before);
    if (number && hundredths == 0) return signed_text(static_cast<std::uint64_t>(*number) + *sum);
    const auto decimal = as_decimal(before);
    if (!decimal) return before;
    return decimal_text(*decimal + Hundredths{static_cast<std::int64_t>(*sum)} * 100 + hundredths);
}

}  // namespace syncline::test::spec
