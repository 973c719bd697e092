// What brings the whole value of a key elsewhere: core/engine/key_value.hpp.
#include <algorithm>
#include <limits>

#include "core/engine/key_value.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::int64_t int64_max = std::numeric_limits<std::int64_t>::max();
constexpr BytesView no_such_key = "ERR no such key";
constexpr BytesView same_objects = "ERR source and destination objects are the same";
constexpr BytesView no_such_database = "ERR DB index is out of range";

/// Database 0. False, and the error is written: the argument names another, or none.
bool is_database(RespWriter& reply, BytesView text) {
    const std::optional<std::int64_t> number = parse_integer(text);
    if (!number) {
        reply.error(error_text::not_integer);
    } else if (*number != static_cast<std::int32_t>(*number)) {
        reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
    } else if (*number != 0) {
        reply.error(no_such_database);
    }
    return number == 0;
}

/// Writes a value under another key, with the source's end. Error permanent: of either.
Result<void> write_copy(Transaction& txn, BytesView source, BytesView target, KeyValue value) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> deadline,
                 operations::key_deadline(txn, source));
    SYNCLINE_CHECK(operations::key_write(txn, target, std::move(value)));
    if (deadline) SYNCLINE_CHECK(operations::key_expire(txn, target, *deadline));
    return {};
}

// --- RENAME, COPY, MOVE

template <bool only_new>
Result<void> rename_command(CommandContext& context) {
    Transaction& txn = context.txn();
    const Bytes& source = context.argument(1);
    const Bytes& target = context.argument(2);
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(source));
    if (!type) {
        context.reply.error(no_such_key);
        return {};
    }
    SYNCLINE_TRY(const std::optional<CellType> target_type, txn.visible_type(target));
    const bool stays = source == target || (only_new && target_type);
    if (!stays) {
        SYNCLINE_CHECK(operations::removable_type(txn, source));
        SYNCLINE_TRY(std::optional<KeyValue> value, operations::key_read(txn, source));
        SYNCLINE_CHECK(write_copy(txn, source, target, std::move(value).value()));
        SYNCLINE_CHECK(operations::key_delete(txn, source));
    }
    if (only_new) {
        context.reply.integer(stays ? 0 : 1);
    } else {
        context.reply.simple("OK");
    }
    return {};
}

Result<void> copy_command(CommandContext& context) {
    bool replace = false;
    for (std::size_t i = 3; i < context.count(); ++i) {
        if (equal_nocase(context.argument(i), "replace")) {
            replace = true;
        } else if (equal_nocase(context.argument(i), "db") && i + 1 < context.count()) {
            if (!is_database(context.reply, context.argument(++i))) return {};
        } else {
            context.reply.error(error_text::syntax);
            return {};
        }
    }
    const Bytes& source = context.argument(1);
    const Bytes& target = context.argument(2);
    if (source == target) {
        context.reply.error(same_objects);
        return {};
    }
    SYNCLINE_TRY(const std::optional<CellType> taken, context.txn().visible_type(target));
    SYNCLINE_TRY(const std::optional<CellType> type, context.txn().visible_type(source));
    const bool copies = type && (replace || !taken);
    if (copies) {
        SYNCLINE_TRY(std::optional<KeyValue> value, operations::key_read(context.txn(), source));
        SYNCLINE_CHECK(write_copy(context.txn(), source, target, std::move(value).value()));
    }
    context.reply.integer(copies ? 1 : 0);
    return {};
}

/// There is nowhere to move a key to: the errors are all there is.
Result<void> move_command(CommandContext& context) {
    if (is_database(context.reply, context.argument(2))) context.reply.error(same_objects);
    return {};
}

// --- DUMP, RESTORE

Result<void> dump_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<KeyValue> value,
                 operations::key_read(context.txn(), context.argument(1)));
    reply_bulk_or_null(context.reply,
                       value ? std::optional(encode_key_value(*value)) : std::nullopt);
    return {};
}

/// The options of RESTORE. How long a key was not used, and how often it was, is not kept.
struct RestoreOptions {
    bool replace = false;
    bool absolute = false;
    bool idle_time = false;
    bool frequency = false;
};

/// An option's number, which is ignored. False, and the error is written: it is out of range.
bool skip_number(RespWriter& reply, BytesView text, std::int64_t max, BytesView out_of_range) {
    const std::optional<std::int64_t> number = parse_integer(text);
    const bool in_range = number && *number >= 0 && *number <= max;
    if (!in_range) reply.error(number ? out_of_range : BytesView(error_text::not_integer));
    return in_range;
}

