#include "core/protocol/message.hpp"

#include <algorithm>

namespace syncline {
namespace {

/// Hashes travel with 5 bytes: see core/merkle/README.md.
constexpr std::size_t hash_bytes = 5;

void pack(Packer& out, const Uuid& uuid) {
    out.bin(to_bytes(uuid));
}

Uuid unpack_uuid(Unpacker& in) {
    const Result<Uuid> uuid = uuid_from(in.bin());
    if (!uuid) {
        in.fail();
        return {};
    }
    return *uuid;
}

void pack(Packer& out, const LeafSum& sum) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u64(sum.sum.high);
    writer.u64(sum.sum.low);
    writer.varint(sum.count);
    out.bin(bytes);
}

LeafSum unpack_leaf_sum(Unpacker& in) {
    ByteReader reader(in.bin());
    LeafSum sum;
    sum.sum.high = reader.u64();
    sum.sum.low = reader.u64();
    sum.count = reader.varint();
    if (!reader.done()) in.fail();
    return sum;
}

/// Packed arrays of small numbers: one bin, fixed width, so that large lists cost no tokens.
template <typename T>
void pack_fixed(Packer& out, const std::vector<T>& numbers, std::size_t width) {
    Bytes bytes;
    bytes.reserve(numbers.size() * width);
    for (const T number : numbers) {
        for (std::size_t i = width; i > 0; --i) {
            bytes.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * (i - 1))));
        }
    }
    out.bin(bytes);
}

template <typename T>
std::vector<T> unpack_fixed(Unpacker& in, std::size_t width) {
    const BytesView bytes = in.bin();
    if (bytes.size() % width != 0) in.fail();
    std::vector<T> numbers(bytes.size() / width);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        std::uint64_t number = 0;
        for (std::size_t j = 0; j < width; ++j) {
            number = number << 8 | static_cast<std::uint8_t>(bytes[i * width + j]);
        }
        numbers[i] = static_cast<T>(number);
    }
    return numbers;
}

void pack_varints(Packer& out, const std::vector<std::uint64_t>& numbers) {
    Bytes bytes;
    ByteWriter writer(bytes);
    for (const std::uint64_t number : numbers) writer.varint(number);
    out.bin(bytes);
}

std::vector<std::uint64_t> unpack_varints(Unpacker& in) {
    ByteReader reader(in.bin());
    std::vector<std::uint64_t> numbers;
    while (reader.ok() && reader.left() > 0) numbers.push_back(reader.varint());
    if (!reader.done()) in.fail();
    return numbers;
}

/// Masks of up to four children take half a byte each, wider ones two bytes.
void pack_masks(Packer& out, const std::vector<std::uint16_t>& masks) {
    out.uint(masks.size());
    const bool narrow =
        std::all_of(masks.begin(), masks.end(), [](std::uint16_t mask) { return mask < 16; });
    if (!narrow) return pack_fixed(out, masks, 2);
    Bytes bytes((masks.size() + 1) / 2, '\0');
    for (std::size_t i = 0; i < masks.size(); ++i) {
        bytes[i / 2] = static_cast<char>(static_cast<unsigned char>(bytes[i / 2]) |
                                         static_cast<unsigned>(masks[i]) << (4 * (i % 2)));
    }
    out.bin(bytes);
}

std::vector<std::uint16_t> unpack_masks(Unpacker& in) {
    const std::uint64_t count = in.uint();
    const BytesView bytes = in.bin();
    std::vector<std::uint16_t> masks;
    if (!in.ok() || count > 2 * bytes.size()) {
        in.fail();
    } else if (bytes.size() == 2 * count) {
        for (std::size_t i = 0; i < bytes.size(); i += 2) {
            masks.push_back(static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[i]) << 8 |
                                                       static_cast<std::uint8_t>(bytes[i + 1])));
        }
    } else if (bytes.size() == (count + 1) / 2) {
        for (std::size_t i = 0; i < count; ++i) {
            masks.push_back(static_cast<unsigned char>(bytes[i / 2]) >> (4 * (i % 2)) & 15U);
        }
    } else {
        in.fail();
    }
    return masks;
}

