/// `syncline inspect conflicts`: what replicas recorded of concurrent transactions, as one feed.
#include "tools/inspect_conflicts.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "tools/json_text.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr std::size_t ids_met_max = 100000;
/// More than the rings of several replicas hold.
constexpr std::size_t known_ids_max = 1000000;

std::uint64_t count_of(const RespValue& reply, std::string_view name) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(reply_number(reply, name), 0));
}

std::optional<Bytes> text_of(const RespValue& reply, std::string_view name) {
    const RespValue* const value = reply_field(reply, name);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return value->text;
}

ConflictSideView side_of(const RespValue& record, std::string_view name) {
    ConflictSideView view;
    const RespValue* const side = reply_field(record, name);
    if (side == nullptr) return view;
    view.dot = reply_text(*side, "dot");
    view.action = reply_text(*side, "action");
    view.type = reply_text(*side, "type");
    view.field = text_of(*side, "field");
    view.time = reply_text(*side, "time");
    view.value = text_of(*side, "value");
    view.value_bytes = count_of(*side, "length");
    return view;
}

/// What a side did: its value, or the word for what it did without one.
std::string deed(const ConflictSideView& side, std::size_t width) {
    std::string text = harmless(side.action, 20);
    if (side.field) text += " " + quoted(*side.field, width);
    if (!side.value) {
        return side.value_bytes > 0 ? text + fmt::format(" {} bytes", side.value_bytes) : text;
    }
    text += " " + quoted(*side.value, width);
    if (side.value_bytes > side.value->size())
        text += fmt::format(" of {} bytes", side.value_bytes);
    return text;
}

Json json_side(const ConflictSideView& side, const ActorNames& names) {
    return Json{{"dot", side.dot},
                {"origin", names.name(side.dot)},
                {"action", side.action},
                {"type", side.type},
                {"field", json_bytes(side.field)},
                {"time", side.time.empty() ? Json(nullptr) : Json(side.time)},
                {"value", json_bytes(side.value)},
                {"value_bytes", side.value_bytes}};
}

Json json_conflict(const ConflictView& conflict, const std::vector<NodeView>& nodes) {
    const ActorNames names(nodes);
    Json on = Json::array();
    for (const std::size_t node : conflict.nodes) on.push_back(nodes[node].label());
    return Json{{"id", conflict.id},
                {"key", json_bytes(conflict.key)},
                {"field", json_bytes(conflict.field)},
                {"kind", conflict.kind},
                {"rule", conflict.rule},
                {"first_seen", conflict.first_seen},
                {"winner", json_side(conflict.winner, names)},
                {"loser", json_side(conflict.loser, names)},
                {"nodes", std::move(on)}};
}

}  // namespace

Result<ConflictPageView> parse_conflicts(const RespValue& reply) {
    if (reply.is_error()) return Error{Code::unavailable, reply.text};
    if (reply_field(reply, "conflicts") == nullptr) {
        return Error{Code::corrupt, "CRDT.CONFLICTS answers something else"};
    }
    ConflictPageView page;
    page.last = count_of(reply, "last");
    page.next = count_of(reply, "next");
    page.dropped = count_of(reply, "dropped");
    page.more = count_of(reply, "more") != 0;
    for (const RespValue& record : reply_list(reply, "conflicts")) {
        ConflictView view;
        view.id = reply_text(record, "id");
        view.key = reply_text(record, "key");
        view.field = text_of(record, "field");
        view.kind = reply_text(record, "kind");
        view.rule = reply_text(record, "rule");
        view.first_seen_hlc = count_of(record, "first_seen_hlc");
        view.first_seen = reply_text(record, "first_seen");
        view.winner = side_of(record, "winner");
        view.loser = side_of(record, "loser");
        page.conflicts.push_back(std::move(view));
    }
    return page;
}

void ConflictMerge::add(std::size_t node, ConflictView conflict) {
    const std::string id = conflict.id;
    const std::uint64_t hlc = conflict.first_seen_hlc;
    const auto [found, is_new] = known_.try_emplace(id);
    Known& known = found->second;
    if (std::find(known.nodes.begin(), known.nodes.end(), node) == known.nodes.end()) {
        known.nodes.push_back(node);
    }
    if (is_new || hlc < known.earliest_hlc) {
        known.earliest_hlc = hlc;
        known.earliest = conflict.first_seen;
    }
    if (!is_new && hlc <= known.latest_hlc) return;
    newest_.erase({known.latest_hlc, id});
    known.latest_hlc = hlc;
    newest_.emplace(std::pair(hlc, id), std::move(conflict));
    if (newest_.size() <= count_max_) return;
    // Places only rise, so what leaves comes back only if a later page raises it; then it is there
    // again, and its nodes are still known.
    const std::string oldest = newest_.begin()->first.second;
    newest_.erase(newest_.begin());
    if (known_.size() > known_ids_max) forgotten_ += known_.erase(oldest);
}

std::vector<ConflictView> ConflictMerge::conflicts() const {
    std::vector<ConflictView> all;
    for (const auto& [place, conflict] : newest_) {
        const Known& known = known_.at(place.second);
        all.push_back(conflict);
        all.back().nodes = known.nodes;
        all.back().first_seen_hlc = known.earliest_hlc;
        all.back().first_seen = known.earliest;
    }
    return all;
}

bool ConflictsMet::meet(const std::string& id) {
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > ids_met_max) {
        ids_.erase(order_.front());
        order_.pop_front();
    }
    return true;
}

std::string conflict_text(const ConflictView& conflict, const std::vector<NodeView>& nodes,
                          const ConsoleStyle& style) {
    const std::size_t width =
        style.width == 0 ? 60 : std::clamp<std::size_t>(style.width / 3, 12, 60);
    const ActorNames names(nodes);
    std::string on;
    for (const std::size_t node : conflict.nodes) {
        on += (on.empty() ? "" : ", ") + nodes[node].label();
    }
    std::string text = toned(style, Tone::strong, quoted(conflict.key, width));
    if (conflict.field) text += " " + quoted(*conflict.field, width);
    text += fmt::format("  {}  first seen {}  on record at {}\n", harmless(conflict.kind, 20),
                        harmless(conflict.first_seen, 30), on);
    TextTable table(2);
    const auto add = [&](const char* name, const ConflictSideView& side, Tone tone) {
        table.add({{name, tone},
                   deed(side, width),
                   "by " + names.name(side.dot),
                   harmless(side.time, 30),
                   {harmless(side.dot, 40), Tone::dim}});
    };
    add("winner", conflict.winner, Tone::good);
    add("loser", conflict.loser, Tone::warning);
    return text + table.text(style) + "  why     " + harmless(conflict.rule) + "\n";
}

std::string conflict_json_line(const ConflictView& conflict, const std::vector<NodeView>& nodes) {
    return json_text(json_conflict(conflict, nodes), false);
}

std::string conflicts_json(const std::vector<ConflictView>& conflicts, std::uint64_t dropped,
                           const std::vector<NodeView>& nodes) {
    Json json{{"command", "conflicts"},
              {"dropped", dropped},
              {"nodes", Json::array()},
              {"conflicts", Json::array()}};
    for (const NodeView& node : nodes) {
        Json described{{"name", node.label()}, {"address", node.address}};
        described["reachable"] = node.error.empty();
        if (!node.error.empty()) described["error"] = node.error;
        json["nodes"].push_back(std::move(described));
    }
    for (const ConflictView& conflict : conflicts) {
        json["conflicts"].push_back(json_conflict(conflict, nodes));
    }
    return json_text(json);
}

}  // namespace syncline
