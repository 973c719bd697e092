#include "storage/lmdb_base.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "core/base/hash.hpp"
#include "storage/crash_marker.hpp"
#include "storage/free_list.hpp"
#include "storage/lmdb_chunks.hpp"
#include "storage/lmdb_pages.hpp"
#include "storage/provisional.hpp"
#include "storage/row_places.hpp"

namespace syncline::lmdb {
namespace {

// Caveats of LMDB that this file answers for:
// - One environment per file and process, never used after fork: the lock file below.
// - A read transaction keeps old pages from being reused: one only, and at the latest the next
//   commit ends it, or the turn that uses it.
// - Keys have 1 to 511 bytes: row keys are at most 500 (limits.hpp).
// - Pages carry no checksums: every row carries its own.
// - After a failed data sync LMDB aborts, but would try again with the next commit. A disk that
//   failed once is not to be trusted, so that the first failure here is the last commit; want of
//   space alone is none (see commit()).
// - The map may only change its size while no transaction is alive: LmdbBase::gate_.

constexpr std::uint64_t map_step_bytes = 1ULL << 16;  ///< whole pages of any kernel
/// A disk with less than this is full: a write that does not fit fails even before nothing is left.
constexpr std::uint64_t disk_full_bytes = 1ULL << 20;
/// How many a range counts for, though nobody knows.
constexpr std::size_t erased_rows = 1024;

class LmdbBase final : public Base {
public:
    using Base::commit;
    using Base::scan;

    explicit LmdbBase(Parts parts)
        : path_(parts.path),
          suspect_(parts.path + "/" + suspect_name),
          marker_(suspect_),
          data_file_(parts.path + data_name),
          mark_(parts.path),
          seal_(parts.path),
          lock_(std::move(parts.lock)),
          data_(std::move(parts.data)),
          environment_(std::move(parts.environment)),
          tables_(parts.tables),
          reserve_bytes_(parts.reserve_bytes),
          gradual_rows_(parts.gradual_rows) {
        measure();
    }

    ~LmdbBase() override { clear_marker(); }
    LmdbBase(const LmdbBase&) = delete;
    LmdbBase& operator=(const LmdbBase&) = delete;

    Result<std::optional<Bytes>> get(Table table, BytesView key) override {
        SYNCLINE_TRY(const std::optional<BytesView> found, view(table, key));
        return found ? std::optional<Bytes>(*found) : std::nullopt;
    }

    Result<std::optional<BytesView>> view(Table table, BytesView key) override {
        SYNCLINE_CHECK(begin_turn());
        Latest& last = latest_[static_cast<std::size_t>(table)];
        if (last.key == key && !key.empty()) return last.value;
        last.key.clear();
        SYNCLINE_TRY(last.value, find_row(table, key));
        last.key = key;
        return last.value;
    }

    Result<void> scan(Table table, BytesView from, BytesView to, const RowVisitor& visit) override {
        SYNCLINE_TRY(const Cursor cursor, open_cursor(table));
        MDB_val key = to_val(from);
        MDB_val stored{};
        // LMDB knows no empty key.
        int answer =
            mdb_cursor_get(cursor.get(), &key, &stored, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        const auto beyond = [&](BytesView name) { return !to.empty() && name >= to; };
        return walk(table, cursor.get(), answer, key, stored, MDB_NEXT, beyond, visit);
    }

    /// Keys in the pages above the rows are not covered by any checksum. Where they are damaged,
    /// rows at the beginning or the end of a page cannot be looked up; so these are.
    Result<bool> scan_checked(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) override {
        Bytes last;
        const char* last_page = nullptr;
        Result<void> sound;
        const auto checked = [&](BytesView key, BytesView payload) {
            const BytesView page = page_at(key);
            if (key < from || key <= BytesView(last)) sound = out_of_place(table, key);
            if (page.data() != last_page) {
                if (sound) sound = check_page(table, page);
                if (sound && !last.empty()) sound = look_up(table, last);
                if (sound) sound = look_up(table, key);
            }
            last.assign(key);
            last_page = page.data();
            return sound.has_value() && visit(key, payload);
        };
        SYNCLINE_CHECK(scan(table, from, to, checked));
        if (sound && !last.empty()) sound = look_up(table, last);
        SYNCLINE_CHECK(sound);
        SYNCLINE_TRY(const bool begins_well, is_page_sound(table, from, MDB_FIRST));
        SYNCLINE_TRY(const bool ends_well, is_page_sound(table, to, MDB_LAST));
        return begins_well && ends_well;
    }

    Result<void> scan_reverse(Table table, BytesView from, BytesView to,
                              const RowVisitor& visit) override {
        SYNCLINE_TRY(const Cursor cursor, open_cursor(table));
        MDB_val key = to_val(to);
        MDB_val stored{};
        int answer = MDB_NOTFOUND;
        if (!to.empty()) answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_SET_RANGE);
        // The row before the first that is too large; the last one if there is none such.
        if (answer == MDB_SUCCESS || answer == MDB_NOTFOUND) {
            answer = mdb_cursor_get(cursor.get(), &key, &stored,
                                    answer == MDB_SUCCESS ? MDB_PREV : MDB_LAST);
        }
        const auto beyond = [&](BytesView name) { return name < from; };
        return walk(table, cursor.get(), answer, key, stored, MDB_PREV, beyond, visit);
    }

