/// `syncline inspect key`: why a key looks as it does, and where nodes differ.
#include "tools/inspect_key.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "tools/json_text.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

std::optional<Bytes> optional_text(const RespValue& reply, std::string_view name) {
    const RespValue* const found = reply_field(reply, name);
    if (found == nullptr || found->is_null()) return std::nullopt;
    return found->text;
}

DotView dot_of(const RespValue& reply) {
    return {reply_text(reply, "dot"), reply_text(reply, "time"), optional_text(reply, "value"),
            reply_number(reply, "winner") == 1, reply_number(reply, "negative") == 1};
}

PartView part_of(const RespValue& reply) {
    PartView part;
    part.actor = reply_text(reply, "actor");
    part.adds = reply_number(reply, "adds");
    part.adds_decimal = reply_text(reply, "adds_decimal");
    part.sum = reply_number(reply, "sum");
    part.reset_sum = reply_number(reply, "reset_sum");
    part.reset_dot = reply_text(reply, "reset_dot");
    part.last = reply_number(reply, "last");
    return part;
}

CellView cell_of(const RespValue& reply) {
    CellView cell;
    cell.type = reply_text(reply, "type");
    cell.field = optional_text(reply, "field");
    cell.value = optional_text(reply, "value");
    cell.hidden = reply_number(reply, "hidden") == 1;
    cell.why = reply_text(reply, "why");
    for (const RespValue& dot : reply_list(reply, "dots")) cell.dots.push_back(dot_of(dot));
    for (const RespValue& part : reply_list(reply, "counter")) {
        cell.parts.push_back(part_of(part));
    }
    return cell;
}

std::string labels(const std::vector<NodeView>& nodes, const std::vector<std::size_t>& chosen) {
    std::string text;
    for (const std::size_t node : chosen) {
        text += (text.empty() ? "" : ", ") + nodes[node].label();
    }
    return text;
}

std::size_t value_columns(const ConsoleStyle& style) {
    if (style.width == 0) return 60;
    return std::clamp<std::size_t>(style.width / 3, 12, 60);
}

/// Prints the cells of one key.
class KeyPrinter {
public:
    KeyPrinter(const std::vector<NodeView>& nodes, const ConsoleStyle& style)
        : nodes_(nodes), names_(nodes), style_(style) {}

    [[nodiscard]] std::string comparison(const CellComparison& cell) const {
        const std::string title =
            cell.type + (cell.field ? " " + quoted(*cell.field, value_columns(style_)) : "");
        std::string text = "\n" + toned(style_, Tone::strong, title);
        if (cell.variants.size() == 1) return text + body(*cell.variants[0].cell);
        text += "  " + toned(style_, Tone::bad, "differs") + "\n";
        for (const CellComparison::Variant& variant : cell.variants) {
            text += "  on " + labels(nodes_, variant.nodes) + ":";
            text += variant.cell ? body(*variant.cell) : "  absent\n";
        }
        return text;
    }

private:
    [[nodiscard]] std::string body(const CellView& cell) const {
        std::string text = cell.value ? "  " + quoted(*cell.value, value_columns(style_)) : "";
        text += (cell.hidden ? toned(style_, Tone::dim, "  hidden") : "") + "\n";
        text += line("  why     " + harmless(cell.why));
        TextTable table(2);
        for (const DotView& dot : cell.dots) {
            const bool member = !dot.value;
            table.add({{dot.negative ? "removal"
                        : member     ? "add"
                        : dot.winner ? "seen"
                                     : "beside",
                        dot.winner || member ? Tone::good : Tone::warning},
                       member ? "" : quoted(*dot.value, value_columns(style_)),
                       "by " + names_.name(dot.dot),
                       harmless(dot.time),
                       {harmless(dot.dot), Tone::dim}});
        }
        for (const PartView& part : cell.parts) {
            const std::string reset =
                part.reset_sum == 0 ? ""
                                    : fmt::format("of {:+}, {:+} reset", part.sum, part.reset_sum);
            const bool decimal = part.adds_decimal != "0" && !part.adds_decimal.empty();
            table.add({"count",
                       fmt::format("{:+}", part.adds) +
                           (decimal ? " and " + harmless(part.adds_decimal, 50) : ""),
                       "by " + names_.name(part.actor), reset,
                       TextTable::Item(fmt::format("{}:{}", harmless(part.actor), part.last),
                                       Tone::dim)});
        }
        return text + table.text(style_);
    }

