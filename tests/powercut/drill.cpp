#include "tests/powercut/drill.hpp"

#include <algorithm>
#include <set>

#include "storage/segment.hpp"
#include "tests/support/seeds.hpp"

namespace syncline::powercut {
namespace {

Forgotten forgotten_by(Planted planted) {
    switch (planted) {
        case Planted::forget_log_sync:
            return Forgotten::log;
        case Planted::forget_base_sync:
            return Forgotten::base;
        case Planted::forget_directory_sync:
            return Forgotten::directories;
        case Planted::forget_small_file_sync:
            return Forgotten::small_files;
        case Planted::forget_provisional_sync:
            return Forgotten::provisional_mark;
        case Planted::forget_mark_sync:
            return Forgotten::small_file_names;
        default:  // no fault of the disk
            break;
    }
    return Forgotten::nothing;
}

/// Where a trace is in the lives that it shows.
struct Phase {
    bool created = false;  ///< some program has opened the directory
    bool opening = false;  ///< a program has begun and has not opened it yet

    void take(const Record& record, bool is_opened) {
        if (record.kind == Kind::process) opening = true;
        if (is_opened) opening = false;
        created = created || is_opened;
    }
};

/// Moments to cut at, ascending, a moment perhaps several times. A tenth is while the directory is
/// made, another one while it is opened again; those are few records beside all others.
std::vector<std::size_t> draw_cuts(const Trace& trace, std::size_t first, std::size_t count,
                                   Random& random) {
    std::vector<std::size_t> creating;
    std::vector<std::size_t> opening;
    Phase phase;
    for (std::size_t index = 0; index < trace.records().size(); ++index) {
        const Record& record = trace.records()[index];
        const bool opened = record.kind == Kind::mark && !record.payload.empty() &&
                            record.payload.front() == static_cast<char>(Mark::Kind::opened);
        phase.take(record, opened);
        if (index < first || !phase.opening) continue;
        (phase.created || first > 1 ? opening : creating).push_back(index + 1);
    }
    std::vector<std::size_t> cuts;
    const std::size_t span = trace.records().size() - first;
    const std::size_t tenth = count / 10;
    for (const auto* few : {&creating, &opening}) {
        for (std::size_t index = 0; index < tenth && !few->empty(); ++index) {
            cuts.push_back((*few)[random.below(few->size())]);
        }
    }
    while (cuts.size() < count) cuts.push_back(first + 1 + random.below(span));
    std::sort(cuts.begin(), cuts.end());
    return cuts;
}

class Replay {
public:
    Replay(const Recording& recording, const CutOptions& options,
           const std::filesystem::path& place, DrillFigures& figures, Trace trace, History history)
        : recording_(recording),
          options_(options),
          place_(place),
          figures_(figures),
          trace_(std::move(trace)),
          history_(std::move(history)),
          random_(options.seed) {
        phase_.created = !recording.past.empty();
        if (options.planted == Planted::early_acknowledgement) history_.acknowledge_early();
        if (options.planted == Planted::early_peers) history_.tell_early();
    }

    Result<std::optional<Finding>> run(Recording* next) {
        std::vector<std::size_t> cuts =
            draw_cuts(trace_, recording_.prologue, options_.states, random_);
        if (options_.only_cut) cuts = {*options_.only_cut};
        // A late one, so that there is a past to speak of.
        const std::size_t branch = cuts.size() - 1 - random_.below(1 + cuts.size() / 3);
        for (std::size_t index = 0; index < cuts.size(); ++index) {
            SYNCLINE_CHECK(advance(cuts[index]));
            SYNCLINE_TRY(const std::optional<Finding> finding, cut());
            if (finding) return finding;
            if (next != nullptr && index == branch) SYNCLINE_CHECK(begin(*next));
        }
        return finish();
    }

private:
    Result<void> advance(std::size_t cut) {
        for (; at_ < cut; ++at_) {
            if (forgets_now()) model_.forget(forgotten_by(options_.planted));
            const Record& record = trace_.records()[at_];
            SYNCLINE_CHECK(model_.apply(record));
            bool opened = false;
            if (record.kind == Kind::mark) {
                SYNCLINE_TRY(const Mark mark, decode_mark(record.payload));
                SYNCLINE_CHECK(history_.take(mark));
                opened = mark.kind == Mark::Kind::opened;
            }
            phase_.take(record, opened);
            count(record);
        }
        return {};
    }

    /// The mark matters when there was another identity before.
    [[nodiscard]] bool forgets_now() const {
        if (options_.planted == Planted::forget_mark_sync) return phase_.created;
        return at_ == recording_.prologue;
    }

