#include "tests/sim/runner.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/assert.hpp"

namespace syncline::sim {
namespace {

/// Real seconds after which a run is taken to hang.
constexpr unsigned hang_seconds = 300;

/// What a worker tells the runner: that it begins a seed, or what came of it. The sentence follows.
struct Report {
    std::uint64_t seed = 0;
    std::uint64_t hash = 0;
    std::uint64_t sentence_bytes = 0;
    bool done = false;
    Coverage coverage;
};

void write_all(int pipe, const void* data, std::size_t count) {
    const char* next = static_cast<const char*>(data);
    while (count > 0) {
        const ssize_t put = ::write(pipe, next, count);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) std::_Exit(1);  // the runner is gone
        next += put;
        count -= static_cast<std::size_t>(put);
    }
}

struct Worker {
    pid_t process = 0;
    int pipe = -1;
    std::uint64_t next = 0;  // index of its next seed
    std::optional<std::uint64_t> running;
    std::string received;
};

class Runner {
public:
    Runner(const BatchOptions& options, bool quiet)
        : options_(options),
          quiet_(quiet),
          total_(options.seeds.empty() ? options.count : options.seeds.size()),
          jobs_(std::max<std::uint64_t>(1, std::min<std::uint64_t>(options.jobs, total_))) {}

    BatchResult run();

private:
    [[nodiscard]] BatchOptions::Named seed(std::uint64_t index) const {
        if (!options_.seeds.empty()) return options_.seeds[index];
        return {options_.first + index, options_.run.mode};
    }
    void start(Worker& worker);
    [[noreturn]] void work(int pipe, std::uint64_t index) const;
    void wait_for_reports();
    void take(Worker& worker);
    void take_report(Worker& worker, const Report& report, const std::string& sentence);
    void ended(Worker& worker);
    void failed(std::uint64_t seed, const std::string& sentence);

    const BatchOptions& options_;
    bool quiet_;
    std::uint64_t total_;
    std::uint64_t jobs_;
    std::vector<Worker> workers_;
    BatchResult result_;
    bool stopping_ = false;
};

BatchResult Runner::run() {
    const auto began = std::chrono::steady_clock::now();
    workers_.resize(static_cast<std::size_t>(jobs_));
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        workers_[i].next = i;
        start(workers_[i]);
    }
    const auto busy = [](const Worker& worker) { return worker.process != 0; };
    while (std::any_of(workers_.begin(), workers_.end(), busy)) wait_for_reports();
    result_.wall_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return std::move(result_);
}

void Runner::start(Worker& worker) {
    if (worker.next >= total_ || stopping_) return;
    std::fflush(stdout);
    int ends[2];
    SYNCLINE_ASSERT(::pipe(ends) == 0);
    worker.process = ::fork();
    SYNCLINE_ASSERT(worker.process >= 0);
    if (worker.process == 0) {
        (void)::close(ends[0]);  // the runner's end
        work(ends[1], worker.next);
    }
    (void)::close(ends[1]);
    worker.pipe = ends[0];
}

void Runner::work(int pipe, std::uint64_t index) const {
    for (; index < total_; index += jobs_) {
        ::alarm(hang_seconds);
        Report report;
        const BatchOptions::Named named = seed(index);
        RunOptions run = options_.run;
        run.mode = named.mode;
        report.seed = named.number;
        write_all(pipe, &report, sizeof report);
        const SeedResult result = run_one(report.seed, run, options_.check_determinism);
        const std::string sentence = result.failure.value_or(std::string());
        report.done = true;
        report.hash = result.hash;
        report.coverage = result.coverage;
        report.sentence_bytes = sentence.size();
        write_all(pipe, &report, sizeof report);
        write_all(pipe, sentence.data(), sentence.size());
    }
    std::_Exit(0);
}

void Runner::wait_for_reports() {
    std::vector<pollfd> polled;
    std::vector<Worker*> waiting;
    for (Worker& worker : workers_) {
        if (worker.process == 0) continue;
        polled.push_back(pollfd{worker.pipe, POLLIN, 0});
        waiting.push_back(&worker);
    }
    if (::poll(polled.data(), polled.size(), -1) < 0) return;
    for (std::size_t i = 0; i < polled.size(); ++i) {
        if (polled[i].revents != 0) take(*waiting[i]);
    }
}

void Runner::take(Worker& worker) {
    char bytes[16384];
    const ssize_t got = ::read(worker.pipe, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) return;
    if (got <= 0) return ended(worker);
    worker.received.append(bytes, static_cast<std::size_t>(got));
    while (worker.received.size() >= sizeof(Report)) {
        Report report;
        std::memcpy(&report, worker.received.data(), sizeof report);
        if (worker.received.size() < sizeof report + report.sentence_bytes) break;
        const std::string sentence = worker.received.substr(sizeof report, report.sentence_bytes);
        worker.received.erase(0, sizeof report + report.sentence_bytes);
        take_report(worker, report, sentence);
    }
}

void Runner::take_report(Worker& worker, const Report& report, const std::string& sentence) {
    if (!report.done) {
        worker.running = report.seed;
        return;
    }
    worker.running.reset();
    worker.next += jobs_;
    result_.coverage += report.coverage;
    if (!sentence.empty()) return failed(report.seed, sentence);
    if (!options_.progress) return;
    std::printf("seed %llu: fine, log hash %016llx\n", static_cast<unsigned long long>(report.seed),
                static_cast<unsigned long long>(report.hash));
    std::fflush(stdout);
}

/// A worker that dies within a seed has found something; another one goes on behind it.
void Runner::ended(Worker& worker) {
    int status = 0;
    (void)::waitpid(worker.process, &status, 0);  // our own child; cannot fail
    (void)::close(worker.pipe);
    worker.process = 0;
    worker.received.clear();
    if (!worker.running) return;
    worker.next += jobs_;
    const std::uint64_t seed = *worker.running;
    worker.running.reset();
    if (stopping_) return;
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    failed(seed, signal == SIGALRM   ? "did not end"
                 : signal == SIGABRT ? "the process was aborted; its last words stand above"
                                     : "the process died by signal " + std::to_string(signal));
    start(worker);
}

void Runner::failed(std::uint64_t seed, const std::string& sentence) {
    if (stopping_) return;
    result_.failures.push_back(SeedFailure{seed, sentence});
    if (!quiet_) {
        std::printf("seed %llu FAILED: %s\n", static_cast<unsigned long long>(seed),
                    sentence.c_str());
        std::fflush(stdout);
    }
    if (!options_.stop_at_failure) return;
    stopping_ = true;
    for (const Worker& worker : workers_) {
        if (worker.process != 0) (void)::kill(worker.process, SIGTERM);  // may have ended already
    }
}

}  // namespace

SeedResult run_one(std::uint64_t seed, const RunOptions& options, bool check_determinism) {
    const SeedOutcome outcome = run_seed(seed, options);
    SeedResult result{outcome.failure, outcome.hash, outcome.coverage};
    if (result.failure) {
        result.failure = "at " + to_text(outcome.failed_at) + " s: " + *result.failure;
        return result;
    }
    if (check_determinism && run_seed(seed, options).hash != outcome.hash) {
        result.failure = "a second run of the seed did something else";
    }
    return result;
}

BatchResult run_batch(const BatchOptions& options, bool quiet) {
    return Runner(options, quiet).run();
}

}  // namespace syncline::sim
