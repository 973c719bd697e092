#include "tests/sim/workload.hpp"

#include <algorithm>
#include <numeric>

#include "crdt/score.hpp"
#include "storage/tables.hpp"

namespace syncline::sim {
namespace {

std::string in_words(const std::map<Bytes, Bytes>& fields) {
    std::string text = "{";
    for (const auto& [field, value] : fields) {
        text += (text.size() > 1 ? ", " : "") + printable(field) + ": " + printable(value);
    }
    return text + "}";
}

constexpr std::array single_writes = {
    OpKind::set,         OpKind::increment,  OpKind::erase,         OpKind::set_add,
    OpKind::set_remove,  OpKind::hash_set,   OpKind::hash_remove,   OpKind::hash_increment,
    OpKind::erase,       OpKind::sorted_add, OpKind::sorted_remove, OpKind::sorted_increment,
    OpKind::list_push,   OpKind::list_pop,   OpKind::list_insert,   OpKind::list_set,
    OpKind::text_insert, OpKind::text_erase, OpKind::flag_enable,   OpKind::flag_disable};

/// Whose families of keys removals and deadlines choose from.
constexpr std::array removed_types = {CellType::string,     CellType::hash, CellType::set,
                                      CellType::sorted_set, CellType::list, CellType::text,
                                      CellType::flag};

constexpr bool is_one_of(OpKind kind, OpKind first, OpKind last) {
    return first <= kind && kind <= last;
}

std::uint64_t bucket_of(const Bytes& key) {
    return key_hash(key) >> 48;
}

/// In place of this amount one half is added, as a decimal.
constexpr std::int64_t amount_by_half = 7;

Decimal half() {
    return *Decimal::parse("0.5");
}

/// A list as it is in a transaction: position and value.
using Places = std::map<Bytes, Bytes>;

Result<Places> list_places(Transaction& txn, BytesView key) {
    Places places;
    SYNCLINE_CHECK(txn.scan_list(key, WalkOrder::ascending, [&](BytesView at, const Cell& cell) {
        places.emplace(at, cell.dots.winner()->payload.value);
        return true;
    }));
    return places;
}

std::string in_words(const std::optional<CellType>& type) {
    return type ? "a " + std::string(cell_type_name(*type)) : "nothing";
}

}  // namespace

Intent intent(Intent::Kind kind, const Bytes& key, CellType type, const Bytes& field) {
    Intent made;
    made.kind = kind;
    made.key = key;
    made.type = type;
    made.field = field;
    return made;
}

bool is_refusal(const Error& error) {
    return error.code == Code::wrong_type || error.code == Code::invalid_argument ||
           error.code == Code::overflow || error.code == Code::no_rights ||
           error.code == Code::permanent;
}

bool is_damage(const Error& error) {
    return error.code == Code::corrupt || error.code == Code::unavailable;
}

Workload::Workload(const Plan& plan, const History& history, std::size_t replica)
    : plan_(plan), history_(history), replica_(replica) {}

OpKind Workload::choose(SimRandom& random) const {
    const unsigned total = std::accumulate(plan_.weights.begin(), plan_.weights.end(), 0U);
    std::uint64_t drawn = random.below(total);
    std::size_t kind = 0;
    while (drawn >= plan_.weights[kind]) drawn -= plan_.weights[kind++];
    return static_cast<OpKind>(kind);
}

Result<void> Workload::perform(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    switch (attempt.kind) {
        case OpKind::get:
            return read_string(txn, key(random, CellType::string), attempt);
        case OpKind::collection_read:
            return read(txn, random, attempt);
        case OpKind::pair:
            return write_pair(txn, random, attempt);
        case OpKind::transaction:
            return write_many(txn, random, attempt);
        case OpKind::clear_buckets:
            return clear_buckets(txn, random, attempt);
        case OpKind::bounded:
            return use_bounded(txn, random, attempt);
        default:
            return write(txn, random, attempt.kind, attempt);
    }
}

// --- Names and values

std::array<Bytes, 2> Workload::pair_keys(std::size_t index) {
    return {"p" + std::to_string(index), "q" + std::to_string(index)};
}

Bytes Workload::key(SimRandom& random, CellType type) const {
    const std::uint64_t number = random.below(plan_.keys);
    const Bytes family = plan_.mixed_types ? "key" : Bytes(cell_type_name(type));
    // One key is too long for a row key, and one comes near the bound with its fields.
    if (number == 3) return family + Bytes(600, 'x');
    if (number == 2) return family + Bytes(460, 'y');
    return family + std::to_string(number);
}

Bytes Workload::field(SimRandom& random) const {
    const std::uint64_t number = random.below(plan_.fields);
    return number == 3 ? Bytes(510, 'f') : "f" + std::to_string(number);
}

Bytes Workload::value(SimRandom& random) const {
    if (random.one_in(2)) return std::to_string(random.between(0, 1000));
    if (random.one_in(400)) return Bytes(20000, 'v');  // larger than a log segment
    if (random.one_in(40)) return Bytes(random.between(500, 3000), 'v');
    return "v" + std::to_string(random.below(1000));
}

std::int64_t Workload::amount(SimRandom& random) const {
    if (random.one_in(50)) return std::int64_t{1} << 62;
    return static_cast<std::int64_t>(random.below(12)) - 3;
}

// --- Reads

Result<void> Workload::read(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    if (random.one_in(6)) return read_keys(txn, random.between(1, 5), attempt);
    constexpr std::array types = {CellType::hash, CellType::set,  CellType::sorted_set,
                                  CellType::list, CellType::text, CellType::flag};
    const CellType type = types[random.below(types.size())];
    if (type == CellType::text) return read_text(txn, key(random, type), attempt);
    return read_collection(txn, key(random, type), type, attempt);
}

Result<void> Workload::read_string(Transaction& txn, const Bytes& key, Attempt& attempt) const {
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::string, std::nullopt));
    for (const DotMap::Entry& entry : cell.dots.entries()) attempt.seen.push_back(entry.dot);
    for (const Counter::Entry& entry : cell.counter.entries()) {
        attempt.seen.push_back(Dot{entry.first, entry.second.last});
    }
    const std::optional<CellType> type = seen_type(txn, key);
    const Result<std::optional<Bytes>> got = operations::string_get(txn, key);
    if (!got && is_damage(got.error())) return got.error();
    attempt.read_checked = true;
    if (type && *type != CellType::string) {
        if (got || got.error().code != Code::wrong_type) {
            attempt.violation =
                "GET " + printable(key) + " gave a value, but history says it is " + in_words(type);
        }
        return got ? Result<void>() : Result<void>(got.error());
    }
    if (!got) {
        attempt.violation = "GET " + printable(key) + " failed: " + got.error().message;
        return {};
    }
    const Oracle::Name name{key, CellType::string, {}};
    if (plan_.primary_backup()) attempt.grounds = grounds(txn, key, CellType::string);
    const auto expected =
        type ? Oracle::visible_value(history_.oracle().cell(vv(), name)) : std::nullopt;
    if (*got != expected) {
        attempt.violation = "GET " + printable(key) + " gave " +
                            printable(got->value_or("nothing")) + ", but history says " +
                            printable(expected.value_or("nothing"));
    }
    return {};
}

