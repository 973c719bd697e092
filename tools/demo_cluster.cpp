#include "tools/demo_cluster.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>

#include "core/base/env.hpp"

namespace syncline {
namespace {

const char* const host = "127.0.0.1";
constexpr std::uint64_t ready_ms_max = 20000;
constexpr std::uint64_t command_ms_max = 30000;
constexpr std::uint64_t stop_ms_max = 5000;
constexpr std::size_t secret_words = 4;

Error system_error(const std::string& what) {
    return Error{Code::io, what + ": " + ::strerror(errno)};
}

/// A port of the loopback that nobody uses now.
Result<std::uint16_t> free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return system_error("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    const bool found = ::bind(socket, raw, size) == 0 && ::getsockname(socket, raw, &size) == 0;
    const Error error = system_error("bind");
    ::close(socket);
    if (!found) return error;
    return ntohs(address.sin_port);
}

Result<void> write_secret(const std::filesystem::path& path) {
    SystemRandom random;
    std::string secret;
    for (std::size_t i = 0; i < secret_words; ++i) {
        Bytes word;
        ByteWriter(word).u64(random.next());
        secret += to_hex(word);
    }
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return system_error(path.string());
    const bool written =
        ::write(file, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size());
    ::close(file);
    if (!written) return system_error(path.string());
    return {};
}

/// In the child: becomes `arguments`, with its output in `log`, and ends with its parent.
[[noreturn]] void become(const std::vector<std::string>& arguments, const std::string& log) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int input = ::open("/dev/null", O_RDONLY);
    if (output >= 0) {
        ::dup2(output, STDOUT_FILENO);
        ::dup2(output, STDERR_FILENO);
    }
    if (input >= 0) ::dup2(input, STDIN_FILENO);
    std::vector<char*> raw;
    for (const std::string& argument : arguments)
        raw.push_back(const_cast<char*>(argument.c_str()));
    raw.push_back(nullptr);
    ::execv("/proc/self/exe", raw.data());
    ::_exit(127);
}

}  // namespace

const RespValue* reply_field(const RespValue& reply, std::string_view name) {
    for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
        if (reply.elements[i].text == name) return &reply.elements[i + 1];
    }
    return nullptr;
}

Result<std::unique_ptr<DemoCluster>> DemoCluster::start(bool keep) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "syncline-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return system_error(pattern);
    std::unique_ptr<DemoCluster> cluster(new DemoCluster(pattern, keep));
    SYNCLINE_CHECK(write_secret(cluster->directory_ / "secret"));
    for (const char* const name : {"a", "b", "c"}) {
        Node& node = cluster->nodes_.emplace_back();
        node.name = name;
        SYNCLINE_TRY(node.port, free_port());
        SYNCLINE_TRY(node.peer_port, free_port());
    }
    for (std::size_t i = 0; i < replay_replicas; ++i) SYNCLINE_CHECK(cluster->spawn(i));
    for (std::size_t i = 0; i < replay_replicas; ++i) SYNCLINE_CHECK(cluster->wait_ready(i));
    return cluster;
}

Result<void> DemoCluster::spawn(std::size_t replica) {
    Node& node = nodes_[replica];
    std::vector<std::string> arguments = {"syncline",
                                          "serve",
                                          "--node",
                                          node.name,
                                          "--data",
                                          (directory_ / node.name).string(),
                                          "--bind",
                                          host,
                                          "--port",
                                          std::to_string(node.port),
                                          "--peer-port",
                                          std::to_string(node.peer_port),
                                          "--peer-secret-file",
                                          (directory_ / "secret").string()};
    for (const Node& peer : nodes_) {
        if (peer.name == node.name) continue;
        arguments.push_back("--peer");
        arguments.push_back(std::string(host) + ":" + std::to_string(peer.peer_port));
    }
    if (replica == 0) arguments.push_back("--init");
    const std::string log = (directory_ / (node.name + ".log")).string();
    node.process = ::fork();
    if (node.process < 0) return system_error("fork");
    if (node.process == 0) become(arguments, log);
    return {};
}

Result<void> DemoCluster::wait_ready(std::size_t replica) {
    Node& node = nodes_[replica];
    for (const std::uint64_t start = now_ms(); now_ms() - start < ready_ms_max; pass(20)) {
        int status = 0;
        if (::waitpid(node.process, &status, WNOHANG) == node.process) {
            node.process = 0;
            break;
        }
        if (!node.client) {
            Result<RespClient> client = RespClient::connect(host, node.port, command_ms_max);
            if (!client) continue;
            node.client.emplace(std::move(*client));
        }
        const Result<RespValue> clock = node.client->command({"CRDT.CLOCK"});
        if (!clock || clock->is_error()) continue;
        if (const RespValue* const actor = reply_field(*clock, "actor")) {
            node.actor = actor->text;
            return {};
        }
    }
    keep_ = true;
    return Error{Code::unavailable, "replica " + node.name + " does not start; see " +
                                        (directory_ / (node.name + ".log")).string()};
}

DemoCluster::~DemoCluster() {
    for (Node& node : nodes_) {
        node.client.reset();
        if (node.process > 0) ::kill(node.process, SIGTERM);
    }
    for (Node& node : nodes_) {
        for (const std::uint64_t start = now_ms(); node.process > 0; pass(10)) {
            if (::waitpid(node.process, nullptr, WNOHANG) != 0) {
                node.process = 0;
            } else if (now_ms() - start > stop_ms_max) {
                ::kill(node.process, SIGKILL);
            }
        }
    }
    std::error_code ignored;  // what cannot be removed is left in the temporary directory
    if (!keep_) std::filesystem::remove_all(directory_, ignored);
}

