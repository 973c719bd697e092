#include "core/merkle/session.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/base/limits.hpp"
#include "storage/tables.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t hash_mask = (std::uint64_t{1} << 40) - 1;
/// At or below this many rows tags cost less than another level of hashes.
constexpr std::uint64_t leaf_rows_fanout_4 = 10;
constexpr std::uint64_t leaf_rows_fanout_16 = 24;
/// An `all` node with more rows than this is served bucket by bucket.
constexpr std::uint64_t rows_at_once = 4096;

Error senseless(std::string_view what) {
    return Error{Code::corrupt, "a Merkle session's " + std::string(what) + " makes no sense"};
}

Bytes hash_input(const LeafSum& sum) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.u64(sum.sum.high);
    out.u64(sum.sum.low);
    out.u64(sum.count);
    return bytes;
}

}  // namespace

// --- SessionTree

SessionTree::SessionTree(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store,
                         std::uint64_t nonce, unsigned fanout_bits)
    : snapshot_(std::move(snapshot)),
      store_(store),
      nonce_(nonce),
      fanout_bits_(fanout_bits),
      leaf_rows_(fanout_bits == 2 ? leaf_rows_fanout_4 : leaf_rows_fanout_16) {}

LeafSum SessionTree::sum(const Node& node) const {
    if (node.bits == 0) return snapshot_->sums.root();
    return snapshot_->sums.under(node.prefix, node.bits);
}

std::uint64_t SessionTree::hash(const Node& node) const {
    return hash64(hash_input(sum(node)), nonce_) & hash_mask;
}

std::vector<SessionTree::Node> SessionTree::children(const Node& node) const {
    const unsigned bits = std::min(fanout_bits_, snapshot_->sums.bits() - node.bits);
    std::vector<Node> nodes;
    for (std::uint64_t i = 0; i < std::uint64_t{1} << bits; ++i) {
        nodes.push_back(Node{node.prefix << bits | i, node.bits + bits});
    }
    return nodes;
}

bool SessionTree::is_leaf(const Node& node) const {
    return node.bits == snapshot_->sums.bits() || sum(node).count <= leaf_rows_;
}

std::vector<SessionTree::Node> SessionTree::buckets(const Node& node) const {
    const unsigned bits = snapshot_->sums.bits() - node.bits;
    std::vector<Node> nodes;
    for (std::uint64_t i = 0; i < std::uint64_t{1} << bits; ++i) {
        nodes.push_back(Node{node.prefix << bits | i, snapshot_->sums.bits()});
    }
    return nodes;
}

std::uint32_t SessionTree::tag(const LeafSum& row) const {
    return static_cast<std::uint32_t>(hash64(hash_input(row), nonce_ + 1));
}

Result<std::vector<SessionTree::HashedRow>> SessionTree::rows(const Node& node) {
    std::vector<HashedRow> rows;
    LeafSum total;
    const auto visit = [&](BytesView key, BytesView value) {
        const LeafSum hash = snapshot_->sums.row(key, value);
        total += hash;
        rows.push_back(HashedRow{Bytes(key), Bytes(value), hash});
        return true;
    };
    // Damaged rows end a scan, so what is excluded is left out beforehand.
    std::vector<Node> parts = {node};
    if (!snapshot_->excluded.empty()) {
        parts = buckets(node);
        std::erase_if(parts, [&](const Node& bucket) {
            return snapshot_->excluded.contains(static_cast<std::uint32_t>(bucket.prefix));
        });
    }
    Result<void> scanned;
    for (std::size_t i = 0; scanned && i < parts.size(); ++i) {
        const RowRange range = rows_of_prefix(parts[i].prefix, parts[i].bits);
        scanned = store_.scan_base(Table::cells, range.first, range.last, visit);
    }
    if (scanned && total == sum(node)) return rows;
    damaged_ = node;
    if (!scanned) return scanned.error();
    return Error{Code::corrupt, "rows under prefix " + std::to_string(node.prefix) + "/" +
                                    std::to_string(node.bits) +
                                    " do not add up to their leaf sums"};
}