Result<void> Workload::read_collection(Transaction& txn, const Bytes& key, CellType type,
                                       Attempt& attempt) const {
    const std::optional<CellType> visible = seen_type(txn, key);
    const Result<std::uint64_t> count = operations::count(txn, key, type);
    if (!count && is_damage(count.error())) return count.error();
    attempt.read_checked = true;
    const bool refuse = visible && *visible != type;
    if (refuse != !count) {
        attempt.violation = "reading " + printable(key) + " as a " +
                            std::string(cell_type_name(type)) + ": history says it is " +
                            in_words(visible);
    }
    if (!count) return count.error();
    if (plan_.primary_backup()) attempt.grounds = grounds(txn, key, type);
    std::map<Bytes, Bytes> got;
    if (type == CellType::sorted_set) {
        SYNCLINE_TRY(got, read_sorted(txn, key, attempt));
    } else if (type == CellType::list) {
        SYNCLINE_TRY(got, read_list(txn, key, attempt));
    } else if (type == CellType::flag) {
        SYNCLINE_TRY(const bool enabled, operations::flag_enabled(txn, key));
        if (enabled) got[Bytes()] = Bytes();
    } else if (type == CellType::set) {
        SYNCLINE_TRY(const std::vector<Bytes> members, operations::set_members(txn, key));
        for (const Bytes& member : members) got[member] = Bytes();
    } else {
        SYNCLINE_TRY(const auto fields, operations::hash_all(txn, key));
        got.insert(fields.begin(), fields.end());
    }
    std::map<Bytes, Bytes> expected;
    if (visible) expected = history_.oracle().fields(vv(), key, type);
    if (got != expected || *count != expected.size()) {
        attempt.violation = printable(key) + " shows " + in_words(got) + " and counts " +
                            std::to_string(*count) + ", but history says " + in_words(expected);
    }
    return {};
}

