#pragma once
#include <optional>

#include "core/engine/operations.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/errors.hpp"

namespace syncline {

/// The end of a list that LEFT or RIGHT names, in any case. Nothing, and the error is written: it
/// is another word.
inline std::optional<operations::ListEnd> end_argument(RespWriter& reply, BytesView text) {
    if (equal_nocase(text, "left")) return operations::ListEnd::front;
    if (equal_nocase(text, "right")) return operations::ListEnd::back;
    reply.error(error_text::syntax);
    return std::nullopt;
}

}  // namespace syncline
