// A new replica copies the rows of one that works, and opens its data on them.
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "core/backup/copy_receiver.hpp"
#include "core/backup/copy_server.hpp"
#include "tests/core/mixed_workload.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(copy)
namespace {

namespace fs = std::filesystem;
using State = CopyReceiver::State;
using test::must;

constexpr LinkId copy_link = 1000;
constexpr std::size_t small_piece_bytes = 700;
constexpr std::uint64_t rows_min = 10;

/// Of logs that are soon cut.
void serve_copies(ReplicaOptions& options) {
    options.serves_copies = true;
    options.log.segment_bytes = 4096;
    options.log_retention.bytes = 4096;
    options.checkpoint_log_bytes = 4096;
}

/// Tells when the receiver's thread has done something.
class Signal {
public:
    void raise() {
        const std::lock_guard lock(mutex_);
        ++raised_;
        changed_.notify_all();
    }
    void await() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this]() { return raised_ > seen_; });
        seen_ = raised_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t raised_ = 0;
    std::uint64_t seen_ = 0;
};

/// A new replica at the other end of a link to one of a cluster.
class Newcomer {
public:
    Newcomer(TestCluster& cluster, std::size_t source, const std::string& name)
        : cluster_(cluster), source_(source), path_(cluster.directory() / name) {
        open();
        server_.emplace(cluster.at(source).replica(), cluster.env(), limits::compressed_bytes_min,
                        small_piece_bytes);
    }

    /// As a process that begins, after one that ended at any time.
    void open() {
        receiver_.reset();
        data_.reset();
        random_.emplace();
        data_.emplace(must(DataDirectory::open(path_.string(), *random_)));
        if (data_->identity.cluster.is_nil()) {
            must(data_->join_cluster(cluster_.at(source_)->identity().cluster));
        }
        must(data_->begin_copy());
        CopyReceiver::Options options;
        options.rows_min = rows_min;
        receiver_.emplace(*data_, cluster_.env(), options, [this]() { signal_.raise(); });
    }

    void connect() {
        receiver_->link_up(copy_link, cluster_.at(source_)->identity().node);
        cluster_.at(source_)->link_up(copy_link, data_->identity.node);
        linked_ = true;
    }

    void disconnect() {
        linked_ = false;
        receiver_->link_down(copy_link);
        server_->link_down(copy_link);
        cluster_.at(source_)->link_down(copy_link);
        to_source_.clear();
        to_newcomer_.clear();
    }

    /// A turn of both sides; false: nothing happened, and the thread has nothing to do.
    bool turn() {
        bool any = false;
        receiver_->turn();
        for (Outgoing& message : receiver_->take_messages()) to_source_.push_back(message);
        cluster_.at(source_).settle();
        server_->turn();
        cluster_.at(source_)->group().store().end_turn();
        for (Outgoing& message : cluster_.at(source_)->committed().messages) {
            if (message.link == copy_link) to_newcomer_.push_back(message);
        }
        for (Outgoing& message : server_->take_messages()) to_newcomer_.push_back(message);
        if (!linked_) return false;
        for (; !to_source_.empty(); to_source_.pop_front(), any = true) {
            const Outgoing& message = to_source_.front();
            BOOST_REQUIRE(CopyServer::takes(message.type));
            if (message.type == static_cast<std::uint8_t>(MessageType::copy_next)) ++nexts_;
            server_->receive(copy_link, message.type, message.payload, busy);
        }
        for (; !to_newcomer_.empty(); to_newcomer_.pop_front(), any = true) {
            Outgoing& message = to_newcomer_.front();
            if (damage) damage(message);
            ++messages_;
            note(message);
            if (deaf) continue;
            receiver_->receive(copy_link, message.type, message.payload);
        }
        for (const auto& [link, reason] : receiver_->take_closed()) {
            closed.push_back(reason);
            if (!damage) BOOST_ERROR(reason.message);
            disconnect();
        }
        return any;
    }

    /// Turns, with `between` after each, until that is so.
    void turn_until(const std::function<bool()>& so, const std::function<void()>& between = {}) {
        for (unsigned idle = 0; !so();) {
            if (between) between();
            if (turn()) {
                idle = 0;
            } else if (++idle > 1 && receiver_->state() == State::copying && linked_) {
                signal_.await();  // what the thread does is all there is
                idle = 0;
            } else {
                BOOST_REQUIRE(idle < 1000);
                cluster_.pass(100);
            }
        }
    }
    void turn_until(State state, const std::function<void()>& between = {}) {
        turn_until([&]() { return receiver_->state() == state; }, between);
    }

