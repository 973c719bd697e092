// OBJECT and MEMORY: what a key is made of, in Redis's words, and what it takes.
#include <algorithm>
#include <limits>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/memory_use.hpp"
#include "net/commands/table.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

/// The type of the key in the second argument. Nothing, and null is replied: there is none.
Result<std::optional<CellType>> type_or_null(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<CellType> type,
                 context.txn().visible_type(context.argument(2)));
    if (!type) context.reply.null();
    return type;
}

// --- OBJECT

/// Redis keeps small things in other structures than large ones, and shows which. These are its
/// bounds; what it would still call by the name of what was larger once is called by what it is.
constexpr std::size_t embedded_bytes_max = 44;
constexpr std::size_t packed_bytes_max = 64;
constexpr std::uint64_t packed_fields_max = 512;
constexpr std::uint64_t packed_scores_max = 128;

BytesView string_encoding(BytesView value) {
    if (parse_integer(value)) return "int";
    return value.size() <= embedded_bytes_max ? "embstr" : "raw";
}

/// One of two names: the former while there are few elements and `is_small` says so of each.
template <typename Small>
Result<BytesView> collection_encoding(CommandContext& context, CellType type, std::uint64_t max,
                                      BytesView small_name, BytesView large_name,
                                      const Small& is_small) {
    const Bytes& key = context.argument(2);
    SYNCLINE_TRY(const std::uint64_t count, context.txn().count(key, type));
    if (count > max) return large_name;
    bool small = true;
    SYNCLINE_CHECK(context.txn().scan_cells(key, type, [&](BytesView field, const Cell& cell) {
        return small = is_small(field, cell);
    }));
    return small ? small_name : large_name;
}

Result<BytesView> encoding(CommandContext& context, CellType type) {
    if (type == CellType::string) {
        SYNCLINE_TRY(const std::optional<Bytes> value,
                     operations::string_get(context.txn(), context.argument(2)));
        return string_encoding(value.value());
    }
    const auto is_short = [](BytesView bytes) { return bytes.size() <= packed_bytes_max; };
    if (type == CellType::hash) {
        return collection_encoding(context, type, packed_fields_max, "listpack", "hashtable",
                                   [&](BytesView field, const Cell& cell) {
                                       return is_short(field) && is_short(*string_value(cell));
                                   });
    }
    if (type == CellType::set) {
        return collection_encoding(
            context, type, packed_fields_max, "intset", "hashtable",
            [](BytesView member, const Cell&) { return parse_integer(member).has_value(); });
    }
    if (type == CellType::sorted_set) {
        return collection_encoding(context, type, packed_scores_max, "listpack", "skiplist",
                                   [&](BytesView member, const Cell&) { return is_short(member); });
    }
    return type == CellType::list ? BytesView("quicklist") : cell_type_name(type);
}

Result<void> encoding_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<CellType> type, type_or_null(context));
    if (!type) return {};
    SYNCLINE_TRY(const BytesView name, encoding(context, *type));
    context.reply.bulk(name);
    return {};
}

template <int answer>
Result<void> constant_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<CellType> type, type_or_null(context));
    if (type) context.reply.integer(answer);
    return {};
}

Result<void> freq_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<CellType> type, type_or_null(context));
    if (!type) return {};
    context.reply.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching between policies at runtime LRU and LFU data will take some time to "
        "adjust.");
    return {};
}

Result<void> object_help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    The structure in which Redis would keep such a value.",
        "FREQ <key>",
        "    An error: how often keys are used is not kept.",
        "IDLETIME <key>",
        "    0: when keys were used is not kept.",
        "REFCOUNT <key>",
        "    1: values are not shared.",
        "HELP",
        "    These lines.",
    };
    reply_help(context.reply, lines);
    return {};
}

// --- MEMORY

/// What a row takes beside its key and value in a page of the base, and the row that counts the
/// live cells of a key.
constexpr std::size_t row_overhead_bytes = 16;
constexpr std::size_t counts_row_bytes = 32;
constexpr std::size_t samples_default = 5;

