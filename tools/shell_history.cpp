#include "tools/shell_history.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>

namespace syncline {
namespace {

constexpr std::size_t lines_kept = 1000;
constexpr std::size_t lines_max = 2 * lines_kept;

bool is_word(const Bytes& word, std::string_view name) {
    return std::equal(word.begin(), word.end(), name.begin(), name.end(), [](char one, char other) {
        return std::tolower(static_cast<unsigned char>(one)) == other;
    });
}

bool has_word(const std::vector<Bytes>& words, std::string_view name) {
    return std::any_of(words.begin(), words.end(),
                       [&](const Bytes& word) { return is_word(word, name); });
}

/// Appends, or writes anew; the file is for its owner from its first moment on.
void write_lines(const std::string& path, const std::string& text, int how) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
    if (file < 0) return;
    struct stat status {};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (regular) (void)::fchmod(file, 0600);         // one that was there before
    (void)!::write(file, text.data(), text.size());  // a line less is no harm
    ::close(file);
}

}  // namespace

bool is_sensitive(const std::vector<Bytes>& words) {
    if (words.empty()) return false;
    if (is_word(words[0], "auth")) return true;
    if (is_word(words[0], "hello") || is_word(words[0], "migrate")) {
        return has_word(words, "auth") || has_word(words, "auth2");
    }
    if (is_word(words[0], "acl")) return has_word(words, "setuser");
    const bool config = is_word(words[0], "config") && has_word(words, "set");
    return config && std::any_of(words.begin(), words.end(), [](const Bytes& word) {
               return is_word(word, "requirepass") || is_word(word, "masterauth") ||
                      is_word(word, "masteruser") || is_word(word, "tls-key-file-pass") ||
                      is_word(word, "tls-client-key-file-pass");
           });
}

std::vector<std::string> ShellHistory::load() {
    std::vector<std::string> lines;
    if (path_.empty()) return lines;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    if (lines.size() <= lines_kept) return lines;
    const bool cut = lines.size() > lines_max;
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(lines_kept));
    if (!cut) return lines;
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    write_lines(path_, text, O_TRUNC);
    return lines;
}

void ShellHistory::add(const std::string& line) {
    if (!path_.empty()) write_lines(path_, line + "\n", O_APPEND);
}

std::string ShellHistory::default_path() {
    if (const char* const named = std::getenv("SYNCLINE_HISTORY"); named != nullptr) return named;
    const char* const home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') return {};
    return std::string(home) + "/.syncline_history";
}

}  // namespace syncline
