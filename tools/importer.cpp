#include "tools/importer.hpp"

#include <optional>
#include <utility>

#include "net/resp.hpp"
#include "tools/console.hpp"
#include "tools/key_piece.hpp"

namespace syncline {
namespace {

constexpr std::size_t read_bytes = 256 * limits::kib;
constexpr std::size_t line_bytes_max = 2 * limits::request_bytes_max;
/// On the way to the server at a time.
constexpr std::size_t commands_max = 256;
constexpr std::size_t commands_bytes_max = 4 * limits::mib;

/// Sends commands in bundles, and knows which line each came from.
class Sender {
public:
    using Wrong = std::function<void(std::uint64_t, const std::string&)>;

    Sender(RespClient& client, const ImportOptions& options, const Wrong& wrong, Imported& imported)
        : client_(client), options_(options), wrong_(wrong), imported_(imported) {}

    /// A line and what it says to send, or what is wrong with it.
    Result<void> take(std::uint64_t number, const Result<std::vector<std::vector<Bytes>>>& line) {
        last_ = number;
        if (!line) {
            SYNCLINE_CHECK(flush());
            return fail(number, line.error().message);
        }
        for (const std::vector<Bytes>& command : *line) {
            client_.queue(command);
            for (const Bytes& argument : command) bytes_ += argument.size();
            numbers_.push_back(number);
        }
        const bool full = numbers_.size() >= commands_max || bytes_ >= commands_bytes_max;
        return full ? flush() : Result<void>();
    }

    Result<void> flush() {
        std::optional<std::pair<std::uint64_t, std::string>> first;
        for (const std::uint64_t number : std::exchange(numbers_, {})) {
            SYNCLINE_TRY(const RespValue reply, client_.receive());
            if (!reply.is_error()) continue;
            if (first && options_.stop_at_error) continue;  // of the same bundle
            if (number == failed_) continue;                // it is told already
            failed_ = number;
            if (!first) first = std::pair(number, harmless(reply.text));
            ++imported_.failed;
            wrong_(number, harmless(reply.text));
        }
        bytes_ = 0;
        imported_.done = first && options_.stop_at_error ? first->first - 1 : last_;
        return first && options_.stop_at_error ? stopped(first->first) : Result<void>();
    }

    /// What the server has of a bounded counter.
    Result<std::int64_t> value_of(const Bytes& key) {
        SYNCLINE_CHECK(flush());
        SYNCLINE_TRY(const RespValue reply, client_.command({"BC.GET", key}));
        return reply.type == RespValue::Type::integer ? reply.integer : std::int64_t{0};
    }

private:
    Result<void> fail(std::uint64_t number, const std::string& sentence) {
        ++imported_.failed;
        wrong_(number, sentence);
        if (!options_.stop_at_error) return {};
        imported_.done = number - 1;
        return stopped(number);
    }
    static Error stopped(std::uint64_t number) {
        return Error{Code::corrupt, "stopped at number " + std::to_string(number)};
    }

    RespClient& client_;
    const ImportOptions& options_;
    const Wrong& wrong_;
    Imported& imported_;
    std::vector<std::uint64_t> numbers_;  // of the commands under way
    std::size_t bytes_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t failed_ = 0;
};

Result<std::vector<std::vector<Bytes>>> commands_of_line(std::string_view line, Sender& sender) {
    SYNCLINE_TRY(KeyPiece piece, parse_json_line(line));
    if (piece.type == "bounded-counter") {
        const std::optional<std::int64_t> wanted = parse_integer(piece.values[0]);
        if (!wanted || *wanted < 0) {
            return Error{Code::invalid_argument, "the value is no number from 0 on"};
        }
        SYNCLINE_TRY(const std::int64_t there, sender.value_of(piece.key));
        if (there > 0 && there >= *wanted) return std::vector<std::vector<Bytes>>();
        piece.values[0] = std::to_string(*wanted - there);
    }
    return commands_of(piece);
}

/// Cuts bytes into lines or commands.
class Cutter {
public:
    Cutter(const ImportOptions& options, Sender& sender) : options_(options), sender_(sender) {}

    Result<void> feed(BytesView bytes) {
        if (options_.format == ExportFormat::resp) {
            parser_.feed(bytes);
            return take_requests();
        }
        rest_ += bytes;
        std::size_t begin = 0;
        for (std::size_t end = rest_.find('\n'); end != Bytes::npos;
             end = rest_.find('\n', begin)) {
            SYNCLINE_CHECK(take_line(BytesView(rest_).substr(begin, end - begin)));
            begin = end + 1;
        }
        rest_.erase(0, begin);
        if (rest_.size() <= line_bytes_max) return {};
        return Error{Code::limit, "line " + std::to_string(number_ + 1) + " is too long"};
    }

    Result<void> end() {
        if (!rest_.empty()) SYNCLINE_CHECK(take_line(rest_));
        if (parser_.buffered_bytes() == 0) return {};
        return Error{Code::corrupt,
                     "the file ends inside of command " + std::to_string(number_ + 1)};
    }

private:
    Result<void> take_line(BytesView line) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        const std::uint64_t number = ++number_;
        if (number <= options_.skip || line.empty()) return {};
        return sender_.take(number, commands_of_line(line, sender_));
    }
    Result<void> take_requests() {
        while (true) {
            Result<std::optional<Request>> request = parser_.next();
            if (!request) return request.error().in("command " + std::to_string(number_ + 1));
            if (!*request) return {};
            const std::uint64_t number = ++number_;
            if (number <= options_.skip) continue;
            std::vector<std::vector<Bytes>> commands;
            commands.push_back(std::move((*request)->arguments));
            SYNCLINE_CHECK(sender_.take(number, std::move(commands)));
        }
    }

    const ImportOptions& options_;
    Sender& sender_;
    RespParser parser_;
    Bytes rest_;
    std::uint64_t number_ = 0;
};

}  // namespace

Result<void> import_stream(std::FILE* input, RespClient& client, const ImportOptions& options,
                           const std::function<void(std::uint64_t, const std::string&)>& wrong,
                           const std::function<void(std::uint64_t)>& looked, Imported& imported) {
    Sender sender(client, options, wrong, imported);
    Cutter cutter(options, sender);
    Bytes buffer(read_bytes, '\0');
    std::uint64_t bytes = 0;
    while (true) {
        const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), input);
        if (got == 0) break;
        SYNCLINE_CHECK(cutter.feed(BytesView(buffer).substr(0, got)));
        bytes += got;
        looked(bytes);
    }
    if (std::ferror(input) != 0) return Error{Code::io, "the file cannot be read"};
    SYNCLINE_CHECK(cutter.end());
    return sender.flush();
}

}  // namespace syncline
