#include "tests/powercut/inode.hpp"

#include <algorithm>
#include <array>

namespace syncline::powercut {
namespace {

constexpr std::uint64_t sectors_per_page = 8;

void apply(Inode::Entries& entries, const EntryChange& change, bool keep_old_name) {
    if (!change.gone.empty() && !keep_old_name) entries.erase(change.gone);
    if (!change.name.empty()) entries[change.name] = change.inode;
}

void put(Bytes& file, std::uint64_t sector, BytesView bytes) {
    const std::size_t offset = static_cast<std::size_t>(sector) * sector_bytes;
    if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size(), '\0');
    file.replace(offset, bytes.size(), bytes);
}

}  // namespace

Plan Plan::draw(Random& random) {
    constexpr std::array contents = {
        Content::nothing,  Content::everything, Content::all_but_one, Content::all_but_one,
        Content::only_one, Content::by_chance,  Content::by_chance,   Content::by_chance,
        Content::by_page,  Content::by_time,    Content::by_time,
    };
    constexpr std::array names = {Names::nothing, Names::everything, Names::in_order,
                                  Names::by_chance, Names::by_chance};
    constexpr std::array<std::uint64_t, 5> chances = {5, 25, 50, 75, 95};
    Plan plan;
    plan.content = contents.at(random.below(contents.size()));
    plan.names = names.at(random.below(names.size()));
    plan.chance_percent = chances.at(random.below(chances.size()));
    plan.large = random.below(2) == 0;
    return plan;
}

bool Inode::is_reader_table() const {
    return name.ends_with("/lock.mdb");
}

void Inode::write(std::uint64_t time, std::uint64_t offset, BytesView bytes) {
    const std::size_t end = static_cast<std::size_t>(offset) + bytes.size();
    if (end > now.size()) resize(time, end);
    now.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
    last_begin = offset / sector_bytes;
    last_end = (end + sector_bytes - 1) / sector_bytes;
    for (std::uint64_t sector = last_begin; sector < last_end; ++sector) {
        const Bytes content =
            now.substr(static_cast<std::size_t>(sector) * sector_bytes, sector_bytes);
        sectors[sector].push_back(Version{time, content});
    }
}

void Inode::resize(std::uint64_t time, std::uint64_t size) {
    now.resize(static_cast<std::size_t>(size), '\0');
    sizes.emplace_back(time, size);
}

void Inode::sync_sector(std::uint64_t sector, std::uint64_t time) {
    const auto found = sectors.find(sector);
    if (found == sectors.end()) return;
    std::vector<Version>& versions = found->second;
    while (!versions.empty() && versions.front().time <= time) {
        put(synced, sector, versions.front().bytes);
        versions.erase(versions.begin());
    }
    if (versions.empty()) sectors.erase(found);
}

void Inode::sync_size(std::uint64_t time) {
    while (!sizes.empty() && sizes.front().first <= time) {
        synced.resize(static_cast<std::size_t>(sizes.front().second), '\0');
        sizes.erase(sizes.begin());
    }
}

void Inode::sync(std::uint64_t time) {
    sync_size(time);
    std::vector<std::uint64_t> numbers;
    for (const auto& [sector, versions] : sectors) numbers.push_back(sector);
    for (const std::uint64_t sector : numbers) sync_sector(sector, time);
    while (!changes.empty() && changes.front().time <= time) {
        apply(synced_entries, changes.front(), false);
        changes.erase(changes.begin());
    }
}

void Inode::sync_last_write(std::uint64_t time) {
    sync_size(time);
    for (std::uint64_t sector = last_begin; sector < last_end; ++sector) {
        sync_sector(sector, time);
    }
}

void Inode::change(EntryChange change) {
    apply(entries, change, false);
    changes.push_back(std::move(change));
}

std::size_t Inode::count_below() const {
    std::size_t count = entries.size();
    for (const auto& [entry_name, inode] : entries) {
        if (inode->directory) count += inode->count_below();
    }
    return count;
}

/// What all sectors of a file have in common in one state.
struct Inode::Chances {
    std::uint64_t chosen = 0;  ///< the one sector of all_but_one and only_one
    std::uint64_t until = 0;   ///< of by_time
    std::uint64_t salt = 0;    ///< of by_page
};

Inode::Chances Inode::draw_chances(Random& random) const {
    std::vector<std::uint64_t> times;
    for (const auto& [sector, versions] : sectors) {
        for (const Version& version : versions) times.push_back(version.time);
    }
    Chances chances;
    chances.salt = random.next() | 1U;
    if (times.empty()) return chances;
    chances.chosen = random.below(sectors.size());
    chances.until = times[random.below(times.size())];
    return chances;
}

/// How many of a sector's writes came to the disk: so many of the first ones.
std::size_t Inode::survivors(const Plan& plan, const Chances& chances, std::uint64_t sector,
                             bool chosen, Random& random) const {
    const std::vector<Version>& versions = sectors.at(sector);
    const std::size_t all = versions.size();
    switch (plan.content) {
        case Plan::Content::nothing:
            return 0;
        case Plan::Content::everything:
            return all;
        case Plan::Content::all_but_one:
            return chosen ? random.below(all) : all;
        case Plan::Content::only_one:
            return chosen ? 1 + random.below(all) : 0;
        case Plan::Content::by_chance:
            return random.below(100) < plan.chance_percent ? 1 + random.below(all) : 0;
        case Plan::Content::by_page: {
            const std::uint64_t mixed = (sector / sectors_per_page + 1) * chances.salt;
            return (mixed >> 33U) % 100 < plan.chance_percent ? all : 0;
        }
        case Plan::Content::by_time:
            break;
    }
    std::size_t count = 0;
    while (count < all && versions[count].time <= chances.until) ++count;
    return count;
}

Bytes Inode::content_after_cut(const Plan& plan, Random& random, std::uint64_t& old,
                               std::uint64_t& fresh) const {
    Bytes content = synced;
    std::uint64_t size = synced.size();
    if (!sizes.empty() && (plan.large || random.below(2) == 0)) {
        size = sizes.at(plan.large ? sizes.size() - 1 : random.below(sizes.size())).second;
    }
    const Chances chances = draw_chances(random);
    std::uint64_t index = 0;
    for (const auto& [sector, versions] : sectors) {
        const std::size_t count = survivors(plan, chances, sector, index == chances.chosen, random);
        if (count > 0) put(content, sector, versions[count - 1].bytes);
        ++(count < versions.size() ? old : fresh);
        ++index;
    }
    content.resize(static_cast<std::size_t>(size), '\0');
    if (is_reader_table() && random.below(2) == 0) {
        for (char& byte : content) byte = static_cast<char>(random.next());
    }
    return content;
}

Inode::Entries Inode::entries_after_cut(const Plan& plan, Random& random) const {
    Entries after = synced_entries;
    const std::uint64_t prefix = random.below(changes.size() + 1);
    std::uint64_t index = 0;
    for (const EntryChange& change : changes) {
        bool there = false;
        bool keep_old_name = false;
        switch (plan.names) {
            case Plan::Names::nothing:
                break;
            case Plan::Names::everything:
                there = true;
                break;
            case Plan::Names::in_order:
                there = index < prefix;
                break;
            case Plan::Names::by_chance:
                there = random.below(2) == 0;
                // Directories have one name.
                keep_old_name = change.inode && !change.inode->directory && random.below(4) == 0;
                break;
        }
        if (there) apply(after, change, keep_old_name);
        ++index;
    }
    return after;
}

}  // namespace syncline::powercut
