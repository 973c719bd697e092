#pragma once
#include <limits>

#include "crdt/bounded_counter.hpp"
#include "crdt/expiry.hpp"
#include "crdt/score.hpp"
#include "tests/crdt/history.hpp"
#include "tests/crdt/spec_bounded_counter.hpp"
#include "tests/crdt/spec_counter.hpp"
#include "tests/crdt/spec_element.hpp"
#include "tests/crdt/spec_expiry.hpp"
#include "tests/crdt/spec_multi_value.hpp"
#include "tests/crdt/spec_register.hpp"
#include "tests/crdt/spec_score.hpp"
#include "tests/crdt/spec_signed_element.hpp"
#include "tests/crdt/spec_string.hpp"

/// The kinds of cells under the history checker: how operations become production deltas, and how
/// production values compare with specifications.
namespace syncline::test {

/// The resets of all that is visible, and with an amount the own increment after them.
inline std::vector<Counter::Entry> reset_then_increment(const Counter& counter, const Dot& dot,
                                                        std::optional<Amount> amount) {
    Counter merged;
    for (const auto& [actor, entry] : counter.reset(dot)) merged.merge(actor, entry);
    if (amount) {
        const auto [actor, entry] = counter.increment(dot, *amount, true);
        merged.merge(actor, entry);
    }
    return merged.entries();
}

struct RegisterSubject {
    using Operation = spec::RegisterOperation;
    static constexpr CellType type = CellType::string;

    static Operation random_operation(Chooser& chooser) {
        if (chooser.choose(3) == 0) return {Operation::Kind::remove, ""};
        return {Operation::Kind::set, "value " + std::to_string(chooser.number())};
    }

    /// All that there is: values differ.
    static std::vector<Operation> few(std::uint64_t number) {
        return {{Operation::Kind::remove, ""},
                {Operation::Kind::set, "value " + std::to_string(number)}};
    }

    static std::string words(const Operation& operation) {
        return operation.kind == Operation::Kind::remove ? "remove" : "set " + operation.value;
    }

    static CellDelta delta(const Operation& operation, const Cell& /*cell*/, const Dot& /*dot*/) {
        CellDelta delta{true, std::nullopt, {}};
        if (operation.kind == Operation::Kind::set) delta.value = operation.value;
        return delta;
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        return string_value(cell) == spec::register_value(visible);
    }
};

struct MultiValueSubject : RegisterSubject {
    static constexpr CellType type = CellType::multi_value;

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        std::multiset<std::string> values;
        for (const DotMap::Entry& entry : cell.dots.entries()) values.insert(entry.payload.value);
        return values == spec::multi_value(visible);
    }
};

struct ExpirySubject {
    using Operation = spec::RegisterOperation;
    static constexpr CellType type = CellType::expiry;

    static Operation random_operation(Chooser& chooser) {
        const std::size_t kind = chooser.choose(4);
        if (kind == 0) return {Operation::Kind::remove, ""};
        if (kind == 1) return {Operation::Kind::set, "never"};
        return {Operation::Kind::set, std::to_string(1000 + chooser.number() % 1000)};
    }

    /// Deadlines that fall while time goes on, and the one that is later than all.
    static std::vector<Operation> few(std::uint64_t number) {
        return {{Operation::Kind::remove, ""},
                {Operation::Kind::set, std::to_string(1000 - number)},
                {Operation::Kind::set, "never"}};
    }

    static std::string words(const Operation& operation) {
        return RegisterSubject::words(operation);
    }

    static CellDelta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        CellDelta delta = RegisterSubject::delta(operation, cell, dot);
        if (delta.value) delta.value = deadline_bytes(deadline_from_text(*delta.value));
        return delta;
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        return expiry_deadline(cell) == spec::deadline(visible);
    }
};

/// An element of a list, once it has its place.
struct ListElementSubject : RegisterSubject {
    static constexpr CellType type = CellType::list;

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        const DotMap::Entry* const winner = cell.dots.winner();
        const auto value = winner == nullptr ? std::nullopt : std::optional(winner->payload.value);
        return value == spec::register_value(visible);
    }
};

struct CounterSubject {
    using Operation = spec::CounterOperation;
    static constexpr CellType type = CellType::hash;

    static Operation random_operation(Chooser& chooser) {
        const std::size_t kind = chooser.choose(4);
        if (kind == 0) return {Operation::Kind::reset, 0};
        const std::uint64_t amount = chooser.number();
        if (kind == 1) return {Operation::Kind::reset_then_increment, amount};
        return {Operation::Kind::increment, kind == 2 ? amount : ~amount};
    }

