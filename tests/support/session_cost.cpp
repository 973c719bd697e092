#include "tests/support/session_cost.hpp"

#include <chrono>

namespace syncline {
namespace {

constexpr std::uint64_t keys_per_transaction = 1000;

}  // namespace

SessionPair::SessionPair(std::uint64_t rows, unsigned fanout)
    : cluster_(2, [&](ReplicaOptions& options) {
          options.session_fanout = fanout;
          options.compressed_bytes_min = 0;  // rows are looked at on their way
      }) {
    write(0, rows, 1, "a value of some bytes");
    next_key_ = rows;
    cluster_.connect(0, 1);
    cluster_.pump(1000);
    cluster_.filter = [this](std::size_t, std::size_t, std::uint8_t type, Bytes& payload) {
        if (type == static_cast<std::uint8_t>(MessageType::batch)) return false;
        if (type < static_cast<std::uint8_t>(MessageType::session_open)) return true;
        ++cost_.messages;
        if (type != static_cast<std::uint8_t>(MessageType::session_rows)) {
            cost_.metadata_bytes += payload.size();
            return true;
        }
        const Result<Message> message = decode_message(type, payload);
        SessionRows carried = std::get<SessionRows>(*message);
        cost_.rows += carried.rows.size();
        carried.rows.clear();
        cost_.metadata_bytes += encode_message(carried).size();
        return true;
    };
}

void SessionPair::write(std::uint64_t first, std::uint64_t count, std::uint64_t stride,
                        BytesView value) {
    for (std::uint64_t done = 0; done < count; done += keys_per_transaction) {
        const std::uint64_t end = std::min(count, done + keys_per_transaction);
        cluster_.at(0).run([&](Transaction& txn) -> Result<void> {
            for (std::uint64_t i = done; i < end; ++i) {
                const std::string key = "user:" + std::to_string(first + i * stride);
                SYNCLINE_CHECK(operations::string_set(txn, key, Bytes(value)));
            }
            return {};
        });
    }
}

void SessionPair::differ(std::uint64_t rows) {
    ++rounds_;
    const std::uint64_t changed = rows / 2;
    const std::uint64_t removed = rows / 4;
    const std::uint64_t added = rows - changed - removed;
    const std::uint64_t stride = std::max<std::uint64_t>(1, next_key_ / (changed + 1));
    write(rounds_ % 7, changed, stride, "changed in round " + std::to_string(rounds_));
    cluster_.at(0).run([&](Transaction& txn) -> Result<void> {
        for (std::uint64_t i = 0; i < removed; ++i) {
            SYNCLINE_CHECK(
                operations::key_delete(txn, "user:" + std::to_string(next_removed_ + i)));
        }
        return {};
    });
    write(next_key_, added, 1, "new in round " + std::to_string(rounds_));
    next_key_ += added;
    next_removed_ += removed;
}

SessionCost SessionPair::pull() {
    cost_ = SessionCost{};
    const auto start = std::chrono::steady_clock::now();
    cluster_.at(1)->request_session(cluster_.at(1)->peers().at(0).link);
    cluster_.pump(1000);
    cost_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return cost_;
}

double session_cost_formula(double n, double d, double k) {
    const double leaf_rows = k == 4 ? 16 : 24;
    const int levels =
        std::max(0, static_cast<int>(std::ceil(std::log(n / leaf_rows) / std::log(k) - 1e-9)));
    const auto differing = [&](int level) {
        const double nodes = std::pow(k, level);
        return nodes * (1 - std::pow(1 - 1 / nodes, d));
    };
    double bytes = 128;
    if (d == 0) return bytes;
    for (int level = 0; level < levels; ++level) bytes += differing(level) * ((k - 1) * 6 + 3);
    return bytes + differing(levels) * (4 + 4 * n / std::pow(k, levels));
}

}  // namespace syncline
