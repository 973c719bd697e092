#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// How to write for whoever reads standard output.
struct ConsoleStyle {
    bool color = false;
    std::size_t width = 0;  ///< columns of the terminal; 0: no terminal, no bound
};

/// `color` is auto, always or never; auto: a terminal, NO_COLOR not set, TERM not dumb.
ConsoleStyle console_style(std::string_view color);

enum class Tone { plain, good, warning, bad, dim, strong };

/// The text in the color of a tone, if the style has colors.
std::string toned(const ConsoleStyle& style, Tone tone, std::string_view text);

/// Columns that a text takes on a terminal; wide letters take two.
std::size_t columns(std::string_view text);
/// The text, or as much of it as fits with "..." behind it.
std::string fitted(std::string_view text, std::size_t columns_max);

/// Asks whether to go on, and waits for a line of standard input: only "y" and "yes" are yes.
bool is_confirmed();

/// Bytes of a user in double quotes: what could move the cursor, reorder the line or is no UTF-8 is
/// written as \n, \xNN or \u{NNNN}. What is longer than columns_max is cut, and its length told:
/// "abc"... (120 bytes).
std::string quoted(BytesView bytes, std::size_t columns_max = 60);
/// Text from a server without quotes, equally harmless; cut as fitted() does.
std::string harmless(BytesView text, std::size_t columns_max = 200);

/// "1.5 KiB".
std::string human_bytes(std::uint64_t bytes);

/// Rows of cells in aligned columns. On a terminal that is too narrow the widest columns are cut.
class TextTable {
public:
    struct Item {
        std::string text;
        Tone tone = Tone::plain;
        Item(std::string item_text, Tone item_tone = Tone::plain)  // NOLINT: implicit
            : text(std::move(item_text)), tone(item_tone) {}
        Item(const char* item_text) : text(item_text) {}  // NOLINT: implicit
    };

    explicit TextTable(std::size_t indent = 0) : indent_(indent) {}
    void add(std::vector<Item> row) { rows_.push_back(std::move(row)); }
    /// All rows as lines.
    [[nodiscard]] std::string text(const ConsoleStyle& style) const;

private:
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t width_max) const;

    std::size_t indent_;
    std::vector<std::vector<Item>> rows_;
};

}  // namespace syncline
