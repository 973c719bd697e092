#pragma once
#include <functional>
#include <string>

#include "core/backup/source.hpp"
#include "core/base/env.hpp"

namespace syncline {

using BackupTold = std::function<void(const BackupProgress&)>;

/// Backs up the data directory of a replica that does not run. It is opened and locked as by a
/// start, and keeps what it holds. Errors: locked, invalid_argument (it is of no cluster yet, so
/// that there is nothing; or `backup` is not empty), corrupt, version, io, no_space.
Result<BackupManifest> backup_directory(const std::string& data, const std::string& backup, Env env,
                                        const BackupTold& told = {});

}  // namespace syncline
