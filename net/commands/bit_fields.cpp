// BITFIELD: integers of any width at any place of a string.
#include <algorithm>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/bit_arguments.hpp"
#include "net/commands/bit_string.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

enum class Overflow : std::uint8_t { wrap, saturate, fail };
enum class Action : std::uint8_t { get, set, increment };

/// An integer type: i1 to i64, u1 to u63.
struct FieldType {
    bool is_signed = false;
    unsigned width = 0;

    /// Of the smallest and largest value, as bits of a 64-bit number.
    [[nodiscard]] std::int64_t max() const {
        const unsigned bits = is_signed ? width - 1 : width;
        return static_cast<std::int64_t>((std::uint64_t{1} << bits) - 1);
    }
    [[nodiscard]] std::int64_t min() const { return is_signed ? -max() - 1 : 0; }
    /// The value of so many bits.
    [[nodiscard]] std::int64_t value_of(std::uint64_t bits) const {
        const unsigned unused = 64 - width;
        const std::uint64_t high = bits << unused;
        return is_signed ? static_cast<std::int64_t>(high) >> unused
                         : static_cast<std::int64_t>(high >> unused);
    }
};

struct FieldStep {
    Action action = Action::get;
    Overflow overflow = Overflow::wrap;
    FieldType type;
    std::uint64_t offset = 0;
    std::int64_t number = 0;
};

std::optional<FieldType> field_type(BytesView text) {
    FieldType type;
    if (text.empty() || (text.front() != 'i' && text.front() != 'u')) return std::nullopt;
    type.is_signed = text.front() == 'i';
    const std::optional<std::int64_t> width = parse_integer(text.substr(1));
    if (!width || *width < 1 || *width > (type.is_signed ? 64 : 63)) return std::nullopt;
    type.width = static_cast<unsigned>(*width);
    return type;
}

std::optional<Overflow> overflow_argument(BytesView text) {
    if (equal_nocase(text, "wrap")) return Overflow::wrap;
    if (equal_nocase(text, "sat")) return Overflow::saturate;
    if (equal_nocase(text, "fail")) return Overflow::fail;
    return std::nullopt;
}

/// Reads steps one after the other.
class StepParser {
public:
    explicit StepParser(CommandContext& context) : context_(context) {}

    /// Nothing, and the error is written.
    std::optional<std::vector<FieldStep>> parse() {
        std::vector<FieldStep> steps;
        while (index_ < context_.count()) {
            if (!parse_one(steps)) return std::nullopt;
        }
        return steps;
    }

private:
    bool refuse(BytesView text) {
        context_.reply.error(text);
        return false;
    }

    bool parse_one(std::vector<FieldStep>& steps) {
        const Bytes& name = context_.argument(index_);
        const std::size_t behind = context_.count() - index_ - 1;
        if (equal_nocase(name, "overflow") && behind >= 1) {
            const std::optional<Overflow> overflow =
                overflow_argument(context_.argument(index_ + 1));
            if (!overflow) return refuse("ERR Invalid OVERFLOW type specified");
            overflow_ = *overflow;
            index_ += 2;
            return true;
        }
        FieldStep step;
        step.overflow = overflow_;
        if (equal_nocase(name, "get") && behind >= 2) {
            step.action = Action::get;
        } else if (equal_nocase(name, "set") && behind >= 3) {
            step.action = Action::set;
        } else if (equal_nocase(name, "incrby") && behind >= 3) {
            step.action = Action::increment;
        } else {
            return refuse(error_text::syntax);
        }
        if (!parse_place(step)) return false;
        steps.push_back(step);
        return true;
    }

    bool parse_place(FieldStep& step) {
        const std::optional<FieldType> type = field_type(context_.argument(index_ + 1));
        if (!type) {
            return refuse(
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
                "supported but i64 is.");
        }
        step.type = *type;
        const std::optional<std::uint64_t> offset =
            bit_offset(context_.argument(index_ + 2), type->width);
        if (!offset) return refuse(bad_bit_offset);
        step.offset = *offset;
        index_ += 3;
        if (step.action == Action::get) return true;
        const std::optional<std::int64_t> number = parse_integer(context_.argument(index_++));
        if (!number) return refuse(error_text::not_integer);
        step.number = *number;
        return true;
    }