    /// Ends the copy's side, and goes on as a replica of the cluster.
    std::size_t join() {
        BOOST_REQUIRE(receiver_->state() == State::done);
        BOOST_TEST(!fs::exists(path_ / "copying"));
        disconnect();
        receiver_.reset();
        data_.reset();
        return cluster_.add(path_);
    }

    /// Turns until the copy is done, in which the source is slow and this side is not: time passes
    /// only when the thread has built all that came. With `between` after each step. How long it
    /// took, in milliseconds.
    std::uint64_t turn_slowly(std::uint64_t step_ms, const std::function<void()>& between = {}) {
        const std::uint64_t began_ms = cluster_.now_ms();
        while (receiver_->state() != State::done && closed.empty()) {
            if (turn()) continue;
            const bool builds = pieces_.size() + 1 > nexts_ || ended_;  // one came before all
            if (receiver_->state() == State::copying && builds) {
                signal_.await();
                continue;
            }
            cluster_.pump(step_ms);
            if (between) between();
            BOOST_REQUIRE(cluster_.now_ms() - began_ms < 10'000'000U);
        }
        return cluster_.now_ms() - began_ms;
    }

    CopyReceiver& receiver() { return *receiver_; }
    CopyServer& server() { return *server_; }
    DataDirectory& data() { return *data_; }
    [[nodiscard]] std::size_t messages() const { return messages_; }
    /// COPY OPENED, also of a server that is busy.
    [[nodiscard]] std::size_t opened() const { return opened_; }
    [[nodiscard]] bool empty() {
        bool any = false;
        for (std::size_t table = 0; table < tables_count; ++table) {
            must(data_->base->scan(static_cast<Table>(table), {}, {}, [&](BytesView, BytesView) {
                any = true;
                return false;
            }));
        }
        data_->base->end_turn();
        return !any;
    }

    struct Piece {
        std::uint64_t at_ms = 0;
        std::size_t bytes = 0;  ///< of the message
        bool empty = false;
    };
    /// All that came.
    [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

    bool busy = false;
    bool deaf = false;  ///< nothing comes over the link to the newcomer
    std::function<void(Outgoing&)> damage;
    std::vector<Error> closed;

private:
    void note(const Outgoing& message) {
        if (message.type == static_cast<std::uint8_t>(MessageType::copy_opened)) ++opened_;
        ended_ = ended_ || message.type == static_cast<std::uint8_t>(MessageType::copy_end);
        if (message.type != static_cast<std::uint8_t>(MessageType::copy_piece)) return;
        const auto decoded = decode_message(message.type, message.payload);
        if (!decoded) return;  // damaged on purpose
        pieces_.push_back(Piece{cluster_.now_ms(), message.payload.size(),
                                std::get<CopyPiece>(*decoded).blocks.empty()});
    }

    TestCluster& cluster_;
    std::size_t source_;
    fs::path path_;
    std::optional<SystemRandom> random_;
    Signal signal_;
    std::optional<DataDirectory> data_;
    std::optional<CopyServer> server_;
    std::optional<CopyReceiver> receiver_;
    bool linked_ = false;
    std::size_t messages_ = 0;
    std::vector<Piece> pieces_;
    std::size_t nexts_ = 0;  // COPY NEXT: one behind COPY OPENED, one for each piece that is built
    std::size_t opened_ = 0;
    bool ended_ = false;
    std::deque<Outgoing> to_source_;
    std::deque<Outgoing> to_newcomer_;
};

void check_joined(TestCluster& cluster, std::size_t index) {
    BOOST_TEST(cluster.at(index)->group().keys_count() > 0U);
    cluster.connect(0, index);
    cluster.pump(5000);
    BOOST_TEST(cluster.difference() == "");
    cluster.at(index).set("after the copy", "x");
    cluster.at(0).set("after the copy, too", "x");
    cluster.pump(2000);
    BOOST_TEST(cluster.difference() == "");
    cluster.restart(index);
    cluster.connect(0, index);
    cluster.pump(2000);
    BOOST_TEST(cluster.difference() == "");
}

void fill(TestCluster& cluster, test::MixedWorkload& workload, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) workload.change(cluster.at(0));
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    BOOST_TEST(cluster.at(0)->log().base() > 0U);
}

}  // namespace

