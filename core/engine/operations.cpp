#include "core/engine/operations.hpp"

#include <algorithm>
#include <cmath>

#include "core/base/limits.hpp"
#include "crdt/expiry.hpp"
#include "crdt/position.hpp"
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

/// True when it was there.
Result<bool> remove_signed(Transaction& txn, BytesView key, CellType type,
                           std::optional<BytesView> field) {
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    if (txn.group().policies().removal_wins(key)) {
        SYNCLINE_CHECK(check_size(field.value_or(BytesView())));
        SYNCLINE_CHECK(txn.negate(key, type, field));
    } else if (cell.live()) {
        SYNCLINE_CHECK(txn.remove(key, type, field));
    }
    return cell.live();
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
    SYNCLINE_TRY(Group::PlainString plain, txn.plain_string(key));
    if (!plain.unclear) return std::move(plain.value);
    SYNCLINE_TRY(const bool exists, exists_as(txn, key, CellType::string));
    if (!exists) return std::optional<Bytes>();
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::string, std::nullopt));
    return string_value(cell);
}

Result<void> string_set(Transaction& txn, BytesView key, Bytes value, Deadline deadline) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_TRY(const std::optional<CellType> visible, removable_type(txn, key));
    const bool replaces = visible && *visible != CellType::string;
    SYNCLINE_TRY(const Cell expiry, txn.cell(key, CellType::expiry, std::nullopt));
    if (replaces) txn.clear(key);
    if (expiry.live() && deadline == Deadline::removed && !replaces) {
        SYNCLINE_CHECK(txn.remove(key, CellType::expiry, std::nullopt));
    }
    if (expiry.live() && deadline == Deadline::kept && replaces) {
        SYNCLINE_CHECK(
            txn.put(key, CellType::expiry, std::nullopt, deadline_bytes(*expiry_deadline(expiry))));
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
    SYNCLINE_TRY(const std::optional<CellType> visible, removable_type(txn, key));
    if (visible) txn.clear(key);
    return visible.has_value();
}

Result<bool> key_expire(Transaction& txn, BytesView key, std::uint64_t deadline_ms) {
    SYNCLINE_TRY(const std::optional<CellType> visible, removable_type(txn, key));
    if (!visible) return false;
    if (deadline_ms <= txn.now_ms()) {
        txn.clear(key);
    } else {
        SYNCLINE_CHECK(txn.put(key, CellType::expiry, std::nullopt, deadline_bytes(deadline_ms)));
    }
    return true;
}

Result<bool> key_persist(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<std::uint64_t> deadline, key_deadline(txn, key));
    if (!deadline) return false;
    SYNCLINE_CHECK(txn.put(key, CellType::expiry, std::nullopt, deadline_bytes(never)));
    return true;
}

Result<std::optional<std::uint64_t>> key_deadline(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<CellType> visible, txn.visible_type(key));
    if (!visible || is_permanent(*visible)) return std::optional<std::uint64_t>();
    SYNCLINE_TRY(const Cell expiry, txn.cell(key, CellType::expiry, std::nullopt));
    return expiry_end(expiry);
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
    return remove_signed(txn, key, CellType::set, member);
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

Result<std::vector<Bytes>> set_members(Transaction& txn, BytesView key, const Slice& slice) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::set));
    std::vector<Bytes> members;
    if (slice.count == 0) return members;
    const auto visit = [&](BytesView member, const Cell&) {
        members.emplace_back(member);
        return members.size() < slice.count;
    };
    SYNCLINE_CHECK(txn.scan_stored(key, CellType::set, slice.after, visit));
    return members;
}

Result<bool> flag_enable(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::flag));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::flag, std::nullopt));
    SYNCLINE_CHECK(txn.put(key, CellType::flag, std::nullopt, Bytes()));
    return !cell.live();
}

Result<bool> flag_disable(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::flag));
    return remove_signed(txn, key, CellType::flag, std::nullopt);
}

