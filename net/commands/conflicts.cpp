// CRDT.CONFLICTS: what this replica recorded of concurrent transactions; CRDT.RESOLVE: a value that
// lost is written anew.
#include "core/base/limits.hpp"
#include "core/engine/operations.hpp"
#include "crdt/expiry.hpp"
#include "crdt/score.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"
#include "net/commands/fields.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr std::int64_t count_max = 1000;
/// Pages of records that CRDT.RESOLVE looks through, from the newest on.
constexpr unsigned resolve_pages_max = 4;

void reply_side(RespWriter& reply, const ConflictSide& side) {
    std::optional<std::uint64_t> hlc;
    std::optional<std::uint64_t> length;
    std::optional<Bytes> time;
    std::optional<Bytes> value;
    std::optional<Bytes> hash;
    if (side.hlc) {
        hlc = side.hlc->bits;
        time = wall_time(side.hlc->ms());
    }
    if (side.value) {
        value = side.value->bytes;
        length = side.value->length;
        if (side.value->hash) {
            Bytes bytes;
            ByteWriter(bytes).u64(*side.value->hash);
            hash = to_hex(bytes);
        }
    }
    reply.map(10);
    field(reply, "dot", to_string(side.dot));
    field(reply, "actor", to_string(side.dot.actor));
    field(reply, "action", conflict_action_name(side.action));
    field(reply, "type", cell_type_name(side.type));
    field(reply, "field", field_text(side.type, side.field));
    field(reply, "hlc", hlc);
    field(reply, "time", time);
    field(reply, "value", value);
    field(reply, "length", length);
    field(reply, "hash", hash);
}

void reply_record(RespWriter& reply, const ConflictRecord& record) {
    const bool clash = record.kind == ConflictKind::type_clash;
    reply.map(11);
    field(reply, "seq", record.sequence);
    field(reply, "id", to_hex(record.id));
    field(reply, "key", record.key);
    field(reply, "field",
          clash ? std::optional<Bytes>() : field_text(record.winner.type, record.winner.field));
    field(reply, "type", cell_type_name(record.winner.type));
    field(reply, "kind", conflict_kind_name(record.kind));
    field(reply, "rule", conflict_rule(record.kind));
    field(reply, "first_seen_hlc", record.first_seen.bits);
    field(reply, "first_seen", wall_time(record.first_seen.ms()));
    reply.bulk("winner");
    reply_side(reply, record.winner);
    reply.bulk("loser");
    reply_side(reply, record.loser);
}

Error invalid(const char* sentence) {
    return Error{Code::invalid_argument, sentence};
}

/// Takes an option that has a value. False: there is no such option.
Result<bool> take_option(ConflictQuery& query, const Bytes& name, const Bytes& value) {
    if (equal_nocase(name, "KEY")) {
        query.key = value;
    } else if (equal_nocase(name, "PREFIX")) {
        query.prefix = value;
    } else if (equal_nocase(name, "KIND")) {
        query.kind = conflict_kind_from(lower(value));
        if (!query.kind) {
            return invalid(
                "KIND is write-write, add-remove, reset-increment, type-clash, deadline, "
                "edit-remove or remove-add");
        }
    } else if (equal_nocase(name, "AFTER")) {
        const std::optional<std::int64_t> after = parse_integer(value);
        if (!after || *after < 0) return invalid("AFTER takes a sequence number");
        query.after = static_cast<std::uint64_t>(*after);
    } else if (equal_nocase(name, "COUNT")) {
        const std::optional<std::int64_t> count = parse_integer(value);
        if (!count || *count < 1 || *count > count_max) {
            return invalid("COUNT takes a number from 1 to 1000");
        }
        query.count = static_cast<std::size_t>(*count);
    } else {
        return false;
    }
    return true;
}