    /// Without space for its pages LMDB aborts before it syncs, and the next transaction begins
    /// from the same durable state: it writes every page that it refers to anew. So that may be
    /// tried again. Pages that the commit before has freed are kept by LMDB for one commit more, in
    /// which it falls back on that one's forerunner after a power cut: one that changes nothing
    /// makes them available. If the meta page could not be written LMDB itself answers every later
    /// begin with MDB_PANIC, which ends this base.
    Result<void> commit(const BaseChangeViews& changes,
                        const std::vector<ErasedRange>& erased) override {
        const auto attempt = [&](bool first) {
            const bool gradual = first && !haste_.waited_for() && is_large(changes, erased);
            return gradual ? commit_gradually(changes, erased) : try_commit(changes, erased);
        };
        const Result<void> result = change(attempt);
        if (result) clear_marker();
        return result;
    }

    Result<void> purge(const std::vector<Purge>& purges) override {
        return change([&](bool /*first*/) { return try_purge(purges); });
    }

    void distrust() override { due_ = Look::all; }

    void hurry(bool waited_for) override { haste_.set(waited_for); }

    /// The view stays for the next turn, because a renewed one would have to find its tables again.
    /// It is idle then, and the next commit takes it away as it begins.
    void end_turn() override {
        joined_.clear();
        for (Latest& last : latest_) last.key.clear();
        if (view_ != View::used) return;
        view_ = View::idle;
        const std::uint64_t now = changes_;
        if (view_changes_ != now || now % 2 == 1) end_idle_view();
    }

    [[nodiscard]] BaseSpace space() const override {
        const std::lock_guard lock(space_mutex_);
        return space_;
    }

    Result<bool> grow(std::uint64_t map_bytes) override {
        const std::unique_lock lock(gate_, std::try_to_lock);
        if (!lock) return false;
        if (map_bytes <= space().map_bytes) return true;
        end_turn();
        end_idle_view();  // what is left of the reader keeps no address of the old map
        map_bytes += map_step_bytes - map_bytes % map_step_bytes;
        if (const int answer = mdb_env_set_mapsize(environment_.get(), map_bytes)) {
            // The old map is gone, and nothing can be read any more.
            failed_ = unusable_ = failure("grow the map", answer);
            return *unusable_;
        }
        Result<MappedFile> moved = MappedFile::find(data_file_);
        if (!moved) {
            failed_ = unusable_ = moved.error();
            return *unusable_;
        }
        data_ = std::move(*moved);
        const std::lock_guard space_lock(space_mutex_);
        space_.map_bytes = map_bytes;
        return true;
    }

