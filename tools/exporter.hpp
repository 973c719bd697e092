#pragma once
#include <functional>

#include "tools/inspect_source.hpp"
#include "tools/key_piece.hpp"

namespace syncline {

/// Elements of a collection, and characters of a text, in one piece.
constexpr std::size_t piece_elements_max = 1000;
constexpr std::size_t piece_characters_max = 65536;

/// Reads all keys that begin with `prefix`, as clients do, and hands each on in pieces of bounded
/// size. Keys are read one after the other, large ones piece by piece, so that what is written
/// meanwhile may be in or not; a backup is of one state. `take`: an error ends it.
/// `looked`: after each page of keys, how many were read, and of how many in all.
/// Errors: of the source; those of `take`.
Result<void> export_keys(InspectSource& source, const Bytes& prefix,
                         const std::function<Result<void>(const KeyPiece&)>& take,
                         const std::function<void(std::uint64_t, std::uint64_t)>& looked);

}  // namespace syncline
