// Bits of strings. What is changed is written as the whole value, as by SETRANGE.
#include <algorithm>

#include "core/base/limits.hpp"
#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/bit_arguments.hpp"
#include "net/commands/bit_string.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView bad_bit = "ERR bit is not an integer or out of range";

Result<void> setbit_command(CommandContext& context) {
    const std::optional<std::uint64_t> index = bit_offset(context.argument(2));
    const Bytes& bit = context.argument(3);
    if (!index || (bit != "0" && bit != "1")) {
        context.reply.error(index ? bad_bit : bad_bit_offset);
        return {};
    }
    SYNCLINE_TRY(std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    Bytes grown = value ? std::move(*value) : Bytes();
    grown.resize(std::max<std::size_t>(grown.size(), bytes_up_to(*index)), '\0');
    const bool before = bit_at(grown, *index);
    put_bit(grown, *index, bit == "1");
    SYNCLINE_CHECK(operations::string_set(context.txn(), context.argument(1), std::move(grown),
                                          operations::Deadline::kept));
    context.reply.integer(before ? 1 : 0);
    return {};
}

Result<void> getbit_command(CommandContext& context) {
    const std::optional<std::uint64_t> index = bit_offset(context.argument(2));
    if (!index) {
        context.reply.error(bad_bit_offset);
        return {};
    }
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    context.reply.integer(value && bit_at(*value, *index) ? 1 : 0);
    return {};
}

// --- BITCOUNT, BITPOS

/// Part of a string, in bits. Nothing of it: last < first.
struct BitRange {
    std::int64_t first = 0;
    std::int64_t last = -1;
    bool has_end = false;
};

/// The range that arguments from `index` on name: start, end, and BYTE or BIT. Nothing, and the
/// error is written. Error invalid_argument: a number is none.
Result<std::optional<BitRange>> parse_range(CommandContext& context, std::size_t index,
                                            std::size_t size) {
    const std::size_t given = context.count() - std::min(index, context.count());
    std::int64_t start = 0;
    std::int64_t end = -1;
    bool in_bits = false;
    bool valid = given <= 3;
    if (valid && given > 0) {
        SYNCLINE_TRY(start, integer_argument(context.argument(index)));
    }
    if (valid && given > 2) {
        in_bits = equal_nocase(context.argument(index + 2), "bit");
        valid = in_bits || equal_nocase(context.argument(index + 2), "byte");
    }
    if (valid && given > 1) {
        SYNCLINE_TRY(end, integer_argument(context.argument(index + 1)));
    }
    if (!valid) {
        context.reply.error(error_text::syntax);
        return std::optional<BitRange>();
    }
    const std::int64_t unit = in_bits ? 1 : 8;
    const std::int64_t length = static_cast<std::int64_t>(size) * (8 / unit);
    if (start < 0) start = std::max<std::int64_t>(start + length, 0);
    if (end < 0) end = std::max<std::int64_t>(end + length, 0);
    end = std::min(end, length - 1);
    if (start > end) return std::optional(BitRange{0, -1, given > 1});
    return std::optional(BitRange{start * unit, end * unit + unit - 1, given > 1});
}

Result<void> bitcount_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    if (!value) {
        context.reply.integer(0);
        return {};
    }
    if (context.count() == 3) {  // a start without an end
        context.reply.error(error_text::syntax);
        return {};
    }
    if (context.count() == 5 || context.count() == 4) {  // Redis looks at this before the unit
        SYNCLINE_TRY(const std::int64_t start, integer_argument(context.argument(2)));
        SYNCLINE_TRY(const std::int64_t end, integer_argument(context.argument(3)));
        if (start < 0 && end < 0 && start > end) {
            context.reply.integer(0);
            return {};
        }
    }
    SYNCLINE_TRY(const std::optional<BitRange> range, parse_range(context, 2, value->size()));
    if (!range) return {};
    const bool empty = range->last < range->first;
    context.reply.integer(empty ? 0
                                : static_cast<std::int64_t>(
                                      count_bits(*value, static_cast<std::uint64_t>(range->first),
                                                 static_cast<std::uint64_t>(range->last))));
    return {};
}

Result<void> bitpos_command(CommandContext& context) {
    SYNCLINE_TRY(const std::int64_t wanted, integer_argument(context.argument(2)));
    if (wanted != 0 && wanted != 1) {
        context.reply.error("ERR The bit argument must be 1 or 0.");
        return {};
    }
    const bool bit = wanted == 1;
    SYNCLINE_TRY(const std::optional<Bytes> value,
                 operations::string_get(context.txn(), context.argument(1)));
    if (!value) {
        context.reply.integer(bit ? -1 : 0);
        return {};
    }
    SYNCLINE_TRY(const std::optional<BitRange> range, parse_range(context, 3, value->size()));
    if (!range) return {};
    if (range->last < range->first) {
        context.reply.integer(-1);
        return {};
    }
    const std::optional<std::uint64_t> found =
        find_bit(*value, bit, static_cast<std::uint64_t>(range->first),
                 static_cast<std::uint64_t>(range->last));
    // Behind the end there are zeros, unless an end was named.
    const std::int64_t behind = bit || range->has_end ? -1 : range->last + 1;
    context.reply.integer(found ? static_cast<std::int64_t>(*found) : behind);
    return {};
}

