#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/commands/command.hpp"

/// The commands as rules for users see them: a number each, and the categories they belong to.
/// Thread-safety: any thread, after the first call of acl_catalog().
namespace syncline {

/// A command, or a subcommand inside of its container.
struct CatalogEntry {
    CommandName name;
    unsigned number = 0;           ///< below acl_commands_max - 1; the same while the program runs
    std::uint32_t categories = 0;  ///< a bit each, as acl_category_names has them
    std::vector<CatalogEntry> subcommands{};
};

/// All commands in order of their names. O(1) after the first call.
const std::vector<CatalogEntry>& acl_catalog();
/// The entry of a row of the table. O(1).
const CatalogEntry& acl_entry(const Command& command);

/// The categories of Redis 7.0.15, in its order.
std::span<const BytesView> acl_category_names();
/// The bit of a category; any case. Nothing: there is none of this name.
std::optional<std::uint32_t> acl_category(BytesView name);

}  // namespace syncline
