#include "core/database_handles.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <iterator>

#include "core/database_engine.hpp"
#include "core/engine/operations.hpp"
#include "crdt/expiry.hpp"
#include "crdt/score.hpp"

namespace syncline {
namespace {

KeyType key_type_of(CellType type) {
    switch (type) {
        case CellType::string:
            return KeyType::string;
        case CellType::hash:
            return KeyType::map;
        case CellType::set:
            return KeyType::set;
        case CellType::sorted_set:
            return KeyType::sorted_set;
        case CellType::list:
            return KeyType::list;
        case CellType::text:
            return KeyType::text;
        case CellType::multi_value:
            return KeyType::multi_value;
        case CellType::flag:
            return KeyType::flag;
        case CellType::bounded_counter:
            return KeyType::bounded_counter;
        case CellType::expiry:
            break;  // no key is one
    }
    SYNCLINE_ASSERT(false);
    return KeyType::string;
}

/// Errors that are about the key name it.
Error name_key(const Error& error, BytesView key) {
    switch (error.code) {
        case Code::wrong_type:
        case Code::overflow:
        case Code::invalid_argument:
        case Code::limit:
        case Code::conflict:
        case Code::no_rights:
        case Code::permanent:
            return error.in("key \"" + printable(key) + "\"");
        default:
            return error;
    }
}

enum class Kind : std::uint8_t { read, write };

/// Runs an operation that answers something, and hands the answer on.
template <std::invocable<Transaction&> F>
auto run(Access& access, Kind kind, BytesView key, const F& operation)
    -> std::invoke_result_t<F, Transaction&> {
    std::optional<typename std::invoke_result_t<F, Transaction&>::Value> answer;
    const auto keep_answer = [&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(answer, operation(txn));
        return {};
    };
    const Result<void> done =
        kind == Kind::read ? access.read(keep_answer) : access.write(keep_answer);
    if (!done) return name_key(done.error(), key);
    return std::move(*answer);
}

Result<void> run_void(Access& access, BytesView key, const Access::Operation& operation) {
    const Result<void> done = access.write(operation);
    return done ? done : Result<void>(name_key(done.error(), key));
}

/// Error wrong_type unless the key is missing or holds this.
Result<bool> exists_as(Transaction& txn, BytesView key, CellType type) {
    SYNCLINE_TRY(const std::uint64_t count, operations::count(txn, key, type));
    return count > 0;
}

Result<Siblings> read_siblings(Transaction& txn, BytesView key, CellType type,
                               std::optional<BytesView> field) {
    SYNCLINE_CHECK(exists_as(txn, key, type));
    SYNCLINE_TRY(const Cell cell, txn.cell(key, type, field));
    Siblings siblings;
    siblings.context = txn.group().vv();
    const DotMap::Entry* const winner = cell.dots.winner();
    for (const DotMap::Entry& entry : cell.dots.entries()) {
        const Sibling sibling{entry.payload.value, entry.dot, entry.payload.hlc.ms()};
        const bool first = winner != nullptr && entry.dot == winner->dot;
        siblings.values.insert(first ? siblings.values.begin() : siblings.values.end(), sibling);
    }
    return siblings;
}

/// What a turn can spare.
constexpr std::size_t slice_count = 1000;

/// All of a collection that stays as it is, in slices: others need not wait for the whole.
template <std::invocable<const std::optional<Bytes>&> F, typename Name>
auto gather(const F& slice_after, const Name& name_of)
    -> std::invoke_result_t<F, const std::optional<Bytes>&> {
    typename std::invoke_result_t<F, const std::optional<Bytes>&>::Value all;
    std::size_t before = 0;
    do {
        before = all.size();
        std::optional<Bytes> last;
        if (!all.empty()) last = name_of(all.back());
        SYNCLINE_TRY(auto slice, slice_after(last));
        std::move(slice.begin(), slice.end(), std::back_inserter(all));
    } while (all.size() == before + slice_count);
    return all;
}

Result<void> clear(Access& access, BytesView key, CellType type) {
    return run_void(access, key, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_TRY(const bool exists, exists_as(txn, key, type));
        if (exists) txn.clear(key);
        return {};
    });
}

}  // namespace

