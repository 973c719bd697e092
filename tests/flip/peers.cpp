#include "tests/flip/peers.hpp"

#include <stdio.h>

#include <fstream>

#include "core/base/hash.hpp"
#include "storage/crash_marker.hpp"
#include "tests/flip/data.hpp"

namespace syncline::flip {
namespace {

/// Long enough for a scrub, a refused session or two, and a repair.
constexpr std::uint64_t settle_ms = 20000;
constexpr std::uint64_t deadline_ms = 2'000'000'000'000;

void small(ReplicaOptions& options) {
    options.leaf_bits = 8;
    options.scrub_interval_ms = 0;
}

Answers answers_of(TestReplica& replica, std::uint64_t now_ms) {
    Answers answers;
    for (const Bytes& key : all_keys()) {
        Transaction txn(replica->group(), replica->actor(), now_ms);
        answers.emplace(key, read_key(txn, key));
    }
    (void)replica->committed();  // ends the read view
    return answers;
}

bool same(const Answers& before, const Answers& after, std::size_t who, int out) {
    for (const auto& [key, answer] : before) {
        const Result<Bytes>& now = after.at(key);
        if (now && answer && *now == *answer) continue;
        ::dprintf(out, "replica %zu: key %s is %.200s, not %.200s\n", who, printable(key).c_str(),
                  printable(now ? *now : now.error().message).c_str(),
                  printable(answer ? *answer : answer.error().message).c_str());
        return false;
    }
    return true;
}

void fill(TestCluster& cluster) {
    cluster.connect(0, 1);
    cluster.connect(0, 2);
    cluster.connect(1, 2);
    for (int round = 0; round < rounds_count; ++round) {
        cluster.at(static_cast<std::size_t>(round) % 3).run([&](Transaction& txn) {
            return write_round(txn, round, deadline_ms);
        });
        cluster.pump(2000);
        if (round == rounds_count - 1) break;  // the last one is in the logs alone
        for (std::size_t i = 0; i < 3; ++i) {
            cluster.at(i)->request_checkpoint();
            cluster.at(i).settle();
        }
    }
}

}  // namespace

PeersEnd try_with_peers(std::uint64_t seed, bool suspect, int out) {
    TestCluster cluster(3, small);
    fill(cluster);
    Answers before = answers_of(cluster.at(1), cluster.now_ms());
    bool refused = false;
    const auto flip = [&](const std::filesystem::path& directory) {
        const std::filesystem::path name = directory / "base" / "data.mdb";
        (void)mark_suspect_on_crash((directory / "base").string());
        if (suspect) std::ofstream(directory / "base" / suspect_name).put('\n');
        const std::uint64_t place = hash64("place", seed) % std::filesystem::file_size(name);
        std::fstream file(name, std::ios::binary | std::ios::in | std::ios::out);
        file.seekg(static_cast<std::streamoff>(place));
        const int byte = file.get();
        file.seekp(static_cast<std::streamoff>(place));
        file.put(static_cast<char>(byte ^ static_cast<int>(1U << hash64("bit", seed) % 8)));
        ::dprintf(out, "byte %llu: ", static_cast<unsigned long long>(place));
    };
    for (std::size_t other = 1; other < 3; ++other) cluster.disconnect(0, other);
    if (const Result<void> started = cluster.at(0).try_restart(flip); !started) {
        ::dprintf(out, "refused: %s\n", started.error().message.c_str());
        refused = true;
    } else {
        cluster.connect(0, 1);
        cluster.connect(0, 2);
        cluster.at(0)->start_scrub(true);
        cluster.pump(settle_ms);
        if (!same(before, answers_of(cluster.at(0), cluster.now_ms()), 0, out)) {
            return PeersEnd::harmed;
        }
        // A peer that is told of another sum than its own, at an equal vector, says so.
        if (const std::string difference = cluster.difference(false); !difference.empty()) {
            ::dprintf(out, "%s\n", difference.c_str());
            return PeersEnd::harmed;
        }
    }
    for (std::size_t other = 1; other < 3; ++other) {
        if (!same(before, answers_of(cluster.at(other), cluster.now_ms()), other, out)) {
            return PeersEnd::harmed;
        }
    }
    return refused ? PeersEnd::refused : PeersEnd::repaired;
}

}  // namespace syncline::flip