Result<void> Workload::read_text(Transaction& txn, const Bytes& key, Attempt& attempt) const {
    const std::optional<CellType> visible = seen_type(txn, key);
    const Result<const Text*> text = operations::text_get(txn, key);
    if (!text && is_damage(text.error())) return text.error();
    attempt.read_checked = true;
    if ((visible && *visible != CellType::text) != !text) {
        attempt.violation =
            "reading " + printable(key) + " as a text: history says it is " + in_words(visible);
    }
    if (!text) return text.error();
    if (plan_.primary_backup()) attempt.grounds = grounds(txn, key, CellType::text);
    const std::optional<Bytes> generation =
        visible ? history_.oracle().text_generation(vv(), key) : std::nullopt;
    const bool exists = *text != nullptr;
    if (exists != generation.has_value() ||
        (exists && (*text)->text() != history_.oracle().text(vv(), key, *generation).text())) {
        attempt.violation = "text " + printable(key) + " is not what history says";
    }
    return {};
}

/// Members by score, which must ascend, and which the way back must show in the same order.
Result<std::map<Bytes, Bytes>> Workload::read_sorted(Transaction& txn, const Bytes& key,
                                                     Attempt& attempt) {
    using Scores = std::vector<std::pair<double, Bytes>>;
    const auto walk = [&](WalkOrder order) -> Result<Scores> {
        Scores places;
        SYNCLINE_CHECK(
            operations::sorted_scan(txn, key, {}, order, [&](BytesView member, double score) {
                places.emplace_back(score, Bytes(member));
                return true;
            }));
        return places;
    };
    SYNCLINE_TRY(const Scores up, walk(WalkOrder::ascending));
    SYNCLINE_TRY(Scores down, walk(WalkOrder::descending));
    std::reverse(down.begin(), down.end());
    if (!std::is_sorted(up.begin(), up.end()) || up != down) {
        attempt.violation = "the members of " + printable(key) + " do not come in order";
    }
    std::map<Bytes, Bytes> members;
    for (const auto& [score, member] : up) members[member] = score_text(score);
    return members;
}

/// Elements by position. What operations show must be the same values, in the order of positions.
Result<std::map<Bytes, Bytes>> Workload::read_list(Transaction& txn, const Bytes& key,
                                                   Attempt& attempt) {
    SYNCLINE_TRY(Places places, list_places(txn, key));
    std::vector<Bytes> values;
    for (const auto& place : places) values.push_back(place.second);
    SYNCLINE_TRY(const std::vector<Bytes> shown, operations::list_range(txn, key, 0, -1));
    if (values != shown) {
        attempt.violation = "the elements of " + printable(key) + " do not come in order";
    }
    return places;
}

/// Walks all keys in steps; each must come once, with its visible type.
Result<void> Workload::read_keys(Transaction& txn, std::size_t step, Attempt& attempt) const {
    std::map<Bytes, CellType> got;
    std::uint64_t cursor = 0;
    do {
        SYNCLINE_TRY(cursor, txn.scan_keys(cursor, step, [&](BytesView key, CellType type) {
            if (!got.emplace(Bytes(key), type).second) {
                attempt.violation = "a scan gave key " + printable(key) + " twice";
            }
            return true;
        }));
    } while (cursor != 0);
    std::map<Bytes, CellType> expected;
    for (const auto& [name, cell] : history_.oracle().live_cells(vv())) {
        // Ascending by type, hence by precedence.
        if (seen_type(txn, name.key) && makes_key(name.type)) expected[name.key] = name.type;
    }
    attempt.read_checked = true;
    if (got != expected) {
        attempt.violation = "a scan gave " + std::to_string(got.size()) +
                            " keys, but history says " + std::to_string(expected.size()) +
                            ", or other types";
    }
    return {};
}