/// Clients write all types all the while.
BOOST_AUTO_TEST_CASE(what_is_copied_is_what_the_peer_has) {
    for (const std::uint64_t seed : test::seeds(test::fewer_if_sanitized(20))) {
        BOOST_TEST_CONTEXT("seed " << seed) {
            TestCluster cluster(1, serve_copies);
            test::MixedWorkload workload(seed);
            fill(cluster, workload, 120);
            Newcomer newcomer(cluster, 0, "new");
            newcomer.connect();
            std::size_t turns = 0;
            newcomer.turn_until(State::done, [&]() {
                if (++turns > 60) return;
                workload.change(cluster.at(0));
                if (turns % 7 != 0) return;
                cluster.at(0)->request_checkpoint();
                cluster.at(0).settle();
            });
            BOOST_TEST(newcomer.messages() > 5U);
            BOOST_TEST(!newcomer.server().active());
            check_joined(cluster, newcomer.join());
        }
    }
}

/// Few rows come as to any replica; then nothing was written.
BOOST_AUTO_TEST_CASE(few_rows_need_no_copy) {
    TestCluster cluster(1, serve_copies);
    for (std::uint64_t i = 0; i < 100; ++i) {
        cluster.at(0).set(std::to_string(i % (rows_min - 1)), Bytes(100, 'v'));
    }
    BOOST_TEST(cluster.at(0)->log().base() > 0U);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_until(State::needless);
    BOOST_TEST(newcomer.empty());
}

/// Its log is held for the copy.
BOOST_AUTO_TEST_CASE(a_silent_newcomer_is_given_up) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(9);
    fill(cluster, workload, 100);
    CopyServer server(cluster.at(0).replica(), cluster.env(), 0, small_piece_bytes);
    server.receive(1, static_cast<std::uint8_t>(MessageType::copy_open),
                   encode_message(CopyOpen{1}), false);
    server.turn();
    cluster.at(0)->group().store().end_turn();
    cluster.pass(limits::copy_silence_ms_max);
    server.turn();
    BOOST_TEST(server.active());
    cluster.pass(1);
    server.turn();
    BOOST_TEST(!server.active());
}

/// And another one is asked, or the same again.
BOOST_AUTO_TEST_CASE(a_silent_peer_is_given_up) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(10);
    fill(cluster, workload, 100);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_until([&]() { return newcomer.receiver().state() == State::copying; });
    newcomer.deaf = true;
    for (int i = 0; i < 100000 && newcomer.receiver().state() == State::copying; ++i) {
        newcomer.turn();
        cluster.pass(100);
    }
    BOOST_TEST((newcomer.receiver().state() == State::waiting));
    BOOST_TEST(newcomer.empty());
    newcomer.deaf = false;
    newcomer.turn_until(State::done);
    check_joined(cluster, newcomer.join());
}

BOOST_AUTO_TEST_CASE(a_directory_with_rows_is_not_copied_over) {
    TestCluster cluster(1);
    cluster.at(0).set("key", "value");
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    const fs::path path = cluster.at(0).directory();
    cluster.remove(0);
    SystemRandom random;
    DataDirectory data = must(DataDirectory::open(path.string(), random));
    BOOST_TEST((data.begin_copy().error().code == Code::corrupt));
    BOOST_TEST(!fs::exists(path / "copying"));
}

BOOST_AUTO_TEST_CASE(a_peer_that_serves_no_copies_is_not_asked) {
    TestCluster cluster(1, [](ReplicaOptions& options) {
        serve_copies(options);
        options.serves_copies = false;
    });
    test::MixedWorkload workload(1);
    fill(cluster, workload, 120);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_until(State::needless);
}

BOOST_AUTO_TEST_CASE(a_copy_that_is_broken_off_is_removed_and_begun_anew) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(2);
    fill(cluster, workload, 200);
    Newcomer newcomer(cluster, 0, "new");
    for (const std::size_t messages : {2U, 5U, 9U}) {
        newcomer.connect();
        const std::size_t before = newcomer.messages();
        newcomer.turn_until([&]() { return newcomer.messages() - before > messages; });
        newcomer.disconnect();
        BOOST_TEST((newcomer.receiver().state() == State::waiting));
        BOOST_TEST(newcomer.empty());
        BOOST_TEST(!newcomer.server().active());
        workload.change(cluster.at(0));
        cluster.pass(2000);
    }
    newcomer.connect();
    newcomer.turn_until(State::done);
    check_joined(cluster, newcomer.join());
}

BOOST_AUTO_TEST_CASE(a_process_that_ends_in_a_copy_leaves_nothing) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(3);
    fill(cluster, workload, 200);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_until([&]() { return newcomer.receiver().progress().rows > 20; });
    newcomer.disconnect();
    newcomer.open();
    BOOST_TEST(newcomer.empty());
    newcomer.connect();
    newcomer.turn_until(State::done);
    check_joined(cluster, newcomer.join());
}

