#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/base/result.hpp"
#include "net/acl/user.hpp"

namespace syncline {

/// What was refused, or an AUTH that failed, for ACL LOG; equal ones within a minute are one.
struct AclLogEntry {
    std::uint64_t count = 1;
    BytesView reason;   ///< "command", "key", "channel", "auth"
    BytesView context;  ///< "toplevel", "multi"
    Bytes object;
    Bytes user;
    std::uint64_t wall_ms = 0;  ///< of the last time
    Bytes client;               ///< as CLIENT INFO describes it
};

/// The latest entries, newest first.
class AclLog {
public:
    void add(AclLogEntry entry);
    void clear() { entries_.clear(); }
    void set_length_max(std::uint64_t length);
    [[nodiscard]] const std::deque<AclLogEntry>& entries() const { return entries_; }

private:
    std::deque<AclLogEntry> entries_;
    std::uint64_t length_max_ = 128;
};

/// All users. One named "default" is always there; connections are this one until they log in.
/// Thread-safety: confined to one thread.
class AclUsers {
public:
    /// A user belongs to this table and to the connections that are logged in as it, so that one
    /// that is deleted lives until they have gone.
    using Users = std::map<Bytes, std::shared_ptr<AclUser>, std::less<>>;

    /// The default user, who may do everything without a password.
    AclUsers();

    [[nodiscard]] const Users& all() const { return users_; }
    /// Null when there is none.
    [[nodiscard]] std::shared_ptr<AclUser> find(BytesView name) const;
    [[nodiscard]] const std::shared_ptr<AclUser>& default_user() const { return default_user_; }
    /// A new connection may do nothing before it has logged in.
    [[nodiscard]] bool must_log_in() const {
        return !default_user_->open() || !default_user_->enabled();
    }
    /// Null: no such user, it is off, or the password is another. Takes as long in all cases.
    [[nodiscard]] std::shared_ptr<AclUser> log_in(BytesView name, BytesView password) const;

    /// Of the default user; empty: it needs none. The old ones go.
    void set_default_password(BytesView password);
    /// The user as it would be with these rules; nothing has changed. Nothing: they are wrong, and
    /// `error` says why in Redis's words.
    [[nodiscard]] std::optional<AclUser> with_rules(BytesView name, std::span<const Bytes> rules,
                                                    Bytes& error) const;
    /// Makes a user, or gives one that is there these rules.
    void put(const AclUser& user);
    /// False: there was none. Precondition: not "default".
    bool remove(BytesView name);

    /// Reads users from a file, one a line: user NAME RULE... They take the place of all; the
    /// default user, if it is not among them, is as at first. What is wrong with the file in
    /// Redis's words, and then nothing has changed; empty: nothing is.
    Bytes load(const std::string& path);
    /// The lines of such a file.
    [[nodiscard]] Bytes text() const;

    /// Whether new users may use all channels (acl-pubsub-default).
    void set_channels_by_default(bool all) { all_channels_ = all; }
    /// Changes with every change of a user.
    [[nodiscard]] std::uint64_t version() const { return version_; }
    AclLog& log() { return log_; }

private:
    Users users_;
    std::shared_ptr<AclUser> default_user_;
    bool all_channels_ = false;
    std::uint64_t version_ = 0;
    AclLog log_;
};

/// Writes them to their file, atomically and durably, for nobody but its owner to read. Errors: io,
/// no_space.
Result<void> save_users(const AclUsers& users, const std::string& path);

}  // namespace syncline
