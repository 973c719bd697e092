#pragma once
#include <iterator>
#include <string>

#include "tests/support/cluster.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::test {

/// Changes of all types, to few keys, so that much is concurrent and much is removed again.
class MixedWorkload {
public:
    explicit MixedWorkload(std::uint64_t seed) : random_(seed) {}

    void change(TestReplica& replica) {
        const Bytes key = pick_key();
        replica.run([&](Transaction& txn) -> Result<void> {
            const Result<void> done = change(txn, key);
            const bool refused = !done && (done.error().code == Code::no_rights ||
                                           done.error().code == Code::permanent ||
                                           done.error().code == Code::wrong_type);
            return refused ? Result<void>() : done;
        });
    }

private:
    Bytes pick_key() {
        const char* const families[] = {"string", "hash", "set",  "zset", "list",
                                        "text",   "mv",   "flag", "bc",   "rw"};
        Bytes key = families[family_ = random_.below(std::size(families))];
        key += std::to_string(random_.below(4));
        const std::uint64_t length = random_.below(6);
        if (length == 0) key += Bytes(230, 'k');
        if (length == 1) key += Bytes(600, 'k');
        return key;
    }
    Bytes value() { return random_bytes(random_, random_.below(60)); }
    Bytes member() { return "m" + std::to_string(random_.below(12)); }

    Result<void> change(Transaction& txn, const Bytes& key) {
        const std::uint64_t other = random_.below(12);
        if (other == 0 && family_ != 8) return done(operations::key_delete(txn, key));
        if (other == 1 && family_ != 8) {
            return done(operations::key_expire(txn, key, 1'800'000'000'000 + random_.below(1000)));
        }
        const auto amount = static_cast<std::int64_t>(1 + random_.below(9));
        switch (family_) {
            case 0:
                if (random_.below(2) == 0) return operations::string_set(txn, key, "17");
                return done(operations::string_increment(txn, key, amount));
            case 1:
                if (random_.below(3) == 0) return done(operations::hash_remove(txn, key, member()));
                return done(operations::hash_set(txn, key, member(), value()));
            case 2:
            case 9:
                if (random_.below(3) == 0) return done(operations::set_remove(txn, key, member()));
                return done(operations::set_add(txn, key, member()));
            case 3:
                if (random_.below(3) == 0) {
                    return done(operations::sorted_remove(txn, key, member()));
                }
                return done(operations::sorted_increment(txn, key, member(), double(amount)));
            case 4:
                if (random_.below(3) == 0) {
                    return done(operations::list_pop(txn, key, operations::ListEnd::front, 2));
                }
                return done(
                    operations::list_push(txn, key, operations::ListEnd::back, {value(), value()}));
            case 5:
                return edit(txn, key);
            case 6:
                return operations::multi_value_set(txn, key, value(), nullptr);
            case 7:
                if (random_.below(2) == 0) return done(operations::flag_disable(txn, key));
                return done(operations::flag_enable(txn, key));
            default:
                if (random_.below(2) == 0) {
                    return done(operations::bounded_decrement(txn, key, amount));
                }
                return done(operations::bounded_increment(txn, key, amount));
        }
    }
    Result<void> edit(Transaction& txn, const Bytes& key) {
        SYNCLINE_TRY(const Text* const text, operations::text_get(txn, key));
        const std::uint64_t length = text == nullptr ? 0 : text->size();
        if (length > 0 && random_.below(3) == 0) {
            return done(operations::text_erase(txn, key, random_.below(length), 3));
        }
        return done(operations::text_insert(txn, key, random_.below(length + 1), "some words "));
    }
    template <typename T>
    static Result<void> done(const Result<T>& result) {
        return result ? Result<void>() : result.error();
    }

    SeededRandom random_;
    std::uint64_t family_ = 0;
};

}  // namespace syncline::test
