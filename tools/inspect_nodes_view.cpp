/// `syncline inspect status` and `peers`: what is printed of the nodes.
#include <fmt/core.h>

#include <algorithm>

#include "tools/inspect_nodes.hpp"
#include "tools/json_text.hpp"

namespace syncline {
namespace {

constexpr std::size_t root_shown = 8;  // hexadecimal digits
constexpr std::size_t sentence_columns = 100;
constexpr std::int64_t skew_warning_ms = 500;

Tone tone_of(Agreement::State state) {
    switch (state) {
        case Agreement::State::equal:
            return Tone::good;
        case Agreement::State::behind:
            return Tone::warning;
        case Agreement::State::different:
        case Agreement::State::strangers:
            return Tone::bad;
        case Agreement::State::unknown:
            break;
    }
    return Tone::plain;
}

std::string headline(const std::vector<NodeView>& nodes, const Agreement& agreed,
                     const ConsoleStyle& style) {
    const auto silent = static_cast<std::size_t>(std::count_if(
        nodes.begin(), nodes.end(), [](const NodeView& node) { return !node.error.empty(); }));
    const std::size_t answering = nodes.size() - silent;
    const Tone count_tone = answering == nodes.size() ? Tone::good : Tone::bad;
    return toned(style, count_tone, fmt::format("{}/{} nodes answer", answering, nodes.size())) +
           " - " + toned(style, tone_of(agreed.state), agreed.sentence) + "\n";
}

/// Peers that were here once; addresses where nobody has been found yet are counted beside them: a
/// peer behind one may be connected the other way round.
TextTable::Item links_item(const NodeView& node) {
    std::size_t up = 0;
    std::size_t known = 0;
    for (const LinkView& link : node.links) {
        if (link.uuid.empty()) continue;
        ++known;
        if (link.link == "up") ++up;
    }
    const std::size_t addresses = node.links.size() - known;
    if (node.links.empty()) return {"none"};
    const std::string never = addresses == 0 ? "" : fmt::format(", {} not reached", addresses);
    return {fmt::format("{}/{} up{}", up, known, never),
            up == known && known > 0 ? Tone::good : Tone::bad};
}

TextTable::Item clock_item(const NodeView& node) {
    if (!node.skew_ms) return {"-"};
    const bool far = std::abs(*node.skew_ms) > skew_warning_ms;
    return {fmt::format("{:+} ms", *node.skew_ms), far ? Tone::warning : Tone::plain};
}

TextTable::Item behind_item(std::uint64_t missing) {
    return {std::to_string(missing), missing == 0 ? Tone::plain : Tone::warning};
}

std::string unreachable_text(const std::vector<NodeView>& nodes, const ConsoleStyle& style) {
    std::string text;
    for (const NodeView& node : nodes) {
        if (node.error.empty()) continue;
        text += toned(style, Tone::bad,
                      fmt::format("no answer from {}: {}", harmless(node.address),
                                  harmless(node.error, sentence_columns))) +
                "\n";
    }
    return text;
}

Json json_link(const LinkView& link) {
    return Json{{"name", link.name},           {"address", link.address},
                {"link", link.link},           {"direction", link.direction},
                {"actor", link.actor},         {"state", link.state},
                {"vector", link.vv},           {"bytes_in", link.bytes_in},
                {"bytes_out", link.bytes_out}, {"connected_ms", link.connected_ms}};
}

Json json_node(const NodeView& node) {
    Json json{{"address", node.address}, {"reachable", node.error.empty()}};
    if (!node.error.empty()) {
        json["error"] = node.error;
        return json;
    }
    json["name"] = node.name;
    json["cluster"] = node.cluster;
    json["version"] = node.version;
    json["ready"] = node.ready;
    json["health"] = node.health;
    json["reasons"] = Json::array();
    for (const ReasonView& reason : node.reasons) {
        json["reasons"].push_back(
            {{"code", reason.code}, {"peer", reason.peer}, {"text", reason.text}});
    }
    json["actor"] = node.actor;
    json["keys"] = node.keys;
    json["rows"] = node.rows;
    json["root"] = node.root;
    json["vector"] = node.vv;
    json["clock_skew_ms"] = node.skew_ms ? Json(*node.skew_ms) : Json(nullptr);
    json["links"] = Json::array();
    for (const LinkView& link : node.links) json["links"].push_back(json_link(link));
    return json;
}

Tone health_tone(std::string_view health) {
    if (health == "stopped") return Tone::plain;
    return health == "ok" ? Tone::good : health == "degraded" ? Tone::warning : Tone::bad;
}

/// "up, 3 behind" and how it is meant.
TextTable::Item seen_item(const SeenView& view) {
    const std::string link = view.link == nullptr ? "no link" : view.link->link;
    const bool up = link == "up";
    if (!view.known) return {harmless(link, 20), up ? Tone::plain : Tone::bad};
    const std::string lag = view.missing == 0 ? "sees all" : fmt::format("{} behind", view.missing);
    if (up) return {lag, view.missing == 0 ? Tone::good : Tone::warning};
    return {lag + ", " + harmless(link, 20), Tone::bad};
}

}  // namespace

std::string status_text(const std::vector<NodeView>& nodes, const ConsoleStyle& style) {
    const Agreement agreed = agreement(nodes);
    std::string text = headline(nodes, agreed, style) + unreachable_text(nodes, style);
    TextTable table;
    table.add({{"node", Tone::dim},
               {"address", Tone::dim},
               {"health", Tone::dim},
               {"version", Tone::dim},
               {"keys", Tone::dim},
               {"rows", Tone::dim},
               {"root", Tone::dim},
               {"actors", Tone::dim},
               {"behind", Tone::dim},
               {"clock", Tone::dim},
               {"links", Tone::dim}});
    bool any = false;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const NodeView& node = nodes[i];
        if (!node.error.empty()) continue;
        any = true;
        table.add({{node.label(), Tone::strong},
                   harmless(node.address),
                   {harmless(node.health, 40), health_tone(node.health)},
                   harmless(node.version),
                   std::to_string(node.keys),
                   std::to_string(node.rows),
                   harmless(node.root.substr(0, root_shown)),
                   std::to_string(node.vv.size()),
                   behind_item(agreed.missing[i]),
                   clock_item(node),
                   links_item(node)});
    }
    if (!any) return text;
    text += table.text(style);
    for (const NodeView& node : nodes) {
        for (const ReasonView& reason : node.reasons) {
            text += toned(style, health_tone(node.health),
                          node.label() + ": " + harmless(reason.text)) +
                    "\n";
        }
    }
    return text;
}

