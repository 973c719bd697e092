#pragma once
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "crdt/text.hpp"
#include "crdt/version_vector.hpp"

/// Recorded editing of real texts, and its replay. Format: tests/data/editing-traces/README.md.
namespace syncline::test {

struct TextTrace {
    struct Patch {
        std::uint64_t position;
        std::uint64_t erased;
        std::string inserted;
    };
    struct Txn {
        std::vector<std::size_t> parents;
        std::uint32_t agent = 0;
        std::vector<Patch> patches;
    };

    std::string end;  ///< all of them start empty
    std::uint32_t agents_count = 1;
    std::vector<Txn> txns;  ///< parents before children
};

/// The contents of a gzip file; throws when it cannot be read.
inline std::string gunzip_file(const std::string& path) {
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), &gzclose);
    if (!file) throw std::runtime_error("cannot open " + path);
    std::string text;
    std::string piece(std::size_t{1} << 20U, '\0');
    for (;;) {
        const int count = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
        if (count < 0) throw std::runtime_error("cannot read " + path);
        if (count == 0) return text;
        text.append(piece, 0, static_cast<std::size_t>(count));
    }
}

/// "sequential/NAME" or "concurrent/NAME"; throws when there is no such trace.
inline TextTrace load_trace(const std::string& name) {
    const char* source = std::getenv("SYNCLINE_SOURCE");
    const std::string folder = std::string(source != nullptr ? source : ".");
    const auto json = nlohmann::json::parse(
        gunzip_file(folder + "/tests/data/editing-traces/" + name + ".json.gz"));
    TextTrace trace;
    trace.end = json.at("endContent");
    trace.agents_count = json.value("numAgents", 1U);
    for (const auto& txn : json.at("txns")) {
        TextTrace::Txn next;
        if (trace.txns.empty()) {
            if (json.contains("startContent") && json["startContent"] != "") {
                throw std::runtime_error(name + " does not start empty");
            }
        } else {
            next.parents = {trace.txns.size() - 1};
        }
        if (txn.contains("parents")) next.parents = txn["parents"].get<std::vector<std::size_t>>();
        next.agent = txn.value("agent", 0U);
        for (const auto& patch : txn.at("patches")) {
            next.patches.push_back({patch[0], patch[1], patch[2]});
        }
        trace.txns.push_back(std::move(next));
    }
    return trace;
}

/// One transaction as it travels.
struct TraceEvent {
    Dot dot;
    std::vector<TextOp> ops;
};

inline void or_throw(const Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().message);
}

/// Edits a text as a patch says; answers the operations, if wanted.
inline void edit(Text& text, const TextTrace::Patch& patch, std::uint64_t offset, TraceEvent& event,
                 bool keep) {
    const auto run = [&](TextOp op) {
        or_throw(text.apply(op, event.dot));
        if (keep) event.ops.push_back(std::move(op));
    };
    const std::uint64_t position = patch.position + offset;
    if (patch.erased > 0) run(*text.erasure(position, patch.erased));
    if (!patch.inserted.empty()) run(*text.insertion(event.dot.actor, position, patch.inserted));
}

/// Types a trace of one writer, one transaction after the other.
inline Text replay(const TextTrace& trace) {
    Text text;
    TraceEvent event{{{1, 1}, 0}, {}};
    for (const TextTrace::Txn& txn : trace.txns) {
        ++event.dot.counter;
        for (const TextTrace::Patch& patch : txn.patches) edit(text, patch, 0, event, false);
    }
    return text;
}

/// Makes the events of a trace, with one replica for each agent. Several copies are edited one
/// after the other, each one behind the text of those before it.
class TraceRecorder {
public:
    explicit TraceRecorder(const TextTrace& trace)
        : trace_(trace), texts_(trace.agents_count), seen_(trace.agents_count) {}

    std::vector<TraceEvent> record(std::size_t copies) {
        for (std::size_t copy = 0; copy < copies; ++copy) record_copy(texts_[last_agent_].size());
        return std::move(events_);
    }

    [[nodiscard]] const Text& last_text() const { return texts_[last_agent_]; }

private:
    static Actor actor(std::uint32_t agent) { return {agent + 1, 1}; }

    void record_copy(std::uint64_t offset) {
        const std::size_t base = pasts_.size();
        for (const TextTrace::Txn& txn : trace_.txns) {
            VersionVector past;
            if (txn.parents.empty() && base > 0) past = pasts_.back();
            for (const std::size_t parent : txn.parents) past.join(pasts_[base + parent]);
            Text& text = texts_[txn.agent];
            deliver(text, seen_[txn.agent], past);
            TraceEvent event{{actor(txn.agent), past.counter(actor(txn.agent)) + 1}, {}};
            for (const auto& patch : txn.patches) edit(text, patch, offset, event, true);
            past.add(event.dot);
            seen_[txn.agent] = past;
            pasts_.push_back(std::move(past));
            events_.push_back(std::move(event));
            last_agent_ = txn.agent;
        }
    }

    /// Events that the past has and this replica lacks, in the order in which they were made.
    void deliver(Text& text, const VersionVector& seen, const VersionVector& past) {
        if (seen.covers(past)) return;
        std::size_t first = events_.size();
        std::uint64_t missing = seen.lacks(past);
        while (missing > 0) {
            const Dot& dot = events_[--first].dot;
            if (past.covers(dot) && !seen.covers(dot)) --missing;
        }
        for (; first < events_.size(); ++first) {
            const TraceEvent& event = events_[first];
            if (!past.covers(event.dot) || seen.covers(event.dot)) continue;
            for (const TextOp& op : event.ops) or_throw(text.apply(op, event.dot));
        }
    }

    const TextTrace& trace_;
    std::vector<Text> texts_;           // by agent
    std::vector<VersionVector> seen_;   // by agent
    std::vector<VersionVector> pasts_;  // of each transaction, itself included
    std::vector<TraceEvent> events_;
    std::uint32_t last_agent_ = 0;
};

}  // namespace syncline::test
