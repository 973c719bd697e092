#include "tools/console.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace syncline {
namespace {

constexpr std::size_t column_min = 6;
constexpr std::size_t gap = 2;
constexpr std::size_t width_min = 40;

struct Range {
    char32_t first;
    char32_t last;
};

bool within(char32_t point, const Range* begin, const Range* end) {
    return std::any_of(begin, end, [point](const Range& range) {
        return point >= range.first && point <= range.last;
    });
}

/// Controls, and marks without a glyph that change the order or the joining of letters.
bool is_harmful(char32_t point) {
    constexpr std::array<Range, 8> ranges{{{0x00, 0x1F},
                                           {0x7F, 0x9F},
                                           {0x61C, 0x61C},
                                           {0x200B, 0x200F},
                                           {0x2028, 0x202E},
                                           {0x2060, 0x206F},
                                           {0xFEFF, 0xFEFF},
                                           {0xE0000, 0xE0FFF}}};
    return within(point, ranges.begin(), ranges.end());
}

std::size_t columns_of(char32_t point) {
    constexpr std::array<Range, 9> wide{{{0x1100, 0x115F},
                                         {0x2E80, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0xFFE0, 0xFFE6},
                                         {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};
    if (point >= 0x300 && point <= 0x36F) return 0;
    return within(point, wide.begin(), wide.end()) ? 2 : 1;
}

/// One letter of a text: its bytes, and its code point unless they are no UTF-8.
struct Letter {
    BytesView bytes;
    std::optional<char32_t> point;
};

/// Precondition: text is not empty. What is no UTF-8 is one letter a byte.
Letter first_letter(BytesView text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char head = byte(0);
    if (head < 0x80) return {text.substr(0, 1), head};
    const std::size_t size = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
    const Letter broken{text.substr(0, 1), std::nullopt};
    if (head < 0xC2 || head > 0xF4 || text.size() < size) return broken;
    char32_t point = head & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xC0U) != 0x80) return broken;
        point = (point << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (point < least[size] || point > 0x10FFFF || surrogate) return broken;
    return {text.substr(0, size), point};
}

/// How a letter of a user is written.
std::string written(const Letter& letter, bool in_quotes) {
    const auto raw = static_cast<unsigned char>(letter.bytes[0]);
    if (!letter.point) return fmt::format("\\x{:02x}", raw);
    const char32_t point = *letter.point;
    if (in_quotes && (point == '"' || point == '\\')) return std::string("\\") + letter.bytes[0];
    if (!is_harmful(point)) return std::string(letter.bytes);
    if (point == '\n') return "\\n";
    if (point == '\r') return "\\r";
    if (point == '\t') return "\\t";
    if (point < 0x80) return fmt::format("\\x{:02x}", raw);
    return fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(point));
}

/// Letters as long as they fit; the rest of the text stays in `text`.
std::string take(BytesView& text, std::size_t columns_max, bool in_quotes) {
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const Letter letter = first_letter(text);
        const std::string form = written(letter, in_quotes);
        const std::size_t size = columns(form);
        if (used + size > columns_max) break;
        used += size;
        out += form;
        text.remove_prefix(letter.bytes.size());
    }
    return out;
}

}  // namespace

ConsoleStyle console_style(std::string_view color) {
    ConsoleStyle style;
    const bool terminal = ::isatty(STDOUT_FILENO) == 1;
    const char* const no_color = std::getenv("NO_COLOR");
    const char* const kind = std::getenv("TERM");
    const bool able = terminal && (no_color == nullptr || *no_color == '\0') && kind != nullptr &&
                      std::string_view(kind) != "dumb";
    style.color = color == "always" || (color == "auto" && able);
    winsize size{};
    if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        style.width = std::max<std::size_t>(size.ws_col, width_min);
    }
    return style;
}

std::string toned(const ConsoleStyle& style, Tone tone, std::string_view text) {
    if (!style.color || tone == Tone::plain || text.empty()) return std::string(text);
    const char* code = "1";
    switch (tone) {
        case Tone::good:
            code = "32";
            break;
        case Tone::warning:
            code = "33";
            break;
        case Tone::bad:
            code = "1;31";
            break;
        case Tone::dim:
            code = "2";
            break;
        case Tone::plain:
        case Tone::strong:
            break;
    }
    return fmt::format("\033[{}m{}\033[0m", code, text);
}

std::size_t columns(std::string_view text) {
    std::size_t count = 0;
    while (!text.empty()) {
        const Letter letter = first_letter(text);
        count += letter.point ? columns_of(*letter.point) : 1;
        text.remove_prefix(letter.bytes.size());
    }
    return count;
}

std::string fitted(std::string_view text, std::size_t columns_max) {
    if (columns(text) <= columns_max) return std::string(text);
    constexpr std::string_view dots = "...";
    std::size_t used = std::min(dots.size(), columns_max);
    const std::string end(dots.substr(0, used));
    std::string out;
    while (!text.empty()) {
        const Letter letter = first_letter(text);
        used += letter.point ? columns_of(*letter.point) : 1;
        if (used > columns_max) break;
        out += letter.bytes;
        text.remove_prefix(letter.bytes.size());
    }
    return out + end;
}

std::string quoted(BytesView bytes, std::size_t columns_max) {
    BytesView rest = bytes;
    const std::string text = "\"" + take(rest, columns_max, true) + "\"";
    return rest.empty() ? text : fmt::format("{}... ({} bytes)", text, bytes.size());
}

std::string harmless(BytesView text, std::size_t columns_max) {
    BytesView rest = text;
    const std::string out = take(rest, columns_max, false);
    return rest.empty() ? out : out + "...";
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < units.size(); ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::vector<std::size_t> TextTable::widths(std::size_t width_max) const {
    std::vector<std::size_t> widths;
    for (const std::vector<Item>& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], columns(row[i].text));
        }
    }
    if (widths.empty() || width_max == 0) return widths;
    std::size_t total = indent_ + gap * (widths.size() - 1);
    for (const std::size_t width : widths) total += width;
    while (total > width_max) {
        std::size_t& widest = *std::max_element(widths.begin(), widths.end());
        if (widest <= column_min) break;
        --widest;
        --total;
    }
    return widths;
}

std::string TextTable::text(const ConsoleStyle& style) const {
    const std::vector<std::size_t> widths = this->widths(style.width);
    std::string out;
    for (const std::vector<Item>& row : rows_) {
        std::string line(indent_, ' ');
        std::size_t spaces = 0;  // owed before the next text: no line ends in blanks
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string text = fitted(row[i].text, widths[i]);
            if (!text.empty()) line += std::string(spaces, ' ') + toned(style, row[i].tone, text);
            spaces = (text.empty() ? spaces : 0) + widths[i] - columns(text) + gap;
        }
        out += line + "\n";
    }
    return out;
}

bool is_confirmed() {
    fmt::print("Go on? [y/N] ");
    (void)std::fflush(stdout);
    std::string answer;
    return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
}

}  // namespace syncline
