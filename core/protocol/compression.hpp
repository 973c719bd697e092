#pragma once
#include <memory>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/limits.hpp"
#include "core/base/result.hpp"

struct ZSTD_CCtx_s;

namespace syncline {

/// Compresses what goes to one peer with Zstandard, level 1, while that pays. Confined to one
/// thread; its working memory, some 600 KiB, is there from the first attempt on.
class Compressor {
public:
    Compressor();
    ~Compressor();
    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;

    /// The same bytes, smaller by an eighth at least; nothing: it does not pay. What cannot be
    /// compressed mostly comes in rows, so after each failure twice as many payloads are passed by,
    /// up to 64. O(size), about a millisecond for 400 KB.
    /// Precondition: at most limits::compressed_bytes_max.
    std::optional<Bytes> compress(BytesView payload);

private:
    struct Release {
        void operator()(ZSTD_CCtx_s* context) const;
    };
    std::unique_ptr<ZSTD_CCtx_s, Release> context_;
    unsigned pass_by_ = 0;     // after the next failure
    unsigned passing_by_ = 0;  // still now
};

/// What was compressed. Errors: corrupt for anything that compress() does not make; limit for what
/// would be larger than limits::compressed_bytes_max, before room is made for it.
Result<Bytes> decompress(BytesView compressed);

}  // namespace syncline