    Result<unsigned> check_readers() override {
        int dead_readers = 0;
        SYNCLINE_CHECK(
            check("check the readers", mdb_reader_check(environment_.get(), &dead_readers)));
        return static_cast<unsigned>(dead_readers);
    }

private:
    /// A row of the turn's view.
    Result<std::optional<BytesView>> find_row(Table table, BytesView key) {
        SYNCLINE_TRY(const bool empty, is_empty(table));
        if (empty) return std::optional<BytesView>();
        if (const std::optional<BytesView> seen = places_.find(table, key)) {
            // One that is damaged by now is told of below.
            const Result<BytesView> payload = verify_row(table, key, *seen);
            if (payload) return std::optional<BytesView>(*payload);
        }
        MDB_val row_key = to_val(key);
        MDB_val stored{};
        const int answer = mdb_get(reader_.get(), id_of(table), &row_key, &stored);
        if (answer == MDB_NOTFOUND) return std::optional<BytesView>();
        SYNCLINE_CHECK(check("read a row", answer));
        Bytes joined;
        SYNCLINE_TRY(BytesView payload, verify(table, key, to_view(stored), joined));
        if (!joined.empty()) {
            payload = joined_.emplace_back(std::move(joined));
        } else {
            places_.remember(table, key, to_view(stored));
        }
        return std::optional<BytesView>(payload);
    }

    /// The time of a commit. No view of a turn that has ended outlives its beginning.
    class Change {
    public:
        explicit Change(LmdbBase& base) : base_(base) {
            ++base_.changes_;
            base_.end_idle_view();
        }
        ~Change() { ++base_.changes_; }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;

    private:
        LmdbBase& base_;
    };

    /// One transaction of the committing thread, attempted once more if only space was wanting.
    template <typename Attempt>
    Result<void> change(const Attempt& attempt) {
        const std::shared_lock lock(gate_);
        if (failed_) return *failed_;
        if (broken_) return Error{Code::io, "base: a page is damaged"};
        if (const Look due = due_.exchange(Look::none); due != Look::none) {
            if (const Result<void> sound = check_structure(path_, due); !sound) {
                if (sound.error().code == Code::corrupt) leave_marker();
                failed_ = Error{Code::io, sound.error().message};
                return *failed_;
            }
        }
        const Change change(*this);
        Result<void> result = attempt(true);
        if (!result && result.error().code == Code::no_space && commit_nothing()) {
            result = attempt(false);
        }
        if (!result && result.error().code != Code::no_space) failed_ = result.error();
        if (!failed_) measure();
        return result;
    }

    [[nodiscard]] MDB_dbi id_of(Table table) const {
        return tables_.rows[static_cast<std::size_t>(table)];
    }

    /// Whether a table has no row in this turn's read view: a base of nothing but strings is looked
    /// up in `counts` as often as in `cells`. Four numbers say so, of which damage may change one.
    Result<bool> is_empty(Table table) {
        std::optional<bool>& known = empty_[static_cast<std::size_t>(table)];
        if (known) return *known;
        MDB_stat stat{};
        SYNCLINE_CHECK(check("look at a table", mdb_stat(reader_.get(), id_of(table), &stat)));
        known = stat.ms_depth == 0 && stat.ms_entries == 0 && stat.ms_branch_pages == 0 &&
                stat.ms_leaf_pages == 0;
        return *known;
    }

    /// LMDB believes what a page says of a row's length. Where it leads out of the file nobody may
    /// look: the process would die of it. A row in chunks is put together in `joined`.
    Result<BytesView> verify(Table table, BytesView key, BytesView stored, Bytes& joined) {
        if (data_.holds(stored)) {
            Result<BytesView> payload = verify_row(table, key, stored);
            if (payload) return payload;
            if (const std::optional<Stub> stub = decode_stub(table, key, stored)) {
                Result<Bytes> row =
                    join_chunks(reader_.get(), tables_.chunks, data_, table, key, *stub);
                if (row) return BytesView(joined = std::move(*row));
                payload = row.error();
            }
            distrust();
            return payload;
        }
        distrust();
        return Error{Code::corrupt, std::string("base: row ") + printable(key) + " of table " +
                                        name_of(table) + " reaches out of the data file"};
    }

