#include "tests/flip/data.hpp"

#include <cstdio>
#include <cstdlib>

namespace syncline::flip {
namespace {

namespace ops = operations;

constexpr int strings_count = 40;
constexpr int elements_count = 30;
const char* const collections[] = {"hash", "set",  "scores", "list",    "text",
                                   "flag", "many", "rights", "counter", "ends"};

ReplicaOptions small_options() {
    ReplicaOptions options;
    options.leaf_bits = 8;
    options.log.segment_bytes = 32 * limits::kib;
    options.checkpoint_interval_ms = ~std::uint64_t{0};
    return options;
}

void must(const Result<void>& result) {
    if (result) return;
    std::fprintf(stderr, "flip: %s\n", result.error().message.c_str());
    std::abort();
}

Bytes string_name(int number) {
    return "string:" + std::to_string(number);
}
Bytes long_name() {
    return "long:" + Bytes(600, 'n');
}

Result<void> write_element(Transaction& txn, int i, int round) {
    const std::string name = std::to_string(i);
    const std::string value = "value " + name + " of round " + std::to_string(round);
    SYNCLINE_CHECK(ops::hash_set(txn, "hash", "field" + name, value));
    SYNCLINE_CHECK(ops::set_add(txn, "set", "member" + name + "/" + std::to_string(round)));
    SYNCLINE_CHECK(ops::sorted_add(txn, "scores", "m" + name, round * 100.0 - i));
    const std::vector<Bytes> pushed = {value};
    SYNCLINE_CHECK(ops::list_push(txn, "list", ops::ListEnd::back, pushed));
    SYNCLINE_CHECK(ops::text_append(txn, "text", value));
    SYNCLINE_CHECK(ops::string_increment(txn, "counter", std::int64_t{i}));
    return {};
}

}  // namespace

Result<void> write_round(Transaction& txn, int round, std::uint64_t deadline_ms) {
    for (int i = 0; i < strings_count; ++i) {
        if (round > 0 && i % (round + 2) != 0) continue;
        // Some have pages of their own.
        const std::size_t bytes = i % 10 == 3 ? 6000 : 20 + static_cast<std::size_t>(i);
        SYNCLINE_CHECK(ops::string_set(
            txn, string_name(i), Bytes(bytes, static_cast<char>('a' + round)) + string_name(i)));
    }
    SYNCLINE_CHECK(ops::string_set(txn, long_name(), "of a key that is hashed"));
    SYNCLINE_CHECK(ops::flag_enable(txn, "flag"));
    SYNCLINE_CHECK(ops::multi_value_set(txn, "many", "mv" + std::to_string(round), nullptr));
    SYNCLINE_CHECK(ops::bounded_increment(txn, "rights", 7));
    SYNCLINE_CHECK(ops::string_set(txn, "ends", "one day"));
    SYNCLINE_CHECK(ops::key_expire(txn, "ends", deadline_ms));
    for (int i = 0; i < elements_count; ++i) SYNCLINE_CHECK(write_element(txn, i, round));
    return {};
}

namespace {

Result<Bytes> read_content(Transaction& txn, BytesView key, CellType type) {
    Bytes text;
    switch (type) {
        case CellType::string: {
            SYNCLINE_TRY(const std::optional<Bytes> value, ops::string_get(txn, key));
            return value.value_or("(none)");
        }
        case CellType::hash: {
            SYNCLINE_TRY(const auto fields, ops::hash_all(txn, key));
            for (const auto& [name, value] : fields) text += name + "=" + value + ";";
            return text;
        }
        case CellType::set: {
            SYNCLINE_TRY(const auto members, ops::set_members(txn, key));
            for (const Bytes& member : members) text += member + ";";
            return text;
        }
        case CellType::sorted_set: {
            const auto visit = [&](BytesView member, double score) {
                text += Bytes(member) + "@" + std::to_string(score) + ";";
                return true;
            };
            SYNCLINE_CHECK(ops::sorted_scan(txn, key, {}, WalkOrder::ascending, visit));
            return text;
        }
        case CellType::list: {
            SYNCLINE_TRY(const auto values, ops::list_range(txn, key, 0, -1));
            for (const Bytes& value : values) text += value + ";";
            return text;
        }
        case CellType::text: {
            SYNCLINE_TRY(const Text* const found, ops::text_get(txn, key));
            return found == nullptr ? Bytes("(none)") : found->text();
        }
        case CellType::flag: {
            SYNCLINE_TRY(const bool enabled, ops::flag_enabled(txn, key));
            return Bytes(enabled ? "on" : "off");
        }
        case CellType::multi_value: {
            SYNCLINE_TRY(const auto values, ops::multi_value_get(txn, key));
            for (const DotMap::Entry& entry : values) text += to_string(entry.dot) + ";";
            return text;
        }
        case CellType::bounded_counter: {
            SYNCLINE_TRY(const BoundedCounter counter, ops::bounded_read(txn, key));
            return std::to_string(counter.value());
        }
        default:
            return Bytes("(no content)");
    }
}

}  // namespace

Result<Bytes> read_key(Transaction& txn, BytesView key) {
    SYNCLINE_TRY(const std::optional<CellType> type, txn.visible_type(key));
    if (!type) return Bytes("(no key)");
    SYNCLINE_TRY(const std::uint64_t count, ops::count(txn, key, *type));
    SYNCLINE_TRY(const std::optional<std::uint64_t> deadline, ops::key_deadline(txn, key));
    SYNCLINE_TRY(const Bytes content, read_content(txn, key, *type));
    return std::string(cell_type_name(*type)) + " of " + std::to_string(count) + " until " +
           std::to_string(deadline.value_or(0)) + ": " + content;
}

std::vector<Bytes> all_keys() {
    std::vector<Bytes> keys = {long_name()};
    for (int i = 0; i < strings_count + 20; ++i) keys.push_back(string_name(i));
    for (const char* const name : collections) keys.emplace_back(name);
    return keys;
}

Result<std::unique_ptr<Subject>> Subject::open(const std::filesystem::path& directory) {
    auto subject = std::make_unique<Subject>();
    SYNCLINE_TRY(subject->data_, DataDirectory::open(directory.string(), subject->random_));
    if (subject->data_.identity.cluster.is_nil()) {
        return Error{Code::corrupt, "the directory is of no cluster"};
    }
    SYNCLINE_TRY(subject->replica_, subject->data_.open_replica(
                                        small_options(), Env{subject->clock_, subject->random_}));
    return subject;
}

Answers Subject::read_all() {
    Answers answers;
    for (const Bytes& key : all_keys()) {
        Transaction txn(replica_->group(), replica_->actor(), clock_.now_ms);
        answers.emplace(key, read_key(txn, key));
        replica_->group().store().end_turn();
    }
    return answers;
}

Result<void> Subject::run(const std::function<Result<void>(Transaction&)>& operation) {
    Client client{1, 0};
    const Replica::Operation whole = [&](Transaction& txn) -> Result<Bytes> {
        SYNCLINE_CHECK(operation(txn));
        return Bytes("done");
    };
    SYNCLINE_CHECK(replica_->execute(client, whole));
    return run_jobs();
}

Result<void> Subject::write(BytesView key, BytesView value) {
    return run([&](Transaction& txn) { return ops::string_set(txn, key, Bytes(value)); });
}

Result<void> Subject::run_jobs() {
    for (bool busy = true; busy;) {
        busy = false;
        if (std::optional<Log::Flush> flush = replica_->begin_flush()) {
            Result<void> done = flush->write();
            if (done) done = flush->sync();
            replica_->finish_flush(*flush, done);
            busy = true;
        }
        if (std::optional<Store::Checkpoint> checkpoint = replica_->begin_checkpoint()) {
            replica_->finish_checkpoint(checkpoint->commit());
            busy = true;
        }
        if (replica_->failure()) return *replica_->failure();
    }
    (void)replica_->committed();
    return {};
}

Result<void> Subject::checkpoint() {
    replica_->request_checkpoint();
    return run_jobs();
}

Answers build(const std::filesystem::path& directory) {
    {
        SystemRandom random;
        Result<DataDirectory> data = DataDirectory::open(directory.string(), random);
        must(data ? Result<void>() : data.error());
        must(data->join_cluster(random_uuid(random)));
    }
    Result<std::unique_ptr<Subject>> opened = Subject::open(directory);
    must(opened ? Result<void>() : opened.error());
    Subject& subject = **opened;
    const std::uint64_t deadline_ms = subject.clock_.now_ms + 1'000'000'000;
    for (int round = 0; round < rounds_count; ++round) {
        must(subject.run([&](Transaction& txn) { return write_round(txn, round, deadline_ms); }));
        if (round == rounds_count - 1) break;  // in the log alone
        must(subject.run([&](Transaction& txn) -> Result<void> {
            SYNCLINE_CHECK(ops::key_delete(txn, string_name(round * 7 + 1)));
            SYNCLINE_CHECK(ops::set_remove(txn, "set", "member3/" + std::to_string(round)));
            return {};
        }));
        must(subject.checkpoint());
    }
    Answers before = subject.read_all();
    must(subject.write("string:0", "the last write"));
    return before;
}

}  // namespace syncline::flip
