#include "tests/powercut/verify.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/hash.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/provisional.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::powercut {
namespace {

constexpr unsigned time_limit_s = 60;

Error wrong(const std::string& what) {
    return Error{Code::corrupt, what};
}

class Check {
public:
    Check(std::string path, const History& history, Mode mode, std::uint64_t seed, Planted planted)
        : path_(std::move(path)),
          history_(history),
          mode_(mode),
          planted_(planted),
          random_(seed) {}

    Result<void> run() {
        SYNCLINE_CHECK(first_start());
        return second_start();
    }

    Verdict verdict;

private:
    Result<std::unique_ptr<Engine>> open() {
        ++verdict.opens;
        auto opened = Engine::open(path_, now_ms_, mode_, random_, planted_);
        if (!opened) return opened.error().in("does not open");
        return opened;
    }

    Result<void> first_start() {
        now_ms_ = history_.now_ms() + random_.below(1000);
        look_for_provisional_commit();
        SYNCLINE_TRY(const std::unique_ptr<Engine> engine, open());
        if (!history_.identity().empty() && engine->identity() != history_.identity()) {
            return wrong("the directory has become another replica's");
        }
        const State state = engine->state();
        SYNCLINE_TRY(const std::size_t found, history_.find(state));
        verdict.unpromised_kept =
            history_.commit(found).depth - history_.commit(history_.promised()).depth;
        const std::size_t made = history_.commit(history_.latest()).depth;
        verdict.unpromised_lost = made - std::min(made, history_.commit(found).depth);
        verdict.acknowledged_lost = history_.acknowledged_after(found);
        SYNCLINE_CHECK(engine->replica().group().check());
        SYNCLINE_CHECK(engine->compare(history_.model_of(found)));
        SYNCLINE_CHECK(compare_log(*engine, found));
        if (random_.below(4) == 0) return {};  // the second start is without a commit between
        return commit_one(*engine, found);
    }

    void look_for_provisional_commit() {
        const Result<std::uint64_t> marked = ProvisionalMark::read(path_ + "/base");
        const Result<std::uint64_t> last = last_lmdb_commit(path_ + "/base/data.mdb");
        verdict.provisional = marked && last && *marked > 0 && *marked == *last;
    }

    Result<void> second_start() {
        SYNCLINE_TRY(const std::unique_ptr<Engine> engine, open());
        if (after_ && !(engine->state() == *after_)) {
            return wrong("the second start found " + to_string(engine->state()) +
                         ", the first one had left " + to_string(*after_));
        }
        SYNCLINE_CHECK(engine->replica().group().check());
        if (!after_) return history_.find(engine->state()) ? Result<void>() : wrong("changed");
        return engine->compare(after_model_);
    }

    /// Each event in the log is one that led here, and all of the latest are there.
    Result<void> compare_log(Engine& engine, std::size_t found) {
        Log& log = const_cast<Log&>(engine.replica().log());  // reading moves its windows
        std::size_t at = History::beginning;
        for (Position position = log.base();;) {
            SYNCLINE_TRY(const std::optional<LogRecord> record, log.read(position));
            if (!record) break;
            position = record->next;
            if (static_cast<RecordKind>(record->kind) != RecordKind::event) continue;
            SYNCLINE_TRY(const Event event, decode_event(record->payload));
            const History::Commit* const commit = history_.event_before(found, event.dot);
            if (commit == nullptr || commit->hash != hash64(record->payload)) {
                return wrong("the log holds another event " + to_string(event.dot));
            }
            if (at != History::beginning && commit->depth != at + 1) {
                return wrong("the log has a gap before " + to_string(event.dot));
            }
            at = commit->depth;
            ++verdict.events_compared;
        }
        if (at != History::beginning && at != history_.commit(found).depth) {
            return wrong("the log ends before the state");
        }
        return {};
    }

