#include "tools/importer.hpp"

#include <optional>
#include <utility>

#include "net/resp.hpp"
#include "tools/command_sender.hpp"
#include "tools/key_piece.hpp"

namespace syncline {
namespace {

constexpr std::size_t read_bytes = 256 * limits::kib;
constexpr std::size_t line_bytes_max = 2 * limits::request_bytes_max;

Result<std::vector<std::vector<Bytes>>> commands_of_line(std::string_view line,
                                                         CommandSender& sender) {
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
    Cutter(const ImportOptions& options, CommandSender& sender)
        : options_(options), sender_(sender) {}

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
    CommandSender& sender_;
    RespParser parser_;
    Bytes rest_;
    std::uint64_t number_ = 0;
};

}  // namespace

Result<void> import_stream(std::FILE* input, RespClient& client, const ImportOptions& options,
                           const std::function<void(std::uint64_t, const std::string&)>& wrong,
                           const std::function<void(std::uint64_t)>& looked, Imported& imported) {
    CommandSender sender(client, options.stop_at_error, wrong, imported);
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
