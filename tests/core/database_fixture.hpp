#pragma once
#include <boost/test/unit_test.hpp>
#include <string>

#include "core/database.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/must.hpp"

namespace syncline {

/// A database in a directory that is gone with it.
struct DatabaseFixture {
    ScratchDirectory scratch;
    Database db = open();

    [[nodiscard]] std::string path(const std::string& name = "db") const {
        return (scratch.path() / name).string();
    }
    [[nodiscard]] Database open(const DatabaseOptions& options) const {
        Result<Database> opened = Database::open(options);
        BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
        return std::move(*opened);
    }
    [[nodiscard]] Database open() const { return open({.path = path()}); }
    [[nodiscard]] Database open_other(const std::string& name, const std::string& cluster) const {
        return open({.path = path(name), .replica = name, .cluster = cluster});
    }
    void reopen() {
        BOOST_REQUIRE(db.close());
        db = open();
    }
};

using test::must;

template <typename T>
void fails(const Result<T>& result, Code code) {
    BOOST_REQUIRE(!result);
    BOOST_TEST(code_name(result.error().code) == code_name(code));
}

}  // namespace syncline