    [[nodiscard]] std::string line(const std::string& text) const {
        return (style_.width == 0 ? text : fitted(text, style_.width)) + "\n";
    }

    const std::vector<NodeView>& nodes_;
    ActorNames names_;
    const ConsoleStyle& style_;
};

Json json_cell(const CellView& cell, const ActorNames& names) {
    Json json{{"type", cell.type},
              {"field", json_bytes(cell.field)},
              {"value", json_bytes(cell.value)},
              {"hidden", cell.hidden},
              {"why", cell.why},
              {"dots", Json::array()},
              {"counter", Json::array()}};
    for (const DotView& dot : cell.dots) {
        json["dots"].push_back({{"dot", dot.dot},
                                {"origin", names.name(dot.dot)},
                                {"time", dot.value ? Json(dot.time) : Json(nullptr)},
                                {"value", json_bytes(dot.value)},
                                {"winner", dot.winner},
                                {"negative", dot.negative}});
    }
    for (const PartView& part : cell.parts) {
        json["counter"].push_back({{"actor", part.actor},
                                   {"origin", names.name(part.actor)},
                                   {"adds", part.adds},
                                   {"adds_decimal", part.adds_decimal},
                                   {"sum", part.sum},
                                   {"reset_sum", part.reset_sum},
                                   {"reset_dot", part.reset_dot},
                                   {"last", part.last}});
    }
    return json;
}

/// "string on a, b; absent on c".
std::string presence(const std::vector<NodeView>& nodes, const std::vector<KeyView>& views) {
    std::vector<std::string> types;
    std::string text;
    for (const KeyView& view : views) {
        if (!view.error.empty()) continue;
        if (std::find(types.begin(), types.end(), view.type) != types.end()) continue;
        types.push_back(view.type);
        std::vector<std::size_t> chosen;
        for (const KeyView& other : views) {
            if (other.error.empty() && other.type == view.type) chosen.push_back(other.node);
        }
        text += (text.empty() ? "" : "; ") +
                (view.type.empty() ? "absent" : harmless(view.type, 20)) + " on " +
                labels(nodes, chosen);
    }
    return text;
}

/// Whether a difference is explained by events that have yet to arrive.
std::string difference_sentence(const Agreement& agreed) {
    if (agreed.state == Agreement::State::behind) {
        return "the nodes differ here; " + agreed.sentence;
    }
    if (agreed.state == Agreement::State::equal) {
        return "the nodes differed while they were asked, and agree now; ask again";
    }
    return "the nodes differ here; " + agreed.sentence;
}

}  // namespace

KeyView parse_key(std::size_t node, const Result<RespValue>& reply) {
    KeyView view;
    view.node = node;
    if (!reply) {
        view.error = reply.error().message;
    } else if (reply->is_error()) {
        view.error = reply->text;
    } else if (!reply->is_null()) {
        view.type = reply_text(*reply, "type");
        view.cells_omitted = static_cast<std::uint64_t>(reply_number(*reply, "cells_omitted"));
        for (const RespValue& cell : reply_list(*reply, "cells")) {
            view.cells.push_back(cell_of(cell));
        }
    }
    return view;
}

