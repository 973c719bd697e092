#include "tools/doctor_facts.hpp"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/env.hpp"
#include "storage/crash_marker.hpp"
#include "tools/console.hpp"
#include "tools/doctor_mask.hpp"
#include "tools/json_text.hpp"
#include "tools/reply.hpp"
#include "tools/reply_text.hpp"

namespace syncline {
namespace {

namespace fs = std::filesystem;

constexpr const char* slow_entries = "128";

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Sentences may quote what they were given.
void mask_texts(RespValue& value) {
    value.text = without_quotes(value.text);
    for (RespValue& element : value.elements) mask_texts(element);
}

/// A RESP2 map as an object, at any depth of lists whose elements begin with a name.
RespValue as_maps(RespValue value) {
    for (RespValue& element : value.elements) element = as_maps(std::move(element));
    const std::size_t count = value.elements.size();
    if (value.type != RespValue::Type::array || count == 0 || count % 2 != 0) return value;
    for (std::size_t i = 0; i < count; i += 2) {
        const RespValue& name = value.elements[i];
        const bool is_name = name.type == RespValue::Type::bulk && !name.text.empty() &&
                             std::all_of(name.text.begin(), name.text.end(), [](char byte) {
                                 return std::islower(static_cast<unsigned char>(byte)) != 0 ||
                                        byte == '_' || byte == '-';
                             });
        if (!is_name) return value;
    }
    value.type = RespValue::Type::map;
    return value;
}

/// What may be asked for, and where it goes.
struct Question {
    const char* file;
    std::vector<Bytes> command;
};

std::vector<Question> questions() {
    return {{"health.json", {"CRDT.HEALTH"}},
            {"membership.json", {"CRDT.MEMBERSHIP", "STATUS"}},
            {"peers.json", {"CRDT.PEERS"}},
            {"matrix.json", {"CRDT.MATRIX"}},
            {"clock.json", {"CRDT.CLOCK"}},
            {"scrub.json", {"CRDT.SCRUB", "STATUS"}},
            {"backup.json", {"CRDT.BACKUP", "STATUS"}},
            {"latency.json", {"LATENCY", "LATEST"}},
            {"latency_histogram.json", {"LATENCY", "HISTOGRAM"}}};
}

class ServerFacts {
public:
    ServerFacts(InspectSource& source, DoctorBundle& bundle) : source_(source), bundle_(bundle) {
        server_.address = source.address();
    }

    DoctorServer ask() {
        const std::optional<RespValue> info = answer({"INFO", "everything"});
        if (!info) return server_;
        take_info(info->text);
        for (const Question& question : questions()) {
            std::optional<RespValue> reply = answer(question.command);
            if (!reply) continue;
            if (question.command[0] == "CRDT.HEALTH") take_health(*reply);
            if (question.command[0] == "CRDT.PEERS") take_peers(*reply);
            mask_texts(*reply);
            bundle_.add(question.file, pretty(as_maps(std::move(*reply))));
        }
        take_slow_log();
        take_config();
        take_time();
        return server_;
    }

private:
    static std::string pretty(const RespValue& reply) {
        const Json json = Json::parse(reply_text(reply, ReplyFormat::json), nullptr, false);
        return json_text(json);
    }

    /// Nothing: it does not answer at all, or by an error; the first one is kept.
    std::optional<RespValue> answer(const std::vector<Bytes>& command) {
        Result<RespValue> reply = source_.command(command);
        if (reply && !reply->is_error()) return std::move(*reply);
        if (server_.error.empty() && command[0] == "INFO") {
            server_.error = reply ? harmless(reply->text) : reply.error().message;
        }
        return std::nullopt;
    }

    void take_info(const std::string& text) {
        bundle_.add("info.txt", text);
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (!line.empty() && line.back() == '\r') line.pop_back();
            const std::size_t colon = line.find(':');
            if (colon == std::string::npos) continue;
            server_.info[line.substr(0, colon)] = line.substr(colon + 1);
        }
    }

    void take_health(const RespValue& reply) {
        server_.status = reply_text(reply, "status");
        for (const RespValue& reason : reply_list(reply, "reasons")) {
            const Bytes peer = reply_text(reason, "peer");
            server_.reasons.push_back((peer.empty() ? "" : harmless(peer) + ": ") +
                                      harmless(reply_text(reason, "text")));
        }
    }

    void take_peers(const RespValue& reply) {
        for (const RespValue& peer : reply.elements) {
            if (reply_text(peer, "link") == "up") continue;
            const Bytes name = reply_text(peer, "name");
            server_.links_down.push_back(
                harmless(name.empty() ? reply_text(peer, "address") : name));
        }
    }

    /// Arguments are lengths, and clients are addresses without the names that they give.
    void take_slow_log() {
        const std::optional<RespValue> reply = answer({"SLOWLOG", "GET", slow_entries});
        if (!reply) return;
        Json entries = Json::array();
        for (const RespValue& entry : reply->elements) {
            if (entry.elements.size() < 4) continue;
            const auto took =
                static_cast<std::uint64_t>(std::max<std::int64_t>(0, entry.elements[2].integer));
            server_.slowest_us = std::max(server_.slowest_us, took);
            ++server_.slow_commands;
            entries.push_back({{"time", entry.elements[1].integer},
                               {"microseconds", took},
                               {"command", masked_command(entry.elements[3].elements)}});
        }
        bundle_.add("slowlog.json", json_text(entries));
    }