    Result<std::optional<Finding>> cut() {
        const std::uint64_t draw = options_.only_cut ? options_.only_draw : random_.next();
        const std::filesystem::path state = place_ / "state";
        std::filesystem::remove_all(state);
        std::filesystem::create_directories(state);
        test::SeededRandom random(draw);
        SYNCLINE_TRY(const StateFigures built, model_.build(state.string(), random));
        const Verdict verdict = verify(data_path(state.string()), history_, options_.mode,
                                       random.next(), options_.planted);
        add(built, verdict);
        if (verdict.failure.empty()) return std::optional<Finding>();
        return std::optional<Finding>(Finding{verdict.failure, figures_.states, at_, draw});
    }

    void add(const StateFigures& built, const Verdict& verdict) {
        ++figures_.states;
        figures_.in_creation += phase_.created ? 0 : 1;
        figures_.in_recovery += phase_.created && phase_.opening ? 1 : 0;
        figures_.torn += built.sectors_old > 0 && built.sectors_new > 0 ? 1 : 0;
        figures_.names += built.names_pending > 0 ? 1 : 0;
        figures_.sectors_old += built.sectors_old;
        figures_.sectors_new += built.sectors_new;
        figures_.opens += verdict.opens;
        figures_.events_compared += verdict.events_compared;
        figures_.unpromised_kept += verdict.unpromised_kept;
        figures_.unpromised_lost += verdict.unpromised_lost;
        figures_.acknowledged_lost += verdict.acknowledged_lost.commits;
        figures_.states_with_loss += verdict.acknowledged_lost.commits > 0 ? 1 : 0;
        figures_.loss_ms_max = std::max(figures_.loss_ms_max, verdict.acknowledged_lost.oldest_ms);
        figures_.provisional += verdict.provisional ? 1 : 0;
        figures_.new_incarnations += verdict.new_incarnation ? 1 : 0;
    }

    /// What is left becomes the beginning of another recording.
    Result<void> begin(Recording& next) {
        std::filesystem::create_directories(next.root);
        SYNCLINE_TRY(const StateFigures built, model_.build(next.root, random_));
        (void)built;  // figures are of states that are checked at once
        next.past = recording_.past;
        next.past.push_back(Past{recording_.trace, at_});
        return write_prologue(next);
    }

    /// The rest of the trace. Then it must say what is in the directory.
    Result<std::optional<Finding>> finish() {
        if (options_.only_cut) return std::optional<Finding>();
        SYNCLINE_CHECK(advance(trace_.records().size()));
        SYNCLINE_CHECK(model_.compare(recording_.root));
        figures_.commits += history_.commits_count();
        figures_.acknowledged += history_.acknowledged_count();
        figures_.told += history_.told_count();
        figures_.records += trace_.records().size();
        ++figures_.recordings;
        return std::optional<Finding>();
    }

    void count(const Record& record) {
        const auto add = [&record](std::size_t& figure, Kind kind) {
            if (record.kind == kind) ++figure;
        };
        add(figures_.lives, Kind::process);
        add(figures_.syncs, Kind::sync_end);
        add(figures_.files_made, Kind::make_file);
        add(figures_.files_removed, Kind::remove_file);
        add(figures_.checkpoints, Kind::write_synced);
        if (record.kind == Kind::make_file) segments_.erase(record.file);
        const bool header = record.kind == Kind::write && record.number == 0 &&
                            record.payload.size() == segment_header_bytes &&
                            record.payload.substr(8, 8) == "SYNCLLOG";
        if (!header) return;
        ++figures_.segments;
        if (!segments_.insert(record.file).second) ++figures_.recycled;
    }

    const Recording& recording_;
    const CutOptions& options_;
    const std::filesystem::path& place_;
    DrillFigures& figures_;
    Trace trace_;
    History history_;
    test::SeededRandom random_;
    DiskModel model_;
    Phase phase_;
    std::set<std::uint64_t> segments_;  // files that have had a header
    std::size_t at_ = 0;
};

}  // namespace

Result<std::optional<Finding>> cut_power(const Recording& recording, const CutOptions& options,
                                         const std::filesystem::path& place, DrillFigures& figures,
                                         Recording* next) {
    SYNCLINE_TRY(Trace trace, Trace::load(recording.trace));
    SYNCLINE_TRY(History history, history_of(recording.past, options.mode));
    if (trace.records().size() <= recording.prologue || options.states == 0) {
        return Error{Code::corrupt, "there is nothing to cut in " + recording.trace};
    }
    Replay replay(recording, options, place, figures, std::move(trace), std::move(history));
    return replay.run(next);
}

}  // namespace syncline::powercut
