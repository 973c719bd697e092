#include "tests/sim/workload.hpp"

#include <algorithm>
#include <numeric>

#include "crdt/score.hpp"
#include "storage/tables.hpp"

namespace syncline::sim {
namespace {

constexpr std::array single_writes = {
    OpKind::set,        OpKind::increment,  OpKind::erase,         OpKind::set_add,
    OpKind::set_remove, OpKind::hash_set,   OpKind::hash_remove,   OpKind::hash_increment,
    OpKind::erase,      OpKind::sorted_add, OpKind::sorted_remove, OpKind::sorted_increment};

std::uint64_t bucket_of(const Bytes& key) {
    return key_hash(key) >> 48;
}

/// In place of this amount one half is added, as a decimal.
constexpr std::int64_t amount_by_half = 7;

Decimal half() {
    return *Decimal::parse("0.5");
}

Intent intent(Intent::Kind kind, const Bytes& key, CellType type = CellType::string,
              const Bytes& field = {}) {
    Intent made;
    made.kind = kind;
    made.key = key;
    made.type = type;
    made.field = field;
    return made;
}

std::string in_words(const std::optional<CellType>& type) {
    return type ? "a " + std::string(cell_type_name(*type)) : "nothing";
}

}  // namespace

bool is_refusal(const Error& error) {
    return error.code == Code::wrong_type || error.code == Code::invalid_argument ||
           error.code == Code::overflow;
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
    constexpr std::array types = {CellType::hash, CellType::set, CellType::sorted_set};
    const CellType type = types[random.below(types.size())];
    return read_collection(txn, key(random, type), type, attempt);
}

Result<void> Workload::read_string(Transaction& txn, const Bytes& key, Attempt& attempt) const {
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::string, std::nullopt));
    for (const DotMap::Entry& entry : cell.dots.entries()) attempt.seen.push_back(entry.dot);
    for (const Counter::Entry& entry : cell.counter.entries()) {
        attempt.seen.push_back(Dot{entry.first, entry.second.last});
    }
    const std::optional<CellType> type = history_.oracle().visible_type(vv(), key);
    const Result<std::optional<Bytes>> got = operations::string_get(txn, key);
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
    if (plan_.primary_backup()) attempt.grounds = history_.oracle().grounds(vv(), name);
    const auto expected = Oracle::visible_value(history_.oracle().cell(vv(), name));
    if (*got != expected) {
        attempt.violation = "GET " + printable(key) + " gave " +
                            printable(got->value_or("nothing")) + ", but history says " +
                            printable(expected.value_or("nothing"));
    }
    return {};
}

Result<void> Workload::read_collection(Transaction& txn, const Bytes& key, CellType type,
                                       Attempt& attempt) const {
    const std::optional<CellType> visible = history_.oracle().visible_type(vv(), key);
    const Result<std::uint64_t> count = operations::count(txn, key, type);
    attempt.read_checked = true;
    const bool refuse = visible && *visible != type;
    if (refuse != !count) {
        attempt.violation = "reading " + printable(key) + " as a " +
                            std::string(cell_type_name(type)) + ": history says it is " +
                            in_words(visible);
    }
    if (!count) return count.error();
    if (plan_.primary_backup()) attempt.grounds = history_.oracle().grounds(vv(), key, type);
    std::map<Bytes, Bytes> got;
    if (type == CellType::sorted_set) {
        SYNCLINE_TRY(got, read_sorted(txn, key, attempt));
    } else if (type == CellType::set) {
        SYNCLINE_TRY(const std::vector<Bytes> members, operations::set_members(txn, key));
        for (const Bytes& member : members) got[member] = Bytes();
    } else {
        SYNCLINE_TRY(const auto fields, operations::hash_all(txn, key));
        got.insert(fields.begin(), fields.end());
    }
    const std::map<Bytes, Bytes> expected = history_.oracle().fields(vv(), key, type);
    if (got != expected || *count != expected.size()) {
        attempt.violation = printable(key) + " shows " + std::to_string(got.size()) +
                            " fields and counts " + std::to_string(*count) + ", but history says " +
                            std::to_string(expected.size()) + ", or other values";
    }
    return {};
}

