#include "tools/resubmit.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "core/engine/event_text.hpp"
#include "core/engine/resubmission.hpp"
#include "net/endpoint.hpp"
#include "net/resp_client.hpp"
#include "tools/console.hpp"
#include "tools/exit_codes.hpp"
#include "tools/lost_events.hpp"
#include "tools/progress.hpp"
#include "tools/reply.hpp"
#include "tools/resubmission_journal.hpp"

namespace syncline {
namespace {

using LineState = ResubmissionJournal::State;

/// One transaction may be all keys' removal, and waits for a sync.
constexpr std::uint64_t resubmit_timeout_ms = 60000;
constexpr std::size_t operations_shown_max = 4;

Error resubmit_usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

/// Line by line: its number from 1, the transaction, and how many bytes have been read.
using LineVisitor =
    std::function<Result<void>(std::uint64_t number, const LostTransaction& lost, std::uint64_t)>;

Result<void> each_lost_line(const std::string& path, const LineVisitor& visit) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return resubmit_usage("cannot open '" + path + "'");
    std::string line;
    std::uint64_t bytes = 0;
    for (std::uint64_t number = 1; std::getline(file, line); ++number) {
        bytes += line.size() + 1;
        Result<LostTransaction> lost = read_lost_line(line);
        if (!lost) {
            return resubmit_usage("line " + std::to_string(number) + " of '" + path +
                                  "': " + lost.error().message);
        }
        SYNCLINE_CHECK(visit(number, *lost, bytes));
    }
    return file.bad() ? Result<void>(Error{Code::io, "cannot read '" + path + "'"})
                      : Result<void>();
}

std::string event_summary(const Event& event) {
    std::string text = to_string(event.dot) + ":";
    for (std::size_t i = 0; i < event.ops.size() && i < operations_shown_max; ++i) {
        text += (i == 0 ? " " : "; ") + harmless(describe(event.ops[i]), 60);
    }
    if (event.ops.size() > operations_shown_max) {
        text += fmt::format("; {} more", event.ops.size() - operations_shown_max);
    }
    return text;
}

/// What the file and its journal say together.
struct ResubmitPlan {
    std::uint64_t lines = 0;
    std::uint64_t done = 0;
    std::uint64_t clearing = 0;  ///< of those to be sent: they remove all keys
    std::uint64_t bytes = 0;     ///< of the file
    std::uint64_t unanswered = 0;
    std::string unanswered_summary;
    [[nodiscard]] std::uint64_t left() const { return lines - done; }
};

Result<ResubmitPlan> resubmit_plan(const ResubmitOptions& options,
                                   const ResubmissionJournal& journal,
                                   ResubmissionHistory& history) {
    ResubmitPlan plan;
    const auto look = [&](std::uint64_t number, const LostTransaction& lost,
                          std::uint64_t bytes) -> Result<void> {
        plan.lines = number;
        plan.bytes = bytes;
        const ResubmissionJournal::Entry* const entry = journal.find(number);
        if (entry != nullptr && entry->event != lost.event.dot) {
            return resubmit_usage("'" + options.input + ".done' is of another file: its line " +
                                  std::to_string(number) + " was " + to_string(entry->event));
        }
        const LineState state = entry == nullptr ? LineState::unsent : entry->state;
        if (state == LineState::done) {
            ++plan.done;
            history.note(lost.event, entry->result);
            return {};
        }
        if (state == LineState::sent) {
            plan.unanswered = number;
            plan.unanswered_summary = event_summary(lost.event);
        }
        for (const Op& op : lost.event.ops) {
            if (!std::holds_alternative<ClearBuckets>(op)) continue;
            ++plan.clearing;
            break;
        }
        if (options.dry_run) fmt::print("line {}: {}\n", number, event_summary(lost.event));
        return {};
    };
    SYNCLINE_CHECK(each_lost_line(options.input, look));
    return plan;
}

/// The sending of one file.
class Resubmitter {
public:
    Resubmitter(const ResubmitOptions& options, RespClient client, ResubmissionJournal& journal,
                ResubmissionHistory& history)
        : options_(options), client_(std::move(client)), journal_(journal), history_(history) {}

    /// Errors: of the member and the journal. What has been taken is noted then.
    Result<void> take(std::uint64_t number, const LostTransaction& lost);
    [[nodiscard]] std::string text() const {
        return fmt::format(
            "{} new transactions, {} were there already, {} had nothing to do, "
            "{} refused",
            done_, present_, nothing_, refused_);
    }
    [[nodiscard]] bool any_refused() const { return refused_ > 0; }
    /// Called before something is written to the terminal.
    std::function<void()> on_line = [] {};

private:
    Result<void> take_reply(std::uint64_t number, const LostTransaction& lost,
                            const RespValue& reply);
    Result<void> take_error(std::uint64_t number, const LostTransaction& lost,
                            const std::string& error);

