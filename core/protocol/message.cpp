#include "core/protocol/message.hpp"

#include <algorithm>
#include <bit>

#include "core/protocol/membership_messages.hpp"

namespace syncline {
namespace {

/// Hashes travel with 5 bytes: see core/merkle/README.md.
constexpr std::size_t wire_hash_bytes = 5;
/// Of a HELLO of the oldest version, with which an epoch of 0 goes, of one that takes no
/// publications, and of this one.
constexpr std::size_t hello_fields_oldest = 22;
constexpr std::size_t hello_fields_epoch = 23;
constexpr std::size_t hello_fields = 24;

/// A name for people, or an address.
constexpr std::size_t shown_text_bytes_max = 256;

void pack(Packer& out, const TermId& id) {
    out.uint(id.number);
    out.bin(id.number == 0 ? Bytes() : to_bytes(id.primary));
}

/// Number 0 has no primary: nothing else would be the same bytes again.
TermId unpack_term_id(Unpacker& in) {
    TermId id;
    id.number = in.uint();
    if (id.number > 0) {
        id.primary = unpack_uuid(in);
    } else if (!in.bin().empty()) {
        in.fail();
    }
    return id;
}

void pack(Packer& out, const Term& term) {
    pack(out, term.id);
    pack(out, term.began);
}

Term unpack_term(Unpacker& in) {
    Term term;
    term.id = unpack_term_id(in);
    term.began = unpack_version_vector(in);
    return term;
}

// The messages of a Merkle session pack their lists of small numbers into one bin: msgpack would
// spend a byte or two on each number, and these bytes are what a repair costs.

void write_fixed(ByteWriter& out, std::uint64_t number, std::size_t width) {
    for (std::size_t i = width; i > 0; --i) {
        out.u8(static_cast<std::uint8_t>(number >> (8 * (i - 1))));
    }
}

std::uint64_t read_fixed(ByteReader& in, std::size_t width) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < width; ++i) number = number << 8 | in.u8();
    return number;
}

void write_hashes(ByteWriter& out, const std::vector<std::uint64_t>& hashes) {
    for (const std::uint64_t hash : hashes) write_fixed(out, hash, wire_hash_bytes);
}

/// All that is left.
std::vector<std::uint64_t> read_hashes(ByteReader& in) {
    if (in.left() % wire_hash_bytes != 0) in.fail();
    std::vector<std::uint64_t> hashes(in.left() / wire_hash_bytes);
    for (std::uint64_t& hash : hashes) hash = read_fixed(in, wire_hash_bytes);
    return hashes;
}

/// Numbers of a few bits each, lowest bits first.
template <typename T>
void write_bits(ByteWriter& out, const std::vector<T>& numbers, unsigned bits) {
    unsigned buffer = 0;
    unsigned used = 0;
    for (const T number : numbers) {
        buffer |= static_cast<unsigned>(number) << used;
        used += bits;
        for (; used >= 8; used -= 8, buffer >>= 8) out.u8(static_cast<std::uint8_t>(buffer));
    }
    if (used > 0) out.u8(static_cast<std::uint8_t>(buffer));
}

template <typename T>
std::vector<T> read_bits(ByteReader& in, std::uint64_t count, unsigned bits) {
    std::vector<T> numbers;
    if (count > in.left() * 8 / bits) in.fail();
    unsigned buffer = 0;
    unsigned used = 0;
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
        for (; used < bits; used += 8) buffer |= static_cast<unsigned>(in.u8()) << used;
        numbers.push_back(static_cast<T>(buffer & ((1U << bits) - 1)));
        buffer >>= bits;
        used -= bits;
    }
    if (buffer != 0) in.fail();
    return numbers;
}

/// One bin that a ByteReader takes apart; it must be consumed exactly.
template <typename Read>
void unpack_body(Unpacker& in, Read read) {
    ByteReader body(in.bin());
    read(body);
    if (!body.done()) in.fail();
}

