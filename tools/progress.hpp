#pragma once
#include <cstdint>
#include <string>

namespace syncline {

/// How far something long is, on standard error: on a terminal one line that is written over again,
/// elsewhere a line every ten seconds. Confined to one thread.
class ProgressLine {
public:
    /// `what`: "backup". `now_ms`: steady.
    ProgressLine(std::string what, std::uint64_t now_ms);
    /// Ends the line on a terminal.
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// `part` of `whole` is done, which are of one unit (whole 0: not known), and `bytes` in all.
    void show(std::uint64_t part, std::uint64_t whole, std::uint64_t bytes, std::uint64_t now_ms);
    /// It is over. On a terminal the line goes.
    void clear();

private:
    std::string what_;
    std::uint64_t begun_ms_;
    std::uint64_t shown_ms_;
    bool terminal_;
    bool dirty_ = false;  ///< the terminal's line is written
};

/// "backup: 42 %, 1.5 GiB, 80.0 MiB/s, 0:25 left". Parts that are not known are left out.
std::string progress_text(const std::string& what, std::uint64_t part, std::uint64_t whole,
                          std::uint64_t bytes, std::uint64_t elapsed_ms);

}  // namespace syncline
