#include "storage/crash_marker.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstring>

namespace syncline {
namespace {

/// A handler has no argument of ours: the one place of the process that it reads.
std::array<char, PATH_MAX> marker_path{};

/// Only what may be called in a handler. The handler was removed when it was entered
/// (SA_RESETHAND).
void on_fault(int signal_number) {
    const int file = ::open(marker_path.data(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) (void)::fsync(file);  // whatever comes of it, the process ends
    (void)::raise(signal_number);
}

}  // namespace

bool mark_suspect_on_crash(const std::string& base_path) {
    const std::string name = base_path + "/" + suspect_name;
    if (name.size() >= marker_path.size()) return false;
    std::memcpy(marker_path.data(), name.c_str(), name.size() + 1);
    struct sigaction action {};
    action.sa_handler = &on_fault;
    // Of one that was raised while blocked the process still dies when the handler returns.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    bool all = true;
    for (const int signal_number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE}) {
        all = ::sigaction(signal_number, &action, nullptr) == 0 && all;
    }
    return all;
}

}  // namespace syncline
