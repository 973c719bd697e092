#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "net/resp_client.hpp"

namespace syncline {

/// Milliseconds since some start; never goes back.
std::uint64_t steady_ms();
void sleep_ms(std::uint64_t ms);

/// Throw-away replicas: processes of this same binary, in a temporary directory, on free ports of
/// the loopback, with a secret made for them, each with all others as peers; the first founds the
/// cluster. They end with this object, and with the process that owns it, however that ends.
class LocalCluster {
public:
    struct Node {
        std::string name;
        std::uint16_t port = 0;
        std::uint16_t peer_port = 0;
        std::uint16_t http_port = 0;  ///< of the process that runs
        pid_t process = 0;            ///< 0: not running
    };
    struct Options {
        std::string prefix;  ///< of the directory's name
        std::vector<std::string> names;
        std::vector<std::string> serve_options;  ///< for each, besides those that connect them
        bool keep = false;                       ///< leave data and logs behind
    };

    /// Starts the processes and waits until each answers. Errors: io, unavailable (with the place
    /// of the log that says why).
    static Result<std::unique_ptr<LocalCluster>> start(Options options);
    ~LocalCluster();
    LocalCluster(const LocalCluster&) = delete;
    LocalCluster& operator=(const LocalCluster&) = delete;

    /// Starts the process of a node that is not running, and waits until it answers.
    Result<void> start_node(std::size_t node);
    /// SIGKILL; returns when the process is gone.
    void kill_node(std::size_t node);
    /// timeout_ms bounds each wait for the server. Error unavailable.
    [[nodiscard]] Result<RespClient> connect(std::size_t node, std::uint64_t timeout_ms) const;

    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
    [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
    [[nodiscard]] std::string log_of(std::size_t node) const;

private:
    LocalCluster(std::filesystem::path directory, Options options)
        : directory_(std::move(directory)), options_(std::move(options)) {}
    Result<void> spawn(std::size_t node);
    Result<void> wait_ready(std::size_t node);

    std::filesystem::path directory_;
    Options options_;
    std::vector<Node> nodes_;
};

}  // namespace syncline
