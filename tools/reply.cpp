#include "tools/reply.hpp"

namespace syncline {

const RespValue* reply_field(const RespValue& reply, std::string_view name) {
    for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        if (reply.elements[i].text == name) return &reply.elements[i + 1];
    }
    return nullptr;
}

Bytes reply_text(const RespValue& reply, std::string_view name) {
    const RespValue* const found = reply_field(reply, name);
    return found == nullptr ? Bytes() : found->text;
}

std::int64_t reply_number(const RespValue& reply, std::string_view name) {
    const RespValue* const found = reply_field(reply, name);
    return found == nullptr ? 0 : found->integer;
}

const std::vector<RespValue>& reply_list(const RespValue& reply, std::string_view name) {
    static const std::vector<RespValue> none;
    const RespValue* const found = reply_field(reply, name);
    return found == nullptr ? none : found->elements;
}

}  // namespace syncline
