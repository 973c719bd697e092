#include "tests/powercut/history.hpp"

#include <algorithm>

namespace syncline::powercut {

std::string to_string(Mode mode) {
    return mode == Mode::always ? "always" : "interval";
}

std::string to_string(const State& state) {
    return to_string(state.vv) + " " + std::to_string(state.root.count) + " rows " +
           to_hex(state.root.sum);
}

// --- Marks

Bytes encode(const Mark& mark) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u8(static_cast<std::uint8_t>(mark.kind));
    out.u64(mark.now_ms);
    write(out, mark.state.vv);
    out.u64(mark.state.root.sum.high);
    out.u64(mark.state.root.sum.low);
    out.u64(mark.state.root.count);
    out.sized(mark.identity);
    write(out, mark.dot);
    out.u64(mark.hash);
    out.varint(mark.changes.size());
    for (const Change& change : mark.changes) write(out, change);
    return bytes;
}

Result<Mark> decode_mark(BytesView bytes) {
    ByteReader in(bytes);
    Mark mark;
    mark.kind = static_cast<Mark::Kind>(in.u8());
    mark.now_ms = in.u64();
    mark.state.vv = read_version_vector(in);
    mark.state.root.sum.high = in.u64();
    mark.state.root.sum.low = in.u64();
    mark.state.root.count = in.u64();
    mark.identity = in.sized();
    mark.dot = read_dot(in);
    mark.hash = in.u64();
    for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
        mark.changes.push_back(read_change(in));
    }
    if (!in.done()) return Error{Code::corrupt, "a mark in the trace is damaged"};
    return mark;
}

// --- History

History::History(Mode mode) : mode_(mode), commits_(1) {
    by_state_.emplace(to_string(State{}), beginning);
}

Result<void> History::take(const Mark& mark) {
    SYNCLINE_CHECK(let_time_pass(mark.now_ms));
    switch (mark.kind) {
        case Mark::Kind::opened:
            return open(mark);
        case Mark::Kind::committed:
            SYNCLINE_CHECK(commit(mark));
            return early_ ? promise(current_) : Result<void>();
        case Mark::Kind::told:
            return tell(mark.state.vv);
        case Mark::Kind::closing:
            ended_well_ = true;
            return {};
        case Mark::Kind::acknowledged:
        case Mark::Kind::durable:
            break;
    }
    const auto found = on_this_branch(mark.dot);
    if (!found) return Error{Code::corrupt, "told of unknown commit " + to_string(mark.dot)};
    give_out(*found);
    if (mark.kind == Mark::Kind::durable) return promise(*found);
    return acknowledge(*found, mark.now_ms);
}

/// Who knows of a commit may know of all before it.
void History::give_out(std::size_t commit) {
    for (std::size_t at = commit; at != beginning; at = commits_[at].parent) {
        if (!given_out_.insert(commits_[at].dot).second) break;
    }
}

/// What was sent is promised, whether the process thought that it was synced or not.
Result<void> History::tell(const VersionVector& vv) {
    ++told_count_;
    for (const auto& [actor, counter] : vv.entries()) {
        const Dot dot{actor, counter};
        const auto found = on_this_branch(dot);
        if (!found) return Error{Code::corrupt, "a peer has unknown commit " + to_string(dot)};
        give_out(*found);
        SYNCLINE_CHECK(promise(*found));
    }
    return {};
}

Result<void> History::acknowledge(std::size_t commit, std::uint64_t now_ms) {
    ++acknowledged_count_;
    commits_[commit].acknowledged_ms = now_ms;
    if (follows(commit, acknowledged_latest_)) acknowledged_latest_ = commit;
    if (mode_ == Mode::always || told_early_) return promise(commit);
    acknowledged_.emplace_back(now_ms, commit);
    return {};
}

