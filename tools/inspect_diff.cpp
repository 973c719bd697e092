/// `syncline inspect diff`: what two nodes hold differently, as CRDT.DIFF found it.
#include "tools/inspect_diff.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "tools/json_text.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

std::uint64_t count_in(const RespValue& reply, std::string_view name) {
    return static_cast<std::uint64_t>(reply_number(reply, name));
}

std::optional<SideView> diff_side(const RespValue& row, std::string_view name) {
    const RespValue* const side = reply_field(row, name);
    if (side == nullptr || side->is_null()) return std::nullopt;
    SideView view;
    const RespValue* const value = reply_field(*side, "value");
    if (value != nullptr && !value->is_null()) view.value = value->text;
    view.value_bytes = count_in(*side, "value_bytes");
    view.removed = reply_number(*side, "removed") == 1;
    for (const RespValue& dot : reply_list(*side, "dots")) view.dots.push_back(dot.text);
    return view;
}

/// Where the row stands: one sentence part for people.
std::string newer_text(const RowView& row, const std::string& here, const std::string& there) {
    if (row.newer == "here") return "newer on " + here;
    if (row.newer == "there") return "newer on " + there;
    if (row.newer == "concurrent") return "changed on both";
    return "UNEXPLAINED";
}

std::string side_text(const std::optional<SideView>& side, std::size_t width) {
    if (!side) return "absent";
    if (side->removed) return "removed";
    if (!side->value) return side->dots.empty() ? "no value" : "present";
    std::string text = quoted(*side->value, width);
    const bool cut_by_node = side->value_bytes > side->value->size();
    return cut_by_node ? text + fmt::format(" of {} bytes", side->value_bytes) : text;
}

Json json_side(const std::optional<SideView>& side) {
    if (!side) return nullptr;
    return Json{{"value", json_bytes(side->value)},
                {"value_bytes", side->value_bytes},
                {"removed", side->removed},
                {"dots", side->dots}};
}

std::string headline(const DiffView& diff, const std::string& here, const std::string& there) {
    if (diff.differing == 0) return here + " and " + there + " hold the same rows";
    std::string text =
        fmt::format("{} rows differ between {} and {}: ", diff.differing, here, there);
    text += fmt::format("{} newer on {}, {} newer on {}, {} changed on both", diff.newer_here, here,
                        diff.newer_there, there, diff.concurrent);
    if (diff.unexplained > 0) {
        text += fmt::format("; {} that NO EVENT EXPLAINS", diff.unexplained);
    }
    return text;
}

}  // namespace

Result<DiffView> parse_diff(const RespValue& reply) {
    if (reply.is_error()) return Error{Code::unavailable, reply.text};
    if (reply_field(reply, "differing") == nullptr) {
        return Error{Code::corrupt, "CRDT.DIFF answers something else"};
    }
    DiffView diff;
    diff.differing = count_in(reply, "differing");
    diff.newer_here = count_in(reply, "newer_here");
    diff.newer_there = count_in(reply, "newer_there");
    diff.concurrent = count_in(reply, "concurrent");
    diff.unexplained = count_in(reply, "unexplained");
    diff.bytes_here = count_in(reply, "bytes_here");
    diff.bytes_there = count_in(reply, "bytes_there");
    diff.metadata_bytes = count_in(reply, "metadata_bytes");
    diff.elsewhere = count_in(reply, "elsewhere");
    diff.omitted = count_in(reply, "omitted");
    for (const RespValue& row : reply_list(reply, "rows")) {
        RowView view;
        view.key = reply_text(row, "key");
        view.type = reply_text(row, "type");
        const RespValue* const field = reply_field(row, "field");
        if (field != nullptr && !field->is_null()) view.field = field->text;
        view.newer = reply_text(row, "newer");
        view.here = diff_side(row, "here");
        view.there = diff_side(row, "there");
        diff.rows.push_back(std::move(view));
    }
    return diff;
}

std::string diff_text(const DiffView& diff, const std::string& here, const std::string& there,
                      const ConsoleStyle& style) {
    const Tone tone = diff.unexplained > 0 ? Tone::bad
                      : diff.differing > 0 ? Tone::warning
                                           : Tone::good;
    std::string text = toned(style, tone, headline(diff, here, there)) + "\n";
    text += fmt::format(
        "a repair would move {} of rows from {} and {} from {}; the comparison took "
        "{} of messages\n",
        human_bytes(diff.bytes_here), here, human_bytes(diff.bytes_there), there,
        human_bytes(diff.metadata_bytes));
    const std::size_t width =
        style.width == 0 ? 40 : std::clamp<std::size_t>(style.width / 4, 12, 40);
    TextTable table;
    if (!diff.rows.empty()) {
        table.add({{"key", Tone::dim},
                   {"type", Tone::dim},
                   {"", Tone::dim},
                   {"on " + here, Tone::dim},
                   {"on " + there, Tone::dim}});
    }
    for (const RowView& row : diff.rows) {
        table.add(
            {quoted(row.key, width) + (row.field ? " " + quoted(*row.field, width) : ""),
             harmless(row.type, 20),
             {newer_text(row, here, there), row.newer == "unexplained" ? Tone::bad : Tone::plain},
             side_text(row.here, width),
             side_text(row.there, width)});
    }
    text += table.text(style);
    if (diff.omitted > 0) text += fmt::format("and {} more; see --count\n", diff.omitted);
    if (diff.elsewhere > 0) {
        text += fmt::format("{} rows differ outside this prefix\n", diff.elsewhere);
    }
    return text;
}

std::string diff_json(const DiffView& diff, const std::string& here, const std::string& there) {
    Json json{{"command", "diff"},
              {"here", here},
              {"there", there},
              {"differing", diff.differing},
              {"newer_here", diff.newer_here},
              {"newer_there", diff.newer_there},
              {"concurrent", diff.concurrent},
              {"unexplained", diff.unexplained},
              {"bytes_here", diff.bytes_here},
              {"bytes_there", diff.bytes_there},
              {"metadata_bytes", diff.metadata_bytes},
              {"elsewhere", diff.elsewhere},
              {"omitted", diff.omitted},
              {"rows", Json::array()}};
    for (const RowView& row : diff.rows) {
        json["rows"].push_back({{"key", json_bytes(row.key)},
                                {"type", row.type},
                                {"field", json_bytes(row.field)},
                                {"newer", row.newer},
                                {"here", json_side(row.here)},
                                {"there", json_side(row.there)}});
    }
    return json_text(json);
}

}  // namespace syncline
