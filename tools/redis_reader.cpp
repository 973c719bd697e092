#include "tools/redis_reader.hpp"

#include <algorithm>
#include <utility>

#include "core/base/env.hpp"
#include "net/endpoint.hpp"
#include "tools/console.hpp"
#include "tools/login.hpp"

namespace syncline {
namespace {

constexpr const char* page_keys = "500";
/// Keys, and bytes of strings, that are asked for at a time.
constexpr std::size_t group_keys_max = 16;
constexpr std::size_t group_bytes_max = 16 * limits::mib;
/// Elements of the first answer, whose size nobody knows, and of later ones.
constexpr std::size_t first_elements = 100;
constexpr std::size_t elements_max = 1000;

Error usage(std::string sentence) {
    return Error{Code::invalid_argument, std::move(sentence)};
}

std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const std::optional<Bytes> byte = from_hex(text.substr(i + 1, 2));
        if (!byte || byte->size() != 1) return std::nullopt;
        out += *byte;
        i += 2;
    }
    return out;
}

Result<void> parse_userinfo(std::string_view text, RedisAddress& address) {
    const std::size_t colon = text.find(':');
    const std::optional<std::string> user = decoded(text.substr(0, colon));
    const std::optional<std::string> password =
        decoded(colon == std::string_view::npos ? "" : text.substr(colon + 1));
    if (!user || !password) return usage("user or password of the URL: % is not followed by hex");
    address.user = *user;
    address.password = *password;
    return {};
}

struct TypeReading {
    const char* type;
    const char* command;
    bool scan;  ///< by a cursor
};
constexpr TypeReading type_readings[] = {{"string", "GET", false},
                                         {"list", "LRANGE", false},
                                         {"hash", "HSCAN", true},
                                         {"set", "SSCAN", true},
                                         {"zset", "ZSCAN", true}};

const TypeReading* reading_of(const std::string& type) {
    const auto* const found =
        std::find_if(std::begin(type_readings), std::end(type_readings),
                     [&](const TypeReading& row) { return type == row.type; });
    return found == std::end(type_readings) ? nullptr : found;
}

Error refused(const RespValue& answer) {
    return Error{Code::io, "the Redis answers: " + harmless(answer.text)};
}

Result<std::size_t> add_texts(PieceCutter& cutter, const RespValue& answer) {
    std::vector<Bytes> texts;
    std::size_t bytes = 0;
    for (const RespValue& element : answer.elements) {
        bytes += element.text.size();
        texts.push_back(element.text);
    }
    SYNCLINE_CHECK(cutter.add(std::move(texts)));
    return bytes;
}

}  // namespace

Result<RedisAddress> parse_redis_url(const std::string& url) {
    constexpr std::string_view scheme = "redis://";
    if (url.rfind("rediss://", 0) == 0) {
        return usage("rediss:// is not understood: TLS needs a tunnel, as of stunnel");
    }
    if (url.rfind(scheme, 0) != 0) return usage("the URL does not begin with redis://");
    std::string_view rest = std::string_view(url).substr(scheme.size());
    RedisAddress address;
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
        SYNCLINE_CHECK(parse_userinfo(rest.substr(0, at), address));
        rest.remove_prefix(at + 1);
    }
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
        const std::string_view database = rest.substr(slash + 1);
        const std::optional<std::int64_t> number = parse_integer(database);
        if (!database.empty() && (!number || *number < 0)) {
            return usage("the database of the URL is no number from 0 on");
        }
        address.database = static_cast<std::uint64_t>(number.value_or(0));
        rest = rest.substr(0, slash);
    }
    std::string host(rest);
    const bool v6 = !host.empty() && host.back() == ']';
    if (v6 || host.find(':') == std::string::npos) host += ":6379";
    SYNCLINE_TRY(address.endpoint, parse_endpoint(host));
    return address;
}

Result<RespClient> connect_redis(const RedisAddress& address, std::uint64_t timeout_ms) {
    SYNCLINE_TRY(RespClient client,
                 RespClient::connect(address.endpoint.host, address.endpoint.port, timeout_ms));
    if (!address.password.empty()) {
        SYNCLINE_TRY(const RespValue answer,
                     client.command(auth_request(address.user, address.password)));
        if (answer.is_error()) return usage(refused(answer).message);
    }
    if (address.database == 0) return client;
    SYNCLINE_TRY(const RespValue answer,
                 client.command({"SELECT", std::to_string(address.database)}));
    if (answer.is_error()) return usage(refused(answer).message);
    return client;
}

/// A key that is being read: what to ask for next.
struct RedisReader::Reading {
    std::size_t index;  ///< in the page
    const RedisKey& key;
    const TypeReading& how;
    PieceCutter cutter;
    Bytes cursor{"0"};
    std::size_t offset = 0;  ///< in a list
    std::size_t count = first_elements;
    bool wrong = false;
};

RedisReader::RedisReader(RespClient& client, std::string match, Bytes cursor)
    : client_(client), match_(std::move(match)), cursor_(std::move(cursor)) {}

bool RedisReader::can_read(const std::string& type) {
    return reading_of(type) != nullptr;
}

