#pragma once
#include <map>
#include <string>

#include "tools/doctor_bundle.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/inspect_source.hpp"

namespace syncline {

/// Asks a replica, running or opened from its directory, and puts its answers into the bundle as
/// files, masked. What it does not answer is left out. Nothing is changed.
DoctorServer doctor_server(InspectSource& source, DoctorBundle& bundle);

/// Looks at the files of a data directory: names and sizes go into the bundle, no contents.
DoctorDirectory doctor_directory(const std::string& path, DoctorBundle& bundle);

/// Looks at kernel, limits and memory. `process_id` of the replica, if it runs on this machine; 0:
/// it does not.
DoctorSystem doctor_system(std::uint64_t process_id, DoctorBundle& bundle);

}  // namespace syncline