// --- BITOP

struct BitOperation {
    BytesView name;
    void (*combine)(Bytes& total, BytesView operand);  ///< of equal length
};

template <typename Combine>
void combine_bytes(Bytes& total, BytesView operand, const Combine& combine) {
    for (std::size_t i = 0; i < total.size(); ++i) {
        total[i] = static_cast<char>(
            combine(static_cast<unsigned char>(total[i]), static_cast<unsigned char>(operand[i])));
    }
}

void and_bytes(Bytes& total, BytesView operand) {
    combine_bytes(total, operand, [](unsigned a, unsigned b) { return a & b; });
}

void or_bytes(Bytes& total, BytesView operand) {
    combine_bytes(total, operand, [](unsigned a, unsigned b) { return a | b; });
}

void xor_bytes(Bytes& total, BytesView operand) {
    combine_bytes(total, operand, [](unsigned a, unsigned b) { return a ^ b; });
}

void not_bytes(Bytes& total, BytesView operand) {
    combine_bytes(total, operand, [](unsigned a, unsigned) { return ~a & 0xffU; });
}

constexpr BitOperation bit_operations[] = {
    {"and", and_bytes},
    {"or", or_bytes},
    {"xor", xor_bytes},
    {"not", not_bytes},
};

/// The values under the arguments from `index` on, missing ones empty. Error limit: more than a
/// client may be sent, either.
Result<std::vector<Bytes>> read_operands(CommandContext& context, std::size_t index) {
    std::vector<Bytes> operands;
    std::size_t bytes = 0;
    for (; index < context.count(); ++index) {
        SYNCLINE_TRY(std::optional<Bytes> value,
                     operations::string_get(context.txn(), context.argument(index)));
        operands.push_back(value ? std::move(*value) : Bytes());
        bytes += operands.back().size();
        if (bytes > limits::client_output_bytes_max) {
            return Error{Code::limit, "the values have more than " +
                                          std::to_string(limits::client_output_bytes_max) +
                                          " bytes"};
        }
    }
    return operands;
}

Result<void> bitop_command(CommandContext& context) {
    const auto* const operation = std::find_if(
        std::begin(bit_operations), std::end(bit_operations), [&](const BitOperation& candidate) {
            return equal_nocase(candidate.name, context.argument(1));
        });
    if (operation == std::end(bit_operations)) {
        context.reply.error(error_text::syntax);
        return {};
    }
    const bool inverts = operation->name == "not";
    if (inverts && context.count() != 4) {
        context.reply.error("ERR BITOP NOT must be called with a single source key.");
        return {};
    }
    const Bytes& target = context.argument(2);
    SYNCLINE_CHECK(check_key_size(target));
    SYNCLINE_TRY(std::vector<Bytes> operands, read_operands(context, 3));
    std::size_t size = 0;
    for (const Bytes& operand : operands) size = std::max(size, operand.size());
    for (Bytes& operand : operands) operand.resize(size, '\0');
    Bytes total = operands.front();
    if (inverts) not_bytes(total, operands.front());
    for (std::size_t i = 1; i < operands.size(); ++i) operation->combine(total, operands[i]);
    if (total.empty()) {
        SYNCLINE_CHECK(operations::key_delete(context.txn(), target));
    } else {
        SYNCLINE_CHECK(operations::string_set(context.txn(), target, std::move(total)));
    }
    context.reply.integer(static_cast<std::int64_t>(size));
    return {};
}

constexpr BytesView group = "bitmap";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned grows = flag::write | flag::denyoom;
constexpr BytesView of_value = "O(N) with N bytes of the value";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"bitcount", -2, flag::readonly, one_key, group, "2.6.0", of_value,
     "Counts the bits that are set in a string", bitcount_command, {}},
    {"bitop", -4, grows, {2, -1, 1}, group, "2.6.0", "O(N) with N bytes of all values",
     "Combines strings bit by bit and stores the result", bitop_command, {}},
    {"bitpos", -3, flag::readonly, one_key, group, "2.8.7", of_value,
     "Finds the first bit of a value in a string", bitpos_command, {}},
    {"getbit", 3, flag::readonly | flag::fast, one_key, group, "2.2.0", of_value,
     "Returns a bit of a string", getbit_command, {}},
    {"setbit", 4, grows, one_key, group, "2.2.0", of_value,
     "Sets a bit of a string, as a write of the whole value", setbit_command, {}},
};
// clang-format on

}  // namespace

std::optional<std::uint64_t> bit_offset(BytesView text, unsigned width) {
    const bool counts_fields = width > 0 && !text.empty() && text.front() == '#';
    if (counts_fields) text.remove_prefix(1);
    std::optional<std::int64_t> offset = parse_integer(text);
    std::int64_t bits = 0;
    if (!offset || __builtin_mul_overflow(*offset, counts_fields ? width : 1, &bits)) {
        return std::nullopt;
    }
    const auto last = static_cast<std::uint64_t>(bits) + (width > 0 ? width - 1 : 0);
    if (bits < 0 || bytes_up_to(last) > limits::value_bytes_max) return std::nullopt;
    return static_cast<std::uint64_t>(bits);
}

std::span<const Command> bit_commands() {
    return commands;
}

}  // namespace syncline