/// Of a key that has expired nothing but its deadline is looked at.
Oracle::Grounds Workload::grounds(const Transaction& txn, BytesView key, CellType type) const {
    const bool expired = history_.oracle().expired(vv(), key, txn.now_ms());
    return history_.oracle().grounds(vv(), key, expired ? CellType::expiry : type);
}

std::optional<CellType> Workload::seen_type(const Transaction& txn, BytesView key) const {
    if (history_.oracle().expired(vv(), key, txn.now_ms())) return std::nullopt;
    return history_.oracle().visible_type(vv(), key);
}

// --- Writes

/// A write to a key that has expired clears it first; where only a deadline is left, that one.
void Workload::clear_remains(Transaction& txn, const Bytes& key, Attempt& attempt) const {
    const bool remains = history_.oracle().deadline(vv(), key).has_value() && !seen_type(txn, key);
    if (!remains || !attempt.cleared.insert(key).second) return;
    const bool expired = history_.oracle().expired(vv(), key, txn.now_ms());
    attempt.intents.push_back(expired ? intent(Intent::Kind::clear_key, key)
                                      : intent(Intent::Kind::remove, key, CellType::expiry));
}

/// After an operation whose intents begin at `first`: where it has filled a key that was emptied
/// before in this transaction, the key's deadline goes in front of it.
Result<void> Workload::begin_anew(Transaction& txn, std::size_t first, Attempt& attempt) {
    std::set<Bytes> touched;
    for (std::size_t i = first; i < attempt.intents.size(); ++i) {
        touched.insert(attempt.intents[i].key);
    }
    for (const Bytes& key : touched) {
        SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
        if (!visible) {
            attempt.emptied.insert(key);
        } else if (attempt.emptied.erase(key) > 0) {
            attempt.intents.insert(attempt.intents.begin() + static_cast<std::ptrdiff_t>(first),
                                   intent(Intent::Kind::remove, key, CellType::expiry));
        }
    }
    return {};
}

/// Lets a key end soon, or now, or never.
Result<void> Workload::write_deadline(Transaction& txn, SimRandom& random, OpKind kind,
                                      Attempt& attempt) const {
    const Bytes name = key(random, removed_types[random.below(removed_types.size())]);
    Intent asked = intent(Intent::Kind::write, name, CellType::expiry);
    bool done = false;
    if (kind == OpKind::persist) {
        asked.value = "never";
        SYNCLINE_TRY(done, operations::key_persist(txn, name));
    } else {
        const std::uint64_t deadline =
            txn.now_ms() + (random.one_in(4) ? random.below(200) : random.below(8000));
        if (deadline <= txn.now_ms()) asked.kind = Intent::Kind::clear_key;
        asked.value = std::to_string(deadline);
        SYNCLINE_TRY(done, operations::key_expire(txn, name, deadline));
    }
    if (done) attempt.intents.push_back(std::move(asked));
    return {};
}

