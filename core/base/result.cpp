#include "core/base/result.hpp"

namespace syncline {

std::string_view code_name(Code code) {
    switch (code) {
        case Code::invalid_argument:
            return "invalid_argument";
        case Code::wrong_type:
            return "wrong_type";
        case Code::overflow:
            return "overflow";
        case Code::corrupt:
            return "corrupt";
        case Code::io:
            return "io";
        case Code::no_space:
            return "no_space";
        case Code::limit:
            return "limit";
        case Code::version:
            return "version";
        case Code::unauthorized:
            return "unauthorized";
        case Code::unavailable:
            return "unavailable";
        case Code::locked:
            return "locked";
        case Code::causality:
            return "causality";
        case Code::read_only:
            return "read_only";
        case Code::conflict:
            return "conflict";
        case Code::no_rights:
            return "no_rights";
        case Code::permanent:
            return "permanent";
    }
    return "unknown";
}

}  // namespace syncline
