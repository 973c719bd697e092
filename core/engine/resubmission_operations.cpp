// A lost transaction is done again in this order: what it clears, what it removes, what it writes
// and adds, edits of texts, deadlines. So removals see what is there now, and nothing of its own;
// and a key that it replaces by one of another type is free by then.
#include <cmath>

#include "core/engine/event_text.hpp"
#include "core/engine/group_rows.hpp"
#include "core/engine/operations.hpp"
#include "core/engine/resubmission.hpp"
#include "crdt/bounded_counter.hpp"
#include "crdt/expiry.hpp"
#include "crdt/score.hpp"
#include "crdt/text_rows.hpp"
#include "crdt/text_utf8.hpp"

namespace syncline {
namespace {

Error cannot(std::string why) {
    return Error{Code::conflict, std::move(why)};
}

/// Whether the state of things is the reason, and not the state of the replica.
bool is_refusal(Code code) {
    switch (code) {
        case Code::invalid_argument:
        case Code::wrong_type:
        case Code::overflow:
        case Code::limit:
        case Code::causality:
        case Code::conflict:
        case Code::no_rights:
        case Code::permanent:
            return true;
        default:
            return false;
    }
}

class Reenactment {
public:
    Reenactment(Transaction& txn, const LostTransaction& lost, const ResubmittedPast& past)
        : txn_(txn), lost_(lost), event_(lost.event), past_(past), names_(past.names) {}

    Result<Resubmitted> run();

private:
    /// What an operation added, and to what.
    struct Addition {
        const CellOp& op;
        std::uint64_t index;
    };
    /// The generation that an edit goes to.
    struct Target {
        Dot generation;
        bool behind = false;  ///< another text is there, which this one continues
    };

    template <typename Step>
    Result<void> each(const Step& step);
    Result<void> all();
    Result<void> clear(const Op& op);
    Result<void> clear_buckets(const ClearBuckets& buckets);
    Result<void> remove(const CellOp& op);
    Result<void> write(const CellOp& op, std::uint64_t index);
    Result<void> write_value(const CellOp& op);
    Result<void> write_multi_value(const CellOp& op);
    Result<void> add(const Addition& addition);
    Result<Amount> amount(const Addition& addition, const CounterEntry& own);
    Result<void> add_to_score(const CellOp& op, const Amount& amount);
    Result<void> use_rights(const CellOp& op, std::uint64_t index, bool making);
    Result<void> set_deadline(const CellOp& op);
    Result<void> edit(const TextEdit& edit);
    Result<Target> target(const TextEdit& edit);
    Result<void> insert(const TextName& then, const Target& target, const TextInsertion& insertion);
    Result<void> erase(const TextName& then, const Target& target, const TextErasure& erasure);
    [[nodiscard]] bool clears(const CellOp& op) const;
    [[nodiscard]] bool writes(BytesView key) const;
    [[nodiscard]] bool has_seen(const Dot& dot) const {
        return event_.past.covers(dot) || past_.seen.contains(dot) || dot == txn_.dot();
    }

