#include "tests/powercut/trace.hpp"

#include <cstring>
#include <fstream>
#include <iterator>

namespace syncline::powercut {

Result<Trace> Trace::load(const std::string& path) {
    Trace trace;
    std::ifstream in(path, std::ios::binary);
    if (!in) return Error{Code::io, "cannot read the trace " + path};
    trace.bytes_.assign(std::istreambuf_iterator<char>(in), {});
    const Error cut_off{Code::corrupt, "the trace " + path + " ends inside of a record"};
    BytesView left(trace.bytes_.data(), trace.bytes_.size());
    while (!left.empty()) {
        RecordHead head{};
        if (left.size() < sizeof head) return cut_off;
        std::memcpy(&head, left.data(), sizeof head);
        left.remove_prefix(sizeof head);
        if (left.size() < head.payload_bytes) return cut_off;
        const Record record{static_cast<Kind>(head.kind), head.file, head.number,
                            left.substr(0, head.payload_bytes)};
        left.remove_prefix(head.payload_bytes);
        if (record.kind >= Kind::unknown) {
            return Error{Code::corrupt, "not recordable: " + Bytes(record.payload)};
        }
        trace.records_.push_back(record);
    }
    return trace;
}

}  // namespace syncline::powercut