std::size_t row_bytes(BytesView key, CellType type, std::optional<BytesView> field,
                      const Cell& cell) {
    Bytes payload;
    ByteWriter out(payload);
    write(out, cell, type);
    const RowKey row_key = encode_row_key(key, static_cast<std::uint8_t>(type), field);
    std::size_t bytes = row_overhead_bytes + row_key.bytes.size() +
                        encode_row_value(row_key, key, field, payload).size();
    if (traits_of(type).has_scores) {  // and the row of the order by scores
        bytes += row_overhead_bytes +
                 encode_order_row(key, static_cast<std::uint8_t>(type), 0, *field).bytes.size();
    }
    return bytes;
}

/// The rows of one type of a key: so many of them are looked at, and stand for the others.
Result<std::uint64_t> bytes_of_type(Transaction& txn, BytesView key, CellType type,
                                    std::uint64_t samples) {
    std::uint64_t bytes = 0;
    std::uint64_t looked = 0;
    const bool has_fields = traits_of(type).has_fields;
    SYNCLINE_CHECK(txn.scan_cells(key, type, [&](BytesView field, const Cell& cell) {
        const auto name = has_fields ? std::optional(field) : std::nullopt;
        bytes += row_bytes(key, type, name, cell);
        return ++looked < samples;
    }));
    if (looked < samples) return bytes;
    SYNCLINE_TRY(const std::uint64_t count, txn.count(key, type));
    return static_cast<std::uint64_t>(static_cast<double>(bytes) / static_cast<double>(looked) *
                                      static_cast<double>(count));
}

/// The rows of the characters of a key's texts, as before the transaction.
Result<std::uint64_t> bytes_of_texts(Transaction& txn, BytesView key) {
    std::uint64_t bytes = 0;
    for (const RowRange& range : rows_of_key(key, text_row_type)) {
        SYNCLINE_CHECK(txn.group().store().scan(
            Table::cells, range.first, range.last, [&](BytesView row_key, BytesView value) {
                bytes += row_overhead_bytes + row_key.size() + value.size();
                return true;
            }));
    }
    return bytes;
}

/// The number of SAMPLES. Error invalid_argument: it is none. Nothing, and the error is written.
Result<std::optional<std::uint64_t>> parse_samples(CommandContext& context) {
    std::uint64_t samples = samples_default;
    for (std::size_t i = 3; i < context.count(); i += 2) {
        std::int64_t number = -1;
        if (equal_nocase(context.argument(i), "samples") && i + 1 < context.count()) {
            SYNCLINE_TRY(number, integer_argument(context.argument(i + 1)));
        }
        if (number < 0) {
            context.reply.error(error_text::syntax);
            return std::optional<std::uint64_t>();
        }
        samples = number == 0 ? std::numeric_limits<std::uint64_t>::max()
                              : static_cast<std::uint64_t>(number);
    }
    return std::optional(samples);
}

Result<void> usage_command(CommandContext& context) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> samples, parse_samples(context));
    if (!samples) return {};
    SYNCLINE_TRY(const std::optional<CellType> seen, type_or_null(context));
    if (!seen) return {};
    const Bytes& key = context.argument(2);
    std::uint64_t bytes = *seen == CellType::string ? 0 : counts_row_bytes;
    for (const CellType type : cell_types) {
        SYNCLINE_TRY(const std::uint64_t of_type,
                     bytes_of_type(context.txn(), key, type, *samples));
        bytes += of_type;
    }
    SYNCLINE_TRY(const std::uint64_t of_texts, bytes_of_texts(context.txn(), key));
    context.reply.integer(static_cast<std::int64_t>(bytes + of_texts));
    return {};
}

Result<void> doctor_command(CommandContext& context) {
    std::string text;
    if (context.host.replica()->limited_by_map()) {
        text +=
            "* The base has no room for more: map-bytes is reached. Writes that add are "
            "refused; remove something, or raise it by CONFIG SET map-bytes.\n";
    }
    if (context.host.replica()->overloaded()) {
        text +=
            "* Changes wait in memory for a checkpoint, as many as may wait: requests wait, "
            "too. The disk is too slow for what is written.\n";
    }
    if (text.empty()) text = "This replica has nothing to report of its memory.\n";
    context.reply.verbatim(text);
    return {};
}

