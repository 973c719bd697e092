// TEXT.*: texts that several edit at once.
#include <limits>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// A position or a number of characters. Nothing, and the error is written: it is none.
Result<std::optional<std::uint64_t>> size_argument(CommandContext& context, std::size_t index) {
    SYNCLINE_TRY(const std::int64_t number, integer_argument(context.argument(index)));
    if (number >= 0) return std::optional(static_cast<std::uint64_t>(number));
    context.reply.error("ERR value is out of range, must be positive");
    return std::optional<std::uint64_t>();
}

/// Writes a number, or what is wrong with the arguments.
Result<void> reply_number(RespWriter& reply, const Result<std::uint64_t>& number) {
    if (!number && number.error().code == Code::invalid_argument) {
        reply.error("ERR " + number.error().message);
        return {};
    }
    SYNCLINE_CHECK(number);
    reply.integer(static_cast<std::int64_t>(*number));
    return {};
}

Result<void> insert_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> position, size_argument(context, 2));
    if (!position) return {};
    return reply_number(context.reply, operations::text_insert(context.txn(), context.argument(1),
                                                               *position, context.argument(3)));
}

Result<void> append_command(CommandContext& context) {
    return reply_number(context.reply, operations::text_append(context.txn(), context.argument(1),
                                                               context.argument(2)));
}

Result<void> erase_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> position, size_argument(context, 2));
    if (!position) return {};
    SYNCLINE_TRY(const std::optional<std::uint64_t> count, size_argument(context, 3));
    if (!count) return {};
    return reply_number(context.reply, operations::text_erase(context.txn(), context.argument(1),
                                                              *position, *count));
}

Result<void> get_command(CommandContext& context) {
    std::optional<std::uint64_t> position = 0;
    std::optional<std::uint64_t> count = std::numeric_limits<std::uint64_t>::max();
    if (context.count() == 3 || context.count() > 4) {
        context.reply.error(error_text::syntax);
        return {};
    }
    if (context.count() == 4) {
        SYNCLINE_TRY(position, size_argument(context, 2));
        if (!position) return {};
        SYNCLINE_TRY(count, size_argument(context, 3));
        if (!count) return {};
    }
    SYNCLINE_TRY(const Text* const text, operations::text_get(context.txn(), context.argument(1)));
    reply_bulk_or_null(context.reply, text != nullptr ? std::optional(text->text(*position, *count))
                                                      : std::nullopt);
    return {};
}

Result<void> len_command(CommandContext& context) {
    SYNCLINE_TRY(const Text* const text, operations::text_get(context.txn(), context.argument(1)));
    context.reply.integer(text != nullptr ? static_cast<std::int64_t>(text->size()) : 0);
    return {};
}

Result<void> mark_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> position, size_argument(context, 2));
    if (!position) return {};
    SYNCLINE_TRY(const Text* const text, operations::text_get(context.txn(), context.argument(1)));
    const std::optional<ElementId> id = text != nullptr ? text->id_at(*position) : std::nullopt;
    reply_bulk_or_null(context.reply, id ? std::optional<Bytes>(to_string(*id)) : std::nullopt);
    return {};
}

Result<void> position_command(CommandContext& context) {
    const std::optional<ElementId> id = element_id_from(context.argument(2));
    if (!id) {
        context.reply.error("ERR a mark is what TEXT.MARK answers");
        return {};
    }
    SYNCLINE_TRY(const Text* const text, operations::text_get(context.txn(), context.argument(1)));
    const std::optional<std::uint64_t> position =
        text != nullptr ? text->position_of(*id) : std::nullopt;
    if (position) {
        context.reply.integer(static_cast<std::int64_t>(*position));
    } else {
        context.reply.null();
    }
    return {};
}

Result<void> generations_command(CommandContext& context) {
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::vector<operations::TextGeneration> generations,
                 operations::text_generations(context.txn(), key));
    context.reply.array(generations.size());
    for (const operations::TextGeneration& generation : generations) {
        SYNCLINE_TRY(const Text* const text, context.txn().text(key, generation.made));
        context.reply.map(5);
        field(context.reply, "made", to_string(generation.made));
        field(context.reply, "time", wall_time(generation.time.ms()));
        field(context.reply, "seen", generation.seen);
        field(context.reply, "length", generation.length);
        field(context.reply, "text", text->text());
    }
    return {};
}

constexpr BytesView group = "text";
constexpr BytesView since = "0.1.0";
constexpr KeyPositions one_key{1, 1, 1};
constexpr unsigned grows = flag::write | flag::denyoom | flag::fast;
constexpr unsigned reads = flag::readonly | flag::fast;
constexpr BytesView to_place = "O(log N) with N pieces of the text";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"text.append", 3, grows, one_key, group, since, to_place, "Puts a text at the end",
     append_command, {}},
    {"text.erase", 4, flag::write | flag::fast, one_key, group, since, to_place,
     "Erases characters; what others insert between them stays", erase_command, {}},
    {"text.generations", 2, flag::readonly, one_key, group, since, "O(N) with N characters",
     "Returns the texts that were made under the key at the same time, the one that is seen first",
     generations_command, {}},
    {"text.get", -2, flag::readonly, one_key, group, since,
     "O(log N + M) with M characters returned", "Returns a text, or characters from a position on",
     get_command, {}},
    {"text.insert", 4, grows, one_key, group, since, to_place,
     "Puts a text in front of the character at a position; concurrent ones do not mix",
     insert_command, {}},
    {"text.len", 2, reads, one_key, group, since, "O(1)", "Returns the number of characters",
     len_command, {}},
    {"text.mark", 3, reads, one_key, group, since, to_place,
     "Returns the lasting name of the character at a position", mark_command, {}},
    {"text.position", 3, reads, one_key, group, since, to_place,
     "Returns where a marked character is now", position_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> text_commands() {
    return commands;
}

}  // namespace syncline