BOOST_AUTO_TEST_CASE(a_busy_peer_is_asked_again) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(4);
    fill(cluster, workload, 100);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.busy = true;
    newcomer.connect();
    newcomer.turn_until([&]() { return newcomer.messages() >= 2; });
    BOOST_TEST((newcomer.receiver().state() == State::waiting));
    newcomer.busy = false;
    newcomer.turn_until(State::done);
    check_joined(cluster, newcomer.join());
}

/// The second one comes while the first one's copy is under way.
BOOST_AUTO_TEST_CASE(one_copy_at_a_time) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(5);
    fill(cluster, workload, 100);
    CopyServer server(cluster.at(0).replica(), cluster.env(), 0, small_piece_bytes);
    const auto ask = [&](LinkId link) {
        server.receive(link, static_cast<std::uint8_t>(MessageType::copy_open),
                       encode_message(CopyOpen{link}), false);
        server.turn();
        cluster.at(0)->group().store().end_turn();
        const std::vector<Outgoing> messages = server.take_messages();
        BOOST_REQUIRE(!messages.empty());
        return std::get<CopyOpened>(
            must(decode_message(messages.front().type, messages.front().payload)));
    };
    BOOST_TEST(ask(1).begun);
    BOOST_TEST(!ask(2).begun);
    server.link_down(1);
    BOOST_TEST(ask(2).begun);
}

/// Bytes that do not add up to what the peer has leave nothing; frames have checksums, so this is
/// what a peer would have to send that is broken itself.
BOOST_AUTO_TEST_CASE(damaged_pieces_leave_nothing) {
    std::size_t refused = 0;
    for (std::size_t place = 0; place < 12; ++place) {
        TestCluster cluster(1, serve_copies);
        test::MixedWorkload workload(6);
        fill(cluster, workload, 100);
        Newcomer newcomer(cluster, 0, "new");
        std::size_t pieces = 0;
        newcomer.damage = [&](Outgoing& message) {
            if (message.type != static_cast<std::uint8_t>(MessageType::copy_piece)) return;
            if (++pieces != 2 + place / 4) return;
            Bytes& bytes = message.payload;
            bytes[bytes.size() * (1 + place % 4) / 5] ^= 1;
        };
        newcomer.connect();
        newcomer.turn_until([&]() {
            return !newcomer.closed.empty() || newcomer.receiver().state() == State::done;
        });
        if (newcomer.closed.empty()) continue;  // the bit meant nothing
        ++refused;
        BOOST_TEST((newcomer.receiver().state() == State::waiting));
        BOOST_TEST(newcomer.empty());
    }
    BOOST_TEST(refused > 8U);
}

/// The log does not say what came with them.
BOOST_AUTO_TEST_CASE(rows_that_the_peer_takes_over_meanwhile_end_it) {
    TestCluster cluster(2, serve_copies);
    test::MixedWorkload workload(7);
    fill(cluster, workload, 100);
    test::MixedWorkload other(8);
    for (int i = 0; i < 300; ++i) other.change(cluster.at(1));
    BOOST_TEST(cluster.at(1)->log().base() > 0U);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_until([&]() { return newcomer.receiver().progress().rows > 5; });
    newcomer.disconnect();
    // While the next one is under way a session brings the other's rows.
    cluster.pass(2000);
    newcomer.connect();
    newcomer.turn_until([&]() { return newcomer.receiver().progress().rows > 5; });
    const std::size_t before = cluster.at(0)->stats().sessions_completed;
    cluster.connect(0, 1);
    cluster.pump(5000);
    BOOST_TEST(cluster.at(0)->stats().sessions_completed > before);
    newcomer.turn_until(State::waiting);
    BOOST_TEST(newcomer.empty());
    newcomer.turn_until(State::done);
    cluster.disconnect(0, 1);
    cluster.remove(1);
    check_joined(cluster, newcomer.join());
}

// --- Under a cap

constexpr std::uint64_t cap = 2048;
constexpr std::size_t cap_burst_bytes = cap * limits::repair_burst_ms / 1000;

std::function<void(ReplicaOptions&)> serve_capped(std::uint64_t rate) {
    return [rate](ReplicaOptions& options) {
        serve_copies(options);
        options.repair_bandwidth = rate;
    };
}

/// Of pieces with something in them: what came in all, and that nothing came too early. 0: no cap.
std::size_t check_pace(const Newcomer& newcomer, std::uint64_t rate) {
    std::size_t bytes = 0;
    for (const Newcomer::Piece& piece : newcomer.pieces()) {
        if (piece.empty) continue;
        const std::uint64_t passed_ms = piece.at_ms - newcomer.pieces().front().at_ms;
        const std::uint64_t burst = rate * limits::repair_burst_ms / 1000;
        if (rate > 0) BOOST_TEST(bytes <= passed_ms * rate / 1000 + burst);
        bytes += piece.bytes;
    }
    return bytes;
}

