#pragma once
#include <string>
#include <vector>

#include "core/base/bytes.hpp"

namespace syncline {

/// Whether a command may hold a password, so that its line is kept nowhere: AUTH, HELLO with AUTH,
/// CONFIG SET of passwords, ACL SETUSER, MIGRATE with AUTH. `words`: as typed.
bool is_sensitive(const std::vector<Bytes>& words);

/// Lines that were typed, in a file that only its owner reads (mode 0600). A file that cannot be
/// read or written is as none: nobody types worse for it. Confined to one thread.
class ShellHistory {
public:
    /// `path` empty: no file.
    explicit ShellHistory(std::string path) : path_(std::move(path)) {}

    /// The last thousand lines, the oldest first; cuts a file that has become much longer.
    std::vector<std::string> load();
    /// Puts a line at the end.
    void add(const std::string& line);

    /// SYNCLINE_HISTORY, or .syncline_history in the home directory; empty: there is neither.
    static std::string default_path();

private:
    std::string path_;
};

}  // namespace syncline
