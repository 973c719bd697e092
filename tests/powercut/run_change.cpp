#include "core/engine/operations.hpp"
#include "tests/powercut/model.hpp"

namespace syncline::powercut {
namespace {

/// An operation's answer is of no interest here, its error is.
template <typename T>
Result<void> without_answer(const Result<T>& result) {
    return result ? Result<void>() : result.error();
}

Result<void> run_on_list(Transaction& txn, const Change& change) {
    using Kind = Change::Kind;
    using operations::ListEnd;
    switch (change.kind) {
        case Kind::list_push_front:
            return without_answer(
                operations::list_push(txn, change.key, ListEnd::front, {change.value}));
        case Kind::list_push_back:
            return without_answer(
                operations::list_push(txn, change.key, ListEnd::back, {change.value}));
        case Kind::list_pop_front:
            return without_answer(operations::list_pop(txn, change.key, ListEnd::front, 1));
        case Kind::list_set:
            return operations::list_set(txn, change.key, change.number, change.value);
        case Kind::list_insert:
            return operations::list_insert_at(txn, change.key, change.number, change.value);
        case Kind::list_erase:
            return without_answer(operations::list_erase(txn, change.key, change.number));
        default:
            return Error{Code::invalid_argument, "no change of a list"};
    }
}

Result<void> run_on_collection(Transaction& txn, const Change& change) {
    using Kind = Change::Kind;
    const auto score = static_cast<double>(change.number);
    switch (change.kind) {
        case Kind::set_add:
            return without_answer(operations::set_add(txn, change.key, change.field));
        case Kind::set_remove:
            return without_answer(operations::set_remove(txn, change.key, change.field));
        case Kind::hash_set:
            return without_answer(
                operations::hash_set(txn, change.key, change.field, change.value));
        case Kind::hash_remove:
            return without_answer(operations::hash_remove(txn, change.key, change.field));
        case Kind::sorted_add:
            return without_answer(operations::sorted_add(txn, change.key, change.field, score));
        case Kind::sorted_increment:
            return without_answer(
                operations::sorted_increment(txn, change.key, change.field, score));
        case Kind::sorted_remove:
            return without_answer(operations::sorted_remove(txn, change.key, change.field));
        default:
            return run_on_list(txn, change);
    }
}

}  // namespace

Result<void> run(Transaction& txn, const Change& change) {
    using Kind = Change::Kind;
    const auto position = static_cast<std::uint64_t>(change.number);
    switch (change.kind) {
        case Kind::set:
            return operations::string_set(txn, change.key, change.value);
        case Kind::increment:
            return without_answer(operations::string_increment(txn, change.key, change.number));
        case Kind::remove:
            return without_answer(operations::key_delete(txn, change.key));
        case Kind::expire:
            return without_answer(operations::key_expire(txn, change.key, position));
        case Kind::persist:
            return without_answer(operations::key_persist(txn, change.key));
        case Kind::text_insert:
            return without_answer(operations::text_insert(txn, change.key, position, change.value));
        case Kind::text_erase:
            return without_answer(operations::text_erase(txn, change.key, position, change.count));
        case Kind::flag_enable:
            return without_answer(operations::flag_enable(txn, change.key));
        case Kind::flag_disable:
            return without_answer(operations::flag_disable(txn, change.key));
        case Kind::multi_value_set:
            return operations::multi_value_set(txn, change.key, change.value, nullptr);
        case Kind::bounded_increment:
            return without_answer(operations::bounded_increment(txn, change.key, change.number));
        case Kind::bounded_decrement:
            return without_answer(operations::bounded_decrement(txn, change.key, change.number));
        default:
            return run_on_collection(txn, change);
    }
}

}  // namespace syncline::powercut
