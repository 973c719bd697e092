#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/resp_client.hpp"
#include "net/tcp.hpp"
#include "tools/piece_cutter.hpp"

namespace syncline {

/// A Redis server, and how it lets one in.
struct RedisAddress {
    TcpEndpoint endpoint;
    std::string user;      ///< empty: the default one
    std::string password;  ///< empty: none is asked for
    std::uint64_t database = 0;
};

/// "redis://[[user]:password@]host[:port][/database]", 6379 and 0 if they are not there; user and
/// password with %XX for what has a meaning. Error invalid_argument, which never has the password.
Result<RedisAddress> parse_redis_url(const std::string& url);

/// Dials, says who it is, and selects the database. `timeout_ms` bounds each wait.
/// Errors: unavailable; invalid_argument: refused (password, database).
Result<RespClient> connect_redis(const RedisAddress& address, std::uint64_t timeout_ms);

/// A key as a page of SCAN names it.
struct RedisKey {
    Bytes key;
    std::string type;                     ///< as TYPE answers
    std::optional<std::int64_t> ends_ms;  ///< since 1970, by this machine's clock
    std::uint64_t length = 0;             ///< bytes of a string
};

/// Reads a Redis without changing it: pages of keys by SCAN, and their values by the commands of
/// their types, in pieces of bounded size. What is written meanwhile may be in or not. Confined to
/// one thread.
class RedisReader {
public:
    /// A number in the page, and a piece of that key; or what the server says against it.
    using Take = std::function<Result<void>(std::size_t, const KeyPiece&)>;
    using Wrong = std::function<void(std::size_t, const std::string&)>;

    /// `client` must outlive it. `match`: a pattern as SCAN has them; empty: all keys. `cursor`:
    /// where a former reader of the same server was; "0" begins.
    RedisReader(RespClient& client, std::string match, Bytes cursor);

    /// The next some hundred keys, without those that are gone since; may be none before the end.
    /// Errors: unavailable, corrupt; io: what the server answers instead.
    Result<std::vector<RedisKey>> next_page();
    /// Where the next page begins.
    [[nodiscard]] const Bytes& cursor() const { return cursor_; }
    /// The last page was the last one.
    [[nodiscard]] bool ended() const { return ended_; }

    /// Values of keys of a page; types that `can_read` denies are passed by. A key that is gone
    /// gives no piece. Errors: unavailable, corrupt, those of `take`.
    Result<void> read(const std::vector<RedisKey>& page, const Take& take, const Wrong& wrong);
    /// Whether there is a Syncline type for it.
    static bool can_read(const std::string& type);

private:
    struct Reading;
    Result<void> read_group(std::vector<Reading>& group, const Wrong& wrong);
    Result<void> read_rest(Reading& reading, const Wrong& wrong);
    void ask_next(const Reading& reading);
    Result<bool> take_answer(Reading& reading, const RespValue& answer, const Wrong& wrong);

    RespClient& client_;
    std::string match_;
    Bytes cursor_;
    bool ended_ = false;
};

}  // namespace syncline
