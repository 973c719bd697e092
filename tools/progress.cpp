#include "tools/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "tools/console.hpp"

namespace syncline {
namespace {

constexpr std::uint64_t terminal_ms = 200;
constexpr std::uint64_t lines_ms = 10000;
/// Before there is so much to go by nothing is foretold.
constexpr std::uint64_t forecast_after_ms = 1000;

std::string clock_text(std::uint64_t seconds) {
    if (seconds >= 3600) {
        return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace

std::string progress_text(const std::string& what, std::uint64_t part, std::uint64_t whole,
                          std::uint64_t bytes, std::uint64_t elapsed_ms) {
    std::string text = what + ":";
    const double share =
        whole > 0 ? std::min(1.0, static_cast<double>(part) / static_cast<double>(whole)) : 0;
    if (whole > 0) text += fmt::format(" {:.0f} %,", share * 100);
    text += " " + human_bytes(bytes);
    if (elapsed_ms < forecast_after_ms) return text;
    text += ", " + human_bytes(bytes * 1000 / elapsed_ms) + "/s";
    if (share > 0 && share < 1) {
        const double left_ms = static_cast<double>(elapsed_ms) * (1 - share) / share;
        text += ", " + clock_text(static_cast<std::uint64_t>(left_ms / 1000)) + " left";
    }
    return text;
}

ProgressLine::ProgressLine(std::string what, std::uint64_t now_ms)
    : what_(std::move(what)),
      begun_ms_(now_ms),
      shown_ms_(now_ms),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
    clear();
}

void ProgressLine::clear() {
    if (std::exchange(dirty_, false)) fmt::print(stderr, "\r\x1b[K");
    (void)std::fflush(stderr);  // nobody is harmed when nobody looks
}

void ProgressLine::show(std::uint64_t part, std::uint64_t whole, std::uint64_t bytes,
                        std::uint64_t now_ms) {
    if (now_ms - shown_ms_ < (terminal_ ? terminal_ms : lines_ms)) return;
    shown_ms_ = now_ms;
    const std::string text = progress_text(what_, part, whole, bytes, now_ms - begun_ms_);
    if (terminal_) {
        dirty_ = true;
        fmt::print(stderr, "\r{}\x1b[K", text);
        (void)std::fflush(stderr);  // as above
    } else {
        fmt::print(stderr, "{}\n", text);
    }
}

}  // namespace syncline