void encode(Packer& out, const Hello& hello) {
    out.array(hello_fields);
    out.uint(hello.version);
    out.uint(hello.version_oldest);
    pack(out, hello.cluster);
    pack(out, hello.node);
    out.array(2);
    pack(out, hello.actor);
    pack(out, hello.vv);
    out.uint(hello.log_id);
    out.uint(hello.log_base);
    pack(out, hello.base_vv);
    out.uint(hello.leaf_bits);
    out.uint(static_cast<std::uint8_t>(hello.mode));
    pack(out, hello.term);
    out.bin(hello.name);
    out.bin(hello.client_address);
    out.uint(hello.replicas);
    pack(out, hello.cut);
    pack(out, hello.policies);
    out.boolean(hello.takes_compressed);
    out.uint(hello.copied_rows);
    out.uint(hello.copied_bytes);
    out.uint(hello.epoch);
    out.boolean(hello.takes_publications);
}

void decode(Unpacker& in, Hello& hello) {
    const std::size_t fields = in.array();
    if (fields < hello_fields_oldest) in.fail();
    hello.version = in.uint();
    hello.version_oldest = in.uint();
    hello.cluster = unpack_uuid(in);
    hello.node = unpack_uuid(in);
    in.array_of(2);
    hello.actor = unpack_actor(in);
    hello.vv = unpack_version_vector(in);
    hello.log_id = in.uint();
    hello.log_base = in.uint();
    hello.base_vv = unpack_version_vector(in);
    hello.leaf_bits = in.uint();
    hello.mode = static_cast<ReplicationMode>(in.uint_at_most(1));
    hello.term = unpack_term(in);
    hello.name = in.text(shown_text_bytes_max);
    hello.client_address = in.text(shown_text_bytes_max);
    hello.replicas = in.uint();
    hello.cut = unpack_version_vector(in);
    hello.policies = unpack_key_policies(in);
    hello.takes_compressed = in.boolean();
    hello.copied_rows = in.uint();
    hello.copied_bytes = in.uint();
    if (fields >= hello_fields_epoch) hello.epoch = in.uint();
    if (fields >= hello_fields) hello.takes_publications = in.boolean();
    for (std::size_t i = hello_fields; i < fields && in.ok(); ++i) in.skip();
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

void encode(Packer& out, const LogBatch& batch) {
    out.array(6);
    pack(out, batch.term);
    out.uint(batch.generation);
    out.uint(batch.from);
    out.uint(batch.to);
    out.array(2 * batch.items.size());
    for (const LogBatch::Item& item : batch.items) {
        out.uint(item.kind);
        out.bin(item.payload);
    }
}

void decode(Unpacker& in, LogBatch& batch) {
    in.array_of(6);
    batch.term = unpack_term_id(in);
    batch.generation = in.uint();
    batch.from = in.uint();
    batch.to = in.uint();
    const std::size_t count = in.array();
    if (count % 2 != 0) in.fail();
    for (std::size_t i = 0; i < count && in.ok(); i += 2) {
        LogBatch::Item item;
        item.kind = static_cast<std::uint8_t>(in.uint_at_most(0xff));
        item.payload = Bytes(in.bin());
        batch.items.push_back(std::move(item));
    }
    if (batch.from > batch.to) in.fail();
}

/// The epoch is left out where there is none, so that version 6 understands it.
void encode(Packer& out, const Ack& ack) {
    out.array(ack.epoch > 0 ? 12 : 11);
    pack(out, ack.term);
    out.uint(ack.generation);
    out.uint(ack.position);
    pack(out, ack.vv);
    out.boolean(ack.settled);
    pack(out, ack.cut);
    out.uint(ack.root.high);
    out.uint(ack.root.low);
    out.uint(ack.rows);
    out.uint(ack.hlc.bits);
    if (ack.epoch > 0) out.uint(ack.epoch);
}

void decode(Unpacker& in, Ack& ack) {
    const std::size_t fields = in.array();
    if (fields != 11 && fields != 12) in.fail();
    ack.term = unpack_term_id(in);
    ack.generation = in.uint();
    ack.position = in.uint();
    ack.vv = unpack_version_vector(in);
    ack.settled = in.boolean();
    ack.cut = unpack_version_vector(in);
    ack.root.high = in.uint();
    ack.root.low = in.uint();
    ack.rows = in.uint();
    ack.hlc.bits = in.uint();
    if (fields != 12) return;
    ack.epoch = in.uint();
    if (ack.epoch == 0) in.fail();
}

void encode(Packer& out, const SyncNeeded& needed) {
    out.array(3);
    out.uint(needed.generation);
    out.uint(needed.log_base);
    pack(out, needed.base_vv);
}

void decode(Unpacker& in, SyncNeeded& needed) {
    in.array_of(3);
    needed.generation = in.uint();
    needed.log_base = in.uint();
    needed.base_vv = unpack_version_vector(in);
}

void encode(Packer& out, const TermNotice& notice) {
    out.array(3);
    pack(out, notice.term);
}

void decode(Unpacker& in, TermNotice& notice) {
    in.array_of(3);
    notice.term = unpack_term(in);
}

void encode(Packer& out, const VoteRequest& request) {
    out.array(3);
    pack(out, request.term);
}

void decode(Unpacker& in, VoteRequest& request) {
    in.array_of(3);
    request.term = unpack_term(in);
}

void encode(Packer& out, const Vote& vote) {
    out.array(3);
    pack(out, vote.term);
    out.boolean(vote.granted);
}

void decode(Unpacker& in, Vote& vote) {
    in.array_of(3);
    vote.term = unpack_term_id(in);
    vote.granted = in.boolean();
}

void encode(Packer& out, const CopyOpen& open) {
    out.uint(open.nonce);
}

void decode(Unpacker& in, CopyOpen& open) {
    open.nonce = in.uint();
}

void encode(Packer& out, const CopyOpened& opened) {
    out.array(3);
    out.uint(opened.nonce);
    out.boolean(opened.begun);
    out.bin(opened.manifest);
}

void decode(Unpacker& in, CopyOpened& opened) {
    in.array_of(3);
    opened.nonce = in.uint();
    opened.begun = in.boolean();
    opened.manifest = Bytes(in.bin());
    if (opened.begun == opened.manifest.empty()) in.fail();
}

void encode(Packer& out, const CopyNext& next) {
    out.array(2);
    out.uint(next.nonce);
    out.uint(next.end);
}

void decode(Unpacker& in, CopyNext& next) {
    in.array_of(2);
    next.nonce = in.uint();
    next.end = in.uint();
}

void encode(Packer& out, const CopyPiece& piece) {
    out.array(4);
    out.uint(piece.nonce);
    out.uint(piece.index);
    out.boolean(piece.events);
    out.array(piece.blocks.size());
    for (const Bytes& block : piece.blocks) out.bin(block);
}

void decode(Unpacker& in, CopyPiece& piece) {
    in.array_of(4);
    piece.nonce = in.uint();
    piece.index = in.uint();
    piece.events = in.boolean();
    const std::size_t count = in.array();
    for (std::size_t i = 0; i < count && in.ok(); ++i) piece.blocks.emplace_back(in.bin());
}

void encode(Packer& out, const CopyEnd& end) {
    out.array(2);
    out.uint(end.nonce);
    out.bin(end.manifest);
}

void decode(Unpacker& in, CopyEnd& end) {
    in.array_of(2);
    end.nonce = in.uint();
    end.manifest = Bytes(in.bin());
}

void encode(Packer& out, const Publication& publication) {
    out.array(7);
    pack(out, publication.origin);
    out.uint(publication.run);
    out.uint(publication.number);
    out.uint(publication.hops);
    out.boolean(publication.sharded);
    out.bin(publication.channel);
    out.bin(publication.message);
}

void decode(Unpacker& in, Publication& publication) {
    in.array_of(7);
    publication.origin = unpack_uuid(in);
    publication.run = in.uint();
    publication.number = in.uint();
    publication.hops = in.uint_at_most(limits::publication_hops_max);
    publication.sharded = in.boolean();
    publication.channel = in.text(limits::key_bytes_max);
    publication.message = in.text(limits::value_bytes_max);
    if (publication.number == 0) in.fail();
}

void encode(Packer& out, const SessionOpen& open) {
    Bytes body;
    ByteWriter writer(body);
    writer.u64(open.nonce);
    writer.u8(static_cast<std::uint8_t>(open.fanout_bits));
    write_fixed(writer, open.root_hash, wire_hash_bytes);
    write(writer, open.vv);
    out.bin(body);
}

void decode(Unpacker& in, SessionOpen& open) {
    unpack_body(in, [&](ByteReader& body) {
        open.nonce = body.u64();
        open.fanout_bits = body.u8();
        if (open.fanout_bits != 2 && open.fanout_bits != 4) body.fail();
        open.root_hash = read_fixed(body, wire_hash_bytes);
        open.vv = read_version_vector(body);
    });
}

void encode(Packer& out, const SessionOpened& opened) {
    Bytes body;
    ByteWriter writer(body);
    writer.u16(opened.session);
    writer.u8(static_cast<std::uint8_t>(opened.verdict));
    write(writer, opened.vv);
    write(writer, opened.cut);
    writer.u64(opened.hlc.bits);
    writer.u64(opened.root.sum.high);
    writer.u64(opened.root.sum.low);
    writer.varint(opened.root.count);
    writer.varint(opened.position);
    write_hashes(writer, opened.hashes);
    out.bin(body);
}

void decode(Unpacker& in, SessionOpened& opened) {
    unpack_body(in, [&](ByteReader& body) {
        opened.session = body.u16();
        const std::uint8_t verdict = body.u8();
        if (verdict > static_cast<std::uint8_t>(SessionOpened::Verdict::refused)) body.fail();
        opened.verdict = static_cast<SessionOpened::Verdict>(verdict);
        opened.vv = read_version_vector(body);
        opened.cut = read_version_vector(body);
        opened.hlc.bits = body.u64();
        opened.root.sum.high = body.u64();
        opened.root.sum.low = body.u64();
        opened.root.count = body.varint();
        opened.position = body.varint();
        opened.hashes = read_hashes(body);
    });
}

void encode(Packer& out, const SessionLevel& level) {
    Bytes body;
    ByteWriter writer(body);
    writer.u16(level.session);
    writer.varint(level.step);
    const bool narrow = std::all_of(level.masks.begin(), level.masks.end(),
                                    [](std::uint16_t mask) { return mask < 16; });
    writer.varint(level.masks.size() << 1 | (narrow ? 0U : 1U));
    write_bits(writer, level.masks, narrow ? 4 : 16);
    write_bits(writer, level.kinds, 2);  // as many as the masks have bits
    write_hashes(writer, level.hashes);
    out.bin(body);
}

void decode(Unpacker& in, SessionLevel& level) {
    unpack_body(in, [&](ByteReader& body) {
        level.session = body.u16();
        level.step = body.varint();
        const std::uint64_t count = body.varint();
        level.masks = read_bits<std::uint16_t>(body, count >> 1, (count & 1) == 0 ? 4 : 16);
        std::uint64_t differing = 0;
        for (const std::uint16_t mask : level.masks) {
            differing += static_cast<std::uint64_t>(std::popcount(mask));
        }
        level.kinds = read_bits<std::uint8_t>(body, differing, 2);
        for (const std::uint8_t kind : level.kinds) {
            if (kind > SessionLevel::all) body.fail();
        }
        level.hashes = read_hashes(body);
    });
}

void encode(Packer& out, const SessionTagsRequest& request) {
    Bytes body;
    ByteWriter writer(body);
    writer.u16(request.session);
    writer.varint(request.step);
    writer.varint(request.first);
    out.bin(body);
}

void decode(Unpacker& in, SessionTagsRequest& request) {
    unpack_body(in, [&](ByteReader& body) {
        request.session = body.u16();
        request.step = body.varint();
        request.first = body.varint();
    });
}

void encode(Packer& out, const SessionTags& tags) {
    Bytes body;
    ByteWriter writer(body);
    writer.u16(tags.session);
    writer.varint(tags.step);
    writer.varint(tags.first);
    writer.varint(tags.nodes.size());
    for (const auto& node : tags.nodes) writer.varint(node.size());
    for (const auto& node : tags.nodes) {
        for (const std::uint32_t tag : node) writer.u32(tag);
    }
    out.bin(body);
}

void decode(Unpacker& in, SessionTags& tags) {
    unpack_body(in, [&](ByteReader& body) {
        tags.session = body.u16();
        tags.step = body.varint();
        tags.first = body.varint();
        const std::uint64_t nodes_count = body.varint();
        if (nodes_count > body.left()) return body.fail();
        std::vector<std::uint64_t> counts(nodes_count);
        for (std::uint64_t& count : counts) count = body.varint();
        for (const std::uint64_t count : counts) {
            if (count > body.left() / 4) return body.fail();
            std::vector<std::uint32_t>& node = tags.nodes.emplace_back(count);
            for (std::uint32_t& tag : node) tag = body.u32();
        }
    });
}

void encode(Packer& out, const SessionRowsRequest& request) {
    Bytes body;
    ByteWriter writer(body);
    writer.u16(request.session);
    writer.varint(request.step);
    writer.u8(request.go_on ? 1 : 0);
    std::uint64_t before = 0;
    for (const std::uint64_t row : request.rows) {
        writer.varint(row - before);
        before = row;
    }
    out.bin(body);
}

void decode(Unpacker& in, SessionRowsRequest& request) {
    unpack_body(in, [&](ByteReader& body) {
        request.session = body.u16();
        request.step = body.varint();
        const std::uint8_t go_on = body.u8();
        if (go_on > 1) body.fail();
        request.go_on = go_on == 1;
        for (std::uint64_t row = 0; body.ok() && body.left() > 0;) {
            row += body.varint();
            request.rows.push_back(row);
        }
    });
}

void encode(Packer& out, const SessionRows& rows) {
    out.uint(rows.session);
    out.uint(rows.step);
    out.boolean(rows.more);
    out.array(2 * rows.rows.size());
    for (const SessionRows::Item& row : rows.rows) {
        out.bin(row.key);
        out.bin(row.value);
    }
}

void decode(Unpacker& in, SessionRows& rows) {
    rows.session = static_cast<std::uint16_t>(in.uint_at_most(0xffff));
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
    out.uint(close.session);
}

void decode(Unpacker& in, SessionClose& close) {
    close.session = static_cast<std::uint16_t>(in.uint_at_most(0xffff));
}

template <typename T>
Result<Message> decode_as(BytesView payload) {
    Unpacker in(payload);
    T message;
    decode(in, message);
    if (!in.done()) return Error{Code::corrupt, "a message from a peer is damaged"};
    return Message(std::move(message));
}

/// The two fields in front, which every version has; nothing: it is no HELLO at all.
std::optional<Hello> hello_versions(BytesView payload) {
    Unpacker in(payload);
    Hello hello;
    if (in.array() < 2) in.fail();
    hello.version = in.uint();
    if (!in.ok()) return std::nullopt;
    hello.version_oldest = in.uint();
    if (!in.ok()) hello.version_oldest = hello.version;  // one of before version 6
    return hello;
}

std::string versions_text(std::uint64_t oldest, std::uint64_t latest) {
    if (oldest >= latest) return std::to_string(latest);
    return std::to_string(oldest) + " to " + std::to_string(latest);
}

Result<Message> decode_hello(BytesView payload) {
    const std::optional<Hello> versions = hello_versions(payload);
    if (!versions) return Error{Code::corrupt, "a HELLO is damaged"};
    if (versions->version < protocol_version_oldest ||
        versions->version_oldest > protocol_version) {
        return Error{Code::version, "the peer speaks protocol version " +
                                        versions_text(versions->version_oldest, versions->version) +
                                        ", this build speaks " +
                                        versions_text(protocol_version_oldest, protocol_version)};
    }
    return decode_as<Hello>(payload);
}

/// Large, and smaller when they are compressed.
bool is_bulk(MessageType type) {
    return type == MessageType::batch || type == MessageType::session_rows ||
           type == MessageType::copy_piece;
}

}  // namespace