/// Members by score, which must ascend, and which the way back must show in the same order.
Result<std::map<Bytes, Bytes>> Workload::read_sorted(Transaction& txn, const Bytes& key,
                                                     Attempt& attempt) {
    using Places = std::vector<std::pair<double, Bytes>>;
    const auto walk = [&](WalkOrder order) -> Result<Places> {
        Places places;
        SYNCLINE_CHECK(
            operations::sorted_scan(txn, key, {}, order, [&](BytesView member, double score) {
                places.emplace_back(score, Bytes(member));
                return true;
            }));
        return places;
    };
    SYNCLINE_TRY(const Places up, walk(WalkOrder::ascending));
    SYNCLINE_TRY(Places down, walk(WalkOrder::descending));
    std::reverse(down.begin(), down.end());
    if (!std::is_sorted(up.begin(), up.end()) || up != down) {
        attempt.violation = "the members of " + printable(key) + " do not come in order";
    }
    std::map<Bytes, Bytes> members;
    for (const auto& [score, member] : up) members[member] = score_text(score);
    return members;
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
        expected[name.key] = name.type;  // ascending by type, hence by precedence
    }
    attempt.read_checked = true;
    if (got != expected) {
        attempt.violation = "a scan gave " + std::to_string(got.size()) +
                            " keys, but history says " + std::to_string(expected.size()) +
                            ", or other types";
    }
    return {};
}

// --- Writes

Result<void> Workload::write(Transaction& txn, SimRandom& random, OpKind kind,
                             Attempt& attempt) const {
    if (kind == OpKind::sorted_add || kind == OpKind::sorted_remove ||
        kind == OpKind::sorted_increment) {
        return write_sorted(txn, random, kind, attempt);
    }
    const bool on_set = kind == OpKind::set_add || kind == OpKind::set_remove;
    const bool on_hash =
        kind == OpKind::hash_set || kind == OpKind::hash_remove || kind == OpKind::hash_increment;
    const CellType type = on_set ? CellType::set : on_hash ? CellType::hash : CellType::string;
    const Bytes name = key(random, kind == OpKind::erase ? cell_types[random.below(4)] : type);
    const Bytes part = on_set || on_hash ? field(random) : Bytes();
    Intent asked = intent(Intent::Kind::write, name, type, part);
    if (kind == OpKind::set) {
        asked.value = value(random);
        SYNCLINE_CHECK(operations::string_set(txn, name, asked.value));
        // A SET replaces a value of any type.
        attempt.intents.push_back(intent(Intent::Kind::clear_key, name));
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
        SYNCLINE_CHECK(operations::key_delete(txn, name));
    } else if (kind == OpKind::set_add) {
        asked.kind = Intent::Kind::add;
        SYNCLINE_CHECK(operations::set_add(txn, name, part));
    } else if (kind == OpKind::set_remove) {
        asked.kind = Intent::Kind::remove;
        SYNCLINE_CHECK(operations::set_remove(txn, name, part));
    } else if (kind == OpKind::hash_set) {
        asked.value = value(random);
        SYNCLINE_CHECK(operations::hash_set(txn, name, part, asked.value));
    } else if (kind == OpKind::hash_remove) {
        asked.kind = Intent::Kind::remove;
        SYNCLINE_CHECK(operations::hash_remove(txn, name, part));
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
        SYNCLINE_CHECK(operations::sorted_remove(txn, name, member));
    } else {
        asked.kind = Intent::Kind::increment;
        asked.halves = number;
        SYNCLINE_CHECK(
            operations::sorted_increment(txn, name, member, static_cast<double>(number) / 2));
    }
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
        const Result<void> written = write(txn, random, kind, attempt);
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
