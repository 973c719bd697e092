#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/engine/event.hpp"
#include "core/engine/identity.hpp"

namespace syncline {

/// Transactions that only one replica has, as lines of JSON: {"event": its dot, "time_ms": ...,
/// "operations": [...]}, one line each. Bytes that are no text get the suffix _hex. Of counters an
/// operation tells what this replica had added in all.
Bytes event_lines(const std::vector<Event>& events);

/// Moves a data directory aside, under its name with `word` and a number behind, and makes a new
/// one in its place: of the same cluster and name, so that not even --init founds another; nothing
/// is deleted. Answers with where the old one is now. Errors: io, and of DataDirectory.
Result<std::string> begin_anew(const std::filesystem::path& directory, const std::string& word,
                               const Identity& identity);

}  // namespace syncline