    /// Amounts of which no two sums are equal.
    static std::vector<Operation> few(std::uint64_t number) {
        const std::uint64_t amount = std::uint64_t{1} << (4 * number);
        return {{Operation::Kind::reset, 0},
                {Operation::Kind::increment, amount},
                {Operation::Kind::reset_then_increment, amount}};
    }

    static std::string words(const Operation& operation) {
        static const char* const names[] = {"increment ", "reset ", "reset, then increment "};
        return names[static_cast<std::size_t>(operation.kind)] + std::to_string(operation.amount);
    }

    static CellDelta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        if (operation.kind == Operation::Kind::increment) {
            return {false, std::nullopt, {cell.counter.increment(dot, operation.amount, false)}};
        }
        const bool increments = operation.kind == Operation::Kind::reset_then_increment;
        return {false, std::nullopt,
                reset_then_increment(
                    cell.counter, dot,
                    increments ? std::optional(Amount(operation.amount)) : std::nullopt)};
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        const auto expected = spec::counter_value(visible);
        return cell.live() == expected.has_value() &&
               cell.counter.value() == static_cast<std::int64_t>(expected.value_or(0));
    }
};

struct ElementSubject {
    using Operation = spec::ElementOperation;
    static constexpr CellType type = CellType::set;

    static Operation random_operation(Chooser& chooser) {
        return chooser.choose(2) == 0 ? Operation::add : Operation::remove;
    }

    static std::vector<Operation> few(std::uint64_t /*number*/) {
        return {Operation::add, Operation::remove};
    }

    static std::string words(const Operation& operation) {
        return operation == Operation::add ? "add" : "remove";
    }

    static CellDelta delta(const Operation& operation, const Cell& /*cell*/, const Dot& /*dot*/) {
        if (operation == Operation::remove) return {true, std::nullopt, {}};
        return {true, Bytes(), {}};
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        return cell.live() == spec::element_present(visible);
    }
};

struct FlagSubject : ElementSubject {
    static constexpr CellType type = CellType::flag;
};

/// An element of a set where removals win.
struct SignedElementSubject {
    using Operation = spec::SignedOperation;
    static constexpr CellType type = CellType::set;

    static Operation random_operation(Chooser& chooser) {
        return static_cast<Operation>(chooser.choose(3));
    }

    static std::vector<Operation> few(std::uint64_t /*number*/) {
        return {Operation::add, Operation::remove, Operation::clear};
    }

    static std::string words(const Operation& operation) {
        static const char* const names[] = {"add", "remove", "clear"};
        return names[static_cast<std::size_t>(operation)];
    }

    static CellDelta delta(const Operation& operation, const Cell& /*cell*/, const Dot& /*dot*/) {
        if (operation == Operation::add) return {true, Bytes(), {}};
        return {true, std::nullopt, {}, operation == Operation::remove};
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        return cell.live() == spec::signed_element_present(visible);
    }
};

struct SignedFlagSubject : SignedElementSubject {
    static constexpr CellType type = CellType::flag;
};

struct StringSubject {
    using Operation = spec::StringOperation;
    using First = Operation::First;
    static constexpr CellType type = CellType::string;

    static Operation random_operation(Chooser& chooser) {
        const std::size_t kind = chooser.choose(7);
        const std::uint64_t number = chooser.number();
        if (kind == 0) return {First::set, std::to_string(number % 100), {}};
        if (kind == 1) return {First::set, unusual_value(number), {}};
        if (kind == 2) return {First::del, "", {}};
        if (kind == 3) return {First::set, "0", number};
        if (kind == 4) return {First::del, "", number};
        if (kind == 5) return {First::nothing, "", 0, random_hundredths(number)};
        return {First::nothing, "", number % 2 == 0 ? number : ~number};
    }

    /// A number, an increment, a removal: what else there is does the same to the two parts of the
    /// cell. Sums of the amounts differ.
    static std::vector<Operation> few(std::uint64_t number) {
        const std::uint64_t amount = std::uint64_t{1} << (4 * number);
        return {{First::set, std::to_string(amount), {}},
                {First::del, "", {}},
                {First::nothing, "", 3 * amount}};
    }

