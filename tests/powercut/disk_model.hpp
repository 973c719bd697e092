#pragma once
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/env.hpp"
#include "tests/powercut/inode.hpp"
#include "tests/powercut/trace.hpp"

namespace syncline::powercut {

/// Sync calls that count for nothing: faults that the replayer must find.
enum class Forgotten : std::uint8_t {
    nothing,
    log,
    base,
    provisional_mark,  ///< a file of the base
    directories,
    small_files,
    small_file_names,  ///< the directory that they are in
};

/// What stood out in a state that was built.
struct StateFigures {
    std::uint64_t sectors_old = 0;    ///< of those written and not synced, how many are as before
    std::uint64_t sectors_new = 0;    ///< ... and how many are as some write left them
    std::uint64_t names_pending = 0;  ///< changes of directories that could be lost
};

/// A directory as the system shows it and as the disk may have it: the trace goes in record by
/// record; what a power cut at that moment could leave comes out.
///
/// Rules. A sector of 512 bytes is written as a whole. Of the states a sector had since its file
/// was last synced any may be on disk, whatever is true of other sectors and files; the same goes
/// for a file's size, and what nobody wrote reads as zeros. A sync covers what had been written
/// before it began. A change of a directory is on disk once the directory was synced, not when the
/// file was; until then it may be there or not, also without those before it. A file that was
/// renamed may have its old name, its new one, or both. The table of LMDB's readers, a mapped file,
/// may hold anything.
class DiskModel {
public:
    DiskModel();
    ~DiskModel();
    DiskModel(const DiskModel&) = delete;
    DiskModel& operator=(const DiskModel&) = delete;

    void forget(Forgotten forgotten) { forgotten_ = forgotten; }

    /// Takes the next record; the first ones make the watched directory itself known, as ".".
    /// Error corrupt: it does not fit what came before.
    Result<void> apply(const Record& record);
    /// A state that a power cut could leave now, in an empty directory. Error io.
    Result<StateFigures> build(const std::string& path, Random& random) const;
    /// Whether the directory is what the trace says of it, for the system: what was written past
    /// the recorder shows here. Errors: corrupt (names the first difference), io.
    Result<void> compare(const std::string& path) const;

private:
    struct Name;
    struct Builder;

    std::shared_ptr<Inode> find(BytesView path) const;
    std::optional<Name> locate(BytesView path) const;
    std::shared_ptr<Inode> known(std::uint64_t file) const;
    Result<void> make(const Record& record, bool directory);
    Result<void> write(const Record& record);
    Result<void> resize(const Record& record);
    Result<void> sync(const Record& record);
    Result<void> rename(const Record& record);
    Result<void> link(const Record& record);
    Result<void> remove(const Record& record);
    [[nodiscard]] bool forgets(const Inode& inode) const;

    std::shared_ptr<Inode> root_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Inode>> inodes_;
    std::unordered_map<std::uint64_t, std::uint64_t> syncs_;  // name -> when it began
    std::uint64_t time_ = 0;                                  // records taken
    Forgotten forgotten_ = Forgotten::nothing;
};

}  // namespace syncline::powercut
