#pragma once
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/database.hpp"
#include "tests/crdt/text_trace.hpp"

namespace syncline::test {

/// A new database for a benchmark; it throws when there is an error.
inline Database open_database(const std::filesystem::path& path) {
    DatabaseOptions options;
    std::filesystem::create_directories(path.parent_path());
    options.path = path;
    options.cluster = "trace bench";
    Result<Database> database = Database::open(options);
    or_throw(database ? Result<void>() : Result<void>(database.error()));
    return std::move(*database);
}

/// What each recorded transaction has seen: for each agent how many of its transactions.
inline std::vector<std::vector<std::size_t>> pasts_of(const TextTrace& trace) {
    std::vector<std::vector<std::size_t>> after;
    std::vector<std::vector<std::size_t>> pasts;
    for (const TextTrace::Txn& txn : trace.txns) {
        std::vector<std::size_t> past(trace.agents_count, 0);
        for (const std::size_t parent : txn.parents) {
            for (std::size_t i = 0; i < past.size(); ++i) {
                past[i] = std::max(past[i], after[parent][i]);
            }
        }
        pasts.push_back(past);
        ++past[txn.agent];
        after.push_back(std::move(past));
    }
    return pasts;
}

/// Writers and the messages between them. A message holds what its writer had when it was made, so
/// it is made whenever another one is to see just that, and handed over when that one does.
class TraceWriters {
public:
    /// Writes recorded transactions [first, end) of an agent as one.
    using Write = std::function<void(std::uint32_t agent, std::size_t first, std::size_t end)>;

    /// One database for each agent; all must outlive this. At most `together` recorded transactions
    /// are written as one.
    TraceWriters(const TextTrace& trace, const std::vector<Database>& databases,
                 std::size_t together, Write write)
        : trace_(trace),
          databases_(databases),
          together_(together),
          write_(std::move(write)),
          pasts_(pasts_of(trace)),
          done_(databases.size()),
          seen_(databases.size(), std::vector<std::size_t>(databases.size())) {
        find_cuts();
        meet_all();
    }

    /// Writes all of it; in the end each has seen the others.
    void run() {
        std::size_t first = 0;
        for (std::size_t i = 0; i < trace_.txns.size(); ++i) {
            const std::uint32_t agent = trace_.txns[i].agent;
            deliver(agent, pasts_[i]);
            ++done_[agent];
            const bool last = i + 1 == trace_.txns.size();
            const bool cut = cuts_.count({agent, done_[agent]}) > 0;
            const bool go_on = !last && !cut && trace_.txns[i + 1].agent == agent &&
                               !sees_more(agent, pasts_[i + 1]) && i + 1 - first < together_;
            if (go_on) continue;
            write_(agent, first, i + 1);
            ++transactions_;
            first = i + 1;
            if (cut) send(agent);
        }
        meet_all();
    }

    [[nodiscard]] std::size_t transactions() const { return transactions_; }
    [[nodiscard]] std::size_t messages() const { return messages_; }

private:
    struct Message {
        std::size_t done;  ///< transactions of its writer when it was made
        Bytes bytes;
    };

    [[nodiscard]] bool sees_more(std::uint32_t agent, const std::vector<std::size_t>& past) const {
        for (std::size_t other = 0; other < past.size(); ++other) {
            if (other != agent && past[other] > seen_[agent][other]) return true;
        }
        return false;
    }

    void find_cuts() {
        std::vector<std::vector<std::size_t>> seen = seen_;
        for (std::size_t i = 0; i < trace_.txns.size(); ++i) {
            const std::uint32_t agent = trace_.txns[i].agent;
            for (std::uint32_t other = 0; other < databases_.size(); ++other) {
                if (other == agent || pasts_[i][other] <= seen[agent][other]) continue;
                seen[agent][other] = pasts_[i][other];
                cuts_.insert({other, pasts_[i][other]});
            }
        }
    }

    static std::string name_of(std::size_t writer) { return "writer " + std::to_string(writer); }

    void send(std::uint32_t from) {
        for (std::uint32_t to = 0; to < databases_.size(); ++to) {
            if (to == from) continue;
            while (true) {
                Result<std::optional<Bytes>> message = databases_[from].next_message(name_of(to));
                or_throw(message ? Result<void>() : Result<void>(message.error()));
                if (!*message) break;
                ++messages_;
                queues_[{from, to}].push_back(Message{done_[from], std::move(**message)});
            }
        }
    }

    void deliver(std::uint32_t to, const std::vector<std::size_t>& past) {
        for (std::uint32_t from = 0; from < databases_.size(); ++from) {
            if (from == to || past[from] <= seen_[to][from]) continue;
            seen_[to][from] = past[from];
            std::deque<Message>& queue = queues_[{from, to}];
            while (!queue.empty() && queue.front().done <= past[from]) {
                or_throw(databases_[to].receive(name_of(from), queue.front().bytes));
                queue.pop_front();
            }
        }
    }

    /// Until nobody has anything for another one.
    void meet_all() {
        while (meet()) {
        }
    }

    /// Hands everything over. False: there was nothing.
    bool meet() {
        for (std::uint32_t from = 0; from < databases_.size(); ++from) send(from);
        bool any = false;
        for (auto& [ends, queue] : queues_) {
            for (const Message& message : queue) {
                or_throw(databases_[ends.second].receive(name_of(ends.first), message.bytes));
                any = true;
            }
            queue.clear();
        }
        return any;
    }

    const TextTrace& trace_;
    const std::vector<Database>& databases_;
    std::size_t together_;
    Write write_;
    std::vector<std::vector<std::size_t>> pasts_;
    std::vector<std::size_t> done_;               // transactions of each writer
    std::vector<std::vector<std::size_t>> seen_;  // by whom, of whom
    std::set<std::pair<std::uint32_t, std::size_t>> cuts_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::deque<Message>> queues_;
    std::size_t transactions_ = 0;
    std::size_t messages_ = 0;
};

}  // namespace syncline::test
