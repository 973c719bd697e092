#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace syncline {

/// One thing that was looked at.
struct DoctorCheck {
    enum class Verdict : std::uint8_t { ok, warning, problem };

    Verdict verdict = Verdict::ok;
    std::string about;   ///< "disk"
    std::string text;    ///< what is so, in one sentence
    std::string advice;  ///< what to do; of `ok` empty
};

/// What a replica that runs says of itself.
struct DoctorServer {
    std::string address;
    std::string error;  ///< why it does not answer; empty: it does
    std::map<std::string, std::string> info;
    std::string status;                ///< of CRDT.HEALTH
    std::vector<std::string> reasons;  ///< not masked
    std::vector<std::string> links_down;
    std::int64_t clock_ahead_ms = 0;  ///< of this machine's
    std::uint64_t slow_commands = 0;
    std::uint64_t slowest_us = 0;
};

/// A data directory as the file system shows it.
struct DoctorDirectory {
    std::string path;
    std::string error;     ///< why it cannot be looked at, or opened
    bool locked = false;   ///< a replica runs on it
    unsigned mode = 0;     ///< its permissions
    bool suspect = false;  ///< the last process ended while it read the base, if none runs
    std::uint64_t bytes = 0;
    std::uint64_t disk_bytes = 0;  ///< of the file system; 0: not known
    std::uint64_t disk_free_bytes = 0;
};

/// The settings of --config and of the environment.
struct DoctorSettings {
    std::string error;  ///< why they would be refused
    std::string bind;
    bool protected_mode = true;
    bool peers = false;  ///< there is a peer port
    bool peer_tls = false;
    std::string secret_file;
    unsigned secret_mode = 0;
};

/// The machine.
struct DoctorSystem {
    std::uint64_t files_max = 0;  ///< open files that the replica, or this process, may have
    bool files_of_replica = false;
    std::optional<bool> clock_synchronised;
    std::uint64_t memory_bytes = 0;
    std::uint64_t memory_available_bytes = 0;
};

struct DoctorFacts {
    std::string version;  ///< of this program
    std::optional<DoctorServer> server;
    std::optional<DoctorDirectory> directory;
    std::optional<DoctorSettings> settings;
    DoctorSystem system;
};

/// What is well and what is not, in the order it is told. A pure function.
std::vector<DoctorCheck> doctor_checks(const DoctorFacts& facts);

/// "ok", "warning", "problem".
const char* verdict_name(DoctorCheck::Verdict verdict);
/// 0: all is well; 4: warnings; 1: problems.
int doctor_exit_code(const std::vector<DoctorCheck>& checks);

}  // namespace syncline