std::optional<std::vector<std::uint16_t>> SessionTree::compare(
    const std::vector<Node>& frontier, const std::vector<std::uint64_t>& hashes) const {
    std::vector<std::uint16_t> masks;
    std::size_t next = 0;
    for (const Node& node : frontier) {
        unsigned mask = 0;
        unsigned bit = 1;
        for (const Node& child : children(node)) {
            if (next == hashes.size()) return std::nullopt;
            if (hash(child) != hashes[next++]) mask |= bit;
            bit <<= 1;
        }
        masks.push_back(static_cast<std::uint16_t>(mask));
    }
    if (next != hashes.size()) return std::nullopt;
    return masks;
}

std::optional<std::vector<SessionTree::Node>> SessionTree::select(
    const std::vector<Node>& frontier, const std::vector<std::uint16_t>& masks) const {
    if (masks.size() != frontier.size()) return std::nullopt;
    std::vector<Node> selected;
    for (std::size_t i = 0; i < frontier.size(); ++i) {
        const std::vector<Node> nodes = children(frontier[i]);
        for (std::size_t j = 0; j < 16; ++j) {
            if ((masks[i] >> j & 1) == 0) continue;
            if (j >= nodes.size()) return std::nullopt;
            selected.push_back(nodes[j]);
        }
    }
    return selected;
}

// --- SessionServer

SessionServer::SessionServer(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store,
                             const SessionOpen& open)
    : open_(open),
      tree_(std::move(snapshot), store, open.nonce, static_cast<unsigned>(open.fanout_bits)) {}

Message SessionServer::opened() {
    const HeldCheckpoint& snapshot = tree_.snapshot();
    SessionOpened opened;
    opened.session = session();
    opened.vv = snapshot.vv;
    opened.cut = snapshot.cut;
    opened.hlc = snapshot.hlc;
    opened.root = snapshot.sums.root();
    opened.position = snapshot.position;
    if (open_.vv.covers(snapshot.vv)) {
        opened.verdict = SessionOpened::Verdict::nothing;
    } else if (open_.root_hash == tree_.hash(SessionTree::Node{})) {
        opened.verdict = SessionOpened::Verdict::equal;
    } else {
        opened.verdict = SessionOpened::Verdict::descend;
        frontier_ = {SessionTree::Node{}};
        for (const SessionTree::Node& child : tree_.children(frontier_[0])) {
            opened.hashes.push_back(tree_.hash(child));
        }
    }
    return opened;
}

Result<std::optional<Message>> SessionServer::receive(const Message& message) {
    std::optional<std::uint16_t> name;
    std::uint64_t step = 0;
    const auto header = [&](const auto& request) {
        name = request.session;
        step = request.step;
    };
    const auto* level_request = std::get_if<SessionLevel>(&message);
    const auto* tags_request = std::get_if<SessionTagsRequest>(&message);
    const auto* rows_request = std::get_if<SessionRowsRequest>(&message);
    if (level_request != nullptr) header(*level_request);
    if (tags_request != nullptr) header(*tags_request);
    if (rows_request != nullptr) header(*rows_request);
    if (name != session() || step > step_ + 1) return std::optional<Message>();
    if (step <= step_) return step == step_ ? answer_ : std::optional<Message>();

    step_ = step;
    if (level_request != nullptr) {
        SYNCLINE_TRY(answer_, level(*level_request));
    } else if (tags_request != nullptr) {
        SYNCLINE_TRY(answer_, tags(tags_request->first));
    } else if (rows_request != nullptr) {
        SYNCLINE_TRY(answer_, rows(*rows_request));
    }
    return answer_;
}

bool SessionServer::has_rows_for(const SessionRowsRequest& request) const {
    if (request.session != session()) return false;
    if (request.step == step_ + 1) return true;
    const auto* last = answer_ ? std::get_if<SessionRows>(&*answer_) : nullptr;
    return request.step == step_ && last != nullptr && !last->rows.empty();
}

Result<std::optional<Message>> SessionServer::put_off(const SessionRowsRequest& request) {
    if (request.session != session() || request.step != step_ + 1) return std::optional<Message>();
    if (!request.go_on) SYNCLINE_CHECK(want(request));
    SessionRows nothing_yet;
    nothing_yet.session = session();
    nothing_yet.step = ++step_;
    nothing_yet.more = true;
    answer_ = std::move(nothing_yet);
    return answer_;
}