Result<void> Workload::write(Transaction& txn, SimRandom& random, OpKind kind,
                             Attempt& attempt) const {
    if (is_one_of(kind, OpKind::sorted_add, OpKind::sorted_increment)) {
        return write_sorted(txn, random, kind, attempt);
    }
    if (is_one_of(kind, OpKind::list_push, OpKind::list_set)) {
        return write_list(txn, random, kind, attempt);
    }
    if (is_one_of(kind, OpKind::text_insert, OpKind::text_erase)) {
        return write_text(txn, random, kind, attempt);
    }
    if (is_one_of(kind, OpKind::expire, OpKind::persist)) {
        return write_deadline(txn, random, kind, attempt);
    }
    if (is_one_of(kind, OpKind::set_add, OpKind::set_remove) ||
        is_one_of(kind, OpKind::flag_enable, OpKind::flag_disable)) {
        return write_signed(txn, random, kind, attempt);
    }
    const bool on_hash =
        kind == OpKind::hash_set || kind == OpKind::hash_remove || kind == OpKind::hash_increment;
    const CellType type = on_hash ? CellType::hash : CellType::string;
    const CellType family = removed_types[random.below(removed_types.size())];
    const Bytes name = key(random, kind == OpKind::erase ? family : type);
    const Bytes part = on_hash ? field(random) : Bytes();
    Intent asked = intent(Intent::Kind::write, name, type, part);
    if (kind == OpKind::set) {
        asked.value = value(random);
        SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(name));
        SYNCLINE_CHECK(operations::string_set(txn, name, asked.value));
        clear_remains(txn, name, attempt);
        // A SET replaces a value of any type.
        const bool replaces = visible && *visible != CellType::string;
        attempt.intents.push_back(replaces ? intent(Intent::Kind::clear_key, name)
                                           : intent(Intent::Kind::remove, name, CellType::expiry));
    } else if (kind == OpKind::increment) {
        asked.kind = Intent::Kind::increment;
        asked.amount = amount(random);
        if (asked.amount == amount_by_half) {
            asked.amount = 0;
            asked.halves = 1;
            SYNCLINE_CHECK(operations::string_increment(txn, name, half()));
        } else {
            SYNCLINE_CHECK(operations::string_increment(txn, name, asked.amount));
        }
    } else if (kind == OpKind::erase) {
        asked.kind = Intent::Kind::clear_key;
        SYNCLINE_TRY(const bool existed, operations::key_delete(txn, name));
        if (!existed) return {};
    } else if (kind == OpKind::hash_set) {
        asked.value = value(random);
        SYNCLINE_CHECK(operations::hash_set(txn, name, part, asked.value));
    } else if (kind == OpKind::hash_remove) {
        asked.kind = Intent::Kind::remove;
        SYNCLINE_TRY(const bool existed, operations::hash_remove(txn, name, part));
        if (!existed) return {};
    } else {
        asked.kind = Intent::Kind::increment;
        asked.amount = amount(random);
        if (asked.amount == amount_by_half) {
            asked.amount = 0;
            asked.halves = 1;
            SYNCLINE_CHECK(operations::hash_increment(txn, name, part, half()));
        } else {
            SYNCLINE_CHECK(operations::hash_increment(txn, name, part, asked.amount));
        }
    }
    clear_remains(txn, name, attempt);
    attempt.intents.push_back(std::move(asked));
    return {};
}

/// Where removals win, what is not there is removed, too.
Result<void> Workload::write_signed(Transaction& txn, SimRandom& random, OpKind kind,
                                    Attempt& attempt) const {
    const bool on_set = is_one_of(kind, OpKind::set_add, OpKind::set_remove);
    const CellType type = on_set ? CellType::set : CellType::flag;
    const Bytes name = key(random, type);
    const Bytes part = on_set ? field(random) : Bytes();
    Intent asked = intent(Intent::Kind::add, name, type, part);
    if (kind == OpKind::set_add) {
        SYNCLINE_CHECK(operations::set_add(txn, name, part));
    } else if (kind == OpKind::flag_enable) {
        SYNCLINE_CHECK(operations::flag_enable(txn, name));
    } else {
        SYNCLINE_TRY(const bool existed, on_set ? operations::set_remove(txn, name, part)
                                                : operations::flag_disable(txn, name));
        const bool wins = plan_.replica.policies.removal_wins(name);
        if (!existed && !wins) return {};
        asked.kind = wins ? Intent::Kind::negate : Intent::Kind::remove;
    }
    clear_remains(txn, name, attempt);
    attempt.intents.push_back(std::move(asked));
    return {};
}