Result<void> stats_command(CommandContext& context) {
    const MemoryUse use = memory_use();
    SYNCLINE_TRY(const std::uint64_t keys, context.txn().keys_count());
    std::uint64_t clients = 0;
    for (const ClientState* const client : context.host.clients()) {
        clients += client->input_bytes + client->output_bytes;
    }
    const std::uint64_t overlay = context.txn().group().store().overlay_bytes();
    const auto ratio = [](std::uint64_t part, std::uint64_t whole) {
        return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    const std::pair<BytesView, std::uint64_t> figures[] = {
        {"peak.allocated", use.peak},
        {"total.allocated", use.used},
        {"clients.normal", clients},
        {"aof.buffer", 0},
        {"overlay.bytes", overlay},
        {"base.bytes", context.host.figures().base_bytes},
        {"keys.count", keys},
        {"allocator.allocated", use.used},
        {"allocator.resident", use.resident},
    };
    const std::pair<BytesView, double> ratios[] = {
        {"peak.percentage", 100 * ratio(use.used, use.peak)},
        {"allocator-rss.ratio", ratio(use.resident, use.used)},
        {"fragmentation", ratio(use.resident, use.used)},
    };
    context.reply.map(std::size(figures) + std::size(ratios));
    for (const auto& [name, value] : figures) {
        context.reply.bulk(name);
        context.reply.integer(static_cast<std::int64_t>(value));
    }
    for (const auto& [name, value] : ratios) {
        context.reply.bulk(name);
        context.reply.real(value);
    }
    return {};
}

Result<void> memory_help_command(CommandContext& context) {
    constexpr BytesView lines[] = {
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    What is wrong with the memory of this replica.",
        "STATS",
        "    Figures about the memory of this replica.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes of the rows of a key. Of a collection so many are looked at (default: 5, 0:",
        "    all), and stand for the others.",
        "HELP",
        "    These lines.",
    };
    reply_help(context.reply, lines);
    return {};
}

constexpr BytesView generic = "generic";
constexpr BytesView server = "server";
constexpr KeyPositions one_key{2, 2, 1};
constexpr BytesView looks = "O(1); O(N) with N elements of a small collection";

// A row is easier to read in few lines.
// clang-format off
constexpr Command object_subcommands[] = {
    {"encoding", 3, flag::readonly, one_key, generic, "2.2.3", looks,
     "Returns in which structure Redis would keep such a value", encoding_command, {}},
    {"freq", 3, flag::readonly, one_key, generic, "4.0.0", "O(1)",
     "An error: how often keys are used is not kept", freq_command, {}},
    {"help", 2, flag::loading, {}, generic, "6.2.0", "O(1)", "Tells what the subcommands do",
     object_help_command, {}},
    {"idletime", 3, flag::readonly, one_key, generic, "2.2.3", "O(1)",
     "Returns 0: when keys were used is not kept", constant_command<0>, {}},
    {"refcount", 3, flag::readonly, one_key, generic, "2.2.3", "O(1)",
     "Returns 1: values are not shared", constant_command<1>, {}},
};

constexpr Command memory_subcommands[] = {
    {"doctor", 2, flag::readonly, {}, server, "4.0.0", "O(1)",
     "Tells what is wrong with the memory of this replica", doctor_command, {}},
    {"help", 2, flag::loading, {}, server, "4.0.0", "O(1)", "Tells what the subcommands do",
     memory_help_command, {}},
    {"stats", 2, flag::readonly, {}, server, "4.0.0", "O(N) with N clients",
     "Returns figures about the memory of this replica", stats_command, {}},
    {"usage", -3, flag::readonly, one_key, server, "4.0.0",
     "O(N) with N elements looked at, or rows of a text",
     "Returns how many bytes the rows of a key have", usage_command, {}},
};

const Command commands[] = {
    {"memory", -2, flag::readonly, {}, server, "4.0.0", "Depends on the subcommand",
     "Looks at the memory of keys and of this replica", nullptr, memory_subcommands},
    {"object", -2, flag::readonly, {}, generic, "2.2.3", "Depends on the subcommand",
     "Looks at what a key is made of", nullptr, object_subcommands},
};
// clang-format on

}  // namespace

std::span<const Command> object_commands() {
    return commands;
}

}  // namespace syncline