Result<void> History::open(const Mark& mark) {
    if (!identity_.empty() && identity_ != mark.identity) {
        return Error{Code::corrupt, "the directory has become another replica's"};
    }
    identity_ = mark.identity;
    SYNCLINE_TRY(current_, find(mark.state));
    if (!power_lost_ && !follows(current_, acknowledged_latest_)) {
        return Error{Code::corrupt, "the end of a process took acknowledged commits: found " +
                                        to_string(mark.state)};
    }
    power_lost_ = false;
    ended_well_ = false;
    acknowledged_latest_ = current_;
    for (std::size_t at = current_; at != beginning; at = commits_[at].parent) {
        latest_[commits_[at].dot] = at;
    }
    acknowledged_.clear();  // what is not here was lost, rightly
    return promise(current_);
}

Result<void> History::commit(const Mark& mark) {
    if (was_given_out(mark.dot)) {
        return Error{Code::corrupt,
                     "no new name: " + to_string(mark.dot) + " was given out before"};
    }
    const std::size_t index = commits_.size();
    commits_.push_back(Commit{mark.state, mark.dot, mark.hash, mark.now_ms, mark.changes, current_,
                              commits_[current_].depth + 1});
    by_state_.emplace(to_string(mark.state), index);
    latest_[mark.dot] = index;
    current_ = index;
    return {};
}

Result<void> History::let_time_pass(std::uint64_t now_ms) {
    now_ms_ = std::max(now_ms_, now_ms);
    while (!acknowledged_.empty() && acknowledged_.front().first + window_ms < now_ms_) {
        SYNCLINE_CHECK(promise(acknowledged_.front().second));
        acknowledged_.pop_front();
    }
    return {};
}

/// Promises are kept by all later ones: the model goes along with them.
Result<void> History::promise(std::size_t commit) {
    if (follows(promised_, commit)) return {};
    if (!follows(commit, promised_)) {
        return Error{Code::corrupt, "commit " + to_string(commits_[commit].dot) +
                                        " is not based on what had been promised"};
    }
    promised_model_ = model_of(commit);
    promised_ = commit;
    return {};
}

bool History::follows(std::size_t commit, std::size_t earlier) const {
    while (commits_[commit].depth > commits_[earlier].depth) commit = commits_[commit].parent;
    return commit == earlier;
}

std::optional<std::size_t> History::on_this_branch(const Dot& dot) const {
    const auto found = latest_.find(dot);
    if (found == latest_.end() || !follows(current_, found->second)) return std::nullopt;
    return found->second;
}

Result<std::size_t> History::find(const State& state) const {
    const auto [first, last] = by_state_.equal_range(to_string(state));
    for (auto candidate = first; candidate != last; ++candidate) {
        if (follows(candidate->second, promised_)) return candidate->second;
    }
    const State& promised = commits_[promised_].state;
    const std::string both = " found " + to_string(state) + ", promised " + to_string(promised);
    if (!state.vv.covers(promised.vv))
        return Error{Code::corrupt, "promised commits are lost:" + both};
    if (first == last) return Error{Code::corrupt, "a state that no commit had made:" + both};
    return Error{Code::corrupt, "a state beside what was promised:" + both};
}

Model History::model_of(std::size_t commit) const {
    std::vector<std::size_t> path;
    for (std::size_t at = commit; at != promised_; at = commits_[at].parent) path.push_back(at);
    Model model = promised_model_;
    for (auto at = path.rbegin(); at != path.rend(); ++at) {
        model.apply(commits_[*at].changes, commits_[*at].now_ms);
    }
    return model;
}

History::Loss History::acknowledged_after(std::size_t commit) const {
    Loss loss;
    for (std::size_t at = current_; !follows(commit, at); at = commits_[at].parent) {
        const std::optional<std::uint64_t> acknowledged_ms = commits_[at].acknowledged_ms;
        if (!acknowledged_ms) continue;
        ++loss.commits;
        loss.oldest_ms = std::max(loss.oldest_ms, now_ms_ - *acknowledged_ms);
    }
    return loss;
}

const History::Commit* History::event_before(std::size_t commit, const Dot& dot) const {
    for (std::size_t at = commit; at != beginning; at = commits_[at].parent) {
        if (commits_[at].dot == dot) return &commits_[at];
    }
    return nullptr;
}

}  // namespace syncline::powercut
