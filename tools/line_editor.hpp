#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace syncline {

/// What Tab brings at a place of a line.
struct LineOffer {
    std::size_t word_bytes = 0;            ///< before the cursor, which a completion replaces
    std::vector<std::string> completions;  ///< of that word
    std::string hint;                      ///< is told when there is none
};

/// Lines of a terminal, edited by libedit as its keys and ~/.editrc say, with a history of this
/// process. Ctrl-C clears the line. Confined to one thread; one for each process.
class LineEditor {
public:
    /// What there is for the part of the line before the cursor.
    using Offer = std::function<LineOffer(std::string_view)>;

    /// Error io: the terminal cannot be used.
    static Result<std::unique_ptr<LineEditor>> create(Offer offer);
    ~LineEditor();
    LineEditor(const LineEditor&) = delete;
    LineEditor& operator=(const LineEditor&) = delete;

    /// The next line without its end; empty after Ctrl-C, nothing after Ctrl-D.
    std::optional<std::string> read(const std::string& prompt);
    /// For the keys that go back.
    void add_history(const std::string& line);

private:
    struct Handles;
    LineEditor();

    std::unique_ptr<Handles> handles_;
};

/// What all of them begin with.
std::string common_start(const std::vector<std::string>& words);

}  // namespace syncline