std::vector<CellComparison> compare_key(const std::vector<KeyView>& views) {
    std::vector<CellComparison> cells;
    for (const KeyView& view : views) {
        for (const CellView& cell : view.cells) {
            const bool known =
                std::any_of(cells.begin(), cells.end(), [&](const CellComparison& other) {
                    return other.type == cell.type && other.field == cell.field;
                });
            if (!known) cells.push_back({cell.type, cell.field, {}});
        }
    }
    for (CellComparison& cell : cells) {
        for (const KeyView& view : views) {
            if (!view.error.empty()) continue;
            const auto own =
                std::find_if(view.cells.begin(), view.cells.end(), [&](const CellView& other) {
                    return other.type == cell.type && other.field == cell.field;
                });
            const bool has = own != view.cells.end();
            // Of a collection too large for one reply nothing is known beyond it.
            if (!has && view.cells_omitted > 0) continue;
            const auto same = [&](const CellComparison::Variant& variant) {
                return has ? variant.cell && variant.cell->same_row(*own) : !variant.cell;
            };
            auto variant = std::find_if(cell.variants.begin(), cell.variants.end(), same);
            if (variant == cell.variants.end()) {
                variant = cell.variants.insert(cell.variants.end(),
                                               {{}, has ? std::optional(*own) : std::nullopt});
            }
            variant->nodes.push_back(view.node);
        }
    }
    return cells;
}

bool all_equal(const std::vector<CellComparison>& cells) {
    return std::all_of(cells.begin(), cells.end(),
                       [](const CellComparison& cell) { return cell.variants.size() == 1; });
}

std::string key_text(const KeyQuestion& question, const std::vector<NodeView>& nodes,
                     const std::vector<KeyView>& views, const ConsoleStyle& style) {
    std::string text = toned(style, Tone::strong, quoted(question.key, value_columns(style))) +
                       "  " + presence(nodes, views) + "\n";
    std::uint64_t omitted = 0;
    for (const KeyView& view : views) {
        omitted = std::max(omitted, view.cells_omitted);
        if (view.error.empty()) continue;
        text += toned(style, Tone::bad,
                      fmt::format("no answer from {}: {}", nodes[view.node].label(),
                                  harmless(view.error, 100))) +
                "\n";
    }
    const std::vector<CellComparison> cells = compare_key(views);
    if (!all_equal(cells)) {
        text += toned(style, Tone::bad, difference_sentence(agreement(nodes))) + "\n";
    }
    const KeyPrinter printer(nodes, style);
    for (const CellComparison& cell : cells) text += printer.comparison(cell);
    if (omitted > 0) {
        text += fmt::format("\nand {} more cells; ask for one with --field\n", omitted);
    }
    return text;
}

std::string key_json(const KeyQuestion& question, const std::vector<NodeView>& nodes,
                     const std::vector<KeyView>& views) {
    const std::vector<CellComparison> cells = compare_key(views);
    const ActorNames names(nodes);
    const Agreement agreed = agreement(nodes);
    Json json{{"command", "key"},
              {"key", json_bytes(question.key)},
              {"field", json_bytes(question.field)},
              {"equal", all_equal(cells)},
              {"agreement",
               {{"state", agreement_name(agreed.state)},
                {"events_missing", agreed.events},
                {"sentence", agreed.sentence}}},
              {"nodes", Json::array()},
              {"cells", Json::array()}};
    for (const KeyView& view : views) {
        Json node{{"name", nodes[view.node].label()}, {"address", nodes[view.node].address}};
        node["reachable"] = view.error.empty();
        if (!view.error.empty()) node["error"] = view.error;
        node["type"] = view.type.empty() ? Json(nullptr) : Json(view.type);
        node["cells_omitted"] = view.cells_omitted;
        json["nodes"].push_back(std::move(node));
    }
    for (const CellComparison& cell : cells) {
        Json variants = Json::array();
        for (const CellComparison::Variant& variant : cell.variants) {
            Json on = Json::array();
            for (const std::size_t node : variant.nodes) on.push_back(nodes[node].label());
            variants.push_back(
                {{"nodes", on},
                 {"cell", variant.cell ? json_cell(*variant.cell, names) : Json(nullptr)}});
        }
        json["cells"].push_back({{"type", cell.type},
                                 {"field", json_bytes(cell.field)},
                                 {"equal", cell.variants.size() == 1},
                                 {"variants", std::move(variants)}});
    }
    return json_text(json);
}

}  // namespace syncline