std::string_view key_type_name(KeyType type) {
    switch (type) {
        case KeyType::string:
            return "string";
        case KeyType::map:
            return "map";
        case KeyType::set:
            return "set";
        case KeyType::sorted_set:
            return "sorted-set";
        case KeyType::list:
            return "list";
        case KeyType::text:
            return "text";
        case KeyType::multi_value:
            return "multi-value";
        case KeyType::flag:
            return "flag";
        case KeyType::bounded_counter:
            return "bounded-counter";
    }
    return "unknown";
}

Handle::Handle(std::shared_ptr<Access> access, BytesView key)
    : access_(std::move(access)), key_(key) {
    SYNCLINE_ASSERT(access_ != nullptr);  // made of a database that was moved away
}

// --- CounterHandle

Result<std::int64_t> CounterHandle::add(std::int64_t amount) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::string_increment(txn, key_, amount); });
}

Result<std::int64_t> CounterHandle::get() const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) -> Result<std::int64_t> {
        SYNCLINE_TRY(const std::optional<Bytes> text, operations::string_get(txn, key_));
        if (!text) return std::int64_t{0};
        const std::optional<std::int64_t> number = parse_integer(*text);
        if (!number) return Error{Code::invalid_argument, "value is not an integer"};
        return *number;
    });
}

Result<void> CounterHandle::set(std::int64_t value) const {
    return StringHandle(access_, key_).set(std::to_string(value));
}

// --- BoundedCounterHandle

Result<std::int64_t> BoundedCounterHandle::increment(std::int64_t amount) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::bounded_increment(txn, key_, amount); });
}

Result<std::int64_t> BoundedCounterHandle::decrement(std::int64_t amount) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::bounded_decrement(txn, key_, amount); });
}

Result<std::int64_t> BoundedCounterHandle::get() const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) -> Result<std::int64_t> {
        SYNCLINE_TRY(const BoundedCounter counter, operations::bounded_read(txn, key_));
        return counter.value();
    });
}

Result<std::vector<BoundedCounter::Part>> BoundedCounterHandle::rights() const {
    using Parts = std::vector<BoundedCounter::Part>;
    return run(*access_, Kind::read, key_, [&](Transaction& txn) -> Result<Parts> {
        SYNCLINE_TRY(const BoundedCounter counter, operations::bounded_read(txn, key_));
        return counter.parts_from(txn.dot().actor);
    });
}

Result<void> BoundedCounterHandle::transfer(std::int64_t amount, const Actor& to) const {
    return run_void(*access_, key_, [&](Transaction& txn) {
        return operations::bounded_transfer(txn, key_, amount, to);
    });
}

// --- FlagHandle

Result<bool> FlagHandle::enable() const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::flag_enable(txn, key_); });
}

Result<bool> FlagHandle::disable() const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::flag_disable(txn, key_); });
}

Result<bool> FlagHandle::enabled() const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::flag_enabled(txn, key_); });
}

// --- StringHandle

Result<std::optional<Bytes>> StringHandle::get() const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::string_get(txn, key_); });
}

Result<void> StringHandle::set(BytesView value) const {
    return run_void(*access_, key_, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(exists_as(txn, key_, CellType::string));
        return operations::string_set(txn, key_, Bytes(value));
    });
}

Result<void> StringHandle::put(BytesView value, const VersionVector& context) const {
    return run_void(*access_, key_, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::check_seen(txn, key_, CellType::string, std::nullopt, context));
        return operations::string_set(txn, key_, Bytes(value));
    });
}

Result<bool> StringHandle::remove() const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) -> Result<bool> {
        SYNCLINE_CHECK(exists_as(txn, key_, CellType::string));
        return operations::key_delete(txn, key_);
    });
}

Result<Siblings> StringHandle::siblings() const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) {
        return read_siblings(txn, key_, CellType::string, std::nullopt);
    });
}

// --- SetHandle

Result<bool> SetHandle::add(BytesView member) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::set_add(txn, key_, member); });
}

Result<bool> SetHandle::remove(BytesView member) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::set_remove(txn, key_, member); });
}

Result<bool> SetHandle::contains(BytesView member) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::set_contains(txn, key_, member); });
}

Result<std::uint64_t> SetHandle::size() const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::count(txn, key_, CellType::set); });
}

Result<std::vector<Bytes>> SetHandle::members() const {
    if (access_->lasts()) {
        return gather([&](const std::optional<Bytes>& last) { return members(last, slice_count); },
                      [](const Bytes& member) { return member; });
    }
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::set_members(txn, key_); });
}

Result<std::vector<Bytes>> SetHandle::members(std::optional<BytesView> after,
                                              std::size_t count) const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) {
        return operations::set_members(txn, key_, operations::Slice{after, count});
    });
}