Result<bool> flag_enabled(Transaction& txn, BytesView key) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::flag));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::flag, std::nullopt));
    return cell.live();
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

Result<std::vector<std::pair<Bytes, Bytes>>> hash_all(Transaction& txn, BytesView key,
                                                      const Slice& slice) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::hash));
    std::vector<std::pair<Bytes, Bytes>> all;
    if (slice.count == 0) return all;
    const auto visit = [&](BytesView field, const Cell& cell) {
        if (std::optional<Bytes> value = string_value(cell)) {
            all.emplace_back(Bytes(field), std::move(*value));
        }
        return all.size() < slice.count;
    };
    SYNCLINE_CHECK(txn.scan_stored(key, CellType::hash, slice.after, visit));
    return all;
}

Result<std::optional<double>> sorted_add(Transaction& txn, BytesView key, BytesView member,
                                         double score) {
    SYNCLINE_CHECK(check_size(member));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::sorted_set));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::sorted_set, member));
    SYNCLINE_CHECK(txn.put(key, CellType::sorted_set, member, score_bytes(score)));
    return score_value(cell);
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

namespace {

struct Element {
    Bytes position;
    Bytes value;
};
using Elements = std::vector<Element>;

WalkOrder walk_from(ListEnd end) {
    return end == ListEnd::front ? WalkOrder::ascending : WalkOrder::descending;
}

/// What a reader sees of an element. Precondition: it is live.
Bytes element_value(const Cell& cell) {
    return cell.dots.winner()->payload.value;
}

/// `count` elements from the one that has `skip` in front of it, in the order of the walk.
Result<Elements> elements(Transaction& txn, BytesView key, ListEnd from, std::size_t skip,
                          std::size_t count) {
    Elements found;
    if (count == 0) return found;
    const auto visit = [&](BytesView position, const Cell& cell) {
        if (skip > 0) {
            --skip;
        } else {
            found.push_back(Element{Bytes(position), element_value(cell)});
        }
        return found.size() < count;
    };
    SYNCLINE_CHECK(txn.scan_list(key, walk_from(from), visit));
    return found;
}

/// As many are walked from an end to an index; where one farther inside stands is looked up.
constexpr std::size_t walked_elements_max = 256;

/// Elements from index `first` to `last` in order.
Result<Elements> elements_between(Transaction& txn, BytesView key, std::int64_t first,
                                  std::int64_t last) {
    SYNCLINE_TRY(const std::uint64_t length, count(txn, key, CellType::list));
    const auto end = static_cast<std::int64_t>(length);
    if (first < 0) first = std::max<std::int64_t>(first + end, 0);
    if (last < 0) last += end;
    last = std::min(last, end - 1);
    if (first > last) return Elements();
    const auto in_front = static_cast<std::size_t>(first);
    const auto behind = static_cast<std::size_t>(end - 1 - last);
    const auto wanted = static_cast<std::size_t>(last - first + 1);
    if (std::min(in_front, behind) > walked_elements_max) {
        Elements found;
        const auto visit = [&](BytesView position, const Cell& cell) {
            found.push_back(Element{Bytes(position), element_value(cell)});
            return found.size() < wanted;
        };
        SYNCLINE_CHECK(txn.scan_list_from(key, in_front, visit));
        return found;
    }
    if (in_front <= behind) return elements(txn, key, ListEnd::front, in_front, wanted);
    SYNCLINE_TRY(Elements found, elements(txn, key, ListEnd::back, behind, wanted));
    std::reverse(found.begin(), found.end());
    return found;
}

std::optional<BytesView> position_of(const Elements& elements, std::size_t index) {
    return index < elements.size() ? std::optional<BytesView>(elements[index].position)
                                   : std::nullopt;
}

Result<void> remove_elements(Transaction& txn, BytesView key, const Elements& elements) {
    for (const Element& element : elements) {
        SYNCLINE_CHECK(txn.remove(key, CellType::list, element.position));
    }
    return {};
}

Result<void> put_between(Transaction& txn, BytesView key, std::optional<BytesView> left,
                         std::optional<BytesView> right, Bytes value) {
    const Bytes position = position_at(place_between(left, right), txn.dot(), 0);
    if (!is_position(position)) {
        return Error{Code::limit, "no more elements can be put between these two"};
    }
    return txn.put(key, CellType::list, position, std::move(value));
}

Result<std::vector<Bytes>> values_of(Result<Elements> found) {
    if (!found) return found.error();
    std::vector<Bytes> values;
    for (Element& element : *found) values.push_back(std::move(element.value));
    return values;
}

}  // namespace

