#include "net/commands/memory_use.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "core/base/limits.hpp"

// Of jemalloc; null where the program uses the system's allocator.
extern "C" __attribute__((weak)) int mallctl(const char* name, void* old_value,
                                             std::size_t* old_bytes, void* new_value,
                                             std::size_t new_bytes);

namespace syncline {
namespace {

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    if (!(statm >> pages >> resident)) return 0;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// One of jemalloc's figures.
template <typename T>
T figure_of(const char* name) {
    T value{};
    std::size_t bytes = sizeof value;
    (void)mallctl(name, &value, &bytes, nullptr, 0);  // none that is unknown is asked for
    return value;
}

std::uint64_t allocated_bytes() {
    if (mallctl == nullptr) {
        const struct mallinfo2 heap = mallinfo2();
        return heap.uordblks + heap.hblkhd;
    }
    std::uint64_t epoch = 1;  // figures are those of the last new epoch
    (void)mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
    return figure_of<std::size_t>("stats.allocated");
}

std::string allocator_name() {
    if (mallctl == nullptr) return "libc";
    const std::string version = figure_of<const char*>("version");  // 5.3.0-0-g54eaed1
    return "jemalloc-" + version.substr(0, version.find('-'));
}

}  // namespace

MemoryUse memory_use() {
    rusage usage{};
    (void)getrusage(RUSAGE_SELF, &usage);  // cannot fail with a valid buffer
    return MemoryUse{allocated_bytes(), resident_bytes(),
                     static_cast<std::uint64_t>(usage.ru_maxrss) * limits::kib, allocator_name()};
}

}  // namespace syncline
