#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "tests/crdt/spec.hpp"

/// What a string key (or a hash field) that takes both SET and INCR means, as a function of its
/// history alone.
namespace syncline::test::spec {

/// One transaction: at first perhaps SET or DEL, which cancel all they see, then perhaps INCRBY.
struct StringOperation {
    enum class First { nothing, set, del };
    First first;
    std::string value;                    ///< of set
    std::optional<std::uint64_t> amount;  ///< of the increment
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

/// The last of the SETs that nothing has cancelled, plus all increments that nothing has cancelled.
/// A SET value that is no number hides the increments.
inline std::optional<std::string> string_value(const Events<StringOperation>& visible) {
    const Event<StringOperation>* winner = nullptr;
    std::optional<std::uint64_t> sum;
    for (const auto& event : visible) {
        if (seen_by_any(event, visible, cancels)) continue;
        const StringOperation& operation = event.operation;
        const bool sets = operation.first == StringOperation::First::set;
        if (sets && (winner == nullptr || winner->older_than(event))) winner = &event;
        if (operation.amount) sum = sum.value_or(0) + *operation.amount;
    }
    const auto signed_text = [](std::uint64_t bits) {
        return std::to_string(static_cast<std::int64_t>(bits));
    };
    if (winner == nullptr) return sum ? std::optional(signed_text(*sum)) : std::nullopt;
    const auto number = as_integer(winner->operation.value);
    if (!number || !sum) return winner->operation.value;
    return signed_text(static_cast<std::uint64_t>(*number) + *sum);
}

}  // namespace syncline::test::spec
