/// What nodes say of themselves, and what follows from their answers together.
#include "tools/inspect_nodes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "tools/reply.hpp"

namespace syncline {
namespace {

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// "name:value" lines of INFO; nothing when there is no such name.
std::optional<std::string> info_value(const Bytes& info, std::string_view name) {
    const std::string wanted = "\n" + std::string(name) + ":";
    const std::size_t found = info.find(wanted);
    if (found == std::string::npos) return std::nullopt;
    const std::size_t begin = found + wanted.size();
    return info.substr(begin, info.find_first_of("\r\n", begin) - begin);
}

ActorVector vector_of(const RespValue& reply, std::string_view name) {
    ActorVector vv;
    const std::vector<RespValue>& entries = reply_list(reply, name);
    for (std::size_t i = 0; i + 1 < entries.size(); i += 2) {
        vv[entries[i].text] = static_cast<std::uint64_t>(entries[i + 1].integer);
    }
    return vv;
}

LinkView link_of(const RespValue& peer) {
    LinkView link;
    link.name = reply_text(peer, "name");
    link.address = reply_text(peer, "address");
    link.uuid = reply_text(peer, "uuid");
    link.link = reply_text(peer, "link");
    link.direction = reply_text(peer, "direction");
    link.actor = reply_text(peer, "actor");
    link.state = reply_text(peer, "state");
    link.vv = vector_of(peer, "vv");
    link.bytes_in = static_cast<std::uint64_t>(reply_number(peer, "bytes_in"));
    link.bytes_out = static_cast<std::uint64_t>(reply_number(peer, "bytes_out"));
    link.connected_ms = static_cast<std::uint64_t>(reply_number(peer, "connected_ms"));
    return link;
}

/// What INFO tells, and by the way how far the node's clock is from ours.
Result<void> ask_info(InspectSource& source, NodeView& node) {
    const std::int64_t before_ms = wall_ms();
    SYNCLINE_TRY(const RespValue server, source.command({"INFO", "server"}));
    const std::int64_t after_ms = wall_ms();
    if (server.is_error()) return Error{Code::unavailable, server.text};
    node.version = info_value(server.text, "syncline_version").value_or("");
    if (node.version.empty() && source.live()) {
        return Error{Code::version, "the server there is not Syncline"};
    }
    std::int64_t time_us = 0;
    const std::string time = info_value(server.text, "server_time_usec").value_or("");
    const auto parsed = std::from_chars(time.data(), time.data() + time.size(), time_us);
    if (source.live() && parsed.ec == std::errc()) {
        const std::int64_t own_ms = before_ms + (after_ms - before_ms) / 2;
        const std::int64_t skew_ms = time_us / 1000 - own_ms;
        // Within the time the answer took, nothing can be said.
        const bool told = std::abs(skew_ms) > (after_ms - before_ms) / 2 + 1;
        node.skew_ms = told ? skew_ms : 0;
    }
    SYNCLINE_TRY(const RespValue syncline, source.command({"INFO", "syncline"}));
    node.name = info_value(syncline.text, "node").value_or("");
    node.cluster = info_value(syncline.text, "cluster").value_or("");
    return {};
}

/// What only a running node has.
Result<void> ask_health(InspectSource& source, NodeView& node) {
    SYNCLINE_TRY(const RespValue peers, source.command({"CRDT.PEERS"}));
    for (const RespValue& peer : peers.elements) node.links.push_back(link_of(peer));
    SYNCLINE_TRY(const RespValue health, source.command({"CRDT.HEALTH"}));
    node.health = health.is_error() ? health.text : reply_text(health, "status");
    for (const RespValue& reason : reply_list(health, "reasons")) {
        node.reasons.push_back(
            {reply_text(reason, "code"), reply_text(reason, "peer"), reply_text(reason, "text")});
    }
    return {};
}

Result<void> ask(InspectSource& source, NodeView& node) {
    SYNCLINE_CHECK(ask_info(source, node));
    if (source.live()) {
        SYNCLINE_CHECK(ask_health(source, node));
    } else {
        node.health = "stopped";
    }
    SYNCLINE_TRY(const RespValue clock, source.command({"CRDT.CLOCK"}));
    if (clock.is_error()) {
        node.reasons.push_back({"no_data", "", clock.text});
        return {};
    }
    node.ready = true;
    node.actor = reply_text(clock, "actor");
    node.root = reply_text(clock, "root");
    node.vv = vector_of(clock, "vv");
    node.keys = static_cast<std::uint64_t>(reply_number(clock, "keys"));
    node.rows = static_cast<std::uint64_t>(reply_number(clock, "rows"));
    return {};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
    }
    return text;
}

/// Where vectors are equal the roots must be, too: the labels of the first two that break it.
std::optional<std::string> divergence(const std::vector<const NodeView*>& nodes) {
    for (const NodeView* a : nodes) {
        for (const NodeView* b : nodes) {
            if (a->vv == b->vv && a->root != b->root) return a->label() + " and " + b->label();
        }
    }
    return std::nullopt;
}

}  // namespace

