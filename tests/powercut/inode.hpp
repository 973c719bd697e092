#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/env.hpp"

/// One file or directory of the disk model: what the system shows, and what may be on disk.
namespace syncline::powercut {

constexpr std::size_t sector_bytes = 512;

/// How much of what was not synced survives, the same for the whole disk in one state, because
/// faults hide where some things survive and others do not.
struct Plan {
    enum class Content : std::uint8_t {
        nothing,
        everything,
        all_but_one,  ///< one sector of each file is lost
        only_one,     ///< one sector of each file survives
        by_chance,    ///< each sector for itself
        by_page,      ///< eight sectors together
        by_time,      ///< what was written before some moment
    };
    enum class Names : std::uint8_t { nothing, everything, in_order, by_chance };

    Content content = Content::nothing;
    Names names = Names::nothing;
    std::uint64_t chance_percent = 50;  ///< that a sector survives
    bool large = false;                 ///< files have their new sizes, else any
    static Plan draw(Random& random);
};

struct Inode;

/// A change of a directory: `name` now means `inode` (if not empty), `gone` means nothing.
struct EntryChange {
    std::uint64_t time = 0;
    std::string name;
    std::string gone;
    std::shared_ptr<Inode> inode;
};

struct Inode {
    using Entries = std::map<std::string, std::shared_ptr<Inode>>;
    struct Version {
        std::uint64_t time = 0;
        Bytes bytes;  ///< a sector, or as much of it as the file had
    };

    bool directory = false;
    std::string name;  ///< the latest path, for messages

    // Of a file.
    Bytes now;
    Bytes synced;
    std::map<std::uint64_t, std::vector<Version>> sectors;       ///< since the sync, by number
    std::vector<std::pair<std::uint64_t, std::uint64_t>> sizes;  ///< (time, size) since the sync
    std::uint64_t last_begin = 0;                                ///< sectors of the last write
    std::uint64_t last_end = 0;

    // Of a directory.
    Entries entries;
    Entries synced_entries;
    std::vector<EntryChange> changes;  ///< since the sync

    /// LMDB's lock.mdb, which is mapped: nothing is known of its bytes.
    [[nodiscard]] bool is_reader_table() const;

    void write(std::uint64_t time, std::uint64_t offset, BytesView bytes);
    void resize(std::uint64_t time, std::uint64_t size);
    /// All that happened before `time` is on disk.
    void sync(std::uint64_t time);
    /// The sectors of the last write are on disk, and with them the size.
    void sync_last_write(std::uint64_t time);
    void change(EntryChange change);
    [[nodiscard]] std::size_t count_below() const;

    [[nodiscard]] Bytes content_after_cut(const Plan& plan, Random& random, std::uint64_t& old,
                                          std::uint64_t& fresh) const;
    [[nodiscard]] Entries entries_after_cut(const Plan& plan, Random& random) const;

private:
    struct Chances;
    [[nodiscard]] Chances draw_chances(Random& random) const;
    [[nodiscard]] std::size_t survivors(const Plan& plan, const Chances& chances,
                                        std::uint64_t sector, bool chosen, Random& random) const;
    void sync_sector(std::uint64_t sector, std::uint64_t time);
    void sync_size(std::uint64_t time);
};

}  // namespace syncline::powercut
