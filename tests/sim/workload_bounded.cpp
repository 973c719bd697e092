// Bounded counters in the simulator. Whether rights suffice follows from the events that a replica
// has, and from nothing else: the rows of the oracle are added up here once more.
#include "tests/sim/workload.hpp"

namespace syncline::sim {
namespace {

constexpr CellType type = CellType::bounded_counter;

using Rows = std::map<RightsRow, std::int64_t>;

std::int64_t value_of(const Rows& rows) {
    std::int64_t value = 0;
    for (const auto& [row, number] : rows) {
        if (!row.to) value -= number;
        if (row.to == row.writer) value += number;
    }
    return value;
}

std::int64_t rights_of(const Rows& rows, const Actor& actor) {
    std::int64_t rights = 0;
    for (const auto& [row, number] : rows) {
        if (row.to == actor) rights += number;
        if (row.writer == actor && row.to != actor) rights -= number;
    }
    return rights;
}

}  // namespace

std::map<RightsRow, std::int64_t> Workload::bounded_rows(BytesView key) const {
    Rows rows;
    for (const auto& [name, cell] : history_.oracle().live_cells(vv(), key)) {
        if (name.type != type) continue;
        rows.emplace(rights_row(name.field).value(), std::stoll(cell.values.at(0).bytes));
    }
    return rows;
}

Result<void> Workload::use_bounded(Transaction& txn, SimRandom& random, Attempt& attempt) const {
    const Bytes name = "bounded" + std::to_string(random.below(plan_.keys));
    const std::uint64_t what = random.below(12);
    if (what < 2) return read_bounded(txn, name, attempt);
    if (what == 2) return replace_bounded(txn, random, name, attempt);
    const Actor self = txn.dot().actor;
    const auto amount = static_cast<std::int64_t>(random.between(1, 20));
    const Rows rows = bounded_rows(name);
    RightsRow row{self, std::nullopt};
    Result<void> done;
    if (what < 5) {
        row.to = self;
        const Result<std::int64_t> made = operations::bounded_increment(txn, name, amount);
        if (!made) return made.error();
    } else if (what < 7) {
        const auto& actors = vv().entries();
        if (actors.empty()) return {};
        row.to = actors[random.below(actors.size())].first;
        done = operations::bounded_transfer(txn, name, amount, *row.to);
    } else {
        const Result<std::int64_t> left = operations::bounded_decrement(txn, name, amount);
        if (!left) done = left.error();
        if (left && *left != value_of(rows) - amount) {
            attempt.violation = "after a decrement " + name + " is " + std::to_string(*left);
        }
    }
    const bool decided = done || done.error().code == Code::no_rights;
    const bool suffices = row.to == self || rights_of(rows, self) >= amount;
    if (decided && suffices != done.has_value()) {
        attempt.violation = name + ": " + std::to_string(amount) + " were " +
                            (done ? "taken" : "refused") + ", but history says that rights are " +
                            std::to_string(rights_of(rows, self));
    }
    if (!done) return done;
    Intent asked = intent(Intent::Kind::write, name, type, rights_field(row));
    const auto before = rows.find(row);
    asked.value = std::to_string((before == rows.end() ? 0 : before->second) + amount);
    attempt.intents.push_back(std::move(asked));
    return {};
}

/// Nobody's rights, and so not the value, may ever be below 0.
Result<void> Workload::read_bounded(Transaction& txn, const Bytes& key, Attempt& attempt) const {
    const Rows rows = bounded_rows(key);
    const Result<BoundedCounter> counter = operations::bounded_read(txn, key);
    if (!counter && is_damage(counter.error())) return counter.error();
    attempt.read_checked = true;
    const std::optional<CellType> visible = seen_type(txn, key);
    if (counter.has_value() != (!visible || *visible == type)) {
        attempt.violation = "reading " + key + " as a bounded counter went wrong";
    }
    if (!counter) return counter.error();
    if (plan_.primary_backup()) attempt.grounds = grounds(txn, key, type);
    if (counter->value() != value_of(rows) || value_of(rows) < 0) {
        attempt.violation = key + " is " + std::to_string(counter->value()) +
                            ", but history says " + std::to_string(value_of(rows));
    }
    for (const auto& [actor, events] : vv().entries()) {
        const std::int64_t rights = rights_of(rows, actor);
        const auto shown = static_cast<std::int64_t>(counter->part(actor).rights);
        if (rights == shown) continue;
        attempt.violation = "rights of " + to_string(actor) + " to " + key + " are " +
                            std::to_string(shown) + ", but history says " + std::to_string(rights);
    }
    return {};
}

/// Refused where the counter is seen. Elsewhere it is a string that is hidden later.
Result<void> Workload::replace_bounded(Transaction& txn, SimRandom& random, const Bytes& key,
                                       Attempt& attempt) const {
    const std::optional<CellType> visible = seen_type(txn, key);
    const bool erases = random.one_in(2);
    Result<void> done;
    if (erases) {
        const Result<bool> existed = operations::key_delete(txn, key);
        if (!existed) done = existed.error();
    } else {
        done = operations::string_set(txn, key, "text");
    }
    if (!done && is_damage(done.error())) return done;
    if (done.has_value() != (visible != type)) {
        attempt.violation = "replacing " + key + " went wrong";
    }
    if (!done) return done;
    if (erases && !visible) return {};
    attempt.intents.push_back(intent(Intent::Kind::clear_key, key));
    if (erases) return {};
    Intent asked = intent(Intent::Kind::write, key, CellType::string);
    asked.value = "text";
    attempt.intents.push_back(std::move(asked));
    return {};
}

}  // namespace syncline::sim
