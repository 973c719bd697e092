#pragma once
#include <cstdio>
#include <functional>

#include "tools/command_sender.hpp"

namespace syncline {

enum class ExportFormat : std::uint8_t { resp, jsonl };

struct ImportOptions {
    ExportFormat format = ExportFormat::jsonl;
    std::uint64_t skip = 0;      ///< lines, or commands of RESP, at the beginning
    bool stop_at_error = false;  ///< else what is wrong is told, and the rest goes on
};

/// Sends what a file holds to a server, some hundred commands at a time. A key's first piece
/// replaces the key, so that sending a line again does no harm; but of bounded counters only what
/// the server lacks of the value is added, so that these may be sent again as well.
/// `wrong`: number of the line or command, from 1, and what is the matter with it.
/// `looked`: bytes of the file taken so far.
/// Errors: unavailable (the connection), io and corrupt (the file); then `done` lines are safe.
Result<void> import_stream(std::FILE* input, RespClient& client, const ImportOptions& options,
                           const std::function<void(std::uint64_t, const std::string&)>& wrong,
                           const std::function<void(std::uint64_t)>& looked, Imported& imported);

}  // namespace syncline
