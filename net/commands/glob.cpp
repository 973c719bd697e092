#include "net/commands/glob.hpp"

#include <utility>

namespace syncline {
namespace {

/// Enough for any honest pattern on a key of the largest size.
constexpr std::size_t steps_max = 4 * 1024 * 1024;

unsigned char fold(char byte, bool nocase) {
    const auto code = static_cast<unsigned char>(byte);
    return nocase && code >= 'A' && code <= 'Z' ? static_cast<unsigned char>(code | 0x20U) : code;
}

/// Matches the one byte against the class that starts after '['; `at` moves behind the class.
/// A class without its ']' ends with the pattern, as in Redis.
bool match_class(BytesView pattern, std::size_t& at, char byte, bool nocase) {
    const unsigned char wanted = fold(byte, nocase);
    const bool inverted = at < pattern.size() && pattern[at] == '^';
    if (inverted) ++at;
    bool matched = false;
    for (; at < pattern.size() && pattern[at] != ']'; ++at) {
        const std::size_t left = pattern.size() - at;
        if (pattern[at] == '\\' && left >= 2) {
            matched = fold(pattern[++at], nocase) == wanted || matched;
        } else if (left >= 3 && pattern[at + 1] == '-') {
            unsigned char low = fold(pattern[at], nocase);
            unsigned char high = fold(pattern[at + 2], nocase);
            if (low > high) std::swap(low, high);
            matched = (low <= wanted && wanted <= high) || matched;
            at += 2;
        } else {
            matched = fold(pattern[at], nocase) == wanted || matched;
        }
    }
    if (at < pattern.size()) ++at;  // the ']'
    return matched != inverted;
}

/// Matches one byte against the pattern item at `at`, which is no '*' and not the end.
bool match_one(BytesView pattern, std::size_t& at, char byte, bool nocase) {
    const char item = pattern[at++];
    if (item == '?') return true;
    if (item == '[') return match_class(pattern, at, byte, nocase);
    if (item == '\\' && at < pattern.size()) {
        return fold(pattern[at++], nocase) == fold(byte, nocase);
    }
    return fold(item, nocase) == fold(byte, nocase);
}

/// Only the last '*' has to be tried again with one byte more: what stands before it has matched
/// as early as it can.
bool match(BytesView pattern, BytesView text, bool nocase) {
    std::size_t at = 0;
    std::size_t position = 0;
    std::size_t star = BytesView::npos;  // after the last '*' of the pattern
    std::size_t star_position = 0;       // where the text after that '*' begins
    std::size_t steps = 0;
    while (position < text.size()) {
        if (++steps > steps_max) return false;
        if (at < pattern.size() && pattern[at] == '*') {
            star = ++at;
            star_position = position;
            continue;
        }
        const std::size_t item = at;
        const bool matched = at < pattern.size() && match_one(pattern, at, text[position], nocase);
        steps += at - item;  // a class may be long
        if (matched) {
            ++position;
            continue;
        }
        if (star == BytesView::npos) return false;
        at = star;
        position = ++star_position;
    }
    while (at < pattern.size() && pattern[at] == '*') ++at;
    return at == pattern.size();
}

}  // namespace

bool glob_match(BytesView pattern, BytesView text) {
    return match(pattern, text, false);
}

bool glob_match_nocase(BytesView pattern, BytesView text) {
    return match(pattern, text, true);
}

}  // namespace syncline
