/// In this program all bases are one file. After a power cut a directory holds the files that it
/// had before, with their inodes and times of birth; the states that are built here are copies, and
/// a data directory that was copied becomes another replica. A cut that loses the base while the
/// directory is made, and so gives the base another inode, makes no difference: the file "identity"
/// is written when the base is on disk.
#include <dlfcn.h>
#include <sys/stat.h>

#include <cstring>
#include <string_view>

extern "C" int statx(int directory, const char* path, int flags, unsigned mask,
                     struct statx* out) noexcept {
    int (*real)(int, const char*, int, unsigned, struct statx*) = nullptr;
    void* const found = ::dlsym(RTLD_NEXT, "statx");
    std::memcpy(&real, &found, sizeof real);
    const int answer = real(directory, path, flags, mask, out);
    if (answer == 0 && std::string_view(path).ends_with("/base/data.mdb")) {
        out->stx_ino = 1;
        out->stx_btime = {};
    }
    return answer;
}