Result<RespValue> DemoCluster::command(std::size_t replica, const std::vector<Bytes>& arguments) {
    SYNCLINE_TRY(RespValue reply, nodes_[replica].client->command(arguments));
    if (!reply.is_error()) return reply;
    return Error{Code::unavailable, "replica " + nodes_[replica].name + " answered " + reply.text};
}

Result<void> DemoCluster::submit(std::size_t replica, const std::vector<Write>& writes) {
    Node& node = nodes_[replica];
    node.client->queue({"MULTI"});
    for (const auto& [key, value] : writes) {
        if (value) {
            node.client->queue({"SET", key, *value});
        } else {
            node.client->queue({"DEL", key});
        }
    }
    node.client->queue({"EXEC"});
    node.client->queue({"CRDT.CLOCK"});
    node.awaited = writes.size() + 3;
    return node.client->flush();
}

Result<Seen> DemoCluster::await(std::size_t replica) {
    Node& node = nodes_[replica];
    RespValue reply;
    for (; node.awaited > 0; --node.awaited) {
        SYNCLINE_TRY(reply, node.client->receive());
        if (reply.is_error()) {
            return Error{Code::unavailable, "replica " + node.name + " answered " + reply.text};
        }
        for (const RespValue& element : reply.elements) {
            if (element.is_error()) return Error{Code::unavailable, element.text};
        }
    }
    return parse_seen(reply);
}

Result<Seen> DemoCluster::seen(std::size_t replica) {
    SYNCLINE_TRY(const RespValue clock, command(replica, {"CRDT.CLOCK"}));
    return parse_seen(clock);
}

Result<Seen> DemoCluster::parse_seen(const RespValue& clock) const {
    const RespValue* const vv = reply_field(clock, "vv");
    if (vv == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no version vector"};
    Seen seen{};
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        if (const RespValue* const counter = reply_field(*vv, nodes_[i].actor)) {
            seen[i] = static_cast<std::uint64_t>(counter->integer);
        }
    }
    return seen;
}

Result<void> DemoCluster::set_isolated(std::size_t replica, bool isolated) {
    const Bytes state = isolated ? "down" : "up";
    for (std::size_t other = 0; other < replay_replicas; ++other) {
        if (other == replica) continue;
        SYNCLINE_CHECK(command(other, {"CRDT.LINK", nodes_[replica].name, state}));
        SYNCLINE_CHECK(command(replica, {"CRDT.LINK", nodes_[other].name, state}));
    }
    return {};
}

Result<std::map<Bytes, Bytes>> DemoCluster::state(std::size_t replica) {
    std::map<Bytes, Bytes> state;
    Bytes cursor = "0";
    do {
        SYNCLINE_TRY(const RespValue page, command(replica, {"SCAN", cursor, "COUNT", "1000"}));
        if (page.elements.size() != 2) return Error{Code::corrupt, "SCAN answers nonsense"};
        cursor = page.elements[0].text;
        for (const RespValue& key : page.elements[1].elements) {
            SYNCLINE_TRY(const RespValue value, command(replica, {"GET", key.text}));
            state[key.text] = value.text;
        }
    } while (cursor != "0");
    return state;
}

Result<std::string> DemoCluster::root(std::size_t replica) {
    SYNCLINE_TRY(const RespValue clock, command(replica, {"CRDT.CLOCK"}));
    const RespValue* const root = reply_field(clock, "root");
    if (root == nullptr) return Error{Code::corrupt, "CRDT.CLOCK has no root"};
    return root->text;
}

Result<std::vector<Sibling>> DemoCluster::siblings(std::size_t replica, BytesView key) {
    SYNCLINE_TRY(const RespValue explained, command(replica, {"CRDT.EXPLAIN", Bytes(key)}));
    std::vector<Sibling> siblings;
    const RespValue* const cells = reply_field(explained, "cells");
    if (cells == nullptr) return siblings;
    for (const RespValue& cell : cells->elements) {
        const RespValue* const dots = reply_field(cell, "dots");
        if (dots == nullptr) continue;
        for (const RespValue& dot : dots->elements) {
            const auto text = [&](std::string_view name) {
                const RespValue* const value = reply_field(dot, name);
                return value == nullptr ? Bytes() : value->text;
            };
            const RespValue* const winner = reply_field(dot, "winner");
            siblings.push_back(Sibling{text("dot"), text("time"), text("value"),
                                       winner != nullptr && winner->integer == 1});
        }
    }
    return siblings;
}

Result<std::uint64_t> DemoCluster::peer_bytes() {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < replay_replicas; ++i) {
        SYNCLINE_TRY(const RespValue peers, command(i, {"CRDT.PEERS"}));
        for (const RespValue& peer : peers.elements) {
            if (const RespValue* const sent = reply_field(peer, "bytes_out")) {
                bytes += static_cast<std::uint64_t>(sent->integer);
            }
        }
    }
    return bytes;
}

void DemoCluster::pass(std::uint64_t ms) {
    ::poll(nullptr, 0, static_cast<int>(ms));
}

std::uint64_t DemoCluster::now_ms() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

}  // namespace syncline