    Error out_of_place(Table table, BytesView key) {
        distrust();
        return Error{Code::corrupt, std::string("base: row ") + printable(key) + " of table " +
                                        name_of(table) + " is out of place"};
    }

    /// Whether a row that a walk has met is found by its key.
    Result<void> look_up(Table table, BytesView key) {
        MDB_val row_key = to_val(key);
        MDB_val stored{};
        const int answer = mdb_get(reader_.get(), id_of(table), &row_key, &stored);
        if (answer == MDB_NOTFOUND) return out_of_place(table, key);
        return check("look a row up", answer);
    }

    /// Looks at all rows of the page where a walk from this key begins (no key: as `edge` says).
    /// True also if there is none, or if they cannot be removed.
    Result<bool> is_page_sound(Table table, BytesView from, MDB_cursor_op edge) {
        SYNCLINE_TRY(const Cursor cursor, open_cursor(table));
        MDB_val key = to_val(from);
        MDB_val stored{};
        int answer =
            mdb_cursor_get(cursor.get(), &key, &stored, from.empty() ? edge : MDB_SET_RANGE);
        if (answer == MDB_NOTFOUND) answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_LAST);
        if (answer != MDB_SUCCESS || !data_.holds(to_view(key))) return true;
        const BytesView page = page_at(to_view(key));
        SYNCLINE_CHECK(check_page(table, page));
        const auto number = reinterpret_cast<std::uintptr_t>(page.data()) / page_bytes;
        auto& known = sound_pages_[number % sound_pages_.size()];
        const std::pair now{number, view_changes_};
        if (known == now) return true;
        const Bytes start(to_view(key));
        for (const MDB_cursor_op step : {MDB_PREV, MDB_NEXT}) {
            while (answer == MDB_SUCCESS && data_.holds(to_view(key)) &&
                   page_at(to_view(key)).data() == page.data() && data_.holds(to_view(stored))) {
                const bool sound = verify_row(table, to_view(key), to_view(stored)) ||
                                   decode_stub(table, to_view(key), to_view(stored));
                if (!sound) return false;
                answer = mdb_cursor_get(cursor.get(), &key, &stored, step);
            }
            key = to_val(start);
            answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_SET_RANGE);
        }
        known = now;
        return true;
    }

    /// What disagrees with itself above the rows cannot be mended in place, and the next row that
    /// is put there may fall onto others: nothing is read or written from here on, and the next
    /// start looks at all pages. Error io.
    Result<void> check_page(Table table, BytesView page) {
        if (is_leaf_page_whole(page)) return {};
        leave_marker();
        unusable_ = Error{Code::io, std::string("base: a page of table ") + name_of(table) +
                                        " is damaged; the next start looks at all of them"};
        return *unusable_;
    }