    static std::string words(const Operation& operation) {
        std::string text = operation.first == First::set   ? "set " + operation.value
                           : operation.first == First::del ? "remove"
                                                           : "";
        if (operation.amount) text += " add " + std::to_string(*operation.amount);
        if (operation.hundredths != 0) {
            text += " add decimal " + spec::decimal_text(operation.hundredths);
        }
        return text;
    }

    /// Some of them whole numbers, some below 0.
    static spec::Hundredths random_hundredths(std::uint64_t number) {
        const auto some = static_cast<spec::Hundredths>(number % 1000) - 500;
        return number % 5 == 0 ? some * 100 : some;
    }

    static std::optional<Amount> amount_of(const Operation& operation) {
        if (!operation.amount) return std::nullopt;
        const auto decimal = Decimal::parse(spec::decimal_text(operation.hundredths));
        return Amount(*operation.amount, *decimal);
    }

    static std::string unusual_value(std::uint64_t number) {
        static const std::string values[] = {"text", "-7",  "007", "9223372036854775807",
                                             "",     "1.5", "-0",  "9223372036854775808"};
        return values[number % std::size(values)];
    }

    static CellDelta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        if (operation.first == First::nothing) {
            return {
                false, std::nullopt, {cell.counter.increment(dot, *amount_of(operation), false)}};
        }
        CellDelta delta{true, std::nullopt,
                        reset_then_increment(cell.counter, dot, amount_of(operation))};
        if (operation.first == First::set) delta.value = operation.value;
        return delta;
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        const auto expected = spec::string_value(visible);
        const auto number = expected ? spec::as_integer(*expected) : std::optional<std::int64_t>(0);
        return string_value(cell) == expected && integer_value(cell) == number &&
               cell.live() == expected.has_value();
    }
};

struct ScoreSubject {
    using Operation = spec::StringOperation;
    using First = Operation::First;
    static constexpr CellType type = CellType::sorted_set;

    static Operation random_operation(Chooser& chooser) {
        static const std::string scores[] = {"0", "-7", "1.5", "inf", "-inf", "12", "-0.25", "3"};
        const std::size_t kind = chooser.choose(4);
        const std::uint64_t number = chooser.number();
        const spec::Hundredths added = StringSubject::random_hundredths(number);
        if (kind == 0) return {First::set, scores[number % std::size(scores)], {}};
        if (kind == 1) return {First::del, "", {}};
        if (kind == 2) return {First::set, scores[number % std::size(scores)], 0, added};
        return {First::nothing, "", 0, added};
    }

    static std::vector<Operation> few(std::uint64_t number) {
        const std::uint64_t amount = std::uint64_t{1} << (4 * number);
        return {{First::set, std::to_string(amount), {}},
                {First::del, "", {}},
                {First::nothing, "", 0, spec::Hundredths{3} * amount}};
    }

    static std::string words(const Operation& operation) { return StringSubject::words(operation); }

    static CellDelta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        CellDelta delta = StringSubject::delta(operation, cell, dot);
        if (delta.value) delta.value = score_bytes(*parse_score(*delta.value));
        return delta;
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        const std::optional<double> expected = spec::score(visible);
        return score_value(cell) == expected && cell.live() == expected.has_value();
    }
};

/// A row of a bounded counter: of replica 1, the rights it made. What others do to the counter they
/// write elsewhere, and a removal passes the row by.
struct RightsRowSubject {
    using Operation = spec::BoundedOperation;
    static constexpr CellType type = CellType::bounded_counter;
    static constexpr Actor writer{1, 1};

    static Operation random_operation(Chooser& chooser) {
        return {Operation::Kind::make, 1 + chooser.number() % 1000, {}};
    }

    /// There is no other; what the others do leaves the row as it is.
    static std::vector<Operation> few(std::uint64_t number) {
        return {{Operation::Kind::make, number, {}}};
    }

    static std::string words(const Operation& operation) {
        return "make " + std::to_string(operation.amount);
    }

    static CellDelta delta(const Operation& operation, const Cell& cell, const Dot& dot) {
        if (dot.actor != writer) return {};
        return {true, rights_bytes(number(cell) + operation.amount), {}};
    }

    static bool agrees(const Cell& cell, const spec::Events<Operation>& visible) {
        return cell.dots.size() <= 1 && number(cell) == spec::rights_made(visible, writer);
    }

    static std::uint64_t number(const Cell& cell) {
        if (cell.dots.empty()) return 0;
        return rights_from_bytes(cell.dots.winner()->payload.value).value();
    }
};

}  // namespace syncline::test
