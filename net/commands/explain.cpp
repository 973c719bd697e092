// CRDT.EXPLAIN: the cells under a key, the dots and counters in each, and which rule decides.
#include "crdt/expiry.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

/// Cells in one reply; the rest of a large collection is counted.
constexpr std::size_t cells_max = 1000;

struct Explained {
    CellType type;
    std::optional<Bytes> field;
    Cell cell;
};

/// The rule that decides what is seen of a cell, in one sentence.
std::string reason(const Explained& explained) {
    const DotMap& dots = explained.cell.dots;
    if (explained.type == CellType::expiry) {
        return dots.size() == 1 ? "the only deadline"
                                : "concurrent deadlines: the latest counts, never is the latest";
    }
    if (explained.type == CellType::bounded_counter) {
        return "written by one actor alone: nothing competes, and nothing removes it";
    }
    if (is_signed(explained.type)) {
        if (dots.has_negative()) {
            return "removed: a removal wins here over adds that have not seen it";
        }
        return dots.size() == 1 ? "one add supports it"
                                : "add wins: each dot is an add that no removal has seen";
    }
    if (dots.empty()) return "no value was set; the increments add up";
    if (dots.size() == 1) {
        return explained.cell.counter.exists() ? "the only value, and increments made beside it"
                                               : "the only value";
    }
    const DotMap::Entry& winner = *dots.winner();
    const DotMap::Entry* second = nullptr;
    for (const DotMap::Entry& entry : dots.entries()) {
        const bool later =
            second == nullptr || std::pair(entry.payload.hlc, entry.dot.actor) >
                                     std::pair(second->payload.hlc, second->dot.actor);
        if (entry.dot != winner.dot && later) second = &entry;
    }
    const Hlc won = winner.payload.hlc;
    const Hlc lost = second->payload.hlc;
    if (won == lost) return "concurrent writes at the same time: the larger actor wins";
    return "concurrent writes: the last one wins, by " + std::to_string(won.ms() - lost.ms()) +
           " ms" + (won.ms() == lost.ms() ? " and its place within the millisecond" : "");
}

void reply_dot(RespWriter& reply, const DotMap::Entry& entry, CellType type, bool winner) {
    const bool has_payload = traits_of(type).has_values;
    reply.map(has_payload ? 7 : 4);
    field(reply, "dot", to_string(entry.dot));
    field(reply, "actor", to_string(entry.dot.actor));
    field(reply, "counter", entry.dot.counter);
    if (!has_payload) return field(reply, "negative", std::int64_t{entry.payload.negative ? 1 : 0});
    field(reply, "hlc", entry.payload.hlc.bits);
    field(reply, "time", wall_time(entry.payload.hlc.ms()));
    field(reply, "value", value_text(entry.payload.value, type));
    field(reply, "winner", std::int64_t{winner ? 1 : 0});
}

void reply_counter_entry(RespWriter& reply, const Counter::Entry& entry) {
    const CounterEntry& part = entry.second;
    const Amount adds = part.sum - part.reset_sum;
    reply.map(9);
    field(reply, "actor", to_string(entry.first));
    field(reply, "genesis", part.genesis);
    field(reply, "last", part.last);
    field(reply, "sum", part.sum.integer);
    field(reply, "reset", part.reset);
    field(reply, "reset_sum", part.reset_sum.integer);
    field(reply, "reset_dot", part.reset_dot.counter == 0 ? "" : to_string(part.reset_dot));
    field(reply, "adds", adds.integer);
    field(reply, "adds_decimal", adds.decimal.text());
}

void reply_cell(RespWriter& reply, const Explained& explained, std::optional<CellType> visible) {
    const Cell& cell = explained.cell;
    const DotMap::Entry* const winner =
        explained.type == CellType::expiry ? expiry_winner(cell) : cell.dots.winner();
    reply.map(7);
    field(reply, "type", cell_type_name(explained.type));
    field(reply, "field", field_text(explained.type, explained.field));
    field(
        reply, "value",
        traits_of(explained.type).has_values ? visible_value(cell, explained.type) : std::nullopt);
    const bool shown = !visible || explained.type == visible || !makes_key(explained.type);
    field(reply, "hidden", !shown);
    field(reply, "why",
          shown ? reason(explained)
                : "the key also holds a " + std::string(cell_type_name(*visible)) +
                      ", which comes before it");
    reply.bulk("dots");
    reply.array(cell.dots.size());
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        reply_dot(reply, entry, explained.type, winner != nullptr && entry.dot == winner->dot);
    }
    reply.bulk("counter");
    reply.array(cell.counter.entries().size());
    for (const Counter::Entry& entry : cell.counter.entries()) reply_counter_entry(reply, entry);
}

/// A member, or a flag, that is not there because somebody removed it.
Result<std::optional<Explained>> find_removed(CommandContext& context, CellType type) {
    std::optional<Bytes> field;
    if (context.count() == 3) field = context.argument(2);
    if (traits_of(type).has_fields != field.has_value()) return std::optional<Explained>();
    SYNCLINE_TRY(Cell cell, context.txn().cell(context.argument(1), type, field));
    if (!cell.dots.has_negative()) return std::optional<Explained>();
    return std::optional(Explained{type, std::move(field), std::move(cell)});
}

/// Live cells of all types, at most cells_max of them; with a field, of that field alone. Besides
/// what is asked for by name and was removed.
Result<std::vector<Explained>> gather(CommandContext& context, std::optional<CellType> visible,
                                      std::int64_t& omitted) {
    std::vector<Explained> cells;
    const Bytes& key = context.argument(1);
    for (const CellType type : cell_types) {
        const auto visit = [&](BytesView name, const Cell& cell) {
            const bool has_field = traits_of(type).has_fields;
            const bool wanted = context.count() < 3 ||
                                (has_field && field_text(type, Bytes(name)) == context.argument(2));
            if (!wanted) return true;
            if (cells.size() == cells_max) {
                ++omitted;
            } else {
                cells.push_back(
                    {type, has_field ? std::optional(Bytes(name)) : std::nullopt, cell});
            }
            return true;
        };
        // Of what is no key any more a deadline may have been left behind.
        if (visible) {
            SYNCLINE_CHECK(context.txn().scan_cells(key, type, visit));
        }
        if (!is_signed(type)) continue;
        SYNCLINE_TRY(std::optional<Explained> removed, find_removed(context, type));
        if (removed) cells.push_back(std::move(*removed));
    }
    return cells;
}

}  // namespace

Result<void> explain_command(CommandContext& context) {
    if (context.count() > 3) {
        reply_wrong_arity(context.reply, "crdt.explain");
        return {};
    }
    const Bytes& key = context.argument(1);
    SYNCLINE_TRY(const std::optional<CellType> visible, context.txn().visible_type(key));
    std::int64_t omitted = 0;
    SYNCLINE_TRY(const std::vector<Explained> cells, gather(context, visible, omitted));
    if (cells.empty()) {
        context.reply.null();
        return {};
    }
    RespWriter& reply = context.reply;
    reply.map(4);
    field(reply, "key", key);
    field(reply, "type", visible ? cell_type_name(*visible) : "none");
    field(reply, "cells_omitted", omitted);
    reply.bulk("cells");
    reply.array(cells.size());
    for (const Explained& cell : cells) reply_cell(reply, cell, visible);
    return {};
}

}  // namespace syncline