Result<std::uint64_t> list_push(Transaction& txn, BytesView key, ListEnd end,
                                std::vector<Bytes> values) {
    SYNCLINE_TRY(const std::uint64_t length, count(txn, key, CellType::list));
    SYNCLINE_TRY(const Elements outermost, elements(txn, key, end, 0, 1));
    const std::optional<BytesView> neighbour = position_of(outermost, 0);
    const Bytes place = end == ListEnd::front ? place_between(std::nullopt, neighbour)
                                              : place_between(neighbour, std::nullopt);
    if (end == ListEnd::front) std::reverse(values.begin(), values.end());
    for (std::size_t i = 0; i < values.size(); ++i) {
        SYNCLINE_CHECK(check_size(key, values[i]));
        SYNCLINE_CHECK(
            txn.put(key, CellType::list, position_at(place, txn.dot(), i), std::move(values[i])));
    }
    return length + values.size();
}

Result<std::vector<Bytes>> list_pop(Transaction& txn, BytesView key, ListEnd end,
                                    std::size_t count) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::list));
    SYNCLINE_TRY(Elements taken, elements(txn, key, end, 0, count));
    SYNCLINE_CHECK(remove_elements(txn, key, taken));
    return values_of(std::move(taken));
}

Result<std::optional<Bytes>> list_move(Transaction& txn, BytesView source, ListEnd from,
                                       BytesView target, ListEnd to) {
    SYNCLINE_CHECK(exists_as(txn, source, CellType::list));
    SYNCLINE_TRY(const Elements taken, elements(txn, source, from, 0, 1));
    if (taken.empty()) return std::optional<Bytes>();
    // In this order: a list of one element that is moved to itself is never empty.
    SYNCLINE_CHECK(list_push(txn, target, to, {taken[0].value}));
    SYNCLINE_CHECK(remove_elements(txn, source, taken));
    return std::optional(taken[0].value);
}

Result<std::optional<Bytes>> list_get(Transaction& txn, BytesView key, std::int64_t index) {
    SYNCLINE_TRY(Elements found, elements_between(txn, key, index, index));
    if (found.empty()) return std::optional<Bytes>();
    return std::optional(std::move(found.front().value));
}

Result<std::vector<Bytes>> list_range(Transaction& txn, BytesView key, std::int64_t first,
                                      std::int64_t last) {
    return values_of(elements_between(txn, key, first, last));
}

Result<void> list_set(Transaction& txn, BytesView key, std::int64_t index, Bytes value) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_TRY(const Elements found, elements_between(txn, key, index, index));
    if (found.empty()) return Error{Code::invalid_argument, "index out of range"};
    return txn.put(key, CellType::list, found.front().position, std::move(value));
}

Result<std::optional<std::uint64_t>> list_insert(Transaction& txn, BytesView key, bool before,
                                                 BytesView pivot, Bytes value) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_TRY(const std::uint64_t length, count(txn, key, CellType::list));
    std::optional<Bytes> left;
    std::optional<Bytes> right;
    bool found = false;
    const auto visit = [&](BytesView position, const Cell& cell) {
        if (found) {  // the one behind the pivot
            right = Bytes(position);
            return false;
        }
        found = element_value(cell) == pivot;
        if (found && before) right = Bytes(position);
        if (!(found && before)) left = Bytes(position);
        return !(found && before);
    };
    SYNCLINE_CHECK(txn.scan_list(key, WalkOrder::ascending, visit));
    if (!found) return std::optional<std::uint64_t>();
    SYNCLINE_CHECK(put_between(txn, key, left, right, std::move(value)));
    return std::optional(length + 1);
}