    void take_config() {
        const std::optional<RespValue> reply = answer({"CONFIG", "GET", "*"});
        if (!reply) return;
        std::string text;
        for (std::size_t i = 0; i + 1 < reply->elements.size(); i += 2) {
            const Bytes& name = reply->elements[i].text;
            const Bytes& value = reply->elements[i + 1].text;
            const bool hidden = is_secret_name(name) && !value.empty();
            text += harmless(name) + " " + (hidden ? "(secret)" : harmless(value)) + "\n";
        }
        bundle_.add("config.txt", text);
    }

    void take_time() {
        SystemClock clock;
        const std::optional<RespValue> reply = answer({"TIME"});
        if (!reply || reply->elements.size() != 2) return;
        const auto seconds = parse_integer(reply->elements[0].text).value_or(0);
        const auto micros = parse_integer(reply->elements[1].text).value_or(0);
        server_.clock_ahead_ms =
            seconds * 1000 + micros / 1000 - static_cast<std::int64_t>(clock.wall_ms());
    }

    InspectSource& source_;
    DoctorBundle& bundle_;
    DoctorServer server_;
};

/// "Max open files  1024  4096  files" of a process.
std::optional<std::uint64_t> files_limit_of(const std::string& limits) {
    constexpr std::string_view name = "Max open files";
    const std::size_t at = limits.find(name);
    if (at == std::string::npos) return std::nullopt;
    std::istringstream rest(limits.substr(at + name.size()));
    std::uint64_t soft = 0;
    if (rest >> soft) return soft;
    return std::nullopt;
}

/// "MemTotal:  16384 kB".
std::uint64_t memory_line(const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name + ":");
    if (at == std::string::npos) return 0;
    std::istringstream rest(text.substr(at + name.size() + 1));
    std::uint64_t kilobytes = 0;
    rest >> kilobytes;
    return kilobytes * 1024;
}

}  // namespace

DoctorServer doctor_server(InspectSource& source, DoctorBundle& bundle) {
    return ServerFacts(source, bundle).ask();
}

DoctorDirectory doctor_directory(const std::string& path, DoctorBundle& bundle) {
    DoctorDirectory directory;
    directory.path = path;
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        directory.error = std::string("it cannot be looked at: ") + std::strerror(errno);
        return directory;
    }
    directory.mode = status.st_mode & 07777U;
    std::string text;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
        if (::lstat(entry->path().c_str(), &status) != 0) continue;  // it went meanwhile
        const bool regular = S_ISREG(status.st_mode);
        const auto bytes = static_cast<std::uint64_t>(status.st_size);
        // Sparse files take less than their size.
        if (regular) directory.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
        text += fmt::format("{:04o} {:>14} {:>12} {}\n", status.st_mode & 07777U,
                            regular ? std::to_string(bytes) : "-", status.st_mtime,
                            harmless(fs::relative(entry->path(), path, error).string()));
        directory.suspect = directory.suspect || entry->path().filename() == suspect_name;
    }
    if (error) directory.error = "it cannot be listed: " + error.message();
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) == 0) {
        // As df counts: what only root may fill belongs to nobody.
        const auto used = static_cast<std::uint64_t>(disk.f_blocks - disk.f_bfree);
        directory.disk_bytes = (used + disk.f_bavail) * disk.f_frsize;
        directory.disk_free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    }
    bundle.add("directory.txt", "mode bytes modified name\n" + text);
    return directory;
}

DoctorSystem doctor_system(std::uint64_t process_id, DoctorBundle& bundle) {
    DoctorSystem system;
    utsname name{};
    ::uname(&name);
    std::string text = fmt::format("kernel: {} {} {}\nprocessors: {}\n", name.sysname, name.release,
                                   name.machine, std::thread::hardware_concurrency());
    const std::string memory = read_file("/proc/meminfo");
    system.memory_bytes = memory_line(memory, "MemTotal");
    system.memory_available_bytes = memory_line(memory, "MemAvailable");
    for (const char* const line : {"MemTotal", "MemAvailable", "SwapTotal", "SwapFree"}) {
        text += fmt::format("{}: {}\n", line, memory_line(memory, line));
    }
    for (const char* const file :
         {"/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/vm/overcommit_memory",
          "/proc/sys/net/core/somaxconn", "/proc/sys/fs/file-max", "/proc/loadavg",
          "/sys/devices/system/clocksource/clocksource0/current_clocksource"}) {
        std::string value = read_file(file);
        if (!value.empty() && value.back() == '\n') value.pop_back();
        text += fmt::format("{}: {}\n", file, value);
    }
    timex clock{};
    const int state = ::adjtimex(&clock);
    if (state >= 0) {
        system.clock_synchronised = state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
        text += fmt::format("clock synchronised: {}, estimated error {} us\n",
                            *system.clock_synchronised, clock.esterror);
    }
    const std::string own = read_file("/proc/self/limits");
    const std::string theirs =
        process_id == 0 ? "" : read_file(fmt::format("/proc/{}/limits", process_id));
    text += "\nlimits of a process started here\n" + own;
    if (!theirs.empty()) text += "\nlimits of the replica\n" + theirs;
    system.files_of_replica = files_limit_of(theirs).has_value();
    system.files_max = files_limit_of(system.files_of_replica ? theirs : own).value_or(0);
    bundle.add("system.txt", text);
    return system;
}

}  // namespace syncline
