#include "core/engine/operations.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/limits.hpp"
#include "crdt/score.hpp"

namespace syncline::operations {
namespace {

Result<void> check_size(BytesView key, BytesView value = {}) {
    if (key.size() > limits::key_bytes_max) {
        return Error{Code::limit, "a key or field has more than " +
                                      std::to_string(limits::key_bytes_max) + " bytes"};
    }
    if (value.size() > limits::value_bytes_max) {
        return Error{Code::limit,
                     "a value has more than " + std::to_string(limits::value_bytes_max) + " bytes"};
    }
    return {};
}

/// True when the key exists; Error wrong_type when something else than `type` is visible.
Result<bool> exists_as(Transaction& txn, BytesView key, CellType type) {
    SYNCLINE_CHECK(check_size(key));
    SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
    if (visible && *visible != type) {
        return Error{Code::wrong_type, "the key holds a " + std::string(cell_type_name(*visible))};
    }
    return visible.has_value();
}

Result<std::int64_t> add(const Cell& cell, std::int64_t amount) {
    const std::optional<std::int64_t> before = integer_value(cell);
    if (!before) return Error{Code::invalid_argument, "value is not an integer"};
    std::int64_t after = 0;
    if (__builtin_add_overflow(*before, amount, &after)) {
        return Error{Code::overflow, "increment or decrement would overflow"};
    }
    return after;
}

Result<std::int64_t> increment(Transaction& txn, BytesView key, CellType type,
                               std::optional<BytesView> field, std::int64_t amount) {
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    SYNCLINE_TRY(const std::int64_t after, add(cell, amount));
    SYNCLINE_CHECK(txn.increment(key, type, field, static_cast<std::uint64_t>(amount)));
    return after;
}

/// Whether everything live in a cell is within a context.
bool has_seen(const VersionVector& context, const Cell& cell) {
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        if (!context.covers(entry.dot)) return false;
    }
    for (const auto& [actor, part] : cell.counter.entries()) {
        if (part.live() && !context.covers(Dot{actor, part.last})) return false;
    }
    return true;
}

Result<Bytes> increment(Transaction& txn, BytesView key, CellType type,
                        std::optional<BytesView> field, Decimal amount) {
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    const std::optional<Decimal> before = decimal_value(cell);
    if (!before) return Error{Code::invalid_argument, "value is not a valid float"};
    const Decimal after = *before + amount;
    if (!after.in_range()) {
        return Error{Code::overflow, "a decimal counter must stay below 10^21"};
    }
    SYNCLINE_CHECK(txn.increment(key, type, field, Amount(0, amount)));
    return after.text();
}

}  // namespace

Result<std::optional<Bytes>> string_get(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const bool exists, exists_as(txn, key, CellType::string));
    if (!exists) return std::optional<Bytes>();
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::string, std::nullopt));
    return string_value(cell);
}

Result<void> string_set(Transaction& txn, BytesView key, Bytes value) {
    SYNCLINE_CHECK(check_size(key, value));
    for (const CellType type : cell_types) {
        if (type == CellType::string) continue;
        SYNCLINE_TRY(const std::uint64_t others, txn.count(key, type));
        if (others > 0) txn.clear(key);
    }
    return txn.put(key, CellType::string, std::nullopt, std::move(value));
}

Result<std::int64_t> string_increment(Transaction& txn, BytesView key, std::int64_t amount) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::string));
    return increment(txn, key, CellType::string, std::nullopt, amount);
}

Result<Bytes> string_increment(Transaction& txn, BytesView key, Decimal amount) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::string));
    return increment(txn, key, CellType::string, std::nullopt, amount);
}

Result<bool> key_delete(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
    if (visible) txn.clear(key);
    return visible.has_value();
}

Result<bool> set_add(Transaction& txn, BytesView key, BytesView member) {
    SYNCLINE_CHECK(check_size(member));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::set, member));
    SYNCLINE_CHECK(txn.put(key, CellType::set, member, Bytes()));
    return !cell.live();
}

Result<bool> set_remove(Transaction& txn, BytesView key, BytesView member) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::set, member));
    if (!cell.live()) return false;
    SYNCLINE_CHECK(txn.remove(key, CellType::set, member));
    return true;
}

Result<bool> set_contains(Transaction& txn, BytesView key, BytesView member) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::set, member));
    return cell.live();
}

Result<std::vector<Bytes>> set_members(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::set));
    std::vector<Bytes> members;
    SYNCLINE_CHECK(txn.scan_cells(key, CellType::set, [&](BytesView member, const Cell&) {
        members.emplace_back(member);
        return true;
    }));
    return members;
}

Result<bool> hash_set(Transaction& txn, BytesView key, BytesView field, Bytes value) {
    SYNCLINE_CHECK(check_size(field, value));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::hash, field));
    SYNCLINE_CHECK(txn.put(key, CellType::hash, field, std::move(value)));
    return !cell.live();
}