    const ResubmitOptions& options_;
    RespClient client_;
    ResubmissionJournal& journal_;
    ResubmissionHistory& history_;
    std::uint64_t done_ = 0;
    std::uint64_t present_ = 0;
    std::uint64_t nothing_ = 0;
    std::uint64_t refused_ = 0;
};

Result<void> Resubmitter::take(std::uint64_t number, const LostTransaction& lost) {
    const ResubmissionJournal::Entry* const entry = journal_.find(number);
    const LineState state = entry == nullptr ? LineState::unsent : entry->state;
    if (state == LineState::done) return {};
    if (state == LineState::sent && options_.unanswered == "skip") {
        // Whatever became of it: how its characters are called is not known.
        return journal_.note(number, {LineState::done, lost.event.dot, {}});
    }
    const Bytes past = encode_resubmitted_past(history_.past_of(lost.event));
    SYNCLINE_CHECK(journal_.note(number, {LineState::sent, lost.event.dot, {}}));
    SYNCLINE_TRY(const RespValue reply,
                 client_.command({"CRDT.RESUBMIT", encode_lost_transaction(lost), past}));
    return reply.is_error() ? take_error(number, lost, reply.text)
                            : take_reply(number, lost, reply);
}

Result<void> Resubmitter::take_reply(std::uint64_t number, const LostTransaction& lost,
                                     const RespValue& reply) {
    SYNCLINE_TRY(Resubmitted result, decode_resubmitted(reply_text(reply, "result")));
    history_.note(lost.event, result);
    done_ += result.outcome == Resubmitted::Outcome::done ? 1 : 0;
    present_ += result.outcome == Resubmitted::Outcome::present ? 1 : 0;
    nothing_ += result.outcome == Resubmitted::Outcome::nothing ? 1 : 0;
    return journal_.note(number, {LineState::done, lost.event.dot, std::move(result)});
}

/// A conflict is the transaction's own; all else is the member's, and the next line's as well. An
/// unconfirmed write is kept there: it stays among what was not answered.
Result<void> Resubmitter::take_error(std::uint64_t number, const LostTransaction& lost,
                                     const std::string& error) {
    const bool conflict = error.starts_with("CONFLICT ");
    if (!error.starts_with("NOREPLICAS ")) {
        const LineState state = conflict ? LineState::refused : LineState::unsent;
        SYNCLINE_CHECK(journal_.note(number, {state, lost.event.dot, {}}, harmless(error)));
    }
    if (!conflict) {
        return Error{Code::io, "line " + std::to_string(number) +
                                   ": the replica answers: " + harmless(error)};
    }
    ++refused_;
    on_line();
    fmt::print(stderr, "line {}, {}\n  not resubmitted: {}\n", number, event_summary(lost.event),
               harmless(error));
    return {};
}

/// Nothing: go on. Else the exit code.
Result<std::optional<int>> decide(const ResubmitOptions& options, const ResubmitPlan& plan) {
    if (plan.unanswered > 0 && options.unanswered.empty() && !options.dry_run) {
        return resubmit_usage(
            fmt::format("line {} was sent and no answer came: {}\nlook whether it was taken, then "
                        "say --unanswered send, or --unanswered skip",
                        plan.unanswered, plan.unanswered_summary));
    }
    fmt::print("{} transactions in {}, {} of them done; {} to be sent to {}\n", plan.lines,
               options.input, plan.done, plan.left(), options.connect);
    if (plan.clearing > 0) {
        fmt::print("{} of them remove ALL keys that are there now, not only those of then\n",
                   plan.clearing);
    }
    if (options.dry_run || plan.left() == 0) return std::optional(exit_ok);
    fmt::print("they count as written now: what was written since to the same keys is replaced\n");
    if (options.yes) return std::optional<int>();
    if (::isatty(STDIN_FILENO) != 1) {
        return resubmit_usage("nothing was sent: without a terminal say --yes");
    }
    if (is_confirmed()) return std::optional<int>();
    fmt::print("nothing was sent\n");
    return std::optional(exit_failed);
}

}  // namespace

Result<int> resubmit_file(const ResubmitOptions& options) {
    SYNCLINE_TRY(const TcpEndpoint endpoint, parse_endpoint(options.connect));
    std::error_code error;
    if (!std::filesystem::is_regular_file(options.input, error)) {
        return resubmit_usage("'" + options.input + "' is no file");
    }
    SYNCLINE_TRY(ResubmissionJournal journal, ResubmissionJournal::open(options.input + ".done"));
    ResubmissionHistory history;
    SYNCLINE_TRY(const ResubmitPlan plan, resubmit_plan(options, journal, history));
    SYNCLINE_TRY(const std::optional<int> decided, decide(options, plan));
    if (decided) return *decided;
    SYNCLINE_TRY(RespClient client, connect(endpoint, resubmit_timeout_ms, options.login));
    SystemClock clock;
    ProgressLine progress("resubmit", clock.steady_ms());
    Resubmitter sending(options, std::move(client), journal, history);
    sending.on_line = [&] { progress.clear(); };
    const Result<void> sent = each_lost_line(
        options.input, [&](std::uint64_t number, const LostTransaction& lost, std::uint64_t bytes) {
            progress.show(bytes, plan.bytes, bytes, clock.steady_ms());
            return sending.take(number, lost);
        });
    progress.clear();
    fmt::print("{}\n", sending.text());
    SYNCLINE_CHECK(sent);
    return sending.any_refused() ? exit_failed : exit_ok;
}

}  // namespace syncline
