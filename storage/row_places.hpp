#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "storage/base.hpp"

namespace syncline::lmdb {

/// Where LMDB found rows in one read view, so that it need not go down its tree again: that costs
/// some ten cache misses, this two. A direct-mapped cache of 8 bytes a row and 8 MiB at most. What
/// it answers is a guess: the caller verifies the row's checksum, which covers its table and key.
/// Thread-safety: confined to one thread.
class RowPlaces {
public:
    /// Begins a view: of the same commit as before (`transaction`, LMDB's number), in which rows
    /// are where they were; or of another, which forgets all. `map`: where the file begins in
    /// memory. `rows`: how many there are in it.
    void begin_view(std::uint64_t transaction, const char* map, std::uint64_t rows);
    /// The stored value of a row that was found before, if it is still known. O(1).
    [[nodiscard]] std::optional<BytesView> find(Table table, BytesView key) const;
    /// LMDB found this. Rows that do not stand on a page next to their keys are passed over.
    void remember(Table table, BytesView key, BytesView stored);

private:
    struct Place {
        std::uint64_t offset : 38;  ///< of the value in the file
        std::uint64_t bytes : 12;   ///< of the value: less than a page has
        std::uint64_t tag : 8;      ///< bits of the key's hash that did not choose the place
        std::uint64_t view : 6;     ///< the low bits of the view's number; 0: nothing
    };
    struct Unmapper {
        std::size_t bytes;  ///< of their memory
        void operator()(Place* places) const;
    };

    void make_places(std::size_t count);

    std::unique_ptr<Place, Unmapper> places_;  ///< zeros, until they are used
    std::size_t count_ = 0;                    ///< a power of two, or 0
    const char* map_ = nullptr;
    std::uint64_t transaction_ = 0;
    unsigned view_ = 0;
};

}  // namespace syncline::lmdb
