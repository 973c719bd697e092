// CRDT.DIFF: what differs between this replica and a peer. The reply comes when the comparison is
// done; until then the client is parked, and everybody else goes on.
#include <algorithm>

#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

constexpr std::int64_t count_max = 10000;
/// Values in the reply are cut to this; their length is told.
constexpr std::size_t value_bytes_max = 256;

BytesView newer_name(RowDifference::Newer newer) {
    switch (newer) {
        case RowDifference::Newer::here:
            return "here";
        case RowDifference::Newer::there:
            return "there";
        case RowDifference::Newer::concurrent:
            return "concurrent";
        case RowDifference::Newer::unexplained:
            break;
    }
    return "unexplained";
}

/// One side's row: what is seen, and the transactions that made it.
void reply_side(RespWriter& reply, BytesView name, const std::optional<Cell>& cell, CellType type) {
    reply.bulk(name);
    if (!cell) return reply.null();
    std::optional<Bytes> value = traits_of(type).has_values ? string_value(*cell) : std::nullopt;
    const std::size_t value_bytes = value ? value->size() : 0;
    if (value_bytes > value_bytes_max) value->resize(value_bytes_max);
    reply.map(4);
    field(reply, "value", value);
    field(reply, "value_bytes", value_bytes);
    field(reply, "removed", cell->dots.has_negative());
    reply.bulk("dots");
    reply.array(cell->dots.size() + cell->counter.entries().size());
    for (const DotMap::Entry& entry : cell->dots.entries()) reply.bulk(to_string(entry.dot));
    for (const auto& [actor, part] : cell->counter.entries()) {
        reply.bulk(to_string(Dot{actor, part.last}));
    }
}

void reply_row(RespWriter& reply, const RowDifference& row) {
    reply.map(7);
    field(reply, "key", row.key);
    field(reply, "type", cell_type_name(row.type));
    field(reply, "field", field_text(row.type, row.field));
    field(reply, "side", row.here ? row.there ? "both" : "here" : "there");
    field(reply, "newer", newer_name(row.newer));
    reply_side(reply, "here", row.here, row.type);
    reply_side(reply, "there", row.there, row.type);
}

/// False: the arguments make no sense, and the reply says so.
bool parse(const CommandContext& context, DifferenceQuestion& question) {
    for (std::size_t i = 2; i < context.count(); i += 2) {
        const bool prefix = equal_nocase(context.argument(i), "prefix");
        if ((!prefix && !equal_nocase(context.argument(i), "count")) || i + 1 == context.count()) {
            context.reply.error(error_text::syntax);
            return false;
        }
        const Bytes& value = context.argument(i + 1);
        if (prefix) {
            question.prefix = value;
            continue;
        }
        const std::optional<std::int64_t> count = parse_integer(value);
        if (!count || *count < 0 || *count > count_max) {
            context.reply.error("ERR COUNT is a number from 0 to " + std::to_string(count_max));
            return false;
        }
        question.rows_max = static_cast<std::size_t>(*count);
    }
    return true;
}

}  // namespace

Result<void> CommandHost::begin_comparison(BytesView /*peer*/, DifferenceQuestion /*question*/,
                                           const ClientState& /*client*/) {
    return Error{Code::unavailable, "this replica has no peers"};
}

Result<void> diff_command(CommandContext& context) {
    DifferenceQuestion question;
    if (!parse(context, question)) return {};
    const Result<void> begun =
        context.host.begin_comparison(context.argument(1), std::move(question), context.client);
    if (begun) {
        context.client.parked = true;
    } else {
        context.reply.error("ERR " + begun.error().message);
    }
    return {};
}

void reply_comparison(RespWriter& reply, const Result<Difference>& difference) {
    if (!difference) return reply.error("ERR " + difference.error().message);
    const Difference::Counts& counts = difference->counts;
    reply.map(17);
    field(reply, "vv_here", difference->here);
    field(reply, "vv_there", difference->there);
    field(reply, "root_here", to_hex(difference->here_root.sum));
    field(reply, "root_there", to_hex(difference->there_root.sum));
    field(reply, "differing", counts.rows);
    field(reply, "only_here", counts.only_here);
    field(reply, "only_there", counts.only_there);
    field(reply, "newer_here", counts.newer_here);
    field(reply, "newer_there", counts.newer_there);
    field(reply, "concurrent", counts.concurrent);
    field(reply, "unexplained", counts.unexplained);
    field(reply, "bytes_here", counts.bytes_here);
    field(reply, "bytes_there", counts.bytes_there);
    field(reply, "metadata_bytes", difference->metadata_bytes);
    field(reply, "elsewhere", difference->rows_elsewhere);
    field(reply, "omitted", counts.rows - difference->rows.size());
    reply.bulk("rows");
    reply.array(difference->rows.size());
    for (const RowDifference& row : difference->rows) reply_row(reply, row);
}

}  // namespace syncline
