#include "tools/history.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/limits.hpp"

namespace syncline {

namespace {

using HistoryJson = nlohmann::json;

constexpr std::size_t json_bytes_max = 256 * limits::mib;
constexpr std::size_t value_bytes_shown_max = 1 * limits::kib;

Error corrupt(const std::string& what) {
    return Error{Code::corrupt, "history file: " + what};
}

/// Inflates until the stream ends; the caller has checked that the size fits zlib's counters.
Result<std::string> inflate_all(z_stream& stream) {
    std::string text;
    std::string piece(64 * limits::kib, '\0');
    int status = Z_OK;
    while (status == Z_OK && text.size() < json_bytes_max) {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        status = inflate(&stream, Z_NO_FLUSH);
        text.append(piece, 0, piece.size() - stream.avail_out);
    }
    if (status != Z_STREAM_END || stream.avail_in > 0) return corrupt("not one gzip member");
    return text;
}

Result<std::string> gunzip(BytesView bytes) {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (bytes.size() > std::numeric_limits<uInt>::max()) return corrupt("too large");
    z_stream stream = {};
    if (inflateInit2(&stream, gzip_only) != Z_OK) return corrupt("zlib does not start");
    // zlib does not write through next_in; its type is older than const.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    Result<std::string> text = inflate_all(stream);
    inflateEnd(&stream);
    return text;
}

/// Takes parsed JSON apart. The first thing that does not fit is kept, as in ByteReader.
class HistoryReader {
public:
    explicit HistoryReader(const HistoryJson& root) : root_(root) {}

    Result<History> read() {
        if (!root_.is_object() || !root_.contains("kind") || root_["kind"] != "kv-dag") {
            return corrupt("not of kind kv-dag");
        }
        for (const HistoryJson& key : array("keys")) history_.keys.push_back(text(key));
        for (const HistoryJson& size : array("valueSizes")) {
            history_.value_sizes.push_back(number<std::uint32_t>(size));
        }
        for (const HistoryJson& pair : array("finalState")) {
            history_.final_state.emplace_back(key_at(pair, 0), value_at(pair, 1));
        }
        agents_count_ = number<std::uint32_t>(member("numAgents"));
        for (const HistoryJson& txn : array("txns")) history_.txns.push_back(read_txn(txn));
        if (!problem_.empty()) return corrupt(problem_);
        return std::move(history_);
    }

private:
    History::Txn read_txn(const HistoryJson& json) {
        History::Txn txn;
        const std::size_t index = history_.txns.size();
        for (const HistoryJson& back : elements(element(json, 0))) {
            const auto distance = number<std::uint32_t>(back);
            if (distance == 0 || distance > index) fail("a parent out of range");
            txn.parents.push_back(static_cast<std::uint32_t>(index - distance));
        }
        txn.agent = number<std::uint32_t>(element(json, 1));
        if (txn.agent >= agents_count_) fail("an author out of range");
        txn.time = number<std::int64_t>(element(json, 2));
        for (const HistoryJson& op : elements(element(json, 3))) {
            const bool removes = element(op, 1) == HistoryJson(History::removed);
            const std::int32_t value =
                removes ? History::removed : static_cast<std::int32_t>(value_at(op, 1));
            txn.ops.emplace_back(key_at(op, 0), value);
        }
        return txn;
    }

    std::uint32_t key_at(const HistoryJson& pair, std::size_t index) {
        const auto key = number<std::uint32_t>(element(pair, index));
        if (key >= history_.keys.size()) fail("a key out of range");
        return key;
    }

    std::uint32_t value_at(const HistoryJson& pair, std::size_t index) {
        const auto value = number<std::uint32_t>(element(pair, index));
        if (value >= history_.value_sizes.size()) fail("a value out of range");
        return value;
    }

    const HistoryJson& member(const char* name) {
        if (root_.contains(name)) return root_[name];
        fail(fmt::format("no member {}", name));
        return nothing_;
    }

    const HistoryJson& array(const char* name) { return elements(member(name)); }

    const HistoryJson& elements(const HistoryJson& json) {
        if (json.is_array()) return json;
        fail("not an array: " + shown(json));
        return no_elements_;
    }

    const HistoryJson& element(const HistoryJson& json, std::size_t index) {
        if (json.is_array() && index < json.size()) return json[index];
        fail(fmt::format("no element {} in {}", index, shown(json)));
        return nothing_;
    }

    template <std::integral Number>
    Number number(const HistoryJson& json) {
        const std::int64_t value = json.is_number_integer() ? json.get<std::int64_t>() : -1;
        if (!json.is_number_integer() || !std::in_range<Number>(value)) {
            fail("not a number in range: " + shown(json));
            return 0;
        }
        return static_cast<Number>(value);
    }

    std::string text(const HistoryJson& json) {
        if (json.is_string()) return json.get<std::string>();
        fail("not a string: " + shown(json));
        return {};
    }

    static std::string shown(const HistoryJson& json) {
        return printable(json.dump(-1, ' ', true, HistoryJson::error_handler_t::replace));
    }

    void fail(const std::string& what) {
        if (problem_.empty()) problem_ = what;
    }

    const HistoryJson& root_;
    HistoryJson nothing_;
    HistoryJson no_elements_ = HistoryJson::array();
    History history_;
    std::uint32_t agents_count_ = 0;
    std::string problem_;
};

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<History> load_history(const std::string& path) {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
    if (file == nullptr) return Error{Code::io, "cannot open " + path};
    Bytes bytes;
    std::string piece(64 * limits::kib, '\0');
    std::size_t got = piece.size();
    while (got == piece.size()) {
        got = std::fread(piece.data(), 1, piece.size(), file.get());
        bytes.append(piece, 0, got);
    }
    if (std::ferror(file.get()) != 0) return Error{Code::io, "cannot read " + path};
    auto history = parse_history(bytes);
    if (!history) return history.error().in(path);
    return history;
}

Result<History> parse_history(BytesView gzip_bytes) {
    SYNCLINE_TRY(const std::string text, gunzip(gzip_bytes));
    const HistoryJson json = HistoryJson::parse(text, nullptr, false);
    if (json.is_discarded()) return corrupt("not JSON");
    return HistoryReader(json).read();
}

Bytes history_value(const History& history, std::uint32_t value) {
    SYNCLINE_ASSERT(value < history.value_sizes.size());
    Bytes bytes = std::to_string(value) + ":";
    const std::size_t size =
        std::min<std::size_t>(history.value_sizes[value], value_bytes_shown_max);
    std::uint64_t state = value;
    while (bytes.size() < size) {
        // A linear congruential generator; its high bits are good enough for filler.
        state = state * 6364136223846793005U + 1442695040888963407U;
        bytes.push_back(static_cast<char>('a' + (state >> 59) % 26));
    }
    return bytes;
}

}  // namespace syncline