/// Two bits a kind.
void pack_kinds(Packer& out, const std::vector<std::uint8_t>& kinds) {
    out.uint(kinds.size());
    Bytes bytes((kinds.size() + 3) / 4, '\0');
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        bytes[i / 4] = static_cast<char>(static_cast<unsigned char>(bytes[i / 4]) |
                                         static_cast<unsigned>(kinds[i]) << (2 * (i % 4)));
    }
    out.bin(bytes);
}

std::vector<std::uint8_t> unpack_kinds(Unpacker& in) {
    const std::uint64_t count = in.uint();
    const BytesView bytes = in.bin();
    if (!in.ok() || count > bytes.size() * 4 || bytes.size() != (count + 3) / 4) {
        in.fail();
        return {};
    }
    std::vector<std::uint8_t> kinds(count);
    for (std::size_t i = 0; i < count; ++i) {
        kinds[i] = static_cast<unsigned char>(bytes[i / 4]) >> (2 * (i % 4)) & 3U;
        if (kinds[i] > SessionLevel::all) in.fail();
    }
    return kinds;
}

void encode(Packer& out, const Hello& hello) {
    out.array(9);
    out.uint(hello.version);
    pack(out, hello.cluster);
    pack(out, hello.node);
    out.array(2);
    pack(out, hello.actor);
    pack(out, hello.vv);
    out.uint(hello.log_id);
    out.uint(hello.log_base);
    pack(out, hello.base_vv);
    out.uint(hello.leaf_bits);
}

void decode(Unpacker& in, Hello& hello) {
    in.array_of(9);
    hello.version = in.uint();
    hello.cluster = unpack_uuid(in);
    hello.node = unpack_uuid(in);
    in.array_of(2);
    hello.actor = unpack_actor(in);
    hello.vv = unpack_version_vector(in);
    hello.log_id = in.uint();
    hello.log_base = in.uint();
    hello.base_vv = unpack_version_vector(in);
    hello.leaf_bits = in.uint();
}

void encode(Packer& out, const Pull& pull) {
    out.array(3);
    out.uint(pull.generation);
    out.uint(pull.log_id);
    out.uint(pull.position);
}

void decode(Unpacker& in, Pull& pull) {
    in.array_of(3);
    pull.generation = in.uint();
    pull.log_id = in.uint();
    pull.position = in.uint();
}

void encode(Packer& out, const Batch& batch) {
    out.array(4);
    out.uint(batch.generation);
    out.uint(batch.from);
    out.uint(batch.to);
    out.array(2 * batch.items.size());
    for (const Batch::Item& item : batch.items) {
        out.uint(item.kind);
        out.bin(item.payload);
    }
}

void decode(Unpacker& in, Batch& batch) {
    in.array_of(4);
    batch.generation = in.uint();
    batch.from = in.uint();
    batch.to = in.uint();
    const std::size_t count = in.array();
    if (count % 2 != 0) in.fail();
    for (std::size_t i = 0; i < count && in.ok(); i += 2) {
        Batch::Item item;
        item.kind = static_cast<std::uint8_t>(in.uint_at_most(0xff));
        item.payload = Bytes(in.bin());
        batch.items.push_back(std::move(item));
    }
    if (batch.from > batch.to) in.fail();
}

void encode(Packer& out, const Ack& ack) {
    out.array(7);
    out.uint(ack.generation);
    out.uint(ack.position);
    pack(out, ack.vv);
    out.boolean(ack.settled);
    pack(out, LeafSum{ack.root, 0});
    out.uint(ack.rows);
    out.uint(ack.hlc.bits);
}

void decode(Unpacker& in, Ack& ack) {
    in.array_of(7);
    ack.generation = in.uint();
    ack.position = in.uint();
    ack.vv = unpack_version_vector(in);
    ack.settled = in.boolean();
    ack.root = unpack_leaf_sum(in).sum;
    ack.rows = in.uint();
    ack.hlc.bits = in.uint();
}

void encode(Packer& out, const SyncNeeded& needed) {
    out.uint(needed.generation);
}
void decode(Unpacker& in, SyncNeeded& needed) {
    needed.generation = in.uint();
}

void encode(Packer& out, const SessionOpen& open) {
    out.array(4);
    out.uint(open.nonce);
    out.uint(open.fanout_bits);
    pack(out, open.vv);
    pack(out, open.root);
}

