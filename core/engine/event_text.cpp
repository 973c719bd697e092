#include "core/engine/event_text.hpp"

namespace syncline {
namespace {

std::string verb_of(const CellDelta& delta) {
    if (delta.value) return "write";
    if (delta.writes_dots) return "remove";
    return "add to";  // a counter
}

std::string text_of(const CellOp& op) {
    std::string text =
        verb_of(op.delta) + " " + std::string(cell_type_name(op.type)) + " " + op.key;
    if (op.field) text += " " + *op.field;
    return text;
}

}  // namespace

std::string describe(const Op& op) {
    if (const auto* const cell = std::get_if<CellOp>(&op)) return text_of(*cell);
    if (const auto* const key = std::get_if<ClearKey>(&op)) return "clear key " + key->key;
    if (const auto* const edit = std::get_if<TextEdit>(&op)) return "edit text " + edit->key;
    const auto& buckets = std::get<ClearBuckets>(op);
    if (buckets.first == 0 && buckets.last == 0xffff) return "clear all keys";
    return "clear all keys in buckets " + std::to_string(buckets.first) + " to " +
           std::to_string(buckets.last);
}

}  // namespace syncline
