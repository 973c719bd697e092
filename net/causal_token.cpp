#include "net/causal_token.hpp"

namespace syncline {
namespace {

constexpr BytesView token_key_label = "syncline causal token key";
constexpr BytesView token_label = "syncline causal token";
constexpr std::size_t token_mac_bytes = 16;
constexpr std::uint8_t token_version = 1;

}  // namespace

CausalTokens::CausalTokens(const Secret& secret) : key_(keyed_mac(secret, token_key_label, {})) {}

Bytes CausalTokens::mac(const Uuid& cluster, BytesView content) const {
    return keyed_mac(key_, token_label, to_bytes(cluster) + Bytes(content))
        .substr(0, token_mac_bytes);
}

Bytes CausalTokens::make(const Uuid& cluster, const VersionVector& vv) const {
    Bytes content;
    ByteWriter out(content);
    out.u8(token_version);
    write(out, vv);
    return to_hex(content + mac(cluster, content));
}

Result<VersionVector> CausalTokens::read(const Uuid& cluster, BytesView token) const {
    const Error damaged{Code::unauthorized,
                        "the token is damaged, or of another cluster or secret"};
    const std::optional<Bytes> bytes = from_hex(token);
    if (!bytes || bytes->size() <= token_mac_bytes) return damaged;
    const BytesView content = BytesView(*bytes).substr(0, bytes->size() - token_mac_bytes);
    const BytesView proof = BytesView(*bytes).substr(content.size());
    if (!equal_constant_time(proof, mac(cluster, content))) return damaged;
    ByteReader in(content);
    const std::uint8_t version = in.u8();
    VersionVector vv = read_version_vector(in);
    if (version != token_version || !in.done()) return damaged;
    return vv;
}

}  // namespace syncline
