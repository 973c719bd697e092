/// SETs at a steady rate to a server that speaks the Redis protocol: how long each takes, from the
/// moment at which it was due. (A client that waits for its replies asks less of a server that
/// stands still, and never learns how long others would have waited.)
/// Usage: bench_paced_load PORT RATE [--seconds S] [--clients C] [--keys N]
/// Times between requests are those of many independent clients (exponential); each request goes to
/// the connection that owes the fewest replies. Keys are drawn out of N, values have 64 bytes.
/// Prints one line: requests a second that were answered, then the median, 99 % and 99.9 % quantile
/// and the maximum in microseconds. Exit code 1: the server refused, or was not there.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view reply = "+OK\r\n";
constexpr std::size_t value_bytes = 64;
constexpr std::chrono::seconds patience{20};

[[noreturn]] void give_up(const std::string& why) {
    std::cerr << why << '\n';
    std::exit(1);
}

struct Options {
    std::uint16_t port = 0;
    double rate = 0;
    double seconds = 5;
    std::size_t clients = 50;
    std::uint64_t keys = 1000000;
};

struct Connection {
    int descriptor = -1;
    std::string out;                    ///< not taken by the kernel yet
    std::deque<Clock::time_point> due;  ///< of the requests that are not answered
    std::size_t matched = 0;            ///< bytes of the reply that comes in
};

class Load {
public:
    explicit Load(const Options& options) : options_(options), connections_(options.clients) {
        poll_ = ::epoll_create1(EPOLL_CLOEXEC);
        for (std::size_t index = 0; index < connections_.size(); ++index) connect(index);
    }
    ~Load() {
        for (const Connection& connection : connections_) ::close(connection.descriptor);
        ::close(poll_);
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    void run() {
        const Clock::time_point begin = Clock::now();
        const auto length = std::chrono::duration<double>(options_.seconds);
        const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(length);
        // What is still owed at the end is waited for: it is what took longest.
        for (Clock::time_point next = begin; next < end || owed_ > 0;) {
            const Clock::time_point now = Clock::now();
            for (; next <= now && next < end; next += gap()) request(next);
            wait(next < end ? next : now + std::chrono::seconds(1));
            if (owed_ > 0 && Clock::now() - answered_at_ > patience) {
                give_up("the server does not answer");
            }
        }
        const std::chrono::duration<double> took = answered_at_ - begin;
        answered_per_second_ = static_cast<double>(micros_.size()) / took.count();
    }

    void print() {
        std::sort(micros_.begin(), micros_.end());
        const auto quantile = [this](double share) {
            const auto place = static_cast<double>(micros_.size() - 1) * share;
            return micros_[static_cast<std::size_t>(std::lround(place))];
        };
        if (micros_.empty()) give_up("no request was answered");
        std::cout << std::lround(answered_per_second_) << ' ' << quantile(0.5) << ' '
                  << quantile(0.99) << ' ' << quantile(0.999) << ' ' << micros_.back() << '\n';
    }

private:
    void connect(std::size_t index) {
        Connection& connection = connections_[index];
        connection.descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto* const where = reinterpret_cast<const sockaddr*>(&address);
        if (::connect(connection.descriptor, where, sizeof(address)) != 0) {
            give_up("nobody listens on port " + std::to_string(options_.port));
        }
        const int on = 1;
        ::setsockopt(connection.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        if (::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.descriptor, &event) != 0) {
            give_up("epoll_ctl failed");
        }
    }

    Clock::duration gap() {
        const std::chrono::duration<double> seconds(gap_(random_) / options_.rate);
        return std::chrono::duration_cast<Clock::duration>(seconds);
    }

    void request(Clock::time_point due) {
        const auto idlest = std::min_element(connections_.begin(), connections_.end(),
                                             [](const Connection& one, const Connection& other) {
                                                 return one.due.size() < other.due.size();
                                             });
        const std::string key = "key:" + std::to_string(random_() % options_.keys);
        idlest->out += "*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key +
                       "\r\n$" + std::to_string(value_bytes) + "\r\n" +
                       std::string(value_bytes, 'v') + "\r\n";
        idlest->due.push_back(due);
        ++owed_;
        flush(*idlest);
    }

    static void flush(Connection& connection) {
        const ssize_t put = ::send(connection.descriptor, connection.out.data(),
                                   connection.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put > 0) connection.out.erase(0, static_cast<std::size_t>(put));
    }

    void wait(Clock::time_point until) {
        const auto left =
            std::chrono::nanoseconds(std::max(until - Clock::now(), Clock::duration(0)));
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec timeout{whole.count(), (left - whole).count()};
        epoll_event events[64];
        const int count = ::epoll_pwait2(poll_, events, 64, &timeout, nullptr);
        if (count < 0 && errno != EINTR) give_up("epoll_pwait2: Linux 5.11 is needed");
        for (int index = 0; index < count; ++index) take(connections_[events[index].data.u64]);
        for (Connection& connection : connections_) {
            if (!connection.out.empty()) flush(connection);
        }
    }

    void take(Connection& connection) {
        char bytes[4096];
        const ssize_t got = ::recv(connection.descriptor, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (got <= 0) give_up("the server closed a connection");
        const Clock::time_point now = answered_at_ = Clock::now();
        for (ssize_t index = 0; index < got; ++index) {
            if (bytes[index] != reply[connection.matched] || connection.due.empty()) {
                give_up("the server answered " + std::string(bytes, static_cast<std::size_t>(got)));
            }
            if (++connection.matched < reply.size()) continue;
            connection.matched = 0;
            const auto took = now - connection.due.front();
            micros_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
            connection.due.pop_front();
            --owed_;
        }
    }

    Options options_;
    std::vector<Connection> connections_;
    int poll_ = -1;
    std::size_t owed_ = 0;
    Clock::time_point answered_at_ = Clock::now();  ///< the latest reply, or the beginning
    std::mt19937_64 random_{1};
    std::exponential_distribution<double> gap_{1.0};
    std::vector<std::int64_t> micros_;
    double answered_per_second_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    Options options;
    if (words.size() < 2 || words.size() % 2 != 0) give_up("usage: bench_paced_load PORT RATE ...");
    options.port = static_cast<std::uint16_t>(std::stoul(words[0]));
    options.rate = std::stod(words[1]);
    for (std::size_t index = 2; index < words.size(); index += 2) {
        const std::string& value = words[index + 1];
        if (words[index] == "--seconds") {
            options.seconds = std::stod(value);
        } else if (words[index] == "--clients") {
            options.clients = std::stoul(value);
        } else if (words[index] == "--keys") {
            options.keys = std::stoul(value);
        } else {
            give_up("unknown option " + words[index]);
        }
    }
    if (options.rate <= 0 || options.clients == 0 || options.keys == 0) give_up("nothing to do");
    Load load(options);
    load.run();
    load.print();
    return 0;
}
