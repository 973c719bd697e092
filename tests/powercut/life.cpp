#include "tests/powercut/life.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "core/base/hash.hpp"
#include "core/engine/storage_jobs.hpp"
#include "tests/powercut/peer.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::powercut {
namespace {

constexpr std::uint64_t changes_max = 7;

/// The recorder's function for marks; null when it is not there.
using MarkFunction = void (*)(const char*, std::size_t);
MarkFunction mark_function() {
    void* const found = ::dlsym(RTLD_DEFAULT, "syncline_trace_mark");
    MarkFunction function = nullptr;
    std::memcpy(&function, &found, sizeof function);
    return function;
}

class Life {
public:
    Life(const LifeOptions& options, std::unique_ptr<Engine> engine, Model model)
        : mode_(options.mode),
          peer_directory_(options.linked ? parent_of(options.path) + "-peer" : ""),
          random_(options.seed),
          mark_(mark_function()),
          engine_(std::move(engine)),
          replica_(engine_->replica()),
          model_(std::move(model)),
          depth_(1 + random_.below(8)) {}

    void begin() {
        Mark mark = say(Mark::Kind::opened);
        mark.state = engine_->state();
        mark.identity = engine_->identity();
        put(mark);
        if (!peer_directory_.empty()) {
            peer_ = std::make_unique<Peer>(replica_, engine_->clock(), peer_directory_);
        }
        replica_.on_applied = [this](const Event& event, BytesView bytes) {
            Mark made = say(Mark::Kind::committed);
            made.now_ms = txn_ms_;
            made.state = engine_->state();
            made.dot = event.dot;
            made.hash = hash64(bytes);
            made.changes = changes_;
            put(made);
            last_made_ = event.dot;
        };
    }

    Result<void> step() {
        std::uint64_t& now_ms = engine_->clock().now_ms;
        SYNCLINE_CHECK(wait_until([this] { return jobs_.idle() || !late(); }));
        now_ms += random_.below(turn_ms_max);
        if (random_.below(40) == 0) {
            SYNCLINE_CHECK(sync_all());  // no sync takes as long as what comes now
            now_ms += 40000;             // keys end
            tick();
        }
        if (peer_) {
            tick();
            peer_->tick();
        }
        if (random_.below(40) == 0) replica_.request_checkpoint();
        SYNCLINE_CHECK(commit());
        return wait_until([this] { return pending_.size() < depth_; });
    }

    Result<void> close() {
        const std::uint64_t before = replica_.stats().checkpoints;
        replica_.request_checkpoint();
        SYNCLINE_CHECK(
            wait_until([&] { return jobs_.idle() && replica_.stats().checkpoints > before; }));
        SYNCLINE_CHECK(sync_all());
        if (!pending_.empty()) return Error{Code::corrupt, "all is durable, and a reply waits"};
        SYNCLINE_CHECK(engine_->compare(model_));
        put(say(Mark::Kind::closing));
        return engine_->end();
    }

    /// The way a killed process ends.
    [[noreturn]] void drop() {
        if (random_.below(3) == 0) replica_.request_checkpoint();
        ::_exit(turn() ? 0 : 1);
    }

private:
    /// The watched directory; what is beside it is not recorded.
    static std::string parent_of(const std::string& path) {
        return std::filesystem::path(path).parent_path().string();
    }
    [[nodiscard]] Mark say(Mark::Kind kind) const {
        Mark mark;
        mark.kind = kind;
        mark.now_ms = engine_->clock().now_ms;
        return mark;
    }
    void put(const Mark& mark) const {
        const Bytes bytes = encode(mark);
        if (mark_ != nullptr) mark_(bytes.data(), bytes.size());
    }

    /// A job has been under way for so long that it must end before time goes on.
    [[nodiscard]] bool late() const {
        return mode_ == Mode::interval &&
               engine_->clock().now_ms - idle_ms_ > sync_ms_max - turn_ms_max;
    }

    /// Keys that have ended are removed by transactions of their own.
    void tick() {
        changes_.clear();
        txn_ms_ = engine_->clock().now_ms;
        replica_.tick();
    }

    Result<void> sync_all() {
        do {
            replica_.request_sync();
            SYNCLINE_CHECK(wait_until([this] { return jobs_.idle(); }));
        } while (replica_.log().durable() != replica_.log().end());
        return {};
    }