std::string status_json(const std::vector<NodeView>& nodes) {
    const Agreement agreed = agreement(nodes);
    Json json{{"command", "status"},
              {"agreement",
               {{"state", agreement_name(agreed.state)},
                {"events_missing", agreed.events},
                {"sentence", agreed.sentence}}},
              {"nodes", Json::array()}};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        Json node = json_node(nodes[i]);
        if (nodes[i].ready) node["events_missing"] = agreed.missing[i];
        json["nodes"].push_back(std::move(node));
    }
    return json_text(json);
}

std::string peers_text(const std::vector<NodeView>& nodes, const ConsoleStyle& style) {
    std::vector<NodeView> all = nodes;
    for (NodeView& other : heard_of(nodes)) all.push_back(std::move(other));
    TextTable matrix;
    std::vector<TextTable::Item> head{{"who sees whom", Tone::dim}};
    for (const NodeView& other : all) head.emplace_back("of " + other.label(), Tone::dim);
    matrix.add(std::move(head));
    TextTable links;
    links.add({{"link", Tone::dim},
               {"state", Tone::dim},
               {"in", Tone::dim},
               {"out", Tone::dim},
               {"for", Tone::dim},
               {"doing", Tone::dim}});
    bool any = false;
    for (const NodeView& node : nodes) {
        if (!node.error.empty()) continue;
        std::vector<TextTable::Item> row{{node.label(), Tone::strong}};
        for (const NodeView& other : all) {
            row.push_back(other.address == node.address ? TextTable::Item("itself", Tone::dim)
                                                        : seen_item(seen(node, other)));
        }
        matrix.add(std::move(row));
        for (const LinkView& link : node.links) {
            any = true;
            const std::string peer = harmless(link.name.empty() ? link.address : link.name, 40);
            links.add({node.label() + (link.direction == "in" ? " <- " : " -> ") + peer,
                       {harmless(link.link, 20), link.link == "up" ? Tone::good : Tone::bad},
                       human_bytes(link.bytes_in),
                       human_bytes(link.bytes_out),
                       fmt::format("{} s", link.connected_ms / 1000),
                       harmless(link.state, 80)});
        }
    }
    std::string text = headline(nodes, agreement(nodes), style) + unreachable_text(nodes, style);
    text += matrix.text(style);
    return any ? text + "\n" + links.text(style) : text;
}

std::string peers_json(const std::vector<NodeView>& nodes) {
    std::vector<NodeView> all = nodes;
    for (NodeView& other : heard_of(nodes)) all.push_back(std::move(other));
    Json json{{"command", "peers"}, {"nodes", Json::array()}, {"seen", Json::array()}};
    for (const NodeView& node : nodes) {
        json["nodes"].push_back(json_node(node));
        if (!node.error.empty()) continue;
        for (const NodeView& other : all) {
            if (other.address == node.address) continue;
            const SeenView view = seen(node, other);
            json["seen"].push_back(
                {{"node", node.label()},
                 {"of", other.label()},
                 {"events_missing", view.known ? Json(view.missing) : Json(nullptr)},
                 {"link", view.link == nullptr ? Json(nullptr) : Json(view.link->link)}});
        }
    }
    return json_text(json);
}

}  // namespace syncline
