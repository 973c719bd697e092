#include "net/acl/catalog.hpp"

#include <iterator>
#include <unordered_map>
#include <utility>

#include "net/acl/user.hpp"
#include "net/commands/arguments.hpp"
#include "net/commands/table.hpp"

namespace syncline {
namespace {

namespace flag = command_flag;

constexpr BytesView category_names[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};

constexpr std::uint32_t bit_of(BytesView name) {
    for (std::size_t i = 0; i < std::size(category_names); ++i) {
        if (category_names[i] == name) return std::uint32_t{1} << i;
    }
    return 0;
}

/// Groups of the table whose commands make up a category of another name.
constexpr std::pair<BytesView, BytesView> groups[] = {
    {"bitmap", "bitmap"},
    {"connection", "connection"},
    {"generic", "keyspace"},
    {"hash", "hash"},
    {"list", "list"},
    {"set", "set"},
    {"string", "string"},
    {"sorted-set", "sortedset"},
    {"transactions", "transaction"},
};

/// Where Redis's categories do not follow from group and flags: what a command belongs to beside,
/// and what it does not belong to. The names of a container stand for its subcommands, too.
struct Correction {
    BytesView name;
    BytesView beside;
    BytesView not_in;
};
constexpr Correction corrections[] = {
    {"command", "connection", ""},
    {"dbsize", "keyspace", ""},
    {"flushall", "keyspace", ""},
    {"flushdb", "keyspace", ""},
    {"function", "scripting", ""},
    {"function|flush", "write", ""},
    {"info", "dangerous", ""},
    {"keys", "dangerous", ""},
    {"lastsave", "admin dangerous", ""},
    {"memory|doctor", "", "read"},
    {"memory|stats", "", "read"},
    {"restore", "dangerous", ""},
    {"role", "admin dangerous", ""},
    {"sort", "dangerous list set sortedset", "keyspace"},
    {"sort_ro", "dangerous list set sortedset", "keyspace"},
    {"swapdb", "dangerous keyspace", ""},
    {"wait", "connection", "keyspace read"},
};

std::uint32_t bits_of(BytesView names) {
    std::uint32_t bits = 0;
    for (const BytesView name : split_words(names)) bits |= bit_of(name);
    return bits;
}

std::uint32_t corrected(const CommandName& name, std::uint32_t bits) {
    const Bytes full_name = name.full_name();
    for (const Correction& correction : corrections) {
        const bool concerned = correction.name == full_name ||
                               (name.parent != nullptr && name.parent->name == correction.name);
        if (concerned) bits = (bits | bits_of(correction.beside)) & ~bits_of(correction.not_in);
    }
    return bits;
}

std::uint32_t categories_of(const CommandName& name) {
    const Command& command = *name.command;
    const bool container = command.handler == nullptr;  // what it does its subcommands do
    if (container) return bit_of("slow");
    std::uint32_t bits = bit_of(command.has(flag::fast) ? "fast" : "slow");
    const auto add = [&](bool belongs, BytesView category) {
        if (belongs) bits |= bit_of(category);
    };
    for (const auto& [group, category] : groups) add(command.group == group, category);
    add(command.has(flag::write), "write");
    add(command.has(flag::readonly), "read");
    add(command.has(flag::admin), "admin");
    add(command.has(flag::admin) || command.has(flag::sliced), "dangerous");
    add(command.has(flag::pubsub), "pubsub");
    add(command.has(flag::blocking), "blocking");
    return corrected(name, bits);
}

std::vector<CatalogEntry> make_catalog() {
    std::vector<CatalogEntry> entries;
    unsigned number = 0;
    for (const Command* const command : all_commands()) {
        CatalogEntry entry{{command, nullptr}, number++, 0, {}};
        entry.categories = categories_of(entry.name);
        for (const Command& subcommand : command->subcommands) {
            const CommandName name{&subcommand, command};
            entry.subcommands.push_back({name, number++, categories_of(name), {}});
        }
        entries.push_back(std::move(entry));
    }
    SYNCLINE_ASSERT(number < acl_commands_max - 1);
    return entries;
}

using Entries = std::unordered_map<const Command*, const CatalogEntry*>;

Entries make_index() {
    Entries index;
    for (const CatalogEntry& entry : acl_catalog()) {
        index.emplace(entry.name.command, &entry);
        for (const CatalogEntry& sub : entry.subcommands) index.emplace(sub.name.command, &sub);
    }
    return index;
}

}  // namespace

const std::vector<CatalogEntry>& acl_catalog() {
    static const std::vector<CatalogEntry> catalog = make_catalog();
    return catalog;
}

const CatalogEntry& acl_entry(const Command& command) {
    static const Entries index = make_index();
    const auto found = index.find(&command);
    SYNCLINE_ASSERT(found != index.end());
    return *found->second;
}

std::span<const BytesView> acl_category_names() {
    return category_names;
}

std::optional<std::uint32_t> acl_category(BytesView name) {
    const std::uint32_t bit = bit_of(lower(name));
    return bit == 0 ? std::nullopt : std::optional(bit);
}

}  // namespace syncline
