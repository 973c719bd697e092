#pragma once
#include <string>

namespace syncline {

/// A file that a start leaves in a base until its first commit, or until the base is closed:
/// whoever finds it there looks at every page before it opens the base, because the process before
/// may have died of what stands in it.
constexpr const char* suspect_name = "SUSPECT";

/// From now on a process that dies of a fault (SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE) makes this
/// file in a base first, for crashes long after the start. The signal then does what it did before.
/// For programs that serve one base; a library does not set handlers in somebody else's process.
/// `base_path`: the directory of the base. False: it could not be set up.
bool mark_suspect_on_crash(const std::string& base_path);

}  // namespace syncline
