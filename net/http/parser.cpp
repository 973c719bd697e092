#include "net/http/parser.hpp"

#include <http_parser.h>

#include <algorithm>
#include <utility>

namespace syncline {

struct HttpParser::Impl {
    Impl() {
        http_parser_init(&parser, HTTP_REQUEST);
        parser.data = this;
    }

    static Impl& of(http_parser* parser) { return *static_cast<Impl*>(parser->data); }
    int refuse(int status, std::string sentence) {
        if (!failure) failure = HttpFailure{status, std::move(sentence)};
        return -1;  // 1 and 2 have meanings of their own behind headers
    }
    int add_header_bytes(std::size_t bytes) {
        header_bytes += bytes;
        if (header_bytes <= header_bytes_max) return 0;
        return refuse(431, "The headers are longer than 16384 bytes.");
    }
    int on_url(BytesView bytes);
    int on_field(BytesView bytes);
    int on_value(BytesView bytes);
    int on_headers_complete();
    int on_body(std::size_t bytes);
    int on_complete();
    void note_error();

    http_parser parser{};
    Bytes buffer;
    bool begun = false;  // bytes of a request that is not whole
    std::optional<HttpFailure> failure;
    std::optional<HttpRequest> whole;
    // Of the request in progress.
    HttpRequest request;
    std::string target;
    std::size_t header_bytes = 0;
    std::size_t body_bytes = 0;
    bool value_came = true;  // the next piece of a name begins a new header
};

int HttpParser::Impl::on_url(BytesView bytes) {
    target += bytes;
    if (target.size() <= target_bytes_max) return 0;
    return refuse(414, "The address is longer than 8192 bytes.");
}

int HttpParser::Impl::on_field(BytesView bytes) {
    if (value_came) {
        if (request.headers.size() == headers_max) {
            return refuse(431, "There are more than 100 headers.");
        }
        request.headers.emplace_back();
        value_came = false;
    }
    for (const char byte : bytes) {
        const bool upper = byte >= 'A' && byte <= 'Z';
        request.headers.back().first += upper ? static_cast<char>(byte - 'A' + 'a') : byte;
    }
    return add_header_bytes(bytes.size());
}

int HttpParser::Impl::on_value(BytesView bytes) {
    value_came = true;
    if (request.headers.empty()) return 0;  // cannot be: a name comes first
    request.headers.back().second += bytes;
    return add_header_bytes(bytes.size());
}

int HttpParser::Impl::on_headers_complete() {
    if (parser.http_major != 1 || parser.http_minor > 1) {
        return refuse(505, "This server speaks HTTP/1.1.");
    }
    request.method = http_method_str(static_cast<http_method>(parser.method));
    request.keep_alive = http_should_keep_alive(&parser) != 0;
    // A client may ask for another protocol; this server keeps to its own.
    parser.upgrade = 0;
    const bool has_length = (parser.flags & F_CONTENTLENGTH) != 0;
    if (has_length && parser.content_length > body_bytes_max) {
        return refuse(413, "Requests have no use for a body here.");
    }
    return 0;
}

int HttpParser::Impl::on_body(std::size_t bytes) {
    body_bytes += bytes;
    if (body_bytes <= body_bytes_max) return 0;
    return refuse(413, "Requests have no use for a body here.");
}

int HttpParser::Impl::on_complete() {
    if (!parse_target(target, request)) {
        return refuse(400, "The address is not a path, or an escape in it is broken.");
    }
    whole = std::exchange(request, HttpRequest());
    target.clear();
    header_bytes = 0;
    body_bytes = 0;
    value_came = true;
    http_parser_pause(&parser, 1);
    return 0;
}

void HttpParser::Impl::note_error() {
    const auto error = static_cast<http_errno>(parser.http_errno);
    if (error == HPE_HEADER_OVERFLOW) {
        refuse(431, "The headers are longer than 16384 bytes.");
    } else if (error == HPE_INVALID_VERSION) {
        refuse(505, "This server speaks HTTP/1.1.");
    } else {
        refuse(400, std::string("This is no HTTP request: ") + http_errno_description(error) + ".");
    }
}

HttpParser::HttpParser() : impl_(std::make_unique<Impl>()) {}
HttpParser::~HttpParser() = default;

void HttpParser::feed(BytesView bytes) {
    if (impl_->failure) return;
    impl_->buffer += bytes;
}

std::optional<HttpRequest> HttpParser::next() {
    Impl& impl = *impl_;
    if (impl.failure || impl.buffer.empty()) return std::nullopt;
    static const http_parser_settings settings = [] {
        http_parser_settings made;
        http_parser_settings_init(&made);
        made.on_url = [](http_parser* parser, const char* at, std::size_t length) {
            return Impl::of(parser).on_url({at, length});
        };
        made.on_header_field = [](http_parser* parser, const char* at, std::size_t length) {
            return Impl::of(parser).on_field({at, length});
        };
        made.on_header_value = [](http_parser* parser, const char* at, std::size_t length) {
            return Impl::of(parser).on_value({at, length});
        };
        made.on_headers_complete = [](http_parser* parser) {
            return Impl::of(parser).on_headers_complete();
        };
        made.on_body = [](http_parser* parser, const char*, std::size_t length) {
            return Impl::of(parser).on_body(length);
        };
        made.on_message_complete = [](http_parser* parser) {
            return Impl::of(parser).on_complete();
        };
        return made;
    }();
    http_parser_pause(&impl.parser, 0);
    const std::size_t used =
        http_parser_execute(&impl.parser, &settings, impl.buffer.data(), impl.buffer.size());
    const auto error = static_cast<http_errno>(impl.parser.http_errno);
    impl.begun = true;
    if (impl.failure || (error != HPE_OK && error != HPE_PAUSED)) {
        impl.note_error();
        impl.whole.reset();
        impl.buffer.clear();
        return std::nullopt;
    }
    impl.buffer.erase(0, used);
    if (impl.whole) impl.begun = false;
    return std::exchange(impl.whole, std::nullopt);
}

const std::optional<HttpFailure>& HttpParser::failure() const {
    return impl_->failure;
}

bool HttpParser::idle() const {
    return impl_->buffer.empty() && !impl_->begun;
}

}  // namespace syncline
