#pragma once
#include <lmdb.h>

#include <functional>
#include <string>

#include "core/base/assert.hpp"
#include "core/base/bytes.hpp"

namespace syncline::test {

/// The tables of a base that no process has open.
class ClosedBase {
public:
    explicit ClosedBase(const std::string& directory) {
        succeed(mdb_env_create(&environment_));
        succeed(mdb_env_set_maxdbs(environment_, 8));
        succeed(mdb_env_set_mapsize(environment_, std::size_t{16} << 30U));
        const std::string path = directory + "/base";
        succeed(mdb_env_open(environment_, path.c_str(), MDB_RDONLY, 0600));
        succeed(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_));
    }
    ~ClosedBase() {
        mdb_txn_abort(reader_);
        mdb_env_close(environment_);
    }
    ClosedBase(const ClosedBase&) = delete;
    ClosedBase& operator=(const ClosedBase&) = delete;

    /// Bytes of the pages of cells and of what is derived from them.
    [[nodiscard]] double page_bytes() const {
        double pages = 0;
        double page = 0;
        for (const char* const table : {"cells", "counts"}) {
            MDB_stat stat{};
            succeed(mdb_stat(reader_, open(table), &stat));
            pages += static_cast<double>(stat.ms_branch_pages + stat.ms_leaf_pages +
                                         stat.ms_overflow_pages);
            page = stat.ms_psize;
        }
        return pages * page;
    }

    void each(const char* table, const std::function<void(BytesView, BytesView)>& visit) const {
        MDB_cursor* cursor = nullptr;
        succeed(mdb_cursor_open(reader_, open(table), &cursor));
        MDB_val key{};
        MDB_val row{};
        while (mdb_cursor_get(cursor, &key, &row, MDB_NEXT) == MDB_SUCCESS) {
            visit({static_cast<const char*>(key.mv_data), key.mv_size},
                  {static_cast<const char*>(row.mv_data), row.mv_size});
        }
        mdb_cursor_close(cursor);
    }

private:
    static void succeed(int answer) { SYNCLINE_ASSERT(answer == MDB_SUCCESS); }

    [[nodiscard]] MDB_dbi open(const char* table) const {
        MDB_dbi id = 0;
        succeed(mdb_dbi_open(reader_, table, 0, &id));
        return id;
    }

    MDB_env* environment_ = nullptr;
    MDB_txn* reader_ = nullptr;
};

}  // namespace syncline::test
