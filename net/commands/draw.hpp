#pragma once
#include <algorithm>
#include <utility>

#include "net/commands/command.hpp"

namespace syncline {

/// What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER ask for.
struct DrawRequest {
    std::size_t count = 1;
    bool again = false;        ///< the same element may come again
    bool counted = false;      ///< the reply is an array
    bool with_values = false;  ///< the option was given
};

/// Reads `key [count [option]]`, or `key [count]` if `option` is empty. Nothing, and the error is
/// written: the arguments are none of these, or ask for too much.
std::optional<DrawRequest> parse_draw(CommandContext& context, BytesView option);

/// `wanted` of the elements, each at most once, or with `again` as often as it is drawn.
template <typename Element>
std::vector<Element> draw(std::vector<Element> elements, std::size_t wanted, bool again,
                          Random& random) {
    std::vector<Element> drawn;
    if (elements.empty()) return drawn;
    if (!again) wanted = std::min(wanted, elements.size());
    for (std::size_t i = 0; i < wanted; ++i) {
        if (again) {
            drawn.push_back(elements[random.below(elements.size())]);
            continue;
        }
        std::swap(elements[i], elements[i + random.below(elements.size() - i)]);
        drawn.push_back(elements[i]);
    }
    return drawn;
}

}  // namespace syncline
