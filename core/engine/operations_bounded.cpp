// Bounded counters: what a replica may take off, it decides by the rights that its own actor holds.
// Nobody else writes the rows these rest on, so that no partition can make them less.
#include <algorithm>

#include "core/base/mutation.hpp"
#include "core/engine/operations.hpp"

namespace syncline::operations {
namespace {

constexpr CellType type = CellType::bounded_counter;

/// 0 for a row that is not there.
std::uint64_t number_of(const Cell& cell) {
    const DotMap::Entry* const entry = cell.dots.winner();
    if (entry == nullptr) return 0;
    return rights_from_bytes(entry->payload.value).value();  // nothing else is read or unpacked
}

Error too_large() {
    return Error{Code::overflow, "increment or decrement would overflow"};
}

Result<std::uint64_t> checked_amount(std::int64_t amount) {
    if (amount > 0) return static_cast<std::uint64_t>(amount);
    return Error{Code::invalid_argument, "value is out of range, must be positive"};
}

/// Error overflow when the row's number would be larger than rights_max.
Result<void> add_to_row(Transaction& txn, BytesView key, const RightsRow& row,
                        std::uint64_t amount) {
    const Bytes field = rights_field(row);
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    const std::uint64_t number = number_of(cell);
    if (amount > rights_max - number) return too_large();
    return txn.put(key, type, field, rights_bytes(number + amount));
}

/// Error no_rights unless the transaction's actor holds so many.
Result<void> check_rights(const BoundedCounter& counter, const Actor& actor, std::uint64_t amount) {
    const std::uint64_t own = counter.part(actor).rights;
    if (amount <= own) return {};
    const auto of_all = static_cast<std::uint64_t>(counter.value());
    if (mutated(Mutation::rights_of_all) && amount <= of_all) return {};
    const std::vector<BoundedCounter::Part> parts = counter.parts_from(actor);
    std::string message = "of " + std::to_string(counter.value()) + " rights this replica has " +
                          std::to_string(own) + ", " + std::to_string(amount) + " are needed; ";
    if (parts.size() > 1 && parts[1].rights > 0) {
        message += "of the others " + to_string(parts[1].actor) + " has most, " +
                   std::to_string(parts[1].rights);
    } else {
        message += "no other replica has any";
    }
    return Error{Code::no_rights, std::move(message)};
}

}  // namespace

Result<BoundedCounter> bounded_read(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(count(txn, key, type));
    BoundedCounter counter;
    Result<void> status;
    const auto visit = [&](BytesView field, const Cell& cell) {
        const std::optional<RightsRow> row = rights_row(field);
        if (row) {
            counter.add(*row, number_of(cell));
        } else {
            status = Error{Code::corrupt, "a row of a bounded counter has no name"};
        }
        return row.has_value();
    };
    SYNCLINE_CHECK(txn.scan_cells(key, type, visit));
    SYNCLINE_CHECK(status);
    return counter;
}

Result<std::int64_t> bounded_increment(Transaction& txn, BytesView key, std::int64_t amount) {
    SYNCLINE_TRY(const std::uint64_t added, checked_amount(amount));
    SYNCLINE_TRY(const BoundedCounter counter, bounded_read(txn, key));
    if (added > rights_max - static_cast<std::uint64_t>(counter.value())) return too_large();
    const Actor self = txn.dot().actor;
    SYNCLINE_CHECK(add_to_row(txn, key, RightsRow{self, self}, added));
    return counter.value() + amount;
}

Result<std::int64_t> bounded_decrement(Transaction& txn, BytesView key, std::int64_t amount) {
    SYNCLINE_TRY(const std::uint64_t taken, checked_amount(amount));
    SYNCLINE_TRY(const BoundedCounter before, bounded_read(txn, key));
    const Actor self = txn.dot().actor;
    SYNCLINE_CHECK(check_rights(before, self, taken));
    SYNCLINE_CHECK(add_to_row(txn, key, RightsRow{self, std::nullopt}, taken));
    SYNCLINE_TRY(const BoundedCounter after, bounded_read(txn, key));
    return after.value();
}

Result<void> bounded_transfer(Transaction& txn, BytesView key, std::int64_t amount,
                              const Actor& to) {
    SYNCLINE_TRY(const std::uint64_t given, checked_amount(amount));
    const Actor self = txn.dot().actor;
    if (to == self) {
        return Error{Code::invalid_argument, "rights are transferred to another actor"};
    }
    for (const auto& [actor, counter] : txn.group().vv().entries()) {
        if (actor.node == to.node && actor.incarnation > to.incarnation) {
            return Error{
                Code::invalid_argument,
                "actor " + to_string(to) + " is no more, its node goes on as " + to_string(actor)};
        }
    }
    SYNCLINE_TRY(const BoundedCounter counter, bounded_read(txn, key));
    SYNCLINE_CHECK(check_rights(counter, self, given));
    return add_to_row(txn, key, RightsRow{self, to}, given);
}

Result<std::optional<CellType>> removable_type(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
    if (!visible || !is_permanent(*visible)) return visible;
    return Error{Code::permanent,
                 "a bounded counter cannot be removed, replaced or given an end: other replicas "
                 "may hold rights to it"};
}

}  // namespace syncline::operations