Result<void> list_insert_at(Transaction& txn, BytesView key, std::int64_t index, Bytes value) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_TRY(const std::uint64_t length, count(txn, key, CellType::list));
    const auto end = static_cast<std::int64_t>(length);
    if (index < 0) index = std::max<std::int64_t>(index + end, 0);
    index = std::min(index, end);
    const bool at_front = index == 0;
    SYNCLINE_TRY(const Elements around,
                 elements_between(txn, key, at_front ? 0 : index - 1, index));
    return put_between(txn, key, at_front ? std::nullopt : position_of(around, 0),
                       position_of(around, at_front ? 0 : 1), std::move(value));
}

Result<bool> list_erase(Transaction& txn, BytesView key, std::int64_t index) {
    SYNCLINE_TRY(const Elements found, elements_between(txn, key, index, index));
    SYNCLINE_CHECK(remove_elements(txn, key, found));
    return !found.empty();
}

Result<std::uint64_t> list_remove(Transaction& txn, BytesView key, std::int64_t count,
                                  BytesView value) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::list));
    const std::uint64_t wanted = count == 0  ? ~std::uint64_t{0}
                                 : count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count)
                                             : static_cast<std::uint64_t>(count);
    Elements equal;
    const auto visit = [&](BytesView position, const Cell& cell) {
        if (element_value(cell) == value) equal.push_back(Element{Bytes(position), {}});
        return equal.size() < wanted;
    };
    SYNCLINE_CHECK(
        txn.scan_list(key, count < 0 ? WalkOrder::descending : WalkOrder::ascending, visit));
    SYNCLINE_CHECK(remove_elements(txn, key, equal));
    return equal.size();
}

Result<void> list_trim(Transaction& txn, BytesView key, std::int64_t first, std::int64_t last) {
    SYNCLINE_TRY(const std::uint64_t length, count(txn, key, CellType::list));
    const auto end = static_cast<std::int64_t>(length);
    if (first < 0) first = std::max<std::int64_t>(first + end, 0);
    if (last < 0) last += end;
    last = std::min(last, end - 1);
    const bool nothing_stays = first > last;
    const std::int64_t in_front = nothing_stays ? end : first;
    const std::int64_t behind = nothing_stays ? 0 : end - 1 - last;
    for (const auto& [from, count] :
         {std::pair(ListEnd::front, in_front), std::pair(ListEnd::back, behind)}) {
        SYNCLINE_TRY(const Elements cut,
                     elements(txn, key, from, 0, static_cast<std::size_t>(count)));
        SYNCLINE_CHECK(remove_elements(txn, key, cut));
    }
    return {};
}

Result<void> list_put_at(Transaction& txn, BytesView key, BytesView position, Bytes value) {
    SYNCLINE_CHECK(check_size(key, value));
    SYNCLINE_CHECK(exists_as(txn, key, CellType::list));
    return txn.put(key, CellType::list, position, std::move(value));
}

Result<void> list_remove_at(Transaction& txn, BytesView key, BytesView position) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::list));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, CellType::list, position));
    if (!cell.live()) return {};
    return txn.remove(key, CellType::list, position);
}

Result<void> list_scan(Transaction& txn, BytesView key, ListEnd from, const ListVisitor& visit) {
    SYNCLINE_CHECK(exists_as(txn, key, CellType::list));
    return txn.scan_list(key, walk_from(from),
                         [&](BytesView, const Cell& cell) { return visit(element_value(cell)); });
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
