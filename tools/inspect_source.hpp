#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/resp_client.hpp"
#include "net/tcp.hpp"
#include "tools/login.hpp"

namespace syncline {

/// Where the inspector's answers come from: a running replica, or one opened from its directory.
/// Both answer the same commands. Confined to one thread.
class InspectSource {
public:
    virtual ~InspectSource() = default;
    /// The reply; an error reply is a value too. Errors: unavailable, corrupt.
    virtual Result<RespValue> command(const std::vector<Bytes>& arguments) = 0;
    /// HOST:PORT, or the directory.
    [[nodiscard]] virtual const std::string& address() const = 0;
    /// Whether the replica runs, with clock and peers.
    [[nodiscard]] virtual bool live() const = 0;
};

/// A running replica. It is dialed by the first command, and again after an error; each wait is
/// bounded by timeout_ms.
std::unique_ptr<InspectSource> live_source(const TcpEndpoint& endpoint, std::uint64_t timeout_ms,
                                           const Login& login);

/// A replica that does not run. Its directory is opened, and locked, by the first command; an error
/// then may be locked (the replica runs), corrupt, version, io. Error invalid_argument: there is
/// none at this path.
Result<std::unique_ptr<InspectSource>> directory_source(const std::string& path);

}  // namespace syncline