/// While events go to another replica at once.
BOOST_AUTO_TEST_CASE(a_copy_takes_as_long_as_the_cap_says) {
    TestCluster cluster(2, serve_capped(cap));
    test::MixedWorkload workload(11);
    fill(cluster, workload, 200);
    cluster.connect(0, 1);
    cluster.pump(120'000);  // what of it comes by a session has a cap, too
    BOOST_REQUIRE(cluster.difference() == "");
    const std::uint64_t before = cluster.at(0)->repair_budget().spent_bytes();
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    std::size_t fresh = 0;
    const std::uint64_t took_ms = newcomer.turn_slowly(50, [&]() {
        if (++fresh > 30) return;
        const std::string key = "fresh" + std::to_string(fresh);
        cluster.at(0).set(key, "x");
        cluster.pump(50);
        BOOST_TEST(cluster.at(1).get(key).has_value());
    });
    const std::size_t bytes = check_pace(newcomer, cap);
    BOOST_TEST(bytes > 10 * cap);
    BOOST_TEST(bytes == cluster.at(0)->repair_budget().spent_bytes() - before);
    const std::uint64_t due_ms = (bytes - small_piece_bytes - cap_burst_bytes) * 1000 / cap;
    BOOST_TEST(took_ms >= due_ms - 1000);
    BOOST_TEST(took_ms <= due_ms * 13 / 10);
    check_joined(cluster, newcomer.join());
}

BOOST_AUTO_TEST_CASE(without_a_cap_a_copy_takes_no_time) {
    TestCluster cluster(1, serve_copies);
    test::MixedWorkload workload(11);
    fill(cluster, workload, 200);
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    BOOST_TEST(newcomer.turn_slowly(50) <= 200U);
    for (const Newcomer::Piece& piece : newcomer.pieces()) BOOST_TEST(!piece.empty);
    BOOST_TEST(check_pace(newcomer, 0) == cluster.at(0)->repair_budget().spent_bytes());
}

/// A piece, and then nothing but signs of life for longer than either side waits for the other.
BOOST_AUTO_TEST_CASE(a_piece_that_is_owed_for_long_is_no_silence) {
    constexpr std::uint64_t low_cap = 16;
    TestCluster cluster(1, serve_capped(low_cap));
    test::MixedWorkload workload(12);
    for (int i = 0; i < 40; ++i) workload.change(cluster.at(0));
    cluster.at(0).set("large", Bytes(4 * small_piece_bytes, 'v'));
    cluster.at(0)->request_checkpoint();
    cluster.at(0).settle();
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    const std::uint64_t took_ms = newcomer.turn_slowly(500);
    const std::size_t bytes = check_pace(newcomer, low_cap);
    std::uint64_t silent_ms = 0;
    std::uint64_t last_ms = newcomer.pieces().front().at_ms;
    for (const Newcomer::Piece& piece : newcomer.pieces()) {
        if (!piece.empty) silent_ms = std::max(silent_ms, piece.at_ms - last_ms);
        if (!piece.empty) last_ms = piece.at_ms;
    }
    BOOST_TEST(silent_ms > 2 * limits::copy_silence_ms_max);
    BOOST_TEST(took_ms <= bytes * 1000 / low_cap * 13 / 10);
    BOOST_TEST(newcomer.receiver().progress().rows > 0U);
    check_joined(cluster, newcomer.join());
}

/// Whoever asks one that owes much is told to ask again, or another.
BOOST_AUTO_TEST_CASE(a_copy_begins_when_nothing_is_owed) {
    TestCluster cluster(1, serve_capped(cap));
    test::MixedWorkload workload(13);
    fill(cluster, workload, 100);
    constexpr std::uint64_t owed_ms = 60'000;
    cluster.at(0)->repair_budget().spend(cap * owed_ms / 1000, cluster.now_ms());
    const std::uint64_t began_ms = cluster.now_ms();
    Newcomer newcomer(cluster, 0, "new");
    newcomer.connect();
    newcomer.turn_slowly(50);
    BOOST_TEST(newcomer.opened() > 5U);
    const std::uint64_t first_ms = newcomer.pieces().front().at_ms - began_ms;
    BOOST_TEST(first_ms >= owed_ms - 1000);
    BOOST_TEST(first_ms <= owed_ms + 10'000);
    check_joined(cluster, newcomer.join());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
