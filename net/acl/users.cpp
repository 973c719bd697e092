#include "net/acl/users.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/base/limits.hpp"
#include "net/peer_auth.hpp"
#include "storage/disk.hpp"

namespace syncline {
namespace {

constexpr BytesView default_name = "default";
/// Entries that are compared with a new one, and how old an equal one may be.
constexpr std::size_t compared_max = 10;
constexpr std::uint64_t grouping_ms_max = 60000;
/// Of a key, a name, a description: keys may be long, and anybody can make entries.
constexpr std::size_t log_text_bytes_max = 1024;
constexpr std::size_t users_file_bytes_max = 16 * limits::mib;

AclUser made_default_user() {
    AclUser user{Bytes(default_name), true};
    for (const BytesView rule : {"+@all", "~*", "&*", "on", "nopass"}) {
        SYNCLINE_ASSERT(user.apply(rule, true) == RuleFault::none);
    }
    return user;
}

bool is_user_name(BytesView name) {
    return name.find_first_of(BytesView(" \t\n\v\f\r\0", 7)) == BytesView::npos;
}

BytesView trimmed(BytesView text, BytesView blanks) {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == BytesView::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<Bytes> words_of(BytesView line) {
    std::vector<Bytes> words;
    while (true) {
        const std::size_t blank = line.find(' ');
        words.emplace_back(line.substr(0, blank));
        if (blank == BytesView::npos) return words;
        line.remove_prefix(blank + 1);
    }
}

/// Reads the lines of a file of users. What is wrong is gathered, and told all together.
class UsersReader {
public:
    UsersReader(std::string path, bool all_channels)
        : path_(std::move(path)), all_channels_(all_channels) {}

    void read(BytesView text) {
        while (!text.empty()) {
            const std::size_t end = text.find('\n');
            ++line_;
            read_line(trimmed(text.substr(0, end), " \t\r\n"));
            text.remove_prefix(end == BytesView::npos ? text.size() : end + 1);
        }
    }
    [[nodiscard]] const Bytes& errors() const { return errors_; }
    [[nodiscard]] AclUsers::Users take() { return std::move(users_); }

private:
    [[nodiscard]] Bytes place() const { return path_ + ":" + std::to_string(line_); }

    void read_line(BytesView line) {
        if (line.empty()) return;
        const std::vector<Bytes> words = words_of(line);
        if (words[0] != "user" || words.size() < 2) {
            errors_ += place() + " should start with user keyword followed by the username. ";
        } else if (!is_user_name(words[1])) {
            errors_ +=
                "'" + place() + ": username '" + words[1] + "' contains invalid characters. ";
        } else if (users_.contains(words[1])) {
            errors_ += "WARNING: Duplicate user '" + words[1] + "' found on line " +
                       std::to_string(line_) + ". ";
        } else {
            add_user(words[1], std::span(words).subspan(2));
        }
    }

    void add_user(const Bytes& name, std::span<const Bytes> rules) {
        auto user = std::make_shared<AclUser>(name, all_channels_);
        users_.emplace(name, user);
        std::size_t open = 0;
        const std::optional<std::vector<Bytes>> merged = merge_selectors(rules, open);
        if (!merged) {
            errors_ += place() + ": Unmatched parenthesis in selector definition.";
            return;
        }
        bool told = false;  // the first one may be the reason for others
        for (const Bytes& rule : *merged) {
            const RuleFault fault = user->apply(trimmed(rule, "\t\r\n"), all_channels_);
            if (fault == RuleFault::unknown_name) {
                errors_ += place() + ": Error in applying operation '" + rule +
                           "': " + Bytes(fault_text(fault)) + ". ";
            } else if (fault != RuleFault::none && !std::exchange(told, true)) {
                errors_ += place() + ": " + Bytes(fault_text(fault)) + ". ";
            }
        }
    }

    std::string path_;
    bool all_channels_;
    AclUsers::Users users_;
    Bytes errors_;
    std::size_t line_ = 0;
};

}  // namespace

void AclLog::add(AclLogEntry entry) {
    for (Bytes* const text : {&entry.object, &entry.user, &entry.client}) {
        if (text->size() > log_text_bytes_max) *text = text->substr(0, log_text_bytes_max);
    }
    const auto compared =
        entries_.begin() + static_cast<std::ptrdiff_t>(std::min(compared_max, entries_.size()));
    const auto same = std::find_if(entries_.begin(), compared, [&](const AclLogEntry& other) {
        const std::uint64_t later = std::max(entry.wall_ms, other.wall_ms);
        const std::uint64_t sooner = std::min(entry.wall_ms, other.wall_ms);
        return other.reason == entry.reason && other.context == entry.context &&
               later - sooner <= grouping_ms_max && other.object == entry.object &&
               other.user == entry.user;
    });
    if (same != compared) {
        entry.count = same->count + 1;
        entries_.erase(same);
    }
    entries_.push_front(std::move(entry));
    set_length_max(length_max_);
}

void AclLog::set_length_max(std::uint64_t length) {
    length_max_ = length;
    while (entries_.size() > length_max_) entries_.pop_back();
}

AclUsers::AclUsers() : default_user_(std::make_shared<AclUser>(made_default_user())) {
    users_.emplace(default_name, default_user_);
}

std::shared_ptr<AclUser> AclUsers::find(BytesView name) const {
    const auto found = users_.find(name);
    return found == users_.end() ? nullptr : found->second;
}

std::shared_ptr<AclUser> AclUsers::log_in(BytesView name, BytesView password) const {
    const std::shared_ptr<AclUser> user = find(name);
    const Bytes hash = sha256_hex(password);
    const bool known = (user ? user : default_user_)->knows(hash);
    if (!user || !user->enabled()) return nullptr;
    return known || user->open() ? user : nullptr;
}

void AclUsers::set_default_password(BytesView password) {
    ++version_;
    (void)default_user_->apply("resetpass", all_channels_);  // these rules are never wrong
    (void)default_user_->apply(password.empty() ? "nopass" : ">" + Bytes(password), all_channels_);
}

std::optional<AclUser> AclUsers::with_rules(BytesView name, std::span<const Bytes> rules,
                                            Bytes& error) const {
    if (!is_user_name(name)) {
        error = "Usernames can't contain spaces or null characters";
        return std::nullopt;
    }
    std::size_t open = 0;
    const std::optional<std::vector<Bytes>> merged = merge_selectors(rules, open);
    if (!merged) {
        error = "Unmatched parenthesis in acl selector starting at '" + rules[open] + "'.";
        return std::nullopt;
    }
    const std::shared_ptr<AclUser> known = find(name);
    AclUser user = known ? *known : AclUser{Bytes(name), all_channels_};
    for (const Bytes& rule : *merged) {
        const RuleFault fault = user.apply(rule, all_channels_);
        if (fault == RuleFault::none) continue;
        error = "Error in ACL SETUSER modifier '" + rule + "': " + Bytes(fault_text(fault));
        return std::nullopt;
    }
    return user;
}

void AclUsers::put(const AclUser& user) {
    ++version_;
    if (const std::shared_ptr<AclUser> known = find(user.name())) {
        known->become(user);
    } else {
        users_.emplace(user.name(), std::make_shared<AclUser>(user));
    }
}

bool AclUsers::remove(BytesView name) {
    SYNCLINE_ASSERT(name != default_name);
    const auto found = users_.find(name);
    if (found == users_.end()) return false;
    users_.erase(found);
    ++version_;
    return true;
}

Bytes AclUsers::load(const std::string& path) {
    std::error_code missing;  // then it cannot be opened either
    const std::filesystem::file_status status = std::filesystem::status(path, missing);
    // To open a pipe could take for ever.
    const bool other = std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
    if (other) return "Error loading ACLs, '" + path + "' is no file";
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return "Error loading ACLs, opening file '" + path + "': " + std::strerror(errno);
    const auto mode = static_cast<unsigned>(status.permissions());
    if (const Result<void> closed = check_private(mode, "the file of users", path); !closed) {
        return closed.error().message;
    }
    Bytes text(users_file_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > users_file_bytes_max) return "the file of users " + path + " is too long";
    UsersReader reader(path, all_channels_);
    reader.read(text);
    if (!reader.errors().empty()) {
        return reader.errors() +
               "WARNING: ACL errors detected, no change to the previously active ACL rules was "
               "performed";
    }
    ++version_;
    users_ = reader.take();
    const std::shared_ptr<AclUser> read = find(default_name);
    default_user_->become(read ? *read : made_default_user());
    users_[Bytes(default_name)] = default_user_;
    return {};
}

Bytes AclUsers::text() const {
    Bytes text;
    for (const auto& [name, user] : users_) text += "user " + name + " " + user->describe() + "\n";
    return text;
}

Result<void> save_users(const AclUsers& users, const std::string& path) {
    const std::filesystem::path whole(path);
    const std::string directory = whole.parent_path().string();
    SYNCLINE_TRY(const std::unique_ptr<Disk> disk,
                 open_posix_disk(directory.empty() ? "." : directory));
    return replace_file(*disk, whole.filename().string(), users.text());
}

}  // namespace syncline
