// A library to be preloaded: lets writes and syncs of the files of a data directory fail, switched
// on and off while the program runs.
//
// SYNCLINE_FAIL_IO names a control file, which is read before each call. It is missing or empty:
// nothing fails. Else it has one line:
//     CALL ERRNO PART AFTER
// CALL is one of
//     sync   fdatasync, fsync
//     write  write, pwrite, writev
//     back   sync_file_range
//     short  the same, but half of the bytes are written and no error is told
//     meta   pwrite to the first two pages of a file, where LMDB has what makes a commit valid
// ERRNO is a number, PART a part of the file's path, and AFTER so many calls that match still
// succeed. From then on each of them fails. Those that were made to fail are noted in the file
// SYNCLINE_FAIL_IO.struck, a line each.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <typename Function>
Function real(const char* name) {
    return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

using WriteFunction = ssize_t (*)(int, const void*, size_t);
using PwriteFunction = ssize_t (*)(int, const void*, size_t, off_t);
using WritevFunction = ssize_t (*)(int, const iovec*, int);
using SyncFunction = int (*)(int);
using SyncRangeFunction = int (*)(int, off64_t, off64_t, unsigned);

constexpr off_t meta_bytes = 2 * 4096;

struct Order {
    char call[8] = {};
    int number = 0;
    char part[512] = {};
    unsigned long after = 0;
};

/// What the control file says now; false: nothing is to fail.
bool read_order(Order& order) {
    const char* const path = std::getenv("SYNCLINE_FAIL_IO");
    if (path == nullptr) return false;
    const int file = ::open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char text[1024];
    const ssize_t count = ::read(file, text, sizeof text - 1);
    (void)::close(file);
    if (count <= 0) return false;
    text[count] = '\0';
    return std::sscanf(text, "%7s %d %511s %lu", order.call, &order.number, order.part,
                       &order.after) == 4;
}

std::string path_of(int file) {
    char name[64];
    (void)std::snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    char target[4096];
    const ssize_t count = ::readlink(name, target, sizeof target);
    return count < 0 ? std::string() : std::string(target, static_cast<std::size_t>(count));
}

/// Matching calls since the order was given; another order begins anew.
std::atomic<unsigned long> matched = 0;
std::atomic<unsigned long> order_seen = 0;

unsigned long hash_of(const Order& order) {
    unsigned long hash = order.after + 31UL * static_cast<unsigned long>(order.number) + 1;
    for (const char* byte = order.call; *byte != '\0'; ++byte) {
        hash = hash * 131 + static_cast<unsigned char>(*byte);
    }
    for (const char* byte = order.part; *byte != '\0'; ++byte) {
        hash = hash * 131 + static_cast<unsigned char>(*byte);
    }
    return hash;
}

void note(const char* call, const std::string& path) {
    const std::string name = std::string(std::getenv("SYNCLINE_FAIL_IO")) + ".struck";
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    const std::string line = std::string(call) + " " + path + "\n";
    (void)!real<WriteFunction>("write")(file, line.data(), line.size());
    (void)::close(file);
}

/// Whether this call has to fail; errno is set then. `half`: a part is to be written first.
bool strikes(const char* call, int file, bool* half = nullptr) {
    const int before = errno;
    Order order;
    bool strike = false;
    if (read_order(order)) {
        const unsigned long hash = hash_of(order);
        if (order_seen.exchange(hash) != hash) matched = 0;
        const bool is_short = std::strcmp(order.call, "short") == 0;
        const bool kind =
            std::strcmp(order.call, call) == 0 || (is_short && std::strcmp(call, "write") == 0);
        const std::string path = kind ? path_of(file) : std::string();
        strike = kind && path.find(order.part) != std::string::npos && matched++ >= order.after;
        if (strike) note(call, path);
        if (strike && half != nullptr) *half = is_short;
    }
    errno = strike ? order.number : before;
    return strike;
}

}  // namespace

extern "C" {

int fdatasync(int file) {
    return strikes("sync", file) ? -1 : real<SyncFunction>("fdatasync")(file);
}

int fsync(int file) {
    return strikes("sync", file) ? -1 : real<SyncFunction>("fsync")(file);
}

int sync_file_range(int file, off64_t offset, off64_t count, unsigned flags) {
    if (strikes("back", file)) return -1;
    return real<SyncRangeFunction>("sync_file_range")(file, offset, count, flags);
}

ssize_t write(int file, const void* bytes, size_t count) {
    bool half = false;
    if (file > 2 && strikes("write", file, &half)) {
        if (!half) return -1;
        count -= count / 2;
    }
    return real<WriteFunction>("write")(file, bytes, count);
}

ssize_t pwrite(int file, const void* bytes, size_t count, off_t offset) {
    bool half = false;
    if (strikes("write", file, &half)) {
        if (!half) return -1;
        count -= count / 2;
    }
    if (offset < meta_bytes && strikes("meta", file)) return -1;
    return real<PwriteFunction>("pwrite")(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void* bytes, size_t count, off_t offset) {
    return pwrite(file, bytes, count, offset);
}

ssize_t writev(int file, const iovec* parts, int count) {
    bool half = false;
    if (strikes("write", file, &half)) {
        if (!half) return -1;
        count -= count / 2;
    }
    return real<WritevFunction>("writev")(file, parts, count);
}

}  // extern "C"