Result<void> SetHandle::clear() const {
    return syncline::clear(*access_, key_, CellType::set);
}

// --- MapHandle

Result<std::optional<Bytes>> MapHandle::get(BytesView field) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::hash_get(txn, key_, field); });
}

Result<bool> MapHandle::put(BytesView field, BytesView value) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) {
        return operations::hash_set(txn, key_, field, Bytes(value));
    });
}

Result<void> MapHandle::put(BytesView field, BytesView value, const VersionVector& context) const {
    return run_void(*access_, key_, [&](Transaction& txn) -> Result<void> {
        SYNCLINE_CHECK(operations::check_seen(txn, key_, CellType::hash, field, context));
        SYNCLINE_CHECK(operations::hash_set(txn, key_, field, Bytes(value)));
        return {};
    });
}

Result<bool> MapHandle::remove(BytesView field) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::hash_remove(txn, key_, field); });
}

Result<bool> MapHandle::contains(BytesView field) const {
    SYNCLINE_TRY(const std::optional<Bytes> value, get(field));
    return value.has_value();
}

Result<std::uint64_t> MapHandle::size() const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::count(txn, key_, CellType::hash); });
}

Result<std::vector<std::pair<Bytes, Bytes>>> MapHandle::entries() const {
    if (access_->lasts()) {
        return gather([&](const std::optional<Bytes>& last) { return entries(last, slice_count); },
                      [](const std::pair<Bytes, Bytes>& entry) { return entry.first; });
    }
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::hash_all(txn, key_); });
}

Result<std::vector<std::pair<Bytes, Bytes>>> MapHandle::entries(std::optional<BytesView> after,
                                                                std::size_t count) const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) {
        return operations::hash_all(txn, key_, operations::Slice{after, count});
    });
}

Result<std::int64_t> MapHandle::increment(BytesView field, std::int64_t amount) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) {
        return operations::hash_increment(txn, key_, field, amount);
    });
}

Result<Siblings> MapHandle::siblings(BytesView field) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return read_siblings(txn, key_, CellType::hash, field); });
}

Result<void> MapHandle::clear() const {
    return syncline::clear(*access_, key_, CellType::hash);
}

// --- SortedSetHandle

namespace {

Result<void> check_score(double score) {
    if (!std::isnan(score)) return {};
    return Error{Code::invalid_argument, "a score cannot be NaN"};
}

}  // namespace

Result<bool> SortedSetHandle::add(BytesView member, double score) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) -> Result<bool> {
        SYNCLINE_CHECK(check_score(score));
        SYNCLINE_TRY(const std::optional<double> before,
                     operations::sorted_add(txn, key_, member, score));
        return !before.has_value();
    });
}

Result<double> SortedSetHandle::increment(BytesView member, double amount) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) -> Result<double> {
        SYNCLINE_CHECK(check_score(amount));
        return operations::sorted_increment(txn, key_, member, amount);
    });
}

Result<bool> SortedSetHandle::remove(BytesView member) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::sorted_remove(txn, key_, member); });
}

Result<std::optional<double>> SortedSetHandle::score(BytesView member) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::sorted_score(txn, key_, member); });
}

Result<std::uint64_t> SortedSetHandle::size() const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) {
        return operations::count(txn, key_, CellType::sorted_set);
    });
}

Result<std::vector<SortedSetHandle::Member>> SortedSetHandle::walk(bool ascending,
                                                                   std::size_t first,
                                                                   std::size_t count) const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) -> Result<std::vector<Member>> {
        std::vector<Member> members;
        std::size_t place = 0;
        const auto visit = [&](BytesView member, double score) {
            if (place++ >= first && members.size() < count) {
                members.push_back(Member{Bytes(member), score});
            }
            return members.size() < count;
        };
        SYNCLINE_CHECK(operations::sorted_scan(
            txn, key_, {}, ascending ? WalkOrder::ascending : WalkOrder::descending, visit));
        return members;
    });
}

Result<std::vector<SortedSetHandle::Member>> SortedSetHandle::range(std::size_t first,
                                                                    std::size_t count) const {
    return walk(true, first, count);
}

Result<std::vector<SortedSetHandle::Member>> SortedSetHandle::largest(std::size_t first,
                                                                      std::size_t count) const {
    return walk(false, first, count);
}