Result<void> conflicts_command(CommandContext& context) {
    ConflictQuery query;
    for (std::size_t i = 1; i < context.count(); ++i) {
        if (equal_nocase(context.argument(i), "REV")) {
            query.newest_first = true;
            continue;
        }
        bool taken = false;
        if (i + 1 < context.count()) {
            const Result<bool> option =
                take_option(query, context.argument(i), context.argument(i + 1));
            if (!option) {
                context.reply.error("ERR " + option.error().message);
                return {};
            }
            taken = *option;
        }
        if (!taken || (query.key && query.prefix)) {
            context.reply.error(error_text::syntax);
            return {};
        }
        ++i;
    }
    ConflictRing& ring = context.txn().group().conflicts();
    SYNCLINE_TRY(const ConflictPage page, ring.page(query));
    RespWriter& reply = context.reply;
    reply.map(7);
    field(reply, "recorded", ring.recorded());
    field(reply, "dropped", ring.dropped());
    field(reply, "first", ring.first());
    field(reply, "last", ring.last());
    field(reply, "next", page.next);
    field(reply, "more", page.more);
    reply.bulk("conflicts");
    reply.array(page.records.size());
    for (const ConflictRecord& record : page.records) reply_record(reply, record);
    return {};
}

// --- CRDT.RESOLVE

/// What is to be done again.
struct Candidate {
    ConflictAction action = ConflictAction::write;
    CellType type = CellType::string;
    std::optional<Bytes> value;
};

std::optional<BytesView> view(const std::optional<Bytes>& bytes) {
    return bytes ? std::optional<BytesView>(*bytes) : std::nullopt;
}

Result<std::optional<Candidate>> find_live(Transaction& txn, const Bytes& key,
                                           const std::optional<Bytes>& part, BytesView dot) {
    for (const CellType type : cell_types) {
        if (traits_of(type).has_fields != part.has_value()) continue;
        const std::optional<Bytes> name = field_from_text(type, part);
        if (part && !name) continue;
        SYNCLINE_TRY(const Cell cell, txn.cell(key, type, view(name)));
        for (const DotMap::Entry& entry : cell.dots.entries()) {
            if (to_string(entry.dot) != dot) continue;
            const bool member = !traits_of(type).has_values;
            const ConflictAction action = entry.payload.negative ? ConflictAction::remove
                                          : member               ? ConflictAction::add
                                                                 : ConflictAction::write;
            return std::optional(
                Candidate{action, type,
                          member ? std::optional<Bytes>()
                                 : std::optional(value_text(entry.payload.value, type))});
        }
    }
    return std::optional<Candidate>();
}

Result<std::optional<Candidate>> find_recorded(ConflictRing& ring, const Bytes& key,
                                               const std::optional<Bytes>& part, BytesView dot) {
    ConflictQuery query;
    query.key = key;
    query.newest_first = true;
    for (unsigned pages = 0; pages < resolve_pages_max; ++pages) {
        SYNCLINE_TRY(const ConflictPage page, ring.page(query));
        for (const ConflictRecord& record : page.records) {
            for (const ConflictSide* side : {&record.loser, &record.winner}) {
                if (to_string(side->dot) != dot || field_text(side->type, side->field) != part) {
                    continue;
                }
                Candidate found{side->action, side->type, std::nullopt};
                if (side->value) found.value = side->value->bytes;
                return std::optional(std::move(found));
            }
        }
        if (!page.more) break;
        query.after = page.next;
    }
    return std::optional<Candidate>();
}

template <typename T>
Result<void> without_answer(const Result<T>& result) {
    return result ? Result<void>() : Result<void>(result.error());
}

Result<void> remove_again(Transaction& txn, const Bytes& key, const Bytes& part, CellType type) {
    switch (type) {
        case CellType::hash:
            return without_answer(operations::hash_remove(txn, key, part));
        case CellType::set:
            return without_answer(operations::set_remove(txn, key, part));
        case CellType::sorted_set:
            return without_answer(operations::sorted_remove(txn, key, part));
        case CellType::list:
            return operations::list_remove_at(txn, key, part);
        case CellType::flag:
            return without_answer(operations::flag_disable(txn, key));
        case CellType::expiry:
            return txn.remove(key, type, std::nullopt);
        case CellType::string:
        case CellType::text:
        case CellType::multi_value:
        case CellType::bounded_counter:  // then there is none: its rows are not removed
            break;
    }
    return without_answer(operations::key_delete(txn, key));
}

