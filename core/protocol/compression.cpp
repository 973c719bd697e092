#include "core/protocol/compression.hpp"

#include <zstd.h>

#include <algorithm>

#include "core/base/assert.hpp"

namespace syncline {
namespace {

constexpr int fast_level = 1;
constexpr unsigned passed_by_max = 64;

}  // namespace

Compressor::Compressor() = default;
Compressor::~Compressor() = default;

void Compressor::Release::operator()(ZSTD_CCtx_s* context) const {
    (void)ZSTD_freeCCtx(context);
}

std::optional<Bytes> Compressor::compress(BytesView payload) {
    SYNCLINE_ASSERT(payload.size() <= limits::compressed_bytes_max);
    if (passing_by_ > 0) {
        --passing_by_;
        return std::nullopt;
    }
    if (!context_) context_.reset(ZSTD_createCCtx());
    if (!context_) return std::nullopt;
    Bytes compressed(payload.size() - payload.size() / 8, '\0');
    const std::size_t size = ZSTD_compressCCtx(context_.get(), compressed.data(), compressed.size(),
                                               payload.data(), payload.size(), fast_level);
    if (ZSTD_isError(size) != 0) {  // there was no room for it
        pass_by_ = std::clamp(2 * pass_by_, 1U, passed_by_max);
        passing_by_ = pass_by_;
        return std::nullopt;
    }
    pass_by_ = 0;
    compressed.resize(size);
    return compressed;
}

Result<Bytes> decompress(BytesView compressed) {
    const Error corrupt{Code::corrupt, "a compressed message from a peer is damaged"};
    const std::size_t whole = ZSTD_findFrameCompressedSize(compressed.data(), compressed.size());
    if (ZSTD_isError(whole) != 0 || whole != compressed.size()) return corrupt;
    const unsigned long long size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return corrupt;
    if (size > limits::compressed_bytes_max) {
        return Error{Code::limit, "a compressed message from a peer has " + std::to_string(size) +
                                      " bytes, at most " +
                                      std::to_string(limits::compressed_bytes_max) + " may be"};
    }
    Bytes payload(size, '\0');
    const std::size_t made =
        ZSTD_decompress(payload.data(), payload.size(), compressed.data(), compressed.size());
    if (ZSTD_isError(made) != 0 || made != size) return corrupt;
    return payload;
}

}  // namespace syncline
