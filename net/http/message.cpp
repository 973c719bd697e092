#include "net/http/message.hpp"

#include <algorithm>

#include "net/commands/arguments.hpp"
#include "net/peer_auth.hpp"

namespace syncline {
namespace {

const char* reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 421:
            return "Misdirected Request";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Internal Server Error";
    }
}

/// The page needs nothing from elsewhere, and nothing elsewhere may use it.
constexpr std::string_view security_headers =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cache-Control: no-store\r\n";

std::optional<unsigned> hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A') + 10;
    return std::nullopt;
}

std::optional<Bytes> decode(std::string_view text) {
    Bytes bytes;
    bytes.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            bytes += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const std::optional<unsigned> high = hex_digit(text[i + 1]);
        const std::optional<unsigned> low = hex_digit(text[i + 2]);
        if (!high || !low) return std::nullopt;
        bytes += static_cast<char>(*high * 16 + *low);
        i += 2;
    }
    return bytes;
}

}  // namespace

const Bytes* HttpRequest::parameter(BytesView name) const {
    for (const auto& [known, value] : parameters) {
        if (known == name) return &value;
    }
    return nullptr;
}

const std::string* HttpRequest::header(std::string_view name) const {
    const std::string* found = nullptr;
    for (const auto& [known, value] : headers) {
        if (known != name) continue;
        if (found != nullptr) return nullptr;
        found = &value;
    }
    return found;
}

bool parse_target(std::string_view target, HttpRequest& request) {
    if (target.empty() || target.front() != '/') return false;
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark == std::string_view::npos) return true;
    std::string_view query = target.substr(mark + 1);
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        std::optional<Bytes> name = decode(pair.substr(0, equals));
        std::optional<Bytes> value = decode(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value) return false;
        request.parameters.emplace_back(std::move(*name), std::move(*value));
    }
    return true;
}

std::optional<HttpLogin> parse_basic(std::string_view header) {
    constexpr std::string_view scheme = "basic ";
    if (header.size() < scheme.size() || lower(header.substr(0, scheme.size())) != scheme) {
        return std::nullopt;
    }
    const std::optional<Bytes> login = from_base64(header.substr(scheme.size()));
    const std::size_t colon = login ? login->find(':') : Bytes::npos;
    if (colon == Bytes::npos) return std::nullopt;
    return HttpLogin{login->substr(0, colon), login->substr(colon + 1)};
}

HttpResponse http_failure(const HttpFailure& failure) {
    return HttpResponse{failure.status, "text/plain; charset=utf-8", failure.sentence + "\n"};
}

Bytes encode_response(const HttpResponse& response, bool with_body, bool keep_alive) {
    Bytes bytes = "HTTP/1.1 " + std::to_string(response.status) + " " +
                  reason_phrase(response.status) + "\r\nContent-Type: " + response.type +
                  "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n";
    if (response.status == 401) {
        bytes += "WWW-Authenticate: Basic realm=\"syncline\", charset=\"UTF-8\"\r\n";
    }
    if (response.status == 405) bytes += "Allow: GET, HEAD\r\n";
    bytes += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    bytes += security_headers;
    bytes += "\r\n";
    if (with_body) bytes += response.body;
    return bytes;
}

Bytes encode_stream_head() {
    Bytes bytes =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Connection: close\r\n";
    bytes += security_headers;
    bytes += "\r\n";
    return bytes;
}

bool is_own_host(std::string_view host, std::string_view bind_address) {
    const std::size_t bracket = host.find(']');
    const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string_view port =
        colon == std::string_view::npos ? std::string_view() : host.substr(colon + 1);
    if (!std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return false;
    }
    std::string name(host.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
        name = name.substr(1, name.size() - 2);
    }
    return name == "localhost" || name == "127.0.0.1" || name == "::1" || name == bind_address;
}

}  // namespace syncline