Result<std::vector<SortedSetHandle::Member>> SortedSetHandle::between(double low,
                                                                      double high) const {
    return run(*access_, Kind::read, key_, [&](Transaction& txn) -> Result<std::vector<Member>> {
        SYNCLINE_CHECK(check_score(low));
        SYNCLINE_CHECK(check_score(high));
        std::vector<Member> members;
        const ScoreRange range{{score_order(low), {}},
                               ScoreRange::Place{score_order(high) + 1, {}}};
        const auto visit = [&](BytesView member, double score) {
            members.push_back(Member{Bytes(member), score});
            return true;
        };
        SYNCLINE_CHECK(operations::sorted_scan(txn, key_, range, WalkOrder::ascending, visit));
        return members;
    });
}

Result<void> SortedSetHandle::clear() const {
    return syncline::clear(*access_, key_, CellType::sorted_set);
}

// --- ListHandle

namespace {

operations::ListEnd end_of(bool front) {
    return front ? operations::ListEnd::front : operations::ListEnd::back;
}

}  // namespace

Result<std::uint64_t> ListHandle::push(bool front, const std::vector<Bytes>& values) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) {
        return operations::list_push(txn, key_, end_of(front), values);
    });
}

Result<std::uint64_t> ListHandle::push_back(const std::vector<Bytes>& values) const {
    return push(false, values);
}

Result<std::uint64_t> ListHandle::push_front(const std::vector<Bytes>& values) const {
    return push(true, values);
}

Result<std::optional<Bytes>> ListHandle::pop(bool front) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) -> Result<std::optional<Bytes>> {
        SYNCLINE_TRY(const std::vector<Bytes> values,
                     operations::list_pop(txn, key_, end_of(front), 1));
        return values.empty() ? std::nullopt : std::optional(values.front());
    });
}

Result<std::optional<Bytes>> ListHandle::pop_back() const {
    return pop(false);
}

Result<std::optional<Bytes>> ListHandle::pop_front() const {
    return pop(true);
}

Result<void> ListHandle::insert(std::int64_t index, BytesView value) const {
    return run_void(*access_, key_, [&](Transaction& txn) {
        return operations::list_insert_at(txn, key_, index, Bytes(value));
    });
}

Result<std::optional<Bytes>> ListHandle::get(std::int64_t index) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::list_get(txn, key_, index); });
}

Result<void> ListHandle::set(std::int64_t index, BytesView value) const {
    return run_void(*access_, key_, [&](Transaction& txn) {
        return operations::list_set(txn, key_, index, Bytes(value));
    });
}

Result<bool> ListHandle::remove(std::int64_t index) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::list_erase(txn, key_, index); });
}

Result<std::uint64_t> ListHandle::size() const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::count(txn, key_, CellType::list); });
}

Result<std::vector<Bytes>> ListHandle::range(std::int64_t first, std::int64_t last) const {
    return run(*access_, Kind::read, key_,
               [&](Transaction& txn) { return operations::list_range(txn, key_, first, last); });
}

Result<void> ListHandle::clear() const {
    return syncline::clear(*access_, key_, CellType::list);
}

Result<std::uint64_t> TextHandle::insert(std::uint64_t position, BytesView utf8) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) {
        return operations::text_insert(txn, key_, position, utf8);
    });
}

Result<std::uint64_t> TextHandle::append(BytesView utf8) const {
    return run(*access_, Kind::write, key_,
               [&](Transaction& txn) { return operations::text_append(txn, key_, utf8); });
}

Result<std::uint64_t> TextHandle::erase(std::uint64_t position, std::uint64_t count) const {
    return run(*access_, Kind::write, key_, [&](Transaction& txn) {
        return operations::text_erase(txn, key_, position, count);
    });
}

namespace {

/// Asks a text something; nothing when there is none.
template <std::invocable<const Text&> F>
auto ask(Access& access, BytesView key, const F& question) {
    using Answer = std::optional<std::invoke_result_t<F, const Text&>>;
    return run(access, Kind::read, key, [&](Transaction& txn) -> Result<Answer> {
        SYNCLINE_TRY(const Text* const text, operations::text_get(txn, key));
        return text != nullptr ? Answer(question(*text)) : Answer();
    });
}

}  // namespace

Result<std::optional<Bytes>> TextHandle::get() const {
    return ask(*access_, key_, [](const Text& text) { return text.text(); });
}

