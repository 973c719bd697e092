#pragma once
#include "core/base/bytes.hpp"

namespace syncline {

/// Redis's patterns: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that is meant
/// literally. Steps are bounded, so that no pattern can hold the loop: past the bound nothing
/// matches. Cost: O(pattern * text) at worst.
bool glob_match(BytesView pattern, BytesView text);
/// The same, with A-Z equal to a-z.
bool glob_match_nocase(BytesView pattern, BytesView text);

}  // namespace syncline