Result<Message> SessionServer::level(const SessionLevel& request) {
    const auto selected = tree_.select(frontier_, request.masks);
    if (!selected || selected->size() != request.kinds.size()) return senseless("level");
    frontier_.clear();
    for (std::size_t i = 0; i < selected->size(); ++i) {
        const SessionTree::Node& node = (*selected)[i];
        if (request.kinds[i] != SessionLevel::inner) {
            leaves_.push_back(Leaf{node, request.kinds[i] == SessionLevel::all});
        } else if (node.bits < tree_.snapshot().sums.bits()) {
            frontier_.push_back(node);
        } else {
            return senseless("level");
        }
    }
    if (frontier_.empty()) return tags(0);

    SessionLevel answer;
    answer.session = session();
    answer.step = step_;
    std::optional<std::vector<std::uint16_t>> masks = tree_.compare(frontier_, request.hashes);
    if (!masks) return senseless("level");
    answer.masks = std::move(*masks);
    std::vector<SessionTree::Node> inner;
    const auto differing = tree_.select(frontier_, answer.masks);
    for (const SessionTree::Node& node : *differing) {
        const bool leaf = tree_.is_leaf(node);
        answer.kinds.push_back(leaf ? SessionLevel::leaf : SessionLevel::inner);
        if (leaf) {
            leaves_.push_back(Leaf{node, false});
            continue;
        }
        inner.push_back(node);
        for (const SessionTree::Node& child : tree_.children(node)) {
            answer.hashes.push_back(tree_.hash(child));
        }
    }
    frontier_ = std::move(inner);
    return Message(std::move(answer));
}

Result<Message> SessionServer::tags(std::uint64_t first) {
    if (first > leaves_.size()) return senseless("request for tags");
    SessionTags answer;
    answer.session = session();
    answer.step = step_;
    answer.first = first;
    tagged_.clear();
    std::size_t bytes = 0;
    for (std::uint64_t i = first; i < leaves_.size(); ++i) {
        if (bytes > limits::session_message_bytes_target) break;
        std::vector<std::uint32_t> tags;
        if (!leaves_[i].all) {
            SYNCLINE_TRY(const auto rows, tree_.rows(leaves_[i].node));
            for (const SessionTree::HashedRow& row : rows) tags.push_back(tree_.tag(row.hash));
        }
        bytes += 1 + 4 * tags.size();
        tagged_.emplace_back(i, tags.size());
        answer.nodes.push_back(std::move(tags));
    }
    return Message(std::move(answer));
}

/// Puts what a request asks for into the queue of wanted rows.
Result<void> SessionServer::want(const SessionRowsRequest& request) {
    auto next = request.rows.begin();
    std::uint64_t first = 0;  // index of the node's first row among all tags sent
    for (const auto& [leaf, rows_count] : tagged_) {
        const SessionTree::Node& node = leaves_[leaf].node;
        if (!leaves_[leaf].all) {
            Wanted wanted{node, false, {}};
            for (; next != request.rows.end() && *next < first + rows_count; ++next) {
                if (*next < first) return senseless("request for rows");
                wanted.rows.push_back(*next - first);
            }
            first += rows_count;
            if (!wanted.rows.empty()) wanted_.push_back(std::move(wanted));
        } else if (tree_.sum(node).count <= rows_at_once) {
            wanted_.push_back(Wanted{node, true, {}});
        } else {
            for (const SessionTree::Node& bucket : tree_.buckets(node)) {
                if (tree_.sum(bucket).count > 0) wanted_.push_back(Wanted{bucket, true, {}});
            }
        }
    }
    if (next != request.rows.end()) return senseless("request for rows");
    return {};
}

Result<Message> SessionServer::rows(const SessionRowsRequest& request) {
    if (!request.go_on) SYNCLINE_CHECK(want(request));
    SessionRows answer;
    answer.session = session();
    answer.step = step_;
    std::size_t bytes = 0;
    while (bytes < rows_bytes_target_ && !(wanted_.empty() && ready_.empty())) {
        if (!ready_.empty()) {
            bytes += ready_.front().key.size() + ready_.front().value.size() + 8;
            answer.rows.push_back(std::move(ready_.front()));
            ready_.pop_front();
            continue;
        }
        SYNCLINE_TRY(auto rows, tree_.rows(wanted_.front().node));
        if (wanted_.front().all) {
            for (auto& row : rows) {
                ready_.push_back(SessionRows::Item{std::move(row.key), std::move(row.value)});
            }
        }
        for (const std::uint64_t index : wanted_.front().rows) {
            ready_.push_back(SessionRows::Item{rows[index].key, rows[index].value});
        }
        wanted_.pop_front();
    }
    answer.more = !(wanted_.empty() && ready_.empty());
    return Message(std::move(answer));
}