Result<std::vector<RedisKey>> RedisReader::next_page() {
    std::vector<Bytes> scan{"SCAN", cursor_, "COUNT", page_keys};
    if (!match_.empty()) scan.insert(scan.end(), {"MATCH", match_});
    SYNCLINE_TRY(const RespValue page, client_.command(scan));
    if (page.is_error()) return refused(page);
    if (page.elements.size() != 2) return Error{Code::corrupt, "no page of SCAN"};
    for (const RespValue& key : page.elements[1].elements) {
        client_.queue({"TYPE", key.text});
        client_.queue({"PTTL", key.text});
    }
    SystemClock clock;
    std::vector<RedisKey> keys;
    for (const RespValue& key : page.elements[1].elements) {
        SYNCLINE_TRY(const RespValue type, client_.receive());
        SYNCLINE_TRY(const RespValue left, client_.receive());
        if (type.is_error()) return refused(type);
        if (left.is_error()) return refused(left);
        if (type.text == "none") continue;
        RedisKey found;
        found.key = key.text;
        found.type = type.text;
        if (left.integer >= 0) {
            found.ends_ms = static_cast<std::int64_t>(clock.wall_ms()) + left.integer;
        }
        keys.push_back(std::move(found));
    }
    for (const RedisKey& key : keys) {
        if (key.type == "string") client_.queue({"STRLEN", key.key});
    }
    for (RedisKey& key : keys) {
        if (key.type != "string") continue;
        SYNCLINE_TRY(const RespValue length, client_.receive());
        if (!length.is_error()) key.length = static_cast<std::uint64_t>(length.integer);
    }
    cursor_ = page.elements[0].text;
    ended_ = cursor_ == "0";
    return keys;
}

Result<void> RedisReader::read(const std::vector<RedisKey>& page, const Take& take,
                               const Wrong& wrong) {
    std::vector<PieceCutter::Take> takes;  // cutters refer to them
    takes.reserve(page.size());
    std::vector<Reading> group;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < page.size(); ++i) {
        const RedisKey& key = page[i];
        const TypeReading* const how = reading_of(key.type);
        if (how == nullptr) continue;
        if (key.length > limits::value_bytes_max) {
            wrong(i, "a value of " + human_bytes(key.length) + ", where " +
                         human_bytes(limits::value_bytes_max) + " is the most");
            continue;
        }
        if (group.size() >= group_keys_max || bytes + key.length > group_bytes_max) {
            SYNCLINE_CHECK(read_group(group, wrong));
            group.clear();
            bytes = 0;
        }
        takes.push_back([&take, i](const KeyPiece& piece) { return take(i, piece); });
        KeyPiece head;
        head.key = key.key;
        head.type = key.type;
        group.push_back(
            Reading{i, key, *how, PieceCutter(std::move(head), key.ends_ms, takes.back())});
        bytes += key.length;
    }
    return read_group(group, wrong);
}

/// The first answer for each key at once, since most keys are small; then the rest of the large.
Result<void> RedisReader::read_group(std::vector<Reading>& group, const Wrong& wrong) {
    for (const Reading& reading : group) ask_next(reading);
    std::vector<RespValue> answers;
    for (std::size_t i = 0; i < group.size(); ++i) {
        SYNCLINE_TRY(RespValue answer, client_.receive());
        answers.push_back(std::move(answer));
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
        SYNCLINE_TRY(const bool end, take_answer(group[i], std::exchange(answers[i], {}), wrong));
        if (!end) SYNCLINE_CHECK(read_rest(group[i], wrong));
        if (!group[i].wrong) SYNCLINE_CHECK(group[i].cutter.finish());
    }
    return {};
}

Result<void> RedisReader::read_rest(Reading& reading, const Wrong& wrong) {
    while (true) {
        ask_next(reading);
        SYNCLINE_TRY(const RespValue answer, client_.receive());
        SYNCLINE_TRY(const bool end, take_answer(reading, answer, wrong));
        if (end) return {};
    }
}

void RedisReader::ask_next(const Reading& reading) {
    const Bytes& key = reading.key.key;
    if (reading.how.scan) {
        client_.queue(
            {reading.how.command, key, reading.cursor, "COUNT", std::to_string(reading.count)});
    } else if (reading.key.type == "list") {
        client_.queue({reading.how.command, key, std::to_string(reading.offset),
                       std::to_string(reading.offset + reading.count - 1)});
    } else {
        client_.queue({reading.how.command, key});
    }
}

/// Whether it was the last one of this key.
Result<bool> RedisReader::take_answer(Reading& reading, const RespValue& answer,
                                      const Wrong& wrong) {
    if (answer.is_error()) {
        reading.wrong = true;
        wrong(reading.index, harmless(answer.text));
        return true;
    }
    if (reading.key.type == "string") {
        if (!answer.is_null()) SYNCLINE_CHECK(reading.cutter.add({answer.text}));
        return true;
    }
    const RespValue* elements = &answer;
    if (reading.how.scan) {
        if (answer.elements.size() != 2) return Error{Code::corrupt, "no page of a scan"};
        reading.cursor = answer.elements[0].text;
        elements = &answer.elements[1];
    }
    SYNCLINE_TRY(const std::size_t bytes, add_texts(reading.cutter, *elements));
    const std::size_t count = elements->elements.size();
    const bool end = reading.how.scan ? reading.cursor == "0" : count < reading.count;
    reading.offset += count;
    if (count > 0) {  // as many as are likely to make a piece
        reading.count =
            std::clamp<std::size_t>(piece_bytes_max * count / (bytes + 1), 1, elements_max);
    }
    return end;
}

}  // namespace syncline
