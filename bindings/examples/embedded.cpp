/// A program with a replicated database inside.  Usage: embedded DIRECTORY
#include <iostream>
#include <syncline/core/database.hpp>

using namespace syncline;

static Result<void> run(const std::string& directory) {
    SYNCLINE_TRY(Database db, Database::open({.path = directory, .replica = "example"}));

    SYNCLINE_TRY(const Watch watch, db.watch("team", [](const Change& change) {
        std::cout << "changed: " << change.key << "\n";
    }));
    SYNCLINE_TRY(const std::int64_t visits, db.counter("visits").add(1));  // durable from here on
    std::cout << "visit " << visits << "\n";

    SYNCLINE_CHECK(db.batch([](Batch& batch) -> Result<void> {  // all or none
        SYNCLINE_CHECK(batch.set("team").add("ann"));
        SYNCLINE_CHECK(batch.map("user:ann").put("name", "Ann"));
        return {};
    }));
    SYNCLINE_TRY(const std::vector<Bytes> team, db.set("team").members());
    for (const Bytes& member : team) std::cout << "member: " << member << "\n";

    const Result<bool> mistaken = db.set("visits").add("x");  // every failure is a value
    if (!mistaken) std::cout << "error: " << mistaken.error().message << "\n";
    return db.close();
}

int main(int argc, char** argv) {
    const Result<void> done = run(argc > 1 ? argv[1] : "example-data");
    if (!done) std::cerr << done.error().message << "\n";
    return done ? 0 : 1;
}
