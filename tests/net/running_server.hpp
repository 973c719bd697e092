#pragma once
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "net/resp_client.hpp"
#include "net/server.hpp"
#include "tests/support/cluster.hpp"

namespace syncline {

constexpr std::uint64_t server_timeout_ms = 20'000;

/// A server on a thread of its own; stops when it goes.
class RunningServer {
public:
    explicit RunningServer(const ServerOptions& options) {
        Result<std::unique_ptr<Server>> server = Server::create(options, Env{clock_, random_});
        BOOST_REQUIRE_MESSAGE(server, (server ? "" : server.error().message));
        server_ = std::move(*server);
        outcome_ = std::async(std::launch::async, [this]() { return server_->run(); });
    }
    ~RunningServer() { (void)stop(); }  // a test that cares has stopped it itself

    Result<void> stop() {
        if (!outcome_.valid()) return {};
        server_->request_stop();
        return wait_for_end();
    }
    /// Of a server that was told to stop.
    Result<void> wait_for_end() {
        Result<void> outcome = outcome_.get();
        server_.reset();
        return outcome;
    }
    RespClient connect() {
        Result<RespClient> client = RespClient::connect("127.0.0.1", port(), server_timeout_ms);
        BOOST_REQUIRE(client);
        return std::move(*client);
    }
    /// One command on a connection of its own, as text.
    std::string ask(const std::vector<Bytes>& arguments) {
        const Result<RespValue> reply = connect().command(arguments);
        return reply ? to_string(*reply) : "failed: " + reply.error().message;
    }
    /// Until the answer is this one; the last answer.
    std::string wait_for(const std::vector<Bytes>& arguments, const std::string& answer) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        std::string last;
        while (last != answer && std::chrono::steady_clock::now() < deadline) {
            last = ask(arguments);
        }
        return last;
    }
    [[nodiscard]] std::uint16_t port() const { return server_->port(); }
    [[nodiscard]] std::uint16_t peer_port() const { return *server_->peer_port(); }

private:
    SystemClock clock_;
    SystemRandom random_;
    std::unique_ptr<Server> server_;
    std::future<Result<void>> outcome_;
};

struct Scratch {
    ScratchDirectory directory;

    ServerOptions lone(const std::string& name) const {
        ServerOptions options;
        options.node = name;
        options.data_dir = (directory.path() / name).string();
        options.port = 0;
        return options;
    }
    /// A member: with a secret, and peers by their ports.
    ServerOptions member(const std::string& name, const std::vector<std::uint16_t>& peers,
                         const std::string& shared_secret = "0123456789abcdef") const {
        ServerOptions options = lone(name);
        const std::filesystem::path file = directory.path() / ("secret of " + name);
        std::ofstream(file) << shared_secret << "\n";
        std::filesystem::permissions(file, std::filesystem::perms::owner_read);
        options.peer_secret_file = file.string();
        options.peer_port = 0;
        for (const std::uint16_t port : peers) options.peers.push_back({"127.0.0.1", port});
        return options;
    }
};

}  // namespace syncline