// --- SessionPuller

SessionPuller::SessionPuller(std::shared_ptr<const HeldCheckpoint> snapshot, Store& store,
                             std::uint64_t nonce, unsigned fanout_bits, Purpose purpose)
    : tree_(std::move(snapshot), store, nonce, fanout_bits),
      nonce_(nonce),
      fanout_bits_(fanout_bits),
      purpose_(purpose),
      staged_bytes_max_(purpose == Purpose::compare ? limits::comparison_staged_bytes_max
                                                    : limits::session_staged_bytes_max) {}

Message SessionPuller::open() const {
    SessionOpen open;
    open.nonce = nonce_;
    open.fanout_bits = fanout_bits_;
    // A server that is not ahead of this vector answers that there is nothing new.
    if (purpose_ == Purpose::adopt) open.vv = tree_.snapshot().vv;
    open.root_hash = tree_.hash(SessionTree::Node{});
    return open;
}

std::string SessionPuller::describe() const {
    return "step " + std::to_string(step_) + ", " + std::to_string(leaves_.size()) +
           " leaf nodes, " + std::to_string(tagged_) + " compared, " +
           std::to_string(staged_.size()) + " rows staged";
}

Result<std::optional<Message>> SessionPuller::receive(const Message& message) {
    const std::optional<Message> nothing;
    if (state_ != State::running) return nothing;
    if (const auto* opened = std::get_if<SessionOpened>(&message)) {
        // step_ > 0: a repeated answer to an OPEN that was answered before.
        return opened->session == session() && step_ == 0 ? on_opened(*opened) : nothing;
    }
    const auto current = [&](const auto& answer) {
        return answer.session == session() && answer.step == step_ && step_ > 0;
    };
    if (const auto* level = std::get_if<SessionLevel>(&message)) {
        return current(*level) ? on_level(*level) : nothing;
    }
    if (const auto* tags = std::get_if<SessionTags>(&message)) {
        return current(*tags) ? on_tags(*tags) : nothing;
    }
    if (const auto* rows = std::get_if<SessionRows>(&message)) {
        return current(*rows) ? on_rows(*rows) : nothing;
    }
    return nothing;
}

Result<std::optional<Message>> SessionPuller::on_opened(const SessionOpened& opened) {
    opened_ = opened;
    switch (opened.verdict) {
        case SessionOpened::Verdict::busy:
            state_ = State::busy;
            break;
        case SessionOpened::Verdict::nothing:
            state_ = State::nothing;
            if (purpose_ == Purpose::compare) finish();  // the server is empty
            break;
        case SessionOpened::Verdict::refused:
            state_ = State::refused;
            break;
        case SessionOpened::Verdict::equal:
            finish();
            break;
        case SessionOpened::Verdict::descend:
            frontier_ = {SessionTree::Node{}};
            return descend(opened.hashes);
    }
    return std::optional<Message>();
}

/// Compares what the server sent about the frontier, and tells it how each difference goes on.
Result<std::optional<Message>> SessionPuller::descend(const std::vector<std::uint64_t>& hashes) {
    SessionLevel request;
    request.session = session();
    request.step = ++step_;
    std::optional<std::vector<std::uint16_t>> masks = tree_.compare(frontier_, hashes);
    if (!masks) return senseless("level");
    request.masks = std::move(*masks);
    std::vector<SessionTree::Node> inner;
    const auto differing = tree_.select(frontier_, request.masks);
    for (const SessionTree::Node& node : *differing) {
        const bool empty = tree_.sum(node).count == 0;
        if (empty || tree_.is_leaf(node)) {
            request.kinds.push_back(empty ? SessionLevel::all : SessionLevel::leaf);
            leaves_.push_back(Leaf{node, empty});
            continue;
        }
        request.kinds.push_back(SessionLevel::inner);
        inner.push_back(node);
        for (const SessionTree::Node& child : tree_.children(node)) {
            request.hashes.push_back(tree_.hash(child));
        }
    }
    frontier_ = std::move(inner);
    return std::optional<Message>(std::move(request));
}