    Transaction& txn_;
    const LostTransaction& lost_;
    const Event& event_;
    const ResubmittedPast& past_;
    TextNames names_;  ///< of the transactions before, and of this one so far
    TextNames made_;
    std::set<Bytes> continued_;  ///< keys whose text was there already
};

Result<Resubmitted> Reenactment::run() {
    if (txn_.group().vv().covers(event_.dot))
        return Resubmitted{Resubmitted::Outcome::present, {}, {}};
    SYNCLINE_CHECK(all());
    if (txn_.empty()) return Resubmitted{};
    return Resubmitted{Resubmitted::Outcome::done, txn_.dot(), std::move(made_)};
}

/// Says of each refusal which operation it was.
template <typename Step>
Result<void> Reenactment::each(const Step& step) {
    for (std::size_t index = 0; index < event_.ops.size(); ++index) {
        const Result<void> done = step(event_.ops[index], index);
        if (done || !is_refusal(done.error().code)) {
            SYNCLINE_CHECK(done);
            continue;
        }
        return cannot(printable(describe(event_.ops[index])) + ": " + done.error().message);
    }
    return {};
}

Result<void> Reenactment::all() {
    const auto with_cells = [](const auto& step) {
        return [&step](const Op& op, std::uint64_t index) -> Result<void> {
            const auto* const cell = std::get_if<CellOp>(&op);
            return cell == nullptr ? Result<void>() : step(*cell, index);
        };
    };
    const auto remove_cell = [this](const CellOp& op, std::uint64_t) { return remove(op); };
    const auto write_cell = [this](const CellOp& op, std::uint64_t index) {
        return write(op, index);
    };
    // Rights are made before they are used.
    const auto make_rights = [this](const CellOp& op, std::uint64_t index) {
        return use_rights(op, index, true);
    };
    const auto take_rights = [this](const CellOp& op, std::uint64_t index) {
        return use_rights(op, index, false);
    };
    const auto end_key = [this](const CellOp& op, std::uint64_t) { return set_deadline(op); };
    SYNCLINE_CHECK(each([this](const Op& op, std::uint64_t) { return clear(op); }));
    SYNCLINE_CHECK(each(with_cells(remove_cell)));
    SYNCLINE_CHECK(each(with_cells(write_cell)));
    SYNCLINE_CHECK(each(with_cells(make_rights)));
    SYNCLINE_CHECK(each(with_cells(take_rights)));
    SYNCLINE_CHECK(each([this](const Op& op, std::uint64_t) {
        const auto* const text = std::get_if<TextEdit>(&op);
        return text == nullptr ? Result<void>() : edit(*text);
    }));
    return each(with_cells(end_key));
}

// --- What goes

Result<void> Reenactment::clear(const Op& op) {
    if (const auto* const buckets = std::get_if<ClearBuckets>(&op)) return clear_buckets(*buckets);
    const auto* const key = std::get_if<ClearKey>(&op);
    if (key == nullptr) return {};
    SYNCLINE_TRY(const std::optional<CellType> visible, txn_.visible_type(key->key));
    if (!visible) return {};
    if (!writes(key->key)) {
        // Its time may have been over where it was removed, and nothing more.
        SYNCLINE_TRY(const Cell cell, txn_.cell(key->key, CellType::expiry, std::nullopt));
        const DotMap::Entry* const end = expiry_winner(cell);
        if (end != nullptr && !has_seen(end->dot)) return {};
    }
    txn_.clear(key->key);
    return {};
}

/// Whether it puts something under the key, besides removing.
bool Reenactment::writes(BytesView key) const {
    return std::any_of(event_.ops.begin(), event_.ops.end(), [&](const Op& op) {
        if (const auto* const text = std::get_if<TextEdit>(&op)) return text->key == key;
        const auto* const cell = std::get_if<CellOp>(&op);
        return cell != nullptr && cell->key == key &&
               (cell->delta.value || own_increments(*cell, event_.dot) != nullptr);
    });
}

/// Counters that it resets come with it; nothing else does.
Result<void> Reenactment::clear_buckets(const ClearBuckets& buckets) {
    for (const Op& op : event_.ops) {
        const auto* const cell = std::get_if<CellOp>(&op);
        const bool resets = cell != nullptr && !cell->delta.writes_dots &&
                            own_increments(*cell, event_.dot) == nullptr;
        if (!resets && std::get_if<ClearBuckets>(&op) != &buckets) {
            return cannot("it clears all, and does more");
        }
    }
    return txn_.clear_buckets(buckets.first, buckets.last);
}

/// Where removals win the removal is written also where nothing is.
Result<void> Reenactment::remove(const CellOp& op) {
    if (!op.delta.writes_dots || op.delta.value) return {};
    const std::optional<BytesView> field = view(op.field);
    if (is_signed(op.type) && txn_.group().policies().removal_wins(op.key)) {
        return txn_.negate(op.key, op.type, field);
    }
    SYNCLINE_TRY(const Cell cell, txn_.cell(op.key, op.type, field));
    return cell.live() ? txn_.remove(op.key, op.type, field) : Result<void>();
}

// --- Registers, members, elements

Result<void> Reenactment::write(const CellOp& op, std::uint64_t index) {
    if (op.delta.value) SYNCLINE_CHECK(write_value(op));
    return add(Addition{op, index});
}

Result<void> Reenactment::write_value(const CellOp& op) {
    const Bytes& value = *op.delta.value;
    const Bytes field = op.field.value_or(Bytes());
    Result<bool> done = true;
    switch (op.type) {
        case CellType::string:  // a deadline that it removed is an operation of its own
            return operations::string_set(txn_, op.key, value, operations::Deadline::kept);
        case CellType::hash:
            done = operations::hash_set(txn_, op.key, field, value);
            break;
        case CellType::set:
            done = operations::set_add(txn_, op.key, field);
            break;
        case CellType::sorted_set: {
            const std::optional<double> score = score_from_bytes(value);
            if (!score) return cannot("it is no score");
            SYNCLINE_CHECK(operations::sorted_add(txn_, op.key, field, *score));
            break;
        }
        case CellType::list:  // its place is nobody else's, and among the others' as it was
            return operations::list_put_at(txn_, op.key, field, value);
        case CellType::multi_value:
            return write_multi_value(op);
        case CellType::flag:
            done = operations::flag_enable(txn_, op.key);
            break;
        case CellType::text:  // its first edit makes it
            if (field != generation_field(event_.dot)) return cannot("it was made by another one");
            break;
        case CellType::bounded_counter:
        case CellType::expiry:
            break;  // later
    }
    SYNCLINE_CHECK(done);
    return {};
}

Result<void> Reenactment::write_multi_value(const CellOp& op) {
    SYNCLINE_TRY(const std::vector<DotMap::Entry> values,
                 operations::multi_value_get(txn_, op.key));
    for (const DotMap::Entry& value : values) {
        if (!has_seen(value.dot)) return cannot("a value has come that would be replaced unread");
    }
    return operations::multi_value_set(txn_, op.key, *op.delta.value, nullptr);
}

// --- Counters

bool Reenactment::clears(const CellOp& op) const {
    return std::any_of(event_.ops.begin(), event_.ops.end(), [&](const Op& other) {
        const auto* const key = std::get_if<ClearKey>(&other);
        return key != nullptr && key->key == op.key;
    });
}

/// The events of an actor tell sums. Where the one before is not known from its own events, this
/// replica knows it, which had all of them up to the first lost one.
Result<Amount> Reenactment::amount(const Addition& addition, const CounterEntry& own) {
    const CellOp& op = addition.op;
    if (own.genesis == event_.dot.counter) return own.sum;
    const auto before = lost_.before.find(addition.index);
    if (before != lost_.before.end()) return own.sum - before->second;
    if (op.delta.writes_dots || clears(op)) return own.sum - own.reset_sum;
    SYNCLINE_TRY(const Cell here, txn_.group().cell(op.key, op.type, view(op.field)));
    const CounterEntry* const known = here.counter.find(event_.dot.actor);
    if (known == nullptr || known->genesis != own.genesis) {
        return cannot("how much it added is not known any more; its sum was " + to_string(own.sum));
    }
    return own.sum - known->sum;
}

Result<void> Reenactment::add(const Addition& addition) {
    const CellOp& op = addition.op;
    const CounterEntry* const own = own_increments(op, event_.dot);
    if (own == nullptr) return {};
    SYNCLINE_TRY(const Amount added, amount(addition, *own));
    SYNCLINE_CHECK(operations::count(txn_, op.key, op.type));  // for its type
    if (op.type == CellType::sorted_set) return add_to_score(op, added);
    const std::optional<BytesView> field = view(op.field);
    SYNCLINE_TRY(const Cell before, txn_.cell(op.key, op.type, field));
    if (!decimal_value(before)) return cannot("the value there is no number");
    const std::optional<std::int64_t> integer = integer_value(before);
    std::int64_t sum = 0;
    if (integer && added.decimal.is_zero() &&
        __builtin_add_overflow(*integer, static_cast<std::int64_t>(added.integer), &sum)) {
        return cannot("the sum would overflow");
    }
    SYNCLINE_CHECK(txn_.increment(op.key, op.type, field, added));
    SYNCLINE_TRY(const Cell after, txn_.cell(op.key, op.type, field));
    const std::optional<Decimal> value = decimal_value(after);
    return value && value->in_range() ? Result<void>() : cannot("the sum would be out of range");
}

Result<void> Reenactment::add_to_score(const CellOp& op, const Amount& amount) {
    constexpr double decimals_below = 1e21;
    const std::optional<BytesView> field = view(op.field);
    const auto in_range = [&]() -> Result<bool> {
        SYNCLINE_TRY(const Cell cell, txn_.cell(op.key, op.type, field));
        return std::abs(score_value(cell).value_or(0)) < decimals_below;
    };
    SYNCLINE_TRY(const bool before, in_range());
    SYNCLINE_CHECK(txn_.increment(op.key, op.type, field, amount));
    SYNCLINE_TRY(const bool after, in_range());
    return before && after ? Result<void>() : cannot("the score would be out of range");
}

Result<void> Reenactment::use_rights(const CellOp& op, std::uint64_t index, bool making) {
    if (op.type != CellType::bounded_counter) return {};
    const std::optional<RightsRow> row = rights_row(*op.field);
    const std::optional<std::uint64_t> in_all = rights_from_bytes(op.delta.value.value_or(""));
    if (!row || !in_all) return cannot("it is no row of a bounded counter");
    if (making != (row->to == row->writer)) return {};
    std::uint64_t before = 0;
    if (const auto told = lost_.before.find(index); told != lost_.before.end()) {
        before = told->second.integer;
    } else {
        SYNCLINE_TRY(const Cell here, txn_.group().cell(op.key, op.type, view(op.field)));
        const DotMap::Entry* const known = here.dots.winner();
        if (known != nullptr) before = rights_from_bytes(known->payload.value).value_or(0);
    }
    if (before >= *in_all) return cannot("how much it was is not known any more");
    const auto amount = static_cast<std::int64_t>(*in_all - before);
    if (row->to && !making) return operations::bounded_transfer(txn_, op.key, amount, *row->to);
    SYNCLINE_CHECK(making ? operations::bounded_increment(txn_, op.key, amount)
                          : operations::bounded_decrement(txn_, op.key, amount));
    return {};
}

// --- Deadlines

/// Of concurrent deadlines the latest counts.
Result<void> Reenactment::set_deadline(const CellOp& op) {
    if (op.type != CellType::expiry || !op.delta.value) return {};
    const std::optional<std::uint64_t> deadline = deadline_from_bytes(*op.delta.value);
    if (!deadline) return cannot("it is no deadline");
    SYNCLINE_TRY(const Cell cell, txn_.cell(op.key, CellType::expiry, std::nullopt));
    const DotMap::Entry* const there = expiry_winner(cell);
    const bool later =
        there != nullptr && !has_seen(there->dot) && expiry_deadline(cell).value_or(0) >= *deadline;
    if (later) return {};
    SYNCLINE_CHECK(*deadline == never ? operations::key_persist(txn_, op.key)
                                      : operations::key_expire(txn_, op.key, *deadline));
    return {};
}

// --- Texts

Result<Reenactment::Target> Reenactment::target(const TextEdit& edit) {
    const TextName then{edit.key, edit.generation};
    SYNCLINE_CHECK(operations::count(txn_, edit.key, CellType::text));  // for its type
    Target target{names_.generation(then), continued_.contains(edit.key)};
    if (edit.generation != event_.dot || target.generation != edit.generation) return target;
    SYNCLINE_TRY(const std::optional<Dot> seen, txn_.text_generation(edit.key));
    target = Target{seen.value_or(txn_.dot()), seen.has_value()};
    if (seen) {
        continued_.insert(edit.key);
    } else {
        const Bytes field = generation_field(txn_.dot());
        SYNCLINE_CHECK(txn_.put(edit.key, CellType::text, BytesView(field), {}));
    }
    names_.add(then, target.generation);
    made_.add(then, target.generation);
    return target;
}

Result<void> Reenactment::edit(const TextEdit& edit) {
    SYNCLINE_TRY(const Target there, target(edit));
    const TextName then{edit.key, edit.generation};
    const Bytes field = generation_field(there.generation);
    SYNCLINE_TRY(const Cell cell, txn_.cell(edit.key, CellType::text, BytesView(field)));
    for (const TextOp& op : edit.edits) {
        const auto* const insertion = std::get_if<TextInsertion>(&op);
        if (insertion != nullptr && !cell.live()) return cannot("its text is there no more");
        if (!cell.live()) continue;  // nothing is left to erase
        SYNCLINE_CHECK(insertion != nullptr ? insert(then, there, *insertion)
                                            : erase(then, there, std::get<TextErasure>(op)));
    }
    return {};
}

/// Beside the character it stood beside, or where that one was. Its characters are named as this
/// replica's own.
Result<void> Reenactment::insert(const TextName& then, const Target& target,
                                 const TextInsertion& insertion) {
    SYNCLINE_TRY(const Text* const text, txn_.text(then.key, target.generation));
    std::uint64_t position = target.behind ? text->size() : 0;
    if (insertion.parent) {
        const ElementId parent = names_.name(then, *insertion.parent);
        const std::optional<std::uint64_t> place = text->position_of(parent);
        if (!place) return cannot("the character it stood beside is not known here");
        const bool behind = insertion.side == Side::right && text->id_at(*place) == parent;
        position = *place + (behind ? 1 : 0);
    }
    SYNCLINE_TRY(TextInsertion again, text->insertion(txn_.dot().actor, position, insertion.text));
    const std::uint64_t count = count_points(insertion.text);
    names_.add(then, insertion.first, again.first, count);
    made_.add(then, insertion.first, again.first, count);
    return txn_.edit_text(then.key, target.generation, std::move(again));
}

Result<void> Reenactment::erase(const TextName& then, const Target& target,
                                const TextErasure& erasure) {
    TextErasure again;
    for (const ElementRange& range : erasure.ranges) {
        const std::vector<ElementRange> pieces = names_.names(then, range);
        again.ranges.insert(again.ranges.end(), pieces.begin(), pieces.end());
    }
    return txn_.edit_text(then.key, target.generation, std::move(again));
}

}  // namespace

Result<Resubmitted> resubmit(Transaction& txn, const LostTransaction& lost,
                             const ResubmittedPast& past) {
    SYNCLINE_ASSERT(txn.empty());
    return Reenactment(txn, lost, past).run();
}

}  // namespace syncline
