#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tools/key_piece.hpp"

namespace syncline {

/// Values of one piece, but for a single one that is longer.
constexpr std::size_t piece_bytes_max = std::size_t{4} * 1024 * 1024;

/// Makes pieces of bounded size of what comes of one key; the last one is known when nothing
/// follows. Confined to one thread.
class PieceCutter {
public:
    /// An error ends it.
    using Take = std::function<Result<void>(const KeyPiece&)>;

    /// `head`: key and type. `take` must outlive the cutter.
    PieceCutter(KeyPiece head, std::optional<std::int64_t> ends_ms, const Take& take);

    /// More values, whole pairs of hashes and sorted sets. Errors: those of `take`.
    Result<void> add(std::vector<Bytes> values);
    /// There are no more. Nothing is taken of a key that had none. Errors: those of `take`.
    Result<void> finish();

private:
    Result<void> hold(std::vector<Bytes> values);

    KeyPiece head_;
    std::optional<std::int64_t> ends_ms_;
    const Take& take_;
    std::optional<KeyPiece> held_;
};

}  // namespace syncline