    /// What makes sense in this mode: rights to a bounded counter stay with an actor that was left.
    Change draw() {
        Change change = model_.draw(random_, txn_ms_);
        const bool takes = change.kind == Change::Kind::bounded_decrement;
        if (takes && mode_ == Mode::interval) change.kind = Change::Kind::bounded_increment;
        return change;
    }

    Result<void> commit() {
        Client client{++clients_, 0};
        changes_.clear();
        last_made_ = Dot{};
        const std::uint64_t count = 1 + random_.below(changes_max);
        const auto operation = [&](Transaction& txn) -> Result<Bytes> {
            txn_ms_ = txn.now_ms();
            for (std::uint64_t left = count; left > 0; --left) {
                const Change change = draw();
                SYNCLINE_CHECK(run(txn, change));
                model_.apply({change}, txn_ms_);
                changes_.push_back(change);
            }
            return Bytes();
        };
        SYNCLINE_CHECK(replica_.execute(client, operation));
        pending_[client.id] = last_made_;
        return {};
    }

    /// As the server's: jobs start, and what may leave does.
    Result<void> turn() {
        jobs_.collect();
        if (jobs_.idle()) idle_ms_ = engine_->clock().now_ms;
        jobs_.start(replica_);
        const Committed committed = replica_.committed();
        const std::uint64_t durable = replica_.durable_vv().counter(replica_.actor());
        if (durable > told_) {
            told_ = durable;
            Mark mark = say(Mark::Kind::durable);
            mark.dot = Dot{replica_.actor(), durable};
            put(mark);
        }
        for (const Reply& reply : committed.replies) {
            const auto found = pending_.find(reply.client);
            // A transaction that changed nothing has no name.
            if (found->second.counter > 0) {
                Mark mark = say(Mark::Kind::acknowledged);
                mark.dot = found->second;
                put(mark);
            }
            pending_.erase(found);
        }
        return peer_ ? tell(committed) : Result<void>();
    }

    Result<void> tell(const Committed& committed) {
        SYNCLINE_CHECK(peer_->carry(committed));
        if (peer_->knows() == peer_knows_) return {};
        peer_knows_ = peer_->knows();
        Mark mark = say(Mark::Kind::told);
        mark.state.vv = peer_knows_;
        put(mark);
        return {};
    }

    template <typename Condition>
    Result<void> wait_until(const Condition& condition) {
        while (true) {
            SYNCLINE_CHECK(turn());
            if (replica_.failure()) return *replica_.failure();
            if (condition()) return {};
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return done_; });
            done_ = false;
        }
    }

    Mode mode_;
    std::string peer_directory_;  // empty: there is no peer
    test::SeededRandom random_;
    MarkFunction mark_;
    std::unique_ptr<Engine> engine_;
    Replica& replica_;
    std::unique_ptr<Peer> peer_;
    VersionVector peer_knows_;
    Model model_;
    std::size_t depth_;  // commits under way at one time
    std::uint64_t clients_ = 0;
    std::uint64_t told_ = 0;
    std::uint64_t txn_ms_ = 0;
    std::uint64_t idle_ms_ = 0;  // when no job was under way the last time
    std::vector<Change> changes_;
    Dot last_made_;
    std::map<std::uint64_t, Dot> pending_;
    std::mutex mutex_;  // guards done_
    std::condition_variable wake_;
    bool done_ = false;
    // Last: its threads use everything above.
    StorageJobs jobs_{[this] {
        const std::lock_guard lock(mutex_);
        done_ = true;
        wake_.notify_one();
    }};
};

}  // namespace

Result<void> live(const LifeOptions& options, const History& history) {
    if (options.recorded && mark_function() == nullptr) {
        return Error{Code::unavailable, "nobody records"};
    }
    test::SeededRandom random(options.seed);
    SYNCLINE_TRY(
        std::unique_ptr<Engine> engine,
        Engine::open(options.path, history.now_ms(), options.mode, random, options.planted));
    SYNCLINE_TRY(const std::size_t found, history.find(engine->state()));
    SYNCLINE_CHECK(engine->replica().group().check());
    SYNCLINE_CHECK(engine->compare(history.model_of(found)));
    Life life(options, std::move(engine), history.model_of(found));
    life.begin();
    for (std::uint64_t left = options.commits; left > 0; --left) SYNCLINE_CHECK(life.step());
    if (!options.closes) life.drop();
    return life.close();
}

}  // namespace syncline::powercut