Result<std::optional<Message>> SessionPuller::on_level(const SessionLevel& level) {
    const auto selected = tree_.select(frontier_, level.masks);
    if (!selected || selected->size() != level.kinds.size()) return senseless("level");
    frontier_.clear();
    for (std::size_t i = 0; i < selected->size(); ++i) {
        const SessionTree::Node& node = (*selected)[i];
        if (level.kinds[i] != SessionLevel::inner) {
            leaves_.push_back(Leaf{node, false});
        } else if (node.bits < tree_.snapshot().sums.bits()) {
            frontier_.push_back(node);
        } else {
            return senseless("level");
        }
    }
    if (frontier_.empty()) return next_tags();
    return descend(level.hashes);
}

Result<std::optional<Message>> SessionPuller::next_tags() {
    if (tagged_ == leaves_.size()) {
        finish();
        return std::optional<Message>();
    }
    SessionTagsRequest request;
    request.session = session();
    request.step = ++step_;
    request.first = tagged_;
    return std::optional<Message>(std::move(request));
}

Result<std::optional<Message>> SessionPuller::on_tags(const SessionTags& tags) {
    if (tags.first != tagged_ || tags.nodes.size() > leaves_.size() - tagged_ ||
        (tags.nodes.empty() && tagged_ < leaves_.size())) {
        return senseless("list of tags");
    }
    SessionRowsRequest request;
    bool needed = false;
    std::uint64_t first = 0;
    for (const std::vector<std::uint32_t>& node : tags.nodes) {
        needed |= leaves_[tagged_].all;
        SYNCLINE_CHECK(compare_tags(tagged_, node, first, request.rows));
        first += node.size();
        ++tagged_;
    }
    if (!needed && request.rows.empty()) return next_tags();
    request.session = session();
    request.step = ++step_;
    return std::optional<Message>(std::move(request));
}

/// Stages own rows without a partner, and finds which of the peer's rows are needed.
Result<void> SessionPuller::compare_tags(std::uint64_t leaf, const std::vector<std::uint32_t>& tags,
                                         std::uint64_t first, std::vector<std::uint64_t>& wanted) {
    if (leaves_[leaf].all) return {};
    SYNCLINE_TRY(const auto rows, tree_.rows(leaves_[leaf].node));
    std::unordered_map<std::uint32_t, bool> mine;  // tag -> has a partner
    for (const SessionTree::HashedRow& row : rows) mine.emplace(tree_.tag(row.hash), false);
    for (std::size_t i = 0; i < tags.size(); ++i) {
        const auto found = mine.find(tags[i]);
        if (found == mine.end()) {
            wanted.push_back(first + i);
        } else {
            found->second = true;
        }
    }
    for (const SessionTree::HashedRow& row : rows) {
        if (mine.at(tree_.tag(row.hash))) continue;
        SYNCLINE_CHECK(stage(row.key, std::nullopt));
        difference_ -= row.hash;
    }
    return {};
}

Result<void> SessionPuller::stage(BytesView key, std::optional<BytesView> value) {
    staged_bytes_ += key.size() + (value ? value->size() : 0) + 64;
    if (staged_bytes_ > staged_bytes_max_) {
        return Error{Code::limit,
                     "more than " + std::to_string(staged_bytes_max_ / limits::mib) +
                         " MiB of rows differ, which is more than a session holds; with an empty "
                         "data directory a replica begins anew, by a copy"};
    }
    std::optional<Bytes>& slot = staged_[Bytes(key)];
    if (value) slot = Bytes(*value);
    return {};
}

Result<std::optional<Message>> SessionPuller::on_rows(const SessionRows& rows) {
    for (const SessionRows::Item& row : rows.rows) {
        SYNCLINE_CHECK(stage(row.key, row.value));
        difference_ += tree_.snapshot().sums.row(row.key, row.value);
    }
    if (!rows.more) return next_tags();
    SessionRowsRequest request;
    request.session = session();
    request.step = ++step_;
    request.go_on = true;
    return std::optional<Message>(std::move(request));
}

/// The sums of both snapshots are known in full, so the staged rows can be checked against their
/// difference: short hashes and tags cannot have hidden a row.
void SessionPuller::finish() {
    LeafSum expected = opened_.root;
    expected -= tree_.snapshot().sums.root();
    state_ = expected == difference_ ? State::verified : State::mismatch;
}

}  // namespace syncline
