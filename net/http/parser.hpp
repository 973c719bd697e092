#pragma once
#include <memory>
#include <optional>

#include "core/base/limits.hpp"
#include "net/http/message.hpp"

namespace syncline {

/// Cuts the bytes of an HTTP/1.0 or 1.1 client into requests, any number of them in any pieces.
///
/// Use: feed() each read, then next() until it answers nothing; failure() then tells whether more
/// bytes may help. Bounds: 8 KiB of target, 16 KiB of headers, 100 of them, 1 KiB of body.
/// Thread-safety: confined to one thread.
class HttpParser {
public:
    static constexpr std::size_t target_bytes_max = 8 * limits::kib;
    static constexpr std::size_t header_bytes_max = 16 * limits::kib;
    static constexpr std::size_t headers_max = 100;
    static constexpr std::size_t body_bytes_max = 1 * limits::kib;

    HttpParser();
    ~HttpParser();
    HttpParser(const HttpParser&) = delete;
    HttpParser& operator=(const HttpParser&) = delete;

    void feed(BytesView bytes);
    /// The next whole request, or nothing.
    std::optional<HttpRequest> next();
    /// What is wrong with the bytes; they cannot be followed any further. Stays.
    [[nodiscard]] const std::optional<HttpFailure>& failure() const;
    /// No byte has come behind the last request taken.
    [[nodiscard]] bool idle() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace syncline