MessageType message_type(const Message& message) {
    constexpr MessageType types[] = {
        MessageType::hello,
        MessageType::pull,
        MessageType::batch,
        MessageType::ack,
        MessageType::sync_needed,
        MessageType::term,
        MessageType::vote_request,
        MessageType::vote,
        MessageType::copy_open,
        MessageType::copy_opened,
        MessageType::copy_next,
        MessageType::copy_piece,
        MessageType::copy_end,
        MessageType::session_open,
        MessageType::session_opened,
        MessageType::session_level,
        MessageType::session_tags_request,
        MessageType::session_tags,
        MessageType::session_rows_request,
        MessageType::session_rows,
        MessageType::session_close,
        MessageType::membership,
        MessageType::prepare,
        MessageType::promise,
        MessageType::accept,
        MessageType::accepted,
        MessageType::publication,
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
        case MessageType::hello:
            return decode_hello(payload);
        case MessageType::pull:
            return decode_as<Pull>(payload);
        case MessageType::batch:
            return decode_as<LogBatch>(payload);
        case MessageType::ack:
            return decode_as<Ack>(payload);
        case MessageType::sync_needed:
            return decode_as<SyncNeeded>(payload);
        case MessageType::term:
            return decode_as<TermNotice>(payload);
        case MessageType::vote_request:
            return decode_as<VoteRequest>(payload);
        case MessageType::vote:
            return decode_as<Vote>(payload);
        case MessageType::copy_open:
            return decode_as<CopyOpen>(payload);
        case MessageType::copy_opened:
            return decode_as<CopyOpened>(payload);
        case MessageType::copy_next:
            return decode_as<CopyNext>(payload);
        case MessageType::copy_piece:
            return decode_as<CopyPiece>(payload);
        case MessageType::copy_end:
            return decode_as<CopyEnd>(payload);
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
        case MessageType::membership:
            return decode_as<MembershipNotice>(payload);
        case MessageType::prepare:
            return decode_as<Prepare>(payload);
        case MessageType::promise:
            return decode_as<Promise>(payload);
        case MessageType::accept:
            return decode_as<Accept>(payload);
        case MessageType::accepted:
            return decode_as<Accepted>(payload);
        case MessageType::publication:
            return decode_as<Publication>(payload);
        case MessageType::compressed: {
            SYNCLINE_TRY(const WireMessage inner, decompress_message(payload));
            return decode_message(inner.type, inner.payload);
        }
    }
    return Error{Code::version, "unknown message type " + std::to_string(type)};
}

bool compress(WireMessage& message, Compressor& compressor, std::size_t bytes_min) {
    const std::size_t bytes = message.payload.size();
    const bool long_enough = bytes_min > 0 && bytes >= bytes_min;
    if (!long_enough || bytes > limits::compressed_bytes_max) return false;
    if (!is_bulk(static_cast<MessageType>(message.type))) return false;
    std::optional<Bytes> compressed = compressor.compress(message.payload);
    if (!compressed) return false;
    compressed->insert(compressed->begin(), static_cast<char>(message.type));
    message =
        WireMessage{static_cast<std::uint8_t>(MessageType::compressed), std::move(*compressed)};
    return true;
}

Result<WireMessage> decompress_message(BytesView payload) {
    WireMessage message;
    if (!payload.empty()) message.type = static_cast<std::uint8_t>(payload.front());
    if (!is_bulk(static_cast<MessageType>(message.type))) {
        return Error{Code::corrupt, "a message from a peer is compressed and should not be"};
    }
    SYNCLINE_TRY(message.payload, decompress(payload.substr(1)));
    return message;
}

}  // namespace syncline
