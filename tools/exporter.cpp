#include "tools/exporter.hpp"

#include <utility>

#include "tools/console.hpp"
#include "tools/piece_cutter.hpp"
#include "tools/reply.hpp"

namespace syncline {
namespace {

constexpr const char* keys_a_page = "1000";

using Take = PieceCutter::Take;

Result<RespValue> ask(InspectSource& source, const std::vector<Bytes>& command) {
    SYNCLINE_TRY(RespValue reply, source.command(command));
    if (!reply.is_error()) return reply;
    return Error{Code::io, source.address() + " answers: " + harmless(reply.text)};
}

/// What must not be taken for a pattern.
Bytes pattern_of(const Bytes& prefix) {
    Bytes pattern;
    for (const char letter : prefix) {
        if (std::string_view("*?[]\\").find(letter) != std::string_view::npos) pattern += '\\';
        pattern += letter;
    }
    return pattern + "*";
}

std::vector<Bytes> texts_of(const RespValue& reply) {
    std::vector<Bytes> texts;
    for (const RespValue& element : reply.elements) texts.push_back(element.text);
    return texts;
}

Result<void> read_scan(InspectSource& source, const char* command, const Bytes& key,
                       PieceCutter& pieces) {
    const Bytes count = std::to_string(piece_elements_max);
    Bytes cursor = "0";
    do {
        SYNCLINE_TRY(const RespValue page, ask(source, {command, key, cursor, "COUNT", count}));
        if (page.elements.size() != 2) return Error{Code::corrupt, "no page of a scan"};
        cursor = page.elements[0].text;
        SYNCLINE_CHECK(pieces.add(texts_of(page.elements[1])));
    } while (cursor != "0");
    return {};
}

Result<void> read_list(InspectSource& source, const Bytes& key, PieceCutter& pieces) {
    for (std::size_t first = 0;; first += piece_elements_max) {
        const Bytes last = std::to_string(first + piece_elements_max - 1);
        SYNCLINE_TRY(const RespValue page,
                     ask(source, {"LRANGE", key, std::to_string(first), last}));
        SYNCLINE_CHECK(pieces.add(texts_of(page)));
        if (page.elements.size() < piece_elements_max) return {};
    }
}

Result<void> read_text(InspectSource& source, const Bytes& key, PieceCutter& pieces) {
    SYNCLINE_TRY(const RespValue length, ask(source, {"TEXT.LEN", key}));
    if (length.type != RespValue::Type::integer) return {};
    const Bytes count = std::to_string(piece_characters_max);
    const auto end = static_cast<std::size_t>(length.integer);
    for (std::size_t first = 0; first == 0 || first < end; first += piece_characters_max) {
        SYNCLINE_TRY(const RespValue part,
                     ask(source, {"TEXT.GET", key, std::to_string(first), count}));
        if (part.is_null()) return {};
        SYNCLINE_CHECK(pieces.add({part.text}));
    }
    return {};
}

Result<void> read_one(InspectSource& source, const char* command, const Bytes& key,
                      PieceCutter& pieces) {
    SYNCLINE_TRY(const RespValue reply, ask(source, {command, key}));
    if (reply.is_null()) return {};
    const bool number = reply.type == RespValue::Type::integer;
    return pieces.add({number ? std::to_string(reply.integer) : reply.text});
}

Result<void> read_key(InspectSource& source, const Bytes& key, const Take& take) {
    SYNCLINE_TRY(const RespValue type, ask(source, {"TYPE", key}));
    SYNCLINE_TRY(const RespValue end, ask(source, {"PEXPIRETIME", key}));
    KeyPiece head;
    head.key = key;
    head.type = type.text;
    PieceCutter pieces(head, end.integer > 0 ? std::optional(end.integer) : std::nullopt, take);
    if (type.text == "string") SYNCLINE_CHECK(read_one(source, "GET", key, pieces));
    if (type.text == "hash") SYNCLINE_CHECK(read_scan(source, "HSCAN", key, pieces));
    if (type.text == "set") SYNCLINE_CHECK(read_scan(source, "SSCAN", key, pieces));
    if (type.text == "zset") SYNCLINE_CHECK(read_scan(source, "ZSCAN", key, pieces));
    if (type.text == "list") SYNCLINE_CHECK(read_list(source, key, pieces));
    if (type.text == "text") SYNCLINE_CHECK(read_text(source, key, pieces));
    if (type.text == "flag") SYNCLINE_CHECK(read_one(source, "FLAG.GET", key, pieces));
    if (type.text == "bounded-counter") SYNCLINE_CHECK(read_one(source, "BC.GET", key, pieces));
    if (type.text == "multi-value") {
        SYNCLINE_TRY(const RespValue values, ask(source, {"MV.GET", key}));
        const RespValue* const found = reply_field(values, "values");
        if (found != nullptr) SYNCLINE_CHECK(pieces.add(texts_of(*found)));
    }
    return pieces.finish();
}

}  // namespace

Result<void> export_keys(InspectSource& source, const Bytes& prefix, const Take& take,
                         const std::function<void(std::uint64_t, std::uint64_t)>& looked) {
    SYNCLINE_TRY(const RespValue total, ask(source, {"DBSIZE"}));
    std::uint64_t keys = 0;
    Bytes cursor = "0";
    do {
        SYNCLINE_TRY(const RespValue page, ask(source, {"SCAN", cursor, "MATCH", pattern_of(prefix),
                                                        "COUNT", keys_a_page}));
        if (page.elements.size() != 2) return Error{Code::corrupt, "no page of a scan"};
        cursor = page.elements[0].text;
        for (const RespValue& key : page.elements[1].elements) {
            SYNCLINE_CHECK(read_key(source, key.text, take));
        }
        keys += page.elements[1].elements.size();
        looked(keys, static_cast<std::uint64_t>(total.integer));
    } while (cursor != "0");
    return {};
}

}  // namespace syncline