void decode(Unpacker& in, SessionOpen& open) {
    in.array_of(4);
    open.nonce = in.uint();
    open.fanout_bits = in.uint();
    if (open.fanout_bits != 2 && open.fanout_bits != 4) in.fail();
    open.vv = unpack_version_vector(in);
    open.root = unpack_leaf_sum(in);
}

void encode(Packer& out, const SessionOpened& opened) {
    out.array(8);
    out.uint(opened.nonce);
    out.uint(static_cast<std::uint64_t>(opened.verdict));
    pack(out, opened.vv);
    out.uint(opened.hlc.bits);
    pack(out, opened.root);
    out.uint(opened.log_id);
    out.uint(opened.position);
    pack_fixed(out, opened.hashes, hash_bytes);
}

void decode(Unpacker& in, SessionOpened& opened) {
    in.array_of(8);
    opened.nonce = in.uint();
    opened.verdict = static_cast<SessionOpened::Verdict>(
        in.uint_at_most(static_cast<std::uint64_t>(SessionOpened::Verdict::refused)));
    opened.vv = unpack_version_vector(in);
    opened.hlc.bits = in.uint();
    opened.root = unpack_leaf_sum(in);
    opened.log_id = in.uint();
    opened.position = in.uint();
    opened.hashes = unpack_fixed<std::uint64_t>(in, hash_bytes);
}

void encode(Packer& out, const SessionLevel& level) {
    out.uint(level.nonce);
    out.uint(level.step);
    pack_masks(out, level.masks);
    pack_kinds(out, level.kinds);
    pack_fixed(out, level.hashes, hash_bytes);
}

void decode(Unpacker& in, SessionLevel& level) {
    level.nonce = in.uint();
    level.step = in.uint();
    level.masks = unpack_masks(in);
    level.kinds = unpack_kinds(in);
    level.hashes = unpack_fixed<std::uint64_t>(in, hash_bytes);
}

void encode(Packer& out, const SessionTagsRequest& request) {
    out.uint(request.nonce);
    out.uint(request.step);
    out.uint(request.first);
}

void decode(Unpacker& in, SessionTagsRequest& request) {
    request.nonce = in.uint();
    request.step = in.uint();
    request.first = in.uint();
}

void encode(Packer& out, const SessionTags& tags) {
    out.uint(tags.nonce);
    out.uint(tags.step);
    out.uint(tags.first);
    std::vector<std::uint64_t> counts;
    std::vector<std::uint32_t> all;
    for (const std::vector<std::uint32_t>& node : tags.nodes) {
        counts.push_back(node.size());
        all.insert(all.end(), node.begin(), node.end());
    }
    pack_varints(out, counts);
    pack_fixed(out, all, 4);
}

void decode(Unpacker& in, SessionTags& tags) {
    tags.nonce = in.uint();
    tags.step = in.uint();
    tags.first = in.uint();
    const std::vector<std::uint64_t> counts = unpack_varints(in);
    const std::vector<std::uint32_t> all = unpack_fixed<std::uint32_t>(in, 4);
    std::size_t used = 0;
    for (const std::uint64_t count : counts) {
        if (count > all.size() - used) return in.fail();
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(used);
        tags.nodes.emplace_back(first, first + static_cast<std::ptrdiff_t>(count));
        used += count;
    }
    if (used != all.size()) in.fail();
}

void encode(Packer& out, const SessionRowsRequest& request) {
    out.uint(request.nonce);
    out.uint(request.step);
    // One flat list: leaf (as a difference), number of rows + 1 or 0 for all, rows (differences).
    std::vector<std::uint64_t> numbers;
    std::uint64_t leaf = 0;
    for (const SessionRowsRequest::Node& node : request.nodes) {
        numbers.push_back(node.leaf - leaf);
        leaf = node.leaf;
        numbers.push_back(node.all ? 0 : node.rows.size() + 1);
        std::uint64_t before = 0;
        for (const std::uint64_t row : node.rows) {
            numbers.push_back(row - before);
            before = row;
        }
    }
    pack_varints(out, numbers);
}

