#include "tools/local_cluster.hpp"

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
#include <charconv>
#include <chrono>

#include "core/base/env.hpp"

namespace syncline {
namespace {

const char* const loopback = "127.0.0.1";
constexpr std::uint64_t ready_ms_max = 20000;
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

std::uint64_t steady_ms() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

void sleep_ms(std::uint64_t ms) {
    ::poll(nullptr, 0, static_cast<int>(ms));
}

Result<std::unique_ptr<LocalCluster>> LocalCluster::start(Options options) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / (options.prefix + "-XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr) return system_error(pattern);
    std::unique_ptr<LocalCluster> cluster(new LocalCluster(pattern, std::move(options)));
    SYNCLINE_CHECK(write_secret(cluster->directory_ / "secret"));
    for (const std::string& name : cluster->options_.names) {
        Node& node = cluster->nodes_.emplace_back();
        node.name = name;
        SYNCLINE_TRY(node.port, free_port());
        SYNCLINE_TRY(node.peer_port, free_port());
    }
    for (std::size_t i = 0; i < cluster->nodes_.size(); ++i) SYNCLINE_CHECK(cluster->spawn(i));
    for (std::size_t i = 0; i < cluster->nodes_.size(); ++i) {
        SYNCLINE_CHECK(cluster->wait_ready(i));
    }
    return cluster;
}

std::string LocalCluster::log_of(std::size_t node) const {
    return (directory_ / (nodes_[node].name + ".log")).string();
}

Result<void> LocalCluster::spawn(std::size_t index) {
    Node& node = nodes_[index];
    std::vector<std::string> arguments = {"syncline", "serve"};
    const auto option = [&](const char* name, const std::string& value) {
        arguments.emplace_back(name);
        arguments.push_back(value);
    };
    option("--node", node.name);
    option("--data", (directory_ / node.name).string());
    option("--bind", loopback);
    option("--port", std::to_string(node.port));
    option("--peer-port", std::to_string(node.peer_port));
    option("--http-port", "0");
    option("--peer-secret-file", (directory_ / "secret").string());
    for (const Node& peer : nodes_) {
        if (peer.name == node.name) continue;
        option("--peer", std::string(loopback) + ":" + std::to_string(peer.peer_port));
    }
    if (index == 0) arguments.emplace_back("--init");
    arguments.insert(arguments.end(), options_.serve_options.begin(), options_.serve_options.end());
    node.process = ::fork();
    if (node.process < 0) return system_error("fork");
    if (node.process == 0) become(arguments, log_of(index));
    return {};
}

Result<void> LocalCluster::wait_ready(std::size_t index) {
    Node& node = nodes_[index];
    for (const std::uint64_t start = steady_ms(); steady_ms() - start < ready_ms_max;
         sleep_ms(20)) {
        if (::waitpid(node.process, nullptr, WNOHANG) == node.process) {
            node.process = 0;
            break;
        }
        Result<RespClient> client = connect(index, ready_ms_max);
        if (!client) continue;
        const Result<RespValue> clock = client->command({"CRDT.CLOCK"});
        // A primary may have nothing yet that its backups confirm.
        const bool ready = clock && (!clock->is_error() || clock->text.rfind("NOREPLICAS", 0) == 0);
        if (!ready) continue;
        SYNCLINE_TRY(const RespValue info, client->command({"INFO", "server"}));
        const BytesView name = "http_port:";
        const std::size_t found = info.text.find(name);
        if (found == Bytes::npos) return Error{Code::corrupt, "INFO tells no http_port"};
        const char* const begin = info.text.data() + found + name.size();
        std::from_chars(begin, info.text.data() + info.text.size(), node.http_port);
        return {};
    }
    options_.keep = true;
    return Error{Code::unavailable,
                 "replica " + node.name + " does not start; see " + log_of(index)};
}

Result<void> LocalCluster::start_node(std::size_t node) {
    SYNCLINE_ASSERT(nodes_[node].process == 0);
    SYNCLINE_CHECK(spawn(node));
    return wait_ready(node);
}

void LocalCluster::kill_node(std::size_t index) {
    Node& node = nodes_[index];
    if (node.process == 0) return;
    ::kill(node.process, SIGKILL);
    ::waitpid(node.process, nullptr, 0);
    node.process = 0;
}

Result<RespClient> LocalCluster::connect(std::size_t node, std::uint64_t timeout_ms) const {
    return RespClient::connect(loopback, nodes_[node].port, timeout_ms);
}

LocalCluster::~LocalCluster() {
    for (const Node& node : nodes_) {
        if (node.process > 0) ::kill(node.process, SIGTERM);
    }
    for (Node& node : nodes_) {
        for (const std::uint64_t start = steady_ms(); node.process > 0; sleep_ms(10)) {
            if (::waitpid(node.process, nullptr, WNOHANG) != 0) {
                node.process = 0;
            } else if (steady_ms() - start > stop_ms_max) {
                ::kill(node.process, SIGKILL);
            }
        }
    }
    std::error_code ignored;  // what cannot be removed is left in the temporary directory
    if (!options_.keep) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace syncline