    CommandContext& context_;
    std::size_t index_ = 2;
    Overflow overflow_ = Overflow::wrap;
};

/// A value and what is added to it, in a type. Nothing: it does not fit, and shall fail then.
std::optional<std::int64_t> sum_in(const FieldStep& step, std::int64_t value, std::int64_t added) {
    std::int64_t sum = 0;
    const bool wraps = __builtin_add_overflow(value, added, &sum);
    // A negative number is a very large one to Redis where it is to be the value of an unsigned
    // field.
    const bool huge = !step.type.is_signed && step.action == Action::set && value < 0;
    const bool above = huge || (wraps ? added > 0 : sum > step.type.max());
    const bool below = !above && (wraps ? added < 0 : sum < step.type.min());
    if (!above && !below) return sum;
    if (step.overflow == Overflow::fail) return std::nullopt;
    if (step.overflow == Overflow::saturate) return above ? step.type.max() : step.type.min();
    return step.type.value_of(static_cast<std::uint64_t>(value) +
                              static_cast<std::uint64_t>(added));
}

/// Does a step and returns what is replied; nothing: null, and nothing is changed.
std::optional<std::int64_t> run_step(const FieldStep& step, Bytes& bytes) {
    const std::int64_t before = step.type.value_of(number_at(bytes, step.offset, step.type.width));
    if (step.action == Action::get) return before;
    const bool sets = step.action == Action::set;
    const std::optional<std::int64_t> after =
        sets ? sum_in(step, step.number, 0) : sum_in(step, before, step.number);
    if (!after) return std::nullopt;
    put_number(bytes, step.offset, step.type.width, static_cast<std::uint64_t>(*after));
    return sets ? before : *after;
}

template <bool only_reads>
Result<void> bitfield_command(CommandContext& context) {
    const std::optional<std::vector<FieldStep>> steps = StepParser(context).parse();
    if (!steps) return {};
    std::uint64_t size = 0;  // that is written to
    for (const FieldStep& step : *steps) {
        if (step.action == Action::get) continue;
        size = std::max(size, bytes_up_to(step.offset + step.type.width - 1));
    }
    if (only_reads && size > 0) {
        context.reply.error("ERR BITFIELD_RO only supports the GET subcommand");
        return {};
    }
    SYNCLINE_TRY(std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    Bytes bytes = value ? std::move(*value) : Bytes();
    bool changed = size > bytes.size();
    bytes.resize(std::max<std::size_t>(bytes.size(), size), '\0');
    std::vector<std::optional<std::int64_t>> replies;
    for (const FieldStep& step : *steps) {
        replies.push_back(run_step(step, bytes));
        changed = changed || (step.action != Action::get && replies.back());
    }
    if (changed) {
        SYNCLINE_CHECK(operations::string_set(context.txn(), context.argument(1), std::move(bytes),
                                              operations::Deadline::kept));
    }
    context.reply.array(replies.size());
    for (const std::optional<std::int64_t>& reply : replies) {
        if (reply) {
            context.reply.integer(*reply);
        } else {
            context.reply.null();
        }
    }
    return {};
}

constexpr BytesView group = "bitmap";
constexpr KeyPositions one_key{1, 1, 1};
constexpr BytesView of_steps = "O(N + M) with N bytes of the value and M subcommands";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"bitfield", -2, flag::write | flag::denyoom, one_key, group, "3.2.0", of_steps,
     "Reads and writes integers at places of a string, as a write of the whole value",
     bitfield_command<false>, {}},
    {"bitfield_ro", -2, flag::readonly | flag::fast, one_key, group, "6.0.0", of_steps,
     "Reads integers at places of a string", bitfield_command<true>, {}},
};
// clang-format on

}  // namespace

std::span<const Command> bit_field_commands() {
    return commands;
}

}  // namespace syncline