Result<Bytes> TextHandle::get(std::uint64_t position, std::uint64_t count) const {
    SYNCLINE_TRY(const std::optional<Bytes> part,
                 ask(*access_, key_, [&](const Text& text) { return text.text(position, count); }));
    return part.value_or(Bytes());
}

Result<std::uint64_t> TextHandle::size() const {
    SYNCLINE_TRY(const std::optional<std::uint64_t> size,
                 ask(*access_, key_, [](const Text& text) { return text.size(); }));
    return size.value_or(0);
}

Result<std::optional<Bytes>> TextHandle::mark(std::uint64_t position) const {
    SYNCLINE_TRY(const std::optional<std::optional<ElementId>> id,
                 ask(*access_, key_, [&](const Text& text) { return text.id_at(position); }));
    return id && *id ? std::optional<Bytes>(to_string(**id)) : std::nullopt;
}

Result<std::optional<std::uint64_t>> TextHandle::position_of(BytesView mark) const {
    const std::optional<ElementId> id = element_id_from(mark);
    if (!id) return Error{Code::invalid_argument, "\"" + printable(mark) + "\" is no mark"};
    SYNCLINE_TRY(const std::optional<std::optional<std::uint64_t>> position,
                 ask(*access_, key_, [&](const Text& text) { return text.position_of(*id); }));
    return position.value_or(std::nullopt);
}

Result<void> TextHandle::clear() const {
    return syncline::clear(*access_, key_, CellType::text);
}

// --- Keyspace

CounterHandle Keyspace::counter(BytesView key) const {
    return {access_, key};
}

FlagHandle Keyspace::flag(BytesView key) const {
    return {access_, key};
}

StringHandle Keyspace::string(BytesView key) const {
    return {access_, key};
}

BoundedCounterHandle Keyspace::bounded_counter(BytesView key) const {
    return {access_, key};
}

SetHandle Keyspace::set(BytesView key) const {
    return {access_, key};
}

MapHandle Keyspace::map(BytesView key) const {
    return {access_, key};
}

SortedSetHandle Keyspace::sorted_set(BytesView key) const {
    return {access_, key};
}

ListHandle Keyspace::list(BytesView key) const {
    return {access_, key};
}

TextHandle Keyspace::text(BytesView key) const {
    return {access_, key};
}

Result<std::optional<KeyType>> Keyspace::type(BytesView key) const {
    return run(*access_, Kind::read, key, [&](Transaction& txn) -> Result<std::optional<KeyType>> {
        SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
        return type ? std::optional(key_type_of(*type)) : std::nullopt;
    });
}

Result<bool> Keyspace::exists(BytesView key) const {
    SYNCLINE_TRY(const std::optional<KeyType> held, type(key));
    return held.has_value();
}

Result<bool> Keyspace::remove(BytesView key) const {
    return run(*access_, Kind::write, key,
               [&](Transaction& txn) { return operations::key_delete(txn, key); });
}

Result<bool> Keyspace::expire(BytesView key, std::chrono::milliseconds after) const {
    return run(*access_, Kind::write, key, [&](Transaction& txn) {
        const std::uint64_t now = txn.now_ms();
        const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(after.count(), 0));
        return operations::key_expire(txn, key, ms > never - now ? never : now + ms);
    });
}

Result<bool> Keyspace::expire_at(BytesView key, std::uint64_t wall_ms) const {
    return run(*access_, Kind::write, key,
               [&](Transaction& txn) { return operations::key_expire(txn, key, wall_ms); });
}

Result<bool> Keyspace::persist(BytesView key) const {
    return run(*access_, Kind::write, key,
               [&](Transaction& txn) { return operations::key_persist(txn, key); });
}

Result<std::optional<std::uint64_t>> Keyspace::deadline(BytesView key) const {
    return run(*access_, Kind::read, key,
               [&](Transaction& txn) { return operations::key_deadline(txn, key); });
}

Result<std::uint64_t> Keyspace::size() const {
    return run(*access_, Kind::read, {}, [](Transaction& txn) { return txn.keys_count(); });
}

Result<KeyPage> Keyspace::keys(std::uint64_t cursor, std::size_t count) const {
    return run(*access_, Kind::read, {}, [&](Transaction& txn) -> Result<KeyPage> {
        KeyPage page;
        SYNCLINE_TRY(page.cursor, txn.scan_keys(cursor, count, [&](BytesView key, CellType type) {
            page.keys.push_back(KeyPage::Entry{Bytes(key), key_type_of(type)});
            return true;
        }));
        return page;
    });
}

}  // namespace syncline
