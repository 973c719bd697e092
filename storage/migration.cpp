#include "storage/migration.hpp"

#include <algorithm>

namespace syncline {

namespace {

/// A version that gives up an older one's bytes adds the step that turns them into its own.
/// Versions 1 to 4 have none: no release wrote them.
constexpr MigrationStep steps[] = {
    // Long rows go into chunks when they are written next.
    {5, [](MigrationTables& tables) { return tables.create("chunks"); }},
    // An older program would not take a provisional commit back.
    {6, [](MigrationTables&) { return Result<void>(); }},
};

}  // namespace

const BaseFormat base_format = {7, steps};

Result<void> migrate(MigrationTables& tables, const BaseFormat& format, std::uint64_t version,
                     const std::string& path) {
    std::string message = "base: " + path + " has format version " + std::to_string(version) +
                          ", this program knows " + std::to_string(format.version);
    if (version > format.version) {
        return Error{Code::version, message + "; a newer program made it, and reads it"};
    }
    // All are looked for before one runs: no work that would be thrown away.
    for (std::uint64_t from = version; from < format.version; ++from) {
        const bool known =
            std::any_of(format.steps.begin(), format.steps.end(),
                        [&](const MigrationStep& step) { return step.from == from; });
        if (known) continue;
        return Error{Code::version,
                     message +
                         "; the build that made it still reads it: copy the data through its "
                         "clients into a replica with a new directory"};
    }
    for (const MigrationStep& step : format.steps) {
        if (step.from < version) continue;
        if (const Result<void> done = step.run(tables); !done) {
            return done.error().in("base: " + path + ": from format version " +
                                   std::to_string(step.from));
        }
    }
    return {};
}

}  // namespace syncline
