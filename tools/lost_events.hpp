#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/engine/event.hpp"
#include "core/engine/identity.hpp"
#include "core/engine/resubmission.hpp"

namespace syncline {

/// The data directory of this name, without a slash behind it. Error invalid_argument: it is none.
Result<std::filesystem::path> existing_directory(const std::string& name);

/// Writes transactions that only one replica has to a file, in place of what is there: lines of
/// JSON, {"event": its dot, "time_ms": ..., "operations": [...], "transaction": hexadecimal}. Bytes
/// that are no text get the suffix _hex. Of counters an operation tells what this replica had added
/// in all, and by itself if that is known. The last field alone is read again. Durable when it
/// returns. Errors: io, no_space.
Result<void> write_events(const std::filesystem::path& output, const Uuid& cluster,
                          const std::vector<Event>& events);

/// The transaction of such a line. Errors: corrupt; version.
Result<LostTransaction> read_lost_line(const std::string& line);

/// Moves a data directory aside, under its name with `word` and a number behind, and makes a new
/// one in its place: of the same cluster and name, so that not even --init founds another; nothing
/// is deleted. Answers with where the old one is now. Errors: io, and of DataDirectory.
Result<std::string> begin_anew(const std::filesystem::path& directory, const std::string& word,
                               const Identity& identity);

}  // namespace syncline
