#include "core/protocol/exchange.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/base/pack.hpp"

namespace syncline {
namespace {

constexpr BytesView magic = "SLX1";
constexpr std::size_t checksum_bytes = 8;
constexpr std::size_t names_max = 4096;
constexpr std::size_t message_bytes_target = 1 * limits::mib;

Error damaged() {
    return Error{Code::corrupt, "a carried message is damaged"};
}

}  // namespace

Bytes encode_carried(const CarriedMessage& message) {
    Bytes bytes(magic);
    Packer out(bytes);
    out.array(7);
    out.bin(to_bytes(message.cluster));
    out.bin(to_bytes(message.node));
    out.uint(message.epoch);
    out.uint(message.sequence);
    out.uint(message.heard);
    out.uint(message.restart_above);
    out.array(message.frames.size());
    for (const WireMessage& frame : message.frames) {
        out.uint(frame.type);
        out.bin(frame.payload);
    }
    ByteWriter(bytes).u64(hash64(bytes));
    return bytes;
}

Result<CarriedMessage> decode_carried(BytesView bytes) {
    if (bytes.size() < magic.size() + checksum_bytes) return damaged();
    if (bytes.substr(0, 3) != magic.substr(0, 3)) {
        return Error{Code::corrupt, "these bytes are no carried message"};
    }
    if (bytes[3] != magic[3]) {
        return Error{Code::version, "a carried message has format " +
                                        printable(bytes.substr(3, 1)) + ", this build knows " +
                                        printable(magic.substr(3, 1))};
    }
    const BytesView body = bytes.substr(0, bytes.size() - checksum_bytes);
    ByteReader checksum(bytes.substr(body.size()));
    if (checksum.u64() != hash64(body)) return damaged();
    Unpacker in(body.substr(magic.size()));
    in.array_of(7);
    const BytesView cluster = in.bin();
    const BytesView node = in.bin();
    CarriedMessage message;
    message.epoch = in.uint();
    message.sequence = in.uint();
    message.heard = in.uint();
    message.restart_above = in.uint();
    const std::size_t frames_count = in.array();
    for (std::size_t i = 0; i < frames_count && in.ok(); ++i) {
        const auto type = static_cast<std::uint8_t>(in.uint_at_most(0xff));
        message.frames.push_back(WireMessage{type, Bytes(in.bin())});
    }
    if (!in.done() || message.epoch == 0) return damaged();
    SYNCLINE_TRY(message.cluster, uuid_from(cluster));
    SYNCLINE_TRY(message.node, uuid_from(node));
    return message;
}

Result<Exchanges::Exchange*> Exchanges::find(const std::string& peer) {
    const auto found = exchanges_.find(peer);
    if (found != exchanges_.end()) return &found->second;
    if (exchanges_.size() >= names_max) {
        return Error{Code::limit,
                     "messages are exchanged with " + std::to_string(names_max) + " peers already"};
    }
    Exchange& exchange = exchanges_[peer];
    exchange.epoch = next_epoch(0);
    return &exchange;
}

/// Larger than any before, also of an earlier life of the process unless its clock went back; then
/// the peer asks for a larger one.
std::uint64_t Exchanges::next_epoch(std::uint64_t above) {
    const std::uint64_t ceiling = std::uint64_t{1} << 62U;  // a forged one must not end the numbers
    last_epoch_ = std::max({last_epoch_, std::min(above, ceiling), env_.clock.wall_ms() << 8U}) + 1;
    return last_epoch_;
}

void Exchanges::begin_link(Exchange& exchange, Replica* replica) {
    // Not before the peer's epoch is known: it drops frames that do not name it.
    if (replica == nullptr || exchange.peer_epoch == 0) return;
    if (exchange.link != 0 || exchange.silent) return;
    exchange.link = next_link_++;
    replica->link_up(exchange.link, exchange.node, Carrier::hand);
}

void Exchanges::end_link(Exchange& exchange, Replica* replica) {
    if (exchange.link != 0) replica->link_down(exchange.link);
    exchange.link = 0;
    exchange.frames.clear();
}

void Exchanges::begin_epoch(Exchange& exchange, std::uint64_t above, Replica* replica) {
    end_link(exchange, replica);
    exchange.epoch = next_epoch(above);
    exchange.sequence = 0;
    exchange.word_due = true;
    exchange.silent = false;
    exchange.failure.reset();
}

Result<void> Exchanges::prepare(const std::string& peer, Replica* replica) {
    SYNCLINE_TRY(Exchange* const exchange, find(peer));
    begin_link(*exchange, replica);
    return {};
}

/// True: the message is the next of the peer's epoch.
bool Exchanges::follow(Exchange& exchange, const CarriedMessage& message, Replica* replica) {
    const auto ask_for_restart = [&](std::uint64_t above) {
        exchange.restart_above = above;
        exchange.word_due = true;
        return false;
    };
    if (message.epoch < exchange.peer_epoch) {
        // A late copy; or the peer's clock went back, and it does not know of its larger epoch.
        return message.sequence == 0 ? ask_for_restart(exchange.peer_epoch) : false;
    }
    if (message.epoch > exchange.peer_epoch) {
        if (message.sequence != 0) return ask_for_restart(message.epoch);
        end_link(exchange, replica);
        exchange.peer_epoch = message.epoch;
        exchange.expected = 0;
        exchange.restart_above = 0;
        exchange.silent = false;
    }
    if (message.sequence < exchange.expected) return false;
    if (message.sequence > exchange.expected) return ask_for_restart(message.epoch);
    ++exchange.expected;
    return true;
}

Result<void> Exchanges::receive(const std::string& peer, const CarriedMessage& message,
                                Replica* replica) {
    SYNCLINE_TRY(Exchange* const found, find(peer));
    Exchange& exchange = *found;
    if (!exchange.node.is_nil() && exchange.node != message.node) {
        return Error{Code::invalid_argument,
                     "the name \"" + peer + "\" stands for node " + to_string(exchange.node) +
                         ", and this message is of node " + to_string(message.node) +
                         ": give each replica a name of its own, or restart the exchange"};
    }
    exchange.node = message.node;
    if (message.restart_above >= exchange.epoch) {
        begin_epoch(exchange, message.restart_above, replica);
    }
    if (!follow(exchange, message, replica)) return {};
    begin_link(exchange, replica);
    if (exchange.link == 0) return {};
    if (message.heard != exchange.epoch) {
        // Meant for an earlier link. The peer may have missed this side's newer beginning.
        if (!message.frames.empty()) exchange.word_due = true;
        return {};
    }
    for (const WireMessage& frame : message.frames) {
        replica->receive(exchange.link, frame.type, frame.payload);
    }
    return {};
}

std::optional<Bytes> Exchanges::next(const std::string& peer, const Identity& self) {
    const auto found = exchanges_.find(peer);
    if (found == exchanges_.end()) return std::nullopt;
    Exchange& exchange = found->second;
    if (exchange.frames.empty() && !exchange.word_due) return std::nullopt;
    CarriedMessage message;
    message.cluster = self.cluster;
    message.node = self.node;
    message.epoch = exchange.epoch;
    message.sequence = exchange.sequence++;
    message.heard = exchange.peer_epoch;
    message.restart_above = exchange.restart_above;
    exchange.restart_above = 0;
    exchange.word_due = false;
    std::size_t bytes = 0;
    while (!exchange.frames.empty() && bytes < message_bytes_target) {
        bytes += exchange.frames.front().payload.size();
        message.frames.push_back(std::move(exchange.frames.front()));
        exchange.frames.pop_front();
    }
    return encode_carried(message);
}

void Exchanges::restart(const std::string& peer, Replica* replica) {
    const auto found = exchanges_.find(peer);
    if (found == exchanges_.end()) return;
    found->second.node = Uuid{};
    found->second.peer_epoch = 0;
    begin_epoch(found->second, found->second.epoch, replica);
}

void Exchanges::queue(Outgoing message) {
    for (auto& [name, exchange] : exchanges_) {
        if (exchange.link != message.link) continue;
        exchange.frames.push_back(WireMessage{message.type, std::move(message.payload)});
        return;
    }
}

void Exchanges::close(LinkId link, const Error& reason, Replica& replica) {
    for (auto& [name, exchange] : exchanges_) {
        if (exchange.link != link) continue;
        end_link(exchange, &replica);
        exchange.silent = true;
        exchange.failure = reason;
        return;
    }
}

std::optional<Error> Exchanges::take_failure(const std::string& peer) {
    const auto found = exchanges_.find(peer);
    if (found == exchanges_.end()) return std::nullopt;
    std::optional<Error> failure;
    failure.swap(found->second.failure);
    return failure;
}

}  // namespace syncline