Result<void> Workload::write_sorted(Transaction& txn, SimRandom& random, OpKind kind,
                                    Attempt& attempt) const {
    const Bytes name = key(random, CellType::sorted_set);
    const Bytes member = field(random);
    Intent asked = intent(Intent::Kind::write, name, CellType::sorted_set, member);
    const std::int64_t number = static_cast<std::int64_t>(random.below(12)) - 3;
    if (kind == OpKind::sorted_add) {
        asked.value = std::to_string(number);
        SYNCLINE_CHECK(operations::sorted_add(txn, name, member, static_cast<double>(number)));
    } else if (kind == OpKind::sorted_remove) {
        asked.kind = Intent::Kind::remove;
        SYNCLINE_TRY(const bool existed, operations::sorted_remove(txn, name, member));
        if (!existed) return {};
    } else {
        asked.kind = Intent::Kind::increment;
        asked.halves = number;
        SYNCLINE_CHECK(
            operations::sorted_increment(txn, name, member, static_cast<double>(number) / 2));
    }
    clear_remains(txn, name, attempt);
    attempt.intents.push_back(std::move(asked));
    return {};
}

/// What changed is taken from the list itself, before and after; that the change is the one that
/// was asked for is checked on a plain vector.
Result<void> Workload::write_list(Transaction& txn, SimRandom& random, OpKind kind,
                                  Attempt& attempt) const {
    const Bytes name = key(random, CellType::list);
    SYNCLINE_TRY(const Places before, list_places(txn, name));
    std::vector<Bytes> model;
    for (const auto& place : before) model.push_back(place.second);
    const bool at_front = random.one_in(2);
    const std::size_t count = random.between(1, 3);
    const std::uint64_t index = random.below(model.size() + 1);
    const auto end = at_front ? operations::ListEnd::front : operations::ListEnd::back;
    const auto at = [&](std::size_t i) { return model.begin() + static_cast<std::ptrdiff_t>(i); };
    if (kind == OpKind::list_push) {
        std::vector<Bytes> values;
        for (std::size_t i = 0; i < count; ++i) values.push_back(value(random));
        SYNCLINE_CHECK(operations::list_push(txn, name, end, values));
        if (at_front) std::reverse(values.begin(), values.end());
        model.insert(at_front ? model.begin() : model.end(), values.begin(), values.end());
    } else if (kind == OpKind::list_pop) {
        SYNCLINE_CHECK(operations::list_pop(txn, name, end, count));
        const std::size_t popped = std::min(count, model.size());
        const std::size_t first = at_front ? 0 : model.size() - popped;
        model.erase(at(first), at(first + popped));
    } else if (kind == OpKind::list_insert) {
        const Bytes inserted = value(random);
        SYNCLINE_CHECK(
            operations::list_insert_at(txn, name, static_cast<std::int64_t>(index), inserted));
        model.insert(at(index), inserted);
    } else {
        const Bytes written = value(random);
        SYNCLINE_CHECK(operations::list_set(txn, name, static_cast<std::int64_t>(index), written));
        model[index] = written;
    }
    SYNCLINE_TRY(const Places after, list_places(txn, name));
    std::vector<Bytes> shown;
    for (const auto& place : after) shown.push_back(place.second);
    if (shown != model) attempt.violation = "a change of list " + printable(name) + " went wrong";
    if (before != after || kind == OpKind::list_set) clear_remains(txn, name, attempt);
    for (const auto& [position, old_value] : before) {
        if (after.contains(position)) continue;
        attempt.intents.push_back(intent(Intent::Kind::remove, name, CellType::list, position));
    }
    for (const auto& [position, new_value] : after) {
        const auto old = before.find(position);
        const bool is_set =
            kind == OpKind::list_set &&
            position == std::next(after.begin(), static_cast<std::ptrdiff_t>(index))->first;
        if (old != before.end() && !is_set) continue;
        Intent asked = intent(Intent::Kind::write, name, CellType::list, position);
        asked.value = new_value;
        attempt.intents.push_back(std::move(asked));
    }
    return {};
}