Result<std::optional<Bytes>> hash_get(Transaction& txn, BytesView key, BytesView field) {
    SYNCLINE_TRY(const bool exists, exists_as(txn, key, CellType::hash));
    if (!exists) return std::optional<Bytes>();
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::hash, field));
    return string_value(cell);
}

Result<bool> hash_remove(Transaction& txn, BytesView key, BytesView field) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::hash, field));
    if (!cell.live()) return false;
    SYNCLINE_CHECK(txn.remove(key, CellType::hash, field));
    return true;
}

Result<std::int64_t> hash_increment(Transaction& txn, BytesView key, BytesView field,
                                    std::int64_t amount) {
    SYNCLINE_CHECK(check_size(field));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    return increment(txn, key, CellType::hash, field, amount);
}

Result<Bytes> hash_increment(Transaction& txn, BytesView key, BytesView field, Decimal amount) {
    SYNCLINE_CHECK(check_size(field));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    return increment(txn, key, CellType::hash, field, amount);
}

Result<std::vector<std::pair<Bytes, Bytes>>> hash_all(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    std::vector<std::pair<Bytes, Bytes>> all;
    SYNCLINE_CHECK(txn.scan_cells(key, CellType::hash, [&](BytesView field, const Cell& cell) {
        if (std::optional<Bytes> value = string_value(cell)) {
            all.emplace_back(Bytes(field), std::move(*value));
        }
        return true;
    }));
    return all;
}

Result<bool> sorted_add(Transaction& txn, BytesView key, BytesView member, double score) {
    SYNCLINE_CHECK(check_size(member));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::sorted_set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::sorted_set, member));
    SYNCLINE_CHECK(txn.put(key, CellType::sorted_set, member, score_bytes(score)));
    return !cell.live();
}

Result<double> sorted_increment(Transaction& txn, BytesView key, BytesView member, double amount) {
    constexpr double decimals_below = 1e21;
    SYNCLINE_CHECK(check_size(member));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::sorted_set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::sorted_set, member));
    const double before = score_value(cell).value_or(0);
    const double after = before + amount;
    if (std::isnan(after)) {
        return Error{Code::invalid_argument, "resulting score is not a number (NaN)"};
    }
    const std::optional<Decimal> exact = score_increment(amount);
    if (!exact || std::abs(before) >= decimals_below || std::abs(after) >= decimals_below) {
        SYNCLINE_CHECK(txn.put(key, CellType::sorted_set, member, score_bytes(after)));
        return after;
    }
    SYNCLINE_CHECK(txn.increment(key, CellType::sorted_set, member, Amount(0, *exact)));
    SYNCLINE_TRY(const Cell changed, txn.cell(key, CellType::sorted_set, member));
    return *score_value(changed);
}

Result<bool> sorted_remove(Transaction& txn, BytesView key, BytesView member) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::sorted_set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::sorted_set, member));
    if (!cell.live()) return false;
    SYNCLINE_CHECK(txn.remove(key, CellType::sorted_set, member));
    return true;
}

Result<std::optional<double>> sorted_score(Transaction& txn, BytesView key, BytesView member) {
    SYNCLINE_TRY(const bool exists, exists_as(txn, key, CellType::sorted_set));
    if (!exists) return std::optional<double>();
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::sorted_set, member));
    return score_value(cell);
}

Result<void> sorted_scan(Transaction& txn, BytesView key, const ScoreRange& range, WalkOrder walk,
                         const ScoreVisitor& visit) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::sorted_set));
    return txn.scan_scores(key, range, walk, visit);
}

Result<void> multi_value_set(Transaction& txn, BytesView key, Bytes value,
                             const VersionVector* context) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::multi_value));
    if (context != nullptr) {
        SYNCLINE_CHECK(check_seen(txn, key, CellType::multi_value, std::nullopt, *context));
    }
    return txn.put(key, CellType::multi_value, std::nullopt, std::move(value));
}

Result<std::vector<DotMap::Entry>> multi_value_get(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::multi_value));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::multi_value, std::nullopt));
    std::vector<DotMap::Entry> values = cell.dots.entries();
    std::sort(values.begin(), values.end(), [](const DotMap::Entry& a, const DotMap::Entry& b) {
        return std::pair(a.payload.hlc, a.dot.actor) > std::pair(b.payload.hlc, b.dot.actor);
    });
    return values;
}

Result<void> check_seen(Transaction& txn, BytesView key, CellType type,
                        std::optional<BytesView> field, const VersionVector& context) {
    SYNCLINE_CHECK(exists_as(txn, key, type));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    if (has_seen(context, cell)) return {};
    return Error{Code::conflict, "its value has changed since its siblings were read"};
}

Result<std::uint64_t> count(Transaction& txn, BytesView key, CellType type) {
    SYNCLINE_TRY(const bool exists, exists_as(txn, key, type));
    if (!exists) return std::uint64_t{0};
    return txn.count(key, type);
}

}  // namespace syncline::operations