    /// Nothing is written any more, and the next start looks at all pages.
    void leave_marker() {
        const Descriptor marker(::open(suspect_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        broken_ = true;
    }

    /// In this turn's read view.
    Result<Cursor> open_cursor(Table table) {
        SYNCLINE_CHECK(begin_turn());
        return lmdb::open_cursor(reader_.get(), id_of(table));
    }

    /// Visits the row the cursor has come to, if `answer` says that there is one, and those behind.
    template <typename Beyond>
    Result<void> walk(Table table, MDB_cursor* cursor, int answer, MDB_val key, MDB_val stored,
                      MDB_cursor_op step, const Beyond& beyond, const RowVisitor& visit) {
        while (answer == MDB_SUCCESS) {
            if (!data_.holds(to_view(key))) {
                return Error{Code::corrupt, std::string("base: a key of table ") + name_of(table) +
                                                " reaches out of the data file"};
            }
            if (beyond(to_view(key))) return {};
            Bytes joined;
            SYNCLINE_TRY(const BytesView payload,
                         verify(table, to_view(key), to_view(stored), joined));
            if (!visit(to_view(key), payload)) return {};
            answer = mdb_cursor_get(cursor, &key, &stored, step);
        }
        return answer == MDB_NOTFOUND ? Result<void>{} : check("walk rows", answer);
    }

    /// Makes the read view of this turn, unless it stands.
    Result<void> begin_turn() {
        if (unusable_) return *unusable_;
        if (view_ == View::used) return {};
        View idle = View::idle;
        if (view_.compare_exchange_strong(idle, View::used)) return {};
        while (view_ == View::ending) std::this_thread::yield();
        empty_ = {};
        view_changes_ = changes_;
        if (reader_) {
            SYNCLINE_CHECK(check("renew the read view", mdb_txn_renew(reader_.get())));
        } else {
            SYNCLINE_TRY(reader_, begin(environment_.get(), MDB_RDONLY));
        }
        MDB_stat stat{};  // of a table that cannot be looked at, nothing is known
        (void)mdb_stat(reader_.get(), id_of(Table::cells), &stat);
        places_.begin_view(mdb_txn_id(reader_.get()), data_.begin(), stat.ms_entries);
        view_ = View::used;
        return {};
    }

    /// Of two threads that want to, one does.
    void end_idle_view() {
        View idle = View::idle;
        if (!view_.compare_exchange_strong(idle, View::ending)) return;
        mdb_txn_reset(reader_.get());
        view_ = View::none;
    }

    /// The base has been read and written without a crash. That the file is gone need not be
    /// durable: one that comes back costs a look at the pages.
    void clear_marker() {
        if (broken_) return;
        if (!marker_.empty()) (void)::unlink(marker_.c_str());
        marker_.clear();
    }

    [[nodiscard]] bool is_large(const BaseChangeViews& changes,
                                const std::vector<ErasedRange>& erased) const {
        std::size_t rows = 0;
        for (const auto& each : changes) rows += each.size();
        return rows + erased_rows * erased.size() >= gradual_rows_;
    }

    Result<void> try_commit(const BaseChangeViews& changes,
                            const std::vector<ErasedRange>& erased) {
        SYNCLINE_TRY(Transaction transaction, write_rows(changes, erased));
        return finish(std::move(transaction));
    }

    /// A sync of all that a large commit wrote holds up every other sync of the disk for long. So
    /// this one is made without; its pages go to the disk bit by bit; and then it is confirmed.
    /// Should it not come to that, whoever opens the base takes it back.
    Result<void> commit_gradually(const BaseChangeViews& changes,
                                  const std::vector<ErasedRange>& erased) {
        SYNCLINE_TRY(Transaction transaction, write_rows(changes, erased));
        SYNCLINE_CHECK(mark_.set(mdb_txn_id(transaction.get())));
        // For this commit only: the thread that commits is the only one that writes.
        SYNCLINE_CHECK(
            check("leave the sync out", mdb_env_set_flags(environment_.get(), MDB_NOSYNC, 1)));
        const Result<void> written = commit_checked(std::move(transaction));
        SYNCLINE_CHECK(
            check("put the sync back", mdb_env_set_flags(environment_.get(), MDB_NOSYNC, 0)));
        SYNCLINE_CHECK(written);
        measure();
        // Whatever fails from here on, pages may be lost, and the system tells it only once.
        const Result<void> confirmed = confirm();
        return confirmed ? confirmed : Error{Code::io, confirmed.error().message};
    }

    /// Makes the provisional commit durable; then it is none any more. Not by another commit: one
    /// that fails over its meta page leaves there what nobody may go back to.
    Result<void> confirm() {
        SYNCLINE_CHECK(write_back_gradually(file(), haste_));
        SYNCLINE_CHECK(check("sync", mdb_env_sync(environment_.get(), 1)));
        return mark_.set(0);
    }

    Result<Transaction> write_rows(const BaseChangeViews& changes,
                                   const std::vector<ErasedRange>& erased) {
        SYNCLINE_TRY(Transaction transaction, begin(environment_.get(), 0));
        for (const ErasedRange& each : erased) {
            SYNCLINE_CHECK(erase_range(transaction.get(), each.table, each.range));
        }
        for (std::size_t index = 0; index < tables_count; ++index) {
            const Table table = static_cast<Table>(index);
            for (const auto& [key, value] : changes[index]) {
                SYNCLINE_CHECK(value ? put(transaction.get(), table, key, *value)
                                     : erase(transaction.get(), table, key));
            }
        }
        return transaction;
    }

    Result<void> erase_range(MDB_txn* transaction, Table table, const RowRange& range) {
        SYNCLINE_TRY(const Cursor cursor, lmdb::open_cursor(transaction, id_of(table)));
        MDB_val key = to_val(range.first);
        MDB_val stored{};
        int answer = mdb_cursor_get(cursor.get(), &key, &stored,
                                    range.first.empty() ? MDB_FIRST : MDB_SET_RANGE);
        while (answer == MDB_SUCCESS && (range.last.empty() || to_view(key) < range.last)) {
            SYNCLINE_CHECK(erase_chunks(transaction, tables_.chunks, table, to_view(key)));
            SYNCLINE_CHECK(check("erase a row", mdb_cursor_del(cursor.get(), 0)));
            answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_NEXT);  // what took its place
        }
        if (answer == MDB_SUCCESS || answer == MDB_NOTFOUND) return {};
        return check("erase rows", answer);
    }

    /// Writes a row as it is.
    Result<void> commit_nothing() {
        SYNCLINE_TRY(Transaction transaction, begin(environment_.get(), 0));
        MDB_val key = to_val(format_key);
        MDB_val stored{};
        SYNCLINE_CHECK(
            check("read the format", mdb_get(transaction.get(), tables_.format, &key, &stored)));
        const Bytes version(to_view(stored));  // the page is about to be copied
        stored = to_val(version);
        SYNCLINE_CHECK(check("write the format",
                             mdb_put(transaction.get(), tables_.format, &key, &stored, 0)));
        return finish(std::move(transaction));
    }

    /// Durable when it returns.
    Result<void> finish(Transaction transaction) {
        // The mark is that of a commit that came to nothing, or this one would be taken back.
        if (mark_.number() == mdb_txn_id(transaction.get())) SYNCLINE_CHECK(mark_.set(0));
        return commit_checked(std::move(transaction));
    }

    Result<void> commit_checked(Transaction transaction) {
        const int answer = mdb_txn_commit(transaction.release());
        // What fits in part only is EIO to LMDB.
        if (answer == EIO && disk_is_full()) return failure("commit", ENOSPC);
        return check("commit", answer);
    }

    [[nodiscard]] bool disk_is_full() const {
        struct statvfs status {};
        return ::fstatvfs(file(), &status) == 0 &&
               status.f_bavail * status.f_frsize < disk_full_bytes;
    }

    [[nodiscard]] int file() const {
        mdb_filehandle_t number = -1;
        (void)mdb_env_get_fd(environment_.get(), &number);  // fails without an environment only
        return number;
    }

    /// Finds out what space() tells, and seals the free list. If that cannot be read the base seems
    /// fuller than it is.
    void measure() {
        MDB_envinfo info{};
        MDB_stat stat{};
        (void)mdb_env_info(environment_.get(), &info);  // these two fail without an environment
        (void)mdb_env_stat(environment_.get(), &stat);
        BaseSpace space;
        space.map_bytes = info.me_mapsize;
        space.file_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
        const Result<FreeList> list = read_free_list(environment_.get(), data_);
        const FreeList free = list ? *list : FreeList();
        if (list) seal_.set(free);
        space.free_bytes = std::min(free.pages * stat.ms_psize, space.file_bytes);
        space.fresh_bytes = std::min(free.fresh * stat.ms_psize, space.free_bytes);
        space.reserved_bytes = keep_reserve(space.file_bytes);
        space.reader_commits = oldest_reader(info.me_last_txnid);
        const std::lock_guard lock(space_mutex_);
        space_ = space;
    }

    /// Sets blocks of the disk aside behind the end of the file, and in holes before it. Answers
    /// with how many bytes are there now.
    std::uint64_t keep_reserve(std::uint64_t file_bytes) {
        const std::uint64_t wanted = file_bytes + reserve_bytes_;
        if (reserve_bytes_ > 0 && reserved_end_ < wanted) {
            // More than needed, so that few commits do this; and never the last of the disk.
            const std::uint64_t target = wanted + reserve_bytes_ / 4;
            const std::uint64_t missing = target - std::max(reserved_end_, file_bytes);
            struct statvfs status {};
            const bool fits = ::fstatvfs(file(), &status) == 0 &&
                              status.f_bavail * status.f_frsize > missing + disk_full_bytes;
            if (fits &&
                ::fallocate(file(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(target)) == 0) {
                reserved_end_ = target;
            }
        }
        return reserved_end_ > file_bytes ? reserved_end_ - file_bytes : 0;
    }

    /// How many commits behind the last one the oldest view is, of this process or another.
    [[nodiscard]] std::uint64_t oldest_reader(std::uint64_t last_commit) const {
        struct Oldest {
            std::uint64_t last = 0;
            std::uint64_t commits = 0;
        } oldest{last_commit, 0};
        const auto look = [](const char* line, void* context) {
            // Process, thread, and the commit that the view shows, or a dash.
            BytesView text(line);
            while (!text.empty() && text.back() <= ' ') text.remove_suffix(1);
            const BytesView word = text.substr(text.find_last_of(' ') + 1);
            std::uint64_t commit = 0;
            const auto [end, error] =
                std::from_chars(word.data(), word.data() + word.size(), commit);
            auto& found = *static_cast<Oldest*>(context);
            if (error == std::errc() && end == word.data() + word.size() && commit < found.last) {
                found.commits = std::max(found.commits, found.last - commit);
            }
            return 0;
        };
        (void)mdb_reader_list(environment_.get(), look, &oldest);  // then nothing is known
        return oldest.commits;
    }

    Result<void> try_purge(const std::vector<Purge>& purges) {
        SYNCLINE_TRY(Transaction transaction, begin(environment_.get(), 0));
        for (std::size_t index = 0; index < tables_count; ++index) {
            SYNCLINE_CHECK(purge_table(transaction.get(), static_cast<Table>(index), purges));
        }
        return finish(std::move(transaction));
    }

    /// By place, from the first row to the last: a damaged key cannot be looked up.
    Result<void> purge_table(MDB_txn* transaction, Table table, const std::vector<Purge>& purges) {
        std::vector<const RowRange*> ranges;
        bool wanted = false;
        for (const Purge& purge : purges) {
            if (purge.table != table) continue;
            wanted = true;
            if (purge.range) ranges.push_back(&*purge.range);
        }
        if (!wanted) return {};
        SYNCLINE_TRY(const Cursor cursor, lmdb::open_cursor(transaction, id_of(table)));
        MDB_val key{};
        MDB_val stored{};
        int answer = MDB_SUCCESS;
        while ((answer = mdb_cursor_get(cursor.get(), &key, &stored, MDB_NEXT)) == MDB_SUCCESS) {
            const BytesView name = to_view(key);
            const bool listed =
                !data_.tears(name) &&
                std::any_of(ranges.begin(), ranges.end(), [&](const RowRange* range) {
                    return name >= range->first && (range->last.empty() || name < range->last);
                });
            const bool torn = data_.tears(name) || data_.tears(to_view(stored));
            if (torn) return Error{Code::corrupt, "base: a row reaches out of the data file"};
            if (!listed && is_sound(transaction, table, name, to_view(stored))) continue;
            SYNCLINE_CHECK(erase_chunks(transaction, tables_.chunks, table, name));
            SYNCLINE_CHECK(check("remove a row", mdb_cursor_del(cursor.get(), 0)));
        }
        return answer == MDB_NOTFOUND ? Result<void>{} : check("walk rows", answer);
    }

    /// With its chunks, if it has some.
    [[nodiscard]] bool is_sound(MDB_txn* transaction, Table table, BytesView key,
                                BytesView stored) const {
        if (verify_row(table, key, stored)) return true;
        const std::optional<Stub> stub = decode_stub(table, key, stored);
        return stub && join_chunks(transaction, tables_.chunks, data_, table, key, *stub);
    }

    Result<void> put(MDB_txn* transaction, Table table, BytesView key, BytesView payload) {
        SYNCLINE_CHECK(erase_chunks(transaction, tables_.chunks, table, key));
        MDB_val row_key = to_val(key);
        if (payload.size() > chunk_rows_from) {
            SYNCLINE_CHECK(put_chunks(transaction, tables_.chunks, table, key, payload));
            const Bytes stub =
                encode_stub(table, key, {payload.size(), row_checksum(table, key, payload)});
            MDB_val stored = to_val(stub);
            return check("write a row", mdb_put(transaction, id_of(table), &row_key, &stored, 0));
        }
        // LMDB makes the room, so that payload and checksum are not joined in a copy first.
        MDB_val room{payload.size() + checksum_bytes, nullptr};
        SYNCLINE_CHECK(
            check("write a row", mdb_put(transaction, id_of(table), &row_key, &room, MDB_RESERVE)));
        char* const out = static_cast<char*>(room.mv_data);
        if (!payload.empty()) std::memcpy(out, payload.data(), payload.size());
        Bytes checksum;
        ByteWriter(checksum).u64(row_checksum(table, key, payload));
        std::memcpy(out + payload.size(), checksum.data(), checksum_bytes);
        return {};
    }

    Result<void> erase(MDB_txn* transaction, Table table, BytesView key) {
        SYNCLINE_CHECK(erase_chunks(transaction, tables_.chunks, table, key));
        MDB_val row_key = to_val(key);
        const int answer = mdb_del(transaction, id_of(table), &row_key, nullptr);
        return answer == MDB_NOTFOUND ? Result<void>{} : check("erase a row", answer);
    }

    const std::string path_;
    const std::string suspect_;
    std::atomic<bool> broken_{false};  ///< a page is damaged above its rows
    /// What must be looked at before the next change.
    std::atomic<Look> due_{Look::above_rows};
    std::string marker_;  ///< committing thread; empty: removed
    const std::string data_file_;
    ProvisionalMark mark_;  ///< committing thread
    FreeListSeal seal_;     ///< committing thread
    Haste haste_;
    // Destroyed from the last to the first: reader, environment, lock.
    Descriptor lock_;
    MappedFile data_;
    Environment environment_;
    Tables tables_;
    Transaction reader_;  ///< owning thread
    enum class View : std::uint8_t { none, used, idle, ending };
    /// What reader_ has. Used: by this turn of the owning thread. Idle: since its last turn.
    std::atomic<View> view_{View::none};
    std::uint64_t view_changes_ = 0;  ///< owning thread: changes_ when the view was made
    /// Commits begun and ended: odd while one is under way.
    std::atomic<std::uint64_t> changes_{0};
    std::optional<Error> unusable_;  ///< owning thread: why nothing can be read any more
    /// Owning thread: tables that the read view was asked for, and whether they are empty in it.
    std::array<std::optional<bool>, tables_count> empty_{};
    RowPlaces places_;  ///< owning thread: of rows in the read view
    /// The row that was looked at last: one command asks for it several times, to learn whether the
    /// key exists, to read it, and to change it.
    struct Latest {
        Bytes key;  ///< empty: none
        std::optional<BytesView> value;
    };
    std::array<Latest, tables_count> latest_;  ///< owning thread: in this turn
    std::deque<Bytes> joined_;  ///< owning thread: rows in chunks that this turn looked at
    /// Held, shared, by whoever has a transaction that the owning thread did not begin; alone by
    /// the owning thread while the map changes.
    std::shared_mutex gate_;
    std::optional<Error> failed_;  ///< behind gate_: the first failure, answered for ever
    /// Owning thread: pages whose rows were all looked at, each in a view after so many changes.
    std::array<std::pair<std::uintptr_t, std::uint64_t>, 64> sound_pages_{};
    const std::uint64_t reserve_bytes_;
    const std::size_t gradual_rows_;
    std::uint64_t reserved_end_ = 0;  ///< behind gate_: up to where the file has its blocks
    mutable std::mutex space_mutex_;
    BaseSpace space_;  ///< behind space_mutex_
};

}  // namespace

std::unique_ptr<Base> make_base(Parts parts) {
    return std::make_unique<LmdbBase>(std::move(parts));
}

}  // namespace syncline::lmdb