    /// A commit of its own, durable, whose name must be new to everybody.
    Result<void> commit_one(Engine& engine, std::size_t found) {
        Replica& replica = engine.replica();
        after_model_ = history_.model_of(found);
        const Change change{Change::Kind::increment, "c0", {}, {}, 1, 0};
        Dot made;
        replica.on_applied = [&made](const Event& event, BytesView) { made = event.dot; };
        Client client{1, 0};
        const auto operation = [&](Transaction& txn) -> Result<Bytes> {
            after_model_.apply({change}, txn.now_ms());
            SYNCLINE_CHECK(powercut::run(txn, change));
            return Bytes();
        };
        SYNCLINE_CHECK(replica.execute(client, operation));
        if (random_.below(2) == 0) replica.request_checkpoint();
        SYNCLINE_CHECK(engine.settle());
        if (replica.committed().replies.size() != 1) return wrong("a commit was not acknowledged");
        if (history_.was_given_out(made)) {
            return wrong("no new name: " + to_string(made) + " was given out before");
        }
        verdict.new_incarnation = made.counter == 1 && made.actor.incarnation > 1;
        if (history_.suspect() && !verdict.new_incarnation) {
            return wrong("no new name: " + to_string(made) + " is of no new incarnation");
        }
        after_ = engine.state();
        return {};
    }

    std::string path_;
    const History& history_;
    Mode mode_;
    Planted planted_;
    test::SeededRandom random_;
    std::uint64_t now_ms_ = 0;
    std::optional<State> after_;
    Model after_model_;
};

/// What the child tells: the verdict's numbers, then the failure's words.
struct Numbers {
    std::size_t opens, unpromised_kept, unpromised_lost, events_compared;
    History::Loss acknowledged_lost;
    bool provisional;
    bool new_incarnation;
};

[[noreturn]] void be_child(int out, Check& check) {
    (void)::alarm(time_limit_s);
    const Result<void> done = check.run();
    const Verdict& verdict = check.verdict;
    const Numbers numbers{
        verdict.opens,           verdict.unpromised_kept,   verdict.unpromised_lost,
        verdict.events_compared, verdict.acknowledged_lost, verdict.provisional,
        verdict.new_incarnation};
    Bytes bytes(reinterpret_cast<const char*>(&numbers), sizeof numbers);
    if (!done) bytes += done.error().message;
    const bool told =
        ::write(out, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    ::_exit(told ? 0 : 1);
}

Bytes read_to_end(int in) {
    Bytes bytes;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = ::read(in, piece.data(), piece.size())) > 0;) {
        bytes.append(piece.data(), static_cast<std::size_t>(got));
    }
    return bytes;
}

}  // namespace

Verdict verify(const std::string& path, const History& history, Mode mode, std::uint64_t seed,
               Planted planted) {
    Check check(path, history, mode, seed, planted);
    std::array<int, 2> ends{};
    Verdict verdict;
    if (::pipe(ends.data()) != 0) {
        verdict.failure = "cannot make a pipe";
        return verdict;
    }
    const pid_t child = ::fork();
    if (child == 0) be_child(ends[1], check);
    (void)::close(ends[1]);
    const Bytes told = read_to_end(ends[0]);
    (void)::close(ends[0]);
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) {
        verdict.failure = "no child process";
    } else if (WIFSIGNALED(status)) {
        verdict.failure = "ended by signal " + std::to_string(WTERMSIG(status));
    } else if (told.size() < sizeof(Numbers)) {
        verdict.failure = "ended without a word";
    } else {
        Numbers numbers{};
        std::memcpy(&numbers, told.data(), sizeof numbers);
        verdict.opens = numbers.opens;
        verdict.unpromised_kept = numbers.unpromised_kept;
        verdict.unpromised_lost = numbers.unpromised_lost;
        verdict.events_compared = numbers.events_compared;
        verdict.acknowledged_lost = numbers.acknowledged_lost;
        verdict.provisional = numbers.provisional;
        verdict.new_incarnation = numbers.new_incarnation;
        verdict.failure = told.substr(sizeof numbers);
    }
    return verdict;
}

}  // namespace syncline::powercut
