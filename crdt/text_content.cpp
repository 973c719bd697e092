#include "crdt/text_content.hpp"

#include <algorithm>
#include <tuple>

#include "crdt/text_utf8.hpp"

namespace syncline {

namespace {

using Piece = TextActorContent::Piece;
using Rows = std::span<const std::pair<TextRowName, Bytes>>;

Error corrupt(const std::string& what) {
    return Error{Code::corrupt, "text: " + what};
}

/// Puts the rows of one actor together, runs first.
class ActorReader {
public:
    explicit ActorReader(const Actor& actor) { content_.actor = actor; }

    Result<void> add_erased(const TextRowName& name, BytesView bytes) {
        SYNCLINE_TRY(const TextErasedRow row, read_text_erased_row(name, bytes));
        erased_.insert(erased_.end(), row.begin(), row.end());
        return {};
    }

    /// Precondition: the erased intervals up to its end are there.
    Result<void> add_run(const TextRowName& name, BytesView bytes) {
        SYNCLINE_TRY(TextRunRow row, read_text_run_row(name, bytes));
        TextCounters& counters = content_.counters;
        if (name.first != counters.size() || row.counter < counters.last()) {
            return corrupt(to_string(name) + " does not follow the run before it");
        }
        const bool goes_on = row.parent && row.side == Side::right &&
                             row.parent->actor == name.actor && row.parent->index + 1 == name.first;
        if (!goes_on) content_.chains.push_back({name.first, row.parent, row.side});
        counters.append(1, row.counter, 0);
        for (const TextCounters::Step& step : row.steps) {
            counters.append(step.repeat, counters.last() + step.by, step.by);
        }
        return add_pieces(name, bytes.substr(bytes.size() - row.live.size()), row.length);
    }

    Result<TextActorContent> finish() {
        const bool behind = !erased_.empty() &&
                            erased_.back().first + erased_.back().second > content_.counters.size();
        if (behind) return corrupt("erased characters that nobody inserted");
        return std::move(content_);
    }

private:
    Result<void> add_pieces(const TextRowName& name, BytesView live, std::uint64_t length) {
        const std::uint64_t end = name.first + length;
        for (std::uint64_t index = name.first; index < end;) {
            while (next_ < erased_.size() && erased_end() <= index) ++next_;
            const bool more = next_ < erased_.size();
            const bool gone = more && erased_[next_].first <= index;
            const std::uint64_t stop = !more ? end : gone ? erased_end() : erased_[next_].first;
            Piece piece{index, std::min(stop, end) - index, {}};
            if (!gone) {
                piece.text = live.substr(0, point_offset(live, piece.length));
                live.remove_prefix(piece.text.size());
                if (count_points(piece.text) != piece.length) return wrong_length(name);
            }
            content_.pieces.push_back(piece);
            index += piece.length;
        }
        if (!live.empty()) return wrong_length(name);
        return {};
    }

    static Error wrong_length(const TextRowName& name) {
        return corrupt(to_string(name) + " has not the text that its erased characters leave");
    }

    [[nodiscard]] std::uint64_t erased_end() const {
        return erased_[next_].first + erased_[next_].second;
    }

    TextActorContent content_;
    TextErasedRow erased_;  // of all rows; intervals of neighbouring rows may touch
    std::size_t next_ = 0;  // the first interval that is not behind the last piece
};

/// Walks through pieces in steps that its reader chooses.
class PieceWalk {
public:
    explicit PieceWalk(const std::vector<Piece>& pieces) : pieces_(pieces) { open(); }

    [[nodiscard]] bool done() const { return rest_.length == 0; }
    [[nodiscard]] std::uint64_t left() const { return rest_.length; }

    /// The next elements. Precondition: length <= left().
    Piece take(std::uint64_t length) {
        Piece piece{rest_.first, length, {}};
        if (!rest_.text.empty()) {
            piece.text = rest_.text.substr(0, point_offset(rest_.text, length));
            rest_.text.remove_prefix(piece.text.size());
        }
        rest_.first += length;
        rest_.length -= length;
        if (done()) open();
        return piece;
    }

private:
    void open() { rest_ = next_ < pieces_.size() ? pieces_[next_++] : Piece{}; }