/// Nothing, and the error is written: the options are none.
std::optional<RestoreOptions> parse_restore(CommandContext& context) {
    RestoreOptions options;
    for (std::size_t i = 4; i < context.count(); ++i) {
        const auto is_it = [&](BytesView name) { return equal_nocase(context.argument(i), name); };
        const bool more = i + 1 < context.count();
        bool valid = true;
        if (is_it("replace")) {
            options.replace = true;
        } else if (is_it("absttl")) {
            options.absolute = true;
        } else if (is_it("idletime") && more && !options.frequency) {
            options.idle_time = true;
            valid = skip_number(context.reply, context.argument(++i), int64_max,
                                "ERR Invalid IDLETIME value, must be >= 0");
        } else if (is_it("freq") && more && !options.idle_time) {
            options.frequency = true;
            valid = skip_number(context.reply, context.argument(++i), 255,
                                "ERR Invalid FREQ value, must be >= 0 and <= 255");
        } else {
            context.reply.error(error_text::syntax);
            valid = false;
        }
        if (!valid) return std::nullopt;
    }
    return options;
}

/// The value in the third argument. Nothing, and the error is written: there is none.
std::optional<KeyValue> payload(CommandContext& context) {
    Result<KeyValue> value = decode_key_value(context.argument(3));
    if (value) return std::move(*value);
    context.reply.error(value.error().code == Code::corrupt
                            ? "ERR DUMP payload version or checksum are wrong"
                            : "ERR Bad data format");
    return std::nullopt;
}

Result<void> restore_command(CommandContext& context) {
    const std::optional<RestoreOptions> options = parse_restore(context);
    if (!options) return {};
    Transaction& txn = context.txn();
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<CellType> taken, txn.visible_type(key));
    if (taken && !options->replace) {
        context.reply.error("BUSYKEY Target key name already exists.");
        return {};
    }
    SYNCLINE_TRY(const std::int64_t ttl, integer_argument(context.argument(2)));
    if (ttl < 0) {
        context.reply.error("ERR Invalid TTL value, must be >= 0");
        return {};
    }
    std::optional<KeyValue> value = payload(context);
    if (!value) return {};
    const auto now = static_cast<std::int64_t>(txn.now_ms());
    const auto deadline =
        static_cast<std::uint64_t>(options->absolute ? ttl : ttl + std::min(now, int64_max - ttl));
    if (ttl > 0 && deadline <= txn.now_ms()) {  // it has ended already
        SYNCLINE_CHECK(operations::key_delete(txn, key));
    } else {
        SYNCLINE_CHECK(operations::key_write(txn, key, std::move(*value)));
        if (ttl > 0) SYNCLINE_CHECK(operations::key_expire(txn, key, deadline));
    }
    context.reply.simple("OK");
    return {};
}

constexpr BytesView group = "generic";
constexpr KeyPositions one_key{1, 1, 1};
constexpr KeyPositions two_keys{1, 2, 1};
constexpr unsigned grows = flag::write | flag::denyoom;
constexpr BytesView of_value = "O(N) with N bytes of the value";

// A row is easier to read in few lines.
// clang-format off
constexpr Command commands[] = {
    {"copy", -3, grows, two_keys, group, "6.2.0", of_value,
     "Writes what is seen of a key under another one", copy_command, {}},
    {"dump", 2, flag::readonly, one_key, group, "2.6.0", of_value,
     "Returns what is seen of a key as bytes for RESTORE", dump_command, {}},
    {"move", 3, flag::write | flag::fast, one_key, group, "1.0.0", "O(1)",
     "An error: there is no other database", move_command, {}},
    {"rename", 3, flag::write, two_keys, group, "1.0.0", of_value,
     "Writes what is seen of a key under another one and removes it, in one transaction",
     rename_command<false>, {}},
    {"renamenx", 3, flag::write | flag::fast, two_keys, group, "1.0.0", of_value,
     "The same, if the other key does not exist here", rename_command<true>, {}},
    {"restore", -4, grows, one_key, group, "2.6.0", of_value,
     "Writes what DUMP has returned under a key", restore_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> key_value_commands() {
    return commands;
}

}  // namespace syncline