void decode(Unpacker& in, SessionRowsRequest& request) {
    request.nonce = in.uint();
    request.step = in.uint();
    const std::vector<std::uint64_t> numbers = unpack_varints(in);
    std::uint64_t leaf = 0;
    for (std::size_t i = 0; i < numbers.size();) {
        if (numbers.size() - i < 2) return in.fail();
        SessionRowsRequest::Node node;
        leaf += numbers[i++];
        node.leaf = leaf;
        const std::uint64_t code = numbers[i++];
        node.all = code == 0;
        const std::uint64_t rows_count = node.all ? 0 : code - 1;
        if (rows_count > numbers.size() - i) return in.fail();
        std::uint64_t row = 0;
        for (std::uint64_t j = 0; j < rows_count; ++j) {
            row += numbers[i++];
            node.rows.push_back(row);
        }
        request.nodes.push_back(std::move(node));
    }
}

void encode(Packer& out, const SessionRows& rows) {
    out.uint(rows.nonce);
    out.uint(rows.step);
    out.boolean(rows.more);
    out.array(2 * rows.rows.size());
    for (const SessionRows::Item& row : rows.rows) {
        out.bin(row.key);
        out.bin(row.value);
    }
}

void decode(Unpacker& in, SessionRows& rows) {
    rows.nonce = in.uint();
    rows.step = in.uint();
    rows.more = in.boolean();
    const std::size_t count = in.array();
    if (count % 2 != 0) in.fail();
    for (std::size_t i = 0; i < count && in.ok(); i += 2) {
        SessionRows::Item row;
        row.key = Bytes(in.bin());
        row.value = Bytes(in.bin());
        if (row.key.size() < 8) in.fail();
        rows.rows.push_back(std::move(row));
    }
}

void encode(Packer& out, const SessionClose& close) {
    out.uint(close.nonce);
}
void decode(Unpacker& in, SessionClose& close) {
    close.nonce = in.uint();
}

template <typename T>
Result<Message> decode_as(BytesView payload) {
    Unpacker in(payload);
    T message;
    decode(in, message);
    if (!in.done()) return Error{Code::corrupt, "a message from a peer is damaged"};
    return Message(std::move(message));
}

}  // namespace

MessageType message_type(const Message& message) {
    constexpr MessageType types[] = {
        MessageType::hello,
        MessageType::pull,
        MessageType::batch,
        MessageType::ack,
        MessageType::sync_needed,
        MessageType::session_open,
        MessageType::session_opened,
        MessageType::session_level,
        MessageType::session_tags_request,
        MessageType::session_tags,
        MessageType::session_rows_request,
        MessageType::session_rows,
        MessageType::session_close,
    };
    static_assert(std::size(types) == std::variant_size_v<Message>);
    return types[message.index()];
}

Bytes encode_message(const Message& message) {
    Bytes payload;
    Packer out(payload);
    std::visit([&](const auto& value) { encode(out, value); }, message);
    return payload;
}

Result<Message> decode_message(std::uint8_t type, BytesView payload) {
    switch (static_cast<MessageType>(type)) {
        case MessageType::hello: {
            SYNCLINE_TRY(Message message, decode_as<Hello>(payload));
            const std::uint64_t version = std::get<Hello>(message).version;
            if (version == protocol_version) return message;
            return Error{Code::version, "the peer speaks protocol version " +
                                            std::to_string(version) + ", this build speaks " +
                                            std::to_string(protocol_version)};
        }
        case MessageType::pull:
            return decode_as<Pull>(payload);
        case MessageType::batch:
            return decode_as<Batch>(payload);
        case MessageType::ack:
            return decode_as<Ack>(payload);
        case MessageType::sync_needed:
            return decode_as<SyncNeeded>(payload);
        case MessageType::session_open:
            return decode_as<SessionOpen>(payload);
        case MessageType::session_opened:
            return decode_as<SessionOpened>(payload);
        case MessageType::session_level:
            return decode_as<SessionLevel>(payload);
        case MessageType::session_tags_request:
            return decode_as<SessionTagsRequest>(payload);
        case MessageType::session_tags:
            return decode_as<SessionTags>(payload);
        case MessageType::session_rows_request:
            return decode_as<SessionRowsRequest>(payload);
        case MessageType::session_rows:
            return decode_as<SessionRows>(payload);
        case MessageType::session_close:
            return decode_as<SessionClose>(payload);
    }
    return Error{Code::version, "unknown message type " + std::to_string(type)};
}

}  // namespace syncline