std::string NodeView::label() const {
    return harmless(name.empty() ? address : name, 40);
}

std::uint64_t events_missing(const ActorVector& of, const ActorVector& than) {
    std::uint64_t missing = 0;
    for (const auto& [actor, counter] : than) {
        const auto own = of.find(actor);
        const std::uint64_t has = own == of.end() ? 0 : own->second;
        missing += counter - std::min(counter, has);
    }
    return missing;
}

std::string_view agreement_name(Agreement::State state) {
    switch (state) {
        case Agreement::State::equal:
            return "equal";
        case Agreement::State::behind:
            return "behind";
        case Agreement::State::different:
            return "different";
        case Agreement::State::strangers:
            return "strangers";
        case Agreement::State::unknown:
            break;
    }
    return "unknown";
}

Agreement agreement(const std::vector<NodeView>& nodes) {
    Agreement result;
    std::vector<const NodeView*> ready;
    std::set<std::string> clusters;
    ActorVector all;
    for (const NodeView& node : nodes) {
        if (!node.ready) continue;
        ready.push_back(&node);
        clusters.insert(node.cluster);
        for (const auto& [actor, counter] : node.vv) {
            all[actor] = std::max(all[actor], counter);
        }
    }
    std::vector<std::string> behind;
    for (const NodeView& node : nodes) {
        const std::uint64_t missing = node.ready ? events_missing(node.vv, all) : 0;
        result.missing.push_back(missing);
        result.events += missing;
        if (missing > 0) behind.push_back(fmt::format("{} by {}", node.label(), missing));
    }
    if (ready.size() < 2) {
        result.sentence = ready.empty() ? "no node has data to compare"
                                        : "one node has data; nothing to compare it with";
    } else if (clusters.size() > 1) {
        result.state = Agreement::State::strangers;
        result.sentence = "these nodes belong to different clusters";
    } else if (const auto pair = divergence(ready)) {
        result.state = Agreement::State::different;
        result.sentence =
            "DIFFERENT: " + *pair + " have seen the same events and hold unequal rows";
    } else if (result.events > 0) {
        result.state = Agreement::State::behind;
        result.sentence = "events are on their way: behind is " + joined(behind);
    } else {
        result.state = Agreement::State::equal;
        result.sentence = fmt::format("{} nodes agree: equal version vectors, root {}",
                                      ready.size(), harmless(ready[0]->root, 32));
    }
    return result;
}

NodeView ask_node(InspectSource& source) {
    NodeView node;
    node.address = source.address();
    if (const Result<void> asked = ask(source, node); !asked) {
        node.error = asked.error().message;
        node.ready = false;
    }
    return node;
}

ActorNames::ActorNames(const std::vector<NodeView>& nodes) {
    const auto enter = [&](const std::string& actor, const std::string& name) {
        if (!actor.empty() && !name.empty()) names_[actor.substr(0, actor.find('.'))] = name;
    };
    for (const NodeView& node : nodes) {
        for (const LinkView& link : node.links) enter(link.actor, harmless(link.name, 40));
    }
    for (const NodeView& node : nodes) enter(node.actor, node.label());
}

std::string ActorNames::name(std::string_view actor_or_dot) const {
    const auto found = names_.find(actor_or_dot.substr(0, actor_or_dot.find('.')));
    if (found != names_.end()) return found->second;
    return harmless(actor_or_dot.substr(0, actor_or_dot.find(':')), 40);
}

SeenView seen(const NodeView& node, const NodeView& other) {
    SeenView view;
    for (const LinkView& link : node.links) {
        const bool named = !other.name.empty() && link.name == other.name;
        const bool same_actor = !other.actor.empty() && link.actor == other.actor;
        if (named || same_actor) view.link = &link;
    }
    view.known = node.ready && !other.vv.empty();
    if (view.known) view.missing = events_missing(node.vv, other.vv);
    return view;
}

std::vector<NodeView> heard_of(const std::vector<NodeView>& nodes) {
    std::vector<NodeView> others;
    for (const NodeView& node : nodes) {
        for (const LinkView& link : node.links) {
            if (link.name.empty()) continue;  // an address where nobody was found
            const auto is_it = [&](const NodeView& other) {
                return other.name == link.name ||
                       (!link.actor.empty() && other.actor == link.actor);
            };
            if (std::any_of(nodes.begin(), nodes.end(), is_it)) continue;
            auto found = std::find_if(others.begin(), others.end(), is_it);
            if (found == others.end()) {
                NodeView other;
                other.name = link.name;
                other.address = link.address;
                other.error = "not asked";
                found = others.insert(others.end(), std::move(other));
            }
            if (found->actor.empty()) found->actor = link.actor;
            for (const auto& [actor, counter] : link.vv) {
                found->vv[actor] = std::max(found->vv[actor], counter);
            }
        }
    }
    return others;
}

}  // namespace syncline