Result<void> do_again(Transaction& txn, const Bytes& key, const Bytes& part,
                      const Candidate& candidate) {
    if (candidate.action == ConflictAction::remove) {
        return remove_again(txn, key, part, candidate.type);
    }
    switch (candidate.type) {
        case CellType::string:
            return operations::string_set(txn, key, *candidate.value, operations::Deadline::kept);
        case CellType::hash:
            return without_answer(operations::hash_set(txn, key, part, *candidate.value));
        case CellType::set:
            return without_answer(operations::set_add(txn, key, part));
        case CellType::sorted_set:
            return without_answer(
                operations::sorted_add(txn, key, part, parse_score(*candidate.value).value()));
        case CellType::list:
            return operations::list_put_at(txn, key, part, *candidate.value);
        case CellType::expiry: {
            const std::uint64_t deadline = deadline_from_text(*candidate.value);
            return without_answer(deadline == never ? operations::key_persist(txn, key)
                                                    : operations::key_expire(txn, key, deadline));
        }
        case CellType::multi_value:
            return operations::multi_value_set(txn, key, *candidate.value, nullptr);
        case CellType::flag:
            return without_answer(operations::flag_enable(txn, key));
        case CellType::text:
            return without_answer(operations::text_append(txn, key, *candidate.value));
        case CellType::bounded_counter:
            return Error{Code::permanent, "what was done to a bounded counter is not done again"};
    }
    return {};
}

Result<void> resolve_command(CommandContext& context) {
    if (context.count() > 4) {
        reply_wrong_arity(context.reply, "crdt.resolve");
        return {};
    }
    const Bytes& key = context.argument(1);
    const bool has_part = context.count() == 4;
    const std::optional<Bytes> part =
        has_part ? std::optional(context.argument(2)) : std::optional<Bytes>();
    const Bytes dot = lower(context.argument(context.count() - 1));
    SYNCLINE_TRY(std::optional<Candidate> found, find_live(context.txn(), key, part, dot));
    if (!found) {
        ConflictRing& ring = context.txn().group().conflicts();
        SYNCLINE_TRY(found, find_recorded(ring, key, part, dot));
    }
    if (!found) {
        context.reply.error("ERR neither a live value nor a recorded conflict here has this dot");
        return {};
    }
    if (found->action == ConflictAction::increment) {
        context.reply.error("ERR this dot is of increments, of which none was lost");
        return {};
    }
    if (found->action == ConflictAction::write && !found->value) {
        context.reply.error("ERR the record has the length of this value, but not the value");
        return {};
    }
    if (found->action == ConflictAction::write && found->type == CellType::text &&
        found->value->empty()) {  // the making of a text, not an edit
        context.reply.error("ERR a text is not written anew: delete what the key holds besides");
        return {};
    }
    const Bytes name = field_from_text(found->type, part).value_or(Bytes());
    SYNCLINE_CHECK(do_again(context.txn(), key, name, *found));
    context.reply.simple("OK");
    return {};
}

constexpr BytesView group = "crdt";
constexpr BytesView since = "0.1.0";

// clang-format off
constexpr Command commands[] = {
    {"crdt.conflicts", -1, flag::readonly, {}, group, since, "O(N) with N records looked at",
     "Lists what this replica recorded of concurrent transactions", conflicts_command, {}},
    {"crdt.resolve", -3, flag::write | flag::denyoom, {1, 1, 1}, group, since,
     "O(N) with N records looked at", "Writes a value anew that lost against a concurrent one",
     resolve_command, {}},
};
// clang-format on

}  // namespace

std::span<const Command> conflict_commands() {
    return commands;
}

}  // namespace syncline