    const std::vector<Piece>& pieces_;
    std::size_t next_ = 0;
    Piece rest_;
};

/// What is erased on one side is erased. False when live elements differ.
bool join_pieces(const TextActorContent& longer, const TextActorContent& shorter,
                 std::vector<Piece>& joined) {
    PieceWalk mine(longer.pieces);
    PieceWalk theirs(shorter.pieces);
    while (!mine.done()) {
        const std::uint64_t length =
            theirs.done() ? mine.left() : std::min(mine.left(), theirs.left());
        Piece piece = mine.take(length);
        if (theirs.left() > 0) {
            const Piece other = theirs.take(length);
            const bool both_live = !piece.text.empty() && !other.text.empty();
            if (both_live && piece.text != other.text) return false;
            if (!both_live) piece.text = {};
        }
        joined.push_back(piece);
    }
    return true;
}

Result<TextActorContent> join_actor(const TextActorContent& a, const TextActorContent& b) {
    const bool a_longer = a.counters.size() >= b.counters.size();
    const TextActorContent& longer = a_longer ? a : b;
    const TextActorContent& shorter = a_longer ? b : a;
    const std::uint64_t common = shorter.counters.size();
    const auto end = std::find_if(longer.chains.begin(), longer.chains.end(),
                                  [&](const auto& chain) { return chain.first >= common; });
    TextActorContent joined{longer.actor, longer.chains, {}, longer.counters};
    const bool agree =
        std::equal(longer.chains.begin(), end, shorter.chains.begin(), shorter.chains.end()) &&
        longer.counters.same_prefix(shorter.counters, common) &&
        join_pieces(longer, shorter, joined.pieces);
    if (!agree) return corrupt("two states of " + to_string(a.actor) + " contradict each other");
    return joined;
}

}  // namespace

Result<TextContent> read_text_content(Rows rows) {
    std::vector<const std::pair<TextRowName, Bytes>*> sorted;
    sorted.reserve(rows.size());
    for (const auto& row : rows) sorted.push_back(&row);
    // By actor; of one actor erased rows first, because they say what the text of runs is of.
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
        return std::tie(a->first.actor, b->first.kind, a->first.first) <
               std::tie(b->first.actor, a->first.kind, b->first.first);
    });
    TextContent content;
    for (std::size_t i = 0; i < sorted.size();) {
        const Actor actor = sorted[i]->first.actor;
        ActorReader reader(actor);
        const TextRowName* last = nullptr;
        for (; i < sorted.size() && sorted[i]->first.actor == actor; ++i) {
            const auto& [name, bytes] = *sorted[i];
            if (last != nullptr && *last == name) return corrupt(to_string(name) + " stands twice");
            const bool run = name.kind == TextRowName::Kind::run;
            SYNCLINE_CHECK(run ? reader.add_run(name, bytes) : reader.add_erased(name, bytes));
            last = &name;
        }
        SYNCLINE_TRY(TextActorContent finished, reader.finish());
        content.actors.push_back(std::move(finished));
    }
    return content;
}

Result<TextContent> join_text_contents(const TextContent& a, const TextContent& b) {
    TextContent joined;
    auto left = a.actors.begin();
    auto right = b.actors.begin();
    while (left != a.actors.end() || right != b.actors.end()) {
        if (right == b.actors.end() || (left != a.actors.end() && left->actor < right->actor)) {
            joined.actors.push_back(*left++);
        } else if (left == a.actors.end() || right->actor < left->actor) {
            joined.actors.push_back(*right++);
        } else {
            SYNCLINE_TRY(TextActorContent both, join_actor(*left++, *right++));
            joined.actors.push_back(std::move(both));
        }
    }
    return joined;
}

}  // namespace syncline
