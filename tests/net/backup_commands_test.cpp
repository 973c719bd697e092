#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "core/backup/reader.hpp"
#include "net/resp_client.hpp"
#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(commands_of_backup)
namespace {

namespace fs = std::filesystem;

/// CRDT.BACKUP STATUS, by field.
std::map<std::string, std::string> status(CommandBench& bench) {
    RespReplyParser parser(limits::mib);
    parser.feed(bench.run("CRDT.BACKUP STATUS"));
    const std::optional<RespValue> reply = parser.next().value();
    BOOST_REQUIRE(reply.has_value());
    std::map<std::string, std::string> fields;
    for (std::size_t i = 0; i + 1 < reply->elements.size(); i += 2) {
        const RespValue& value = reply->elements[i + 1];
        fields[reply->elements[i].text] = value.type == RespValue::Type::integer
                                              ? std::to_string(value.integer)
                                              : std::string(value.text);
    }
    return fields;
}

std::string state(CommandBench& bench) {
    return status(bench)["state"];
}

constexpr const char* syntax_error = "-ERR syntax error\r\n";
constexpr const char* no_rate = "-ERR RATE is a number of bytes a second\r\n";

}  // namespace

BOOST_AUTO_TEST_CASE(wrong_arguments_get_one_sentence) {
    CommandBench bench;
    const std::string path = bench.scratch("backup");
    BOOST_TEST(bench.run("CRDT.BACKUP") ==
               "-ERR wrong number of arguments for 'crdt.backup' command\r\n");
    for (const char* const rest : {" RATE", " SPEED 1", " RATE 1 2"}) {
        BOOST_TEST(bench.run("CRDT.BACKUP " + path + rest) == syntax_error, rest);
    }
    for (const char* const rate : {"0", "-1", "much", "1.5", "99999999999999999999"}) {
        BOOST_TEST(bench.run("CRDT.BACKUP " + path + " RATE " + rate) == no_rate, rate);
    }
    BOOST_TEST(bench.run("CRDT.BACKUP STATUS now") == syntax_error);
    BOOST_TEST(bench.run("CRDT.BACKUP CANCEL now") == syntax_error);
    BOOST_TEST(!fs::exists(path));
    BOOST_TEST(state(bench) == "none");
}

BOOST_AUTO_TEST_CASE(only_a_new_directory_of_the_machine_is_written) {
    CommandBench bench;
    const std::string relative =
        "-ERR the path of a backup begins with /: it is one of the server's machine\r\n";
    BOOST_TEST(bench.run("CRDT.BACKUP backup") == relative);
    BOOST_TEST(bench.run(Arguments{"CRDT.BACKUP", ""}) == relative);
    const std::string no_text = "-ERR the path is no text\r\n";
    BOOST_TEST(bench.run(Arguments{"CRDT.BACKUP", bench.scratch("a") + Bytes("\0b", 2)}) ==
               no_text);
    BOOST_TEST(bench.run(Arguments{"CRDT.BACKUP", bench.scratch("a") + "\xff"}) == no_text);
    const std::string path = bench.scratch("full");
    fs::create_directories(path);
    std::ofstream(path + "/kept") << "kept";
    const std::string refused = bench.run("CRDT.BACKUP " + path);
    BOOST_TEST(refused.starts_with("-ERR "), refused);
    BOOST_TEST(refused.find(path) != std::string::npos, refused);
    BOOST_TEST(bench.run("CRDT.BACKUP " + bench.scratch("no/parent")).starts_with("-ERR "));
    BOOST_TEST(fs::file_size(path + "/kept") == 4U);
    BOOST_TEST(state(bench) == "none");
}

BOOST_AUTO_TEST_CASE(the_backup_goes_on_while_commands_run) {
    CommandBench bench;
    for (int i = 0; i < 100; ++i) bench.run("SET key" + std::to_string(i) + " value");
    const std::string path = bench.scratch("backup");
    BOOST_TEST(bench.run("CRDT.BACKUP " + path) == "+OK\r\n");
    auto fields = status(bench);
    BOOST_TEST(fields.size() == 9U);
    BOOST_TEST(fields["state"] == "running");
    BOOST_TEST(fields["path"] == path);
    BOOST_TEST(fields["reason"] == "");
    BOOST_TEST(bench.run("SET other 1") == "+OK\r\n");
    BOOST_TEST(bench.run("CRDT.BACKUP " + bench.scratch("second")) ==
               "-ERR a backup to '" + path + "' is under way\r\n");
    BOOST_TEST(!fs::exists(bench.scratch("second")));
    bench.finish_backup();
    fields = status(bench);
    BOOST_TEST(fields["state"] == "done");
    BOOST_TEST(fields["reason"] == "");
    BOOST_TEST(std::stoull(fields["rows"]) >= 100U);
    BOOST_TEST(std::stoull(fields["bytes"]) > 500U);
    const Result<BackupManifest> verified = verify_backup(path);
    BOOST_TEST(verified.has_value(), (verified ? "" : verified.error().message));
    // That it took so long does not change any more.
    bench.clock.now_ms += 5000;
    BOOST_TEST(status(bench)["elapsed_ms"] == fields["elapsed_ms"]);
    BOOST_TEST(bench.run("CRDT.BACKUP " + path).starts_with("-ERR "));
    BOOST_TEST(bench.run("CRDT.BACKUP " + bench.scratch("second") + " rate 1000000") == "+OK\r\n");
    BOOST_TEST(status(bench)["rate_bytes"] == "1000000");
    bench.finish_backup();
    BOOST_TEST(state(bench) == "done");
}

BOOST_AUTO_TEST_CASE(a_cancelled_backup_is_none) {
    CommandBench bench;
    BOOST_TEST(bench.run("CRDT.BACKUP CANCEL") == "-ERR no backup is under way\r\n");
    bench.run("SET key value");
    const std::string path = bench.scratch("backup");
    BOOST_TEST(bench.run("CRDT.BACKUP " + path + " RATE 1") == "+OK\r\n");
    bench.backup_turn();
    BOOST_TEST(bench.run("crdt.backup cancel") == "+OK\r\n");
    bench.finish_backup();
    BOOST_TEST(state(bench) == "cancelled");
    BOOST_TEST(!verify_backup(path).has_value());
    BOOST_TEST(bench.run("CRDT.BACKUP CANCEL") == "-ERR no backup is under way\r\n");
}

BOOST_AUTO_TEST_CASE(what_fails_later_shows_in_the_status) {
    CommandBench bench;
    bench.run("SET key value");
    const std::string path = bench.scratch("backup");
    BOOST_TEST(bench.run("CRDT.BACKUP " + path) == "+OK\r\n");
    fs::remove_all(path);
    bench.finish_backup();
    auto fields = status(bench);
    BOOST_TEST(fields["state"] == "failed");
    BOOST_TEST(fields["reason"] != "");
    BOOST_TEST(bench.run("GET key") == "$5\r\nvalue\r\n");
}

BOOST_AUTO_TEST_CASE(it_is_no_part_of_a_transaction_and_needs_a_replica) {
    CommandBench bench;
    bench.run("MULTI");
    BOOST_TEST(bench.run("CRDT.BACKUP " + bench.scratch("backup")).starts_with("-ERR "));
    bench.run("DISCARD");
    bench.take_replica_away();
    BOOST_TEST(bench.run("CRDT.BACKUP " + bench.scratch("backup")).starts_with("-LOADING"));
    BOOST_TEST(!fs::exists(bench.scratch("backup")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
