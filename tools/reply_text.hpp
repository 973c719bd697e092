#pragma once
#include <string>

#include "net/resp_client.hpp"

namespace syncline {

/// How `syncline shell` writes replies.
enum class ReplyFormat : std::uint8_t {
    typed,     ///< for people: (integer) 1, "text", 1) "a"
    raw,       ///< bytes as they are, an element a line
    verbatim,  ///< the same without a line end: text that is made for people, as of INFO
    json,      ///< a line of JSON
};

/// A reply as redis-cli writes it, byte for byte, with the last line end; not so JSON: bytes are
/// strings if they are UTF-8, else {"hex": ...}; errors are
/// {"error": ...}, doubles that JSON has not are strings, maps are objects with text keys.
std::string reply_text(const RespValue& reply, ReplyFormat format);

/// In double quotes, with \n \r \t \a \b \\ \" and \xNN for what is no printable ASCII: the split
/// of arguments reads it back.
std::string quoted_argument(BytesView bytes);

}  // namespace syncline