/// What an edit does to the text is checked on a plain string; the operation itself is asked of the
/// text beforehand, for the oracle.
Result<void> Workload::write_text(Transaction& txn, SimRandom& random, OpKind kind,
                                  Attempt& attempt) const {
    const Bytes name = key(random, CellType::text);
    SYNCLINE_TRY(const Text* text, operations::text_get(txn, name));
    SYNCLINE_TRY(std::optional<Dot> generation, txn.text_generation(name));
    const bool is_new = !generation;
    const Text empty;
    if (text == nullptr) text = &empty;
    Bytes model = text->text();
    const std::uint64_t position = random.below(model.size() + 1);
    std::optional<TextOp> edit;
    if (kind == OpKind::text_insert) {
        const Bytes word(random.between(1, 6), static_cast<char>('a' + random.below(26)));
        SYNCLINE_TRY(edit, text->insertion(txn.dot().actor, position, word));
        SYNCLINE_CHECK(operations::text_insert(txn, name, position, word));
        model.insert(position, word);
    } else {
        const std::uint64_t count = std::min(random.between(1, 20), model.size() - position);
        if (count > 0) {
            SYNCLINE_TRY(edit, text->erasure(position, count));
        }
        SYNCLINE_TRY(const std::uint64_t erased,
                     operations::text_erase(txn, name, position, count));
        if (erased != count) attempt.violation = "an erasure erased something else";
        model.erase(position, count);
    }
    if (!edit) return {};
    SYNCLINE_TRY(const Text* const after, operations::text_get(txn, name));
    if (after->text() != model) {
        attempt.violation = "an edit of text " + printable(name) + " went wrong";
    }
    if (is_new) {
        clear_remains(txn, name, attempt);
        generation = txn.dot();
        attempt.intents.push_back(
            intent(Intent::Kind::write, name, CellType::text, generation_field(*generation)));
    }
    Intent asked = intent(Intent::Kind::edit, name, CellType::text, generation_field(*generation));
    asked.edit = std::move(edit);
    attempt.intents.push_back(std::move(asked));
    return {};
}

Result<void> Workload::write_pair(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    const std::array<Bytes, 2> keys = pair_keys(random.below(pairs_count));
    const std::uint64_t what = random.below(8);
    const Bytes written = value(random);
    const std::int64_t added = amount(random);
    for (const Bytes& name : keys) {
        Intent asked = intent(Intent::Kind::clear_key, name);
        if (what == 0) {
            SYNCLINE_CHECK(operations::key_delete(txn, name));
        } else if (what <= 2) {
            asked.kind = Intent::Kind::increment;
            asked.amount = added;
            SYNCLINE_CHECK(operations::string_increment(txn, name, added));
        } else {
            asked.kind = Intent::Kind::write;
            asked.value = written;
            SYNCLINE_CHECK(operations::string_set(txn, name, written));
        }
        attempt.intents.push_back(std::move(asked));
    }
    return {};
}

Result<void> Workload::write_many(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    for (std::uint64_t left = random.between(2, 6); left > 0; --left) {
        const OpKind kind = single_writes[random.below(single_writes.size())];
        const std::size_t first = attempt.intents.size();
        const Result<void> written = write(txn, random, kind, attempt);
        SYNCLINE_CHECK(begin_anew(txn, first, attempt));
        if (!written && !is_refusal(written.error())) return written.error();
    }
    if (random.one_in(2)) {
        const Result<void> written = write_pair(txn, random, attempt);
        if (!written) return written.error();
    }
    if (random.one_in(20)) return Error{Code::unavailable, "the client changed its mind"};
    return {};
}

/// A range of buckets. It covers both keys of a pair or none: a range is one event, and what lies
/// outside of it stays.
Result<void> Workload::clear_buckets(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    Intent asked = intent(Intent::Kind::clear_buckets, {});
    asked.first = static_cast<std::uint16_t>(random.below(0x10000));
    asked.last = static_cast<std::uint16_t>(random.between(asked.first, 0xffff));
    const auto inside = [&](const Bytes& name) {
        return bucket_of(name) >= asked.first && bucket_of(name) <= asked.last;
    };
    for (std::size_t index = 0; index < pairs_count; ++index) {
        const auto [one, other] = pair_keys(index);
        if (inside(one) == inside(other)) continue;
        asked.first = 0;
        asked.last = 0xffff;
    }
    SYNCLINE_CHECK(txn.clear_buckets(asked.first, asked.last));
    attempt.intents.push_back(std::move(asked));
    return {};
}

}  // namespace syncline::sim
