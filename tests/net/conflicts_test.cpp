#include <boost/test/unit_test.hpp>

#include "net/commands/fields.hpp"
#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(conflicts_commands)
namespace {

/// A transaction of another replica, made on nothing, that comes to the bench.
void come(CommandBench& bench, std::uint64_t counter, std::vector<Op> ops) {
    Event event;
    event.dot = Dot{Actor{0xabc, 1}, counter};
    if (counter > 1) event.past.add(Dot{event.dot.actor, counter - 1});
    event.hlc = Hlc::at_ms(1);
    event.ops = std::move(ops);
    Replica& replica = *bench.replica();
    BOOST_REQUIRE(replica.group().apply(event, replica.log().durable()).has_value());
}

CellOp write(const Bytes& key, const Bytes& value) {
    return CellOp{key, CellType::string, std::nullopt, CellDelta{true, value, {}}};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_recorded_at_first) {
    CommandBench bench;
    BOOST_TEST(bench.run("CRDT.CONFLICTS") ==
               "*14\r\n$8\r\nrecorded\r\n:0\r\n$7\r\ndropped\r\n:0\r\n$5\r\nfirst\r\n:1\r\n"
               "$4\r\nlast\r\n:0\r\n$4\r\nnext\r\n:0\r\n$4\r\nmore\r\n:0\r\n$9\r\nconflicts\r\n"
               "*0\r\n");
    BOOST_TEST(contains(bench.run("INFO conflicts"), "conflicts_recorded:0\r\n"));
}

BOOST_AUTO_TEST_CASE(records_are_shown_and_filtered) {
    CommandBench bench;
    bench.run("SET a1 mine");
    bench.run("SET b1 mine");
    come(bench, 1, {write("a1", "theirs")});
    come(bench, 2, {write("b1", "lost")});
    const std::string all = bench.run("CRDT.CONFLICTS");
    BOOST_TEST(contains(all, "theirs"));
    BOOST_TEST(contains(all, "lost"));
    BOOST_TEST(contains(all, "write-write"));
    BOOST_TEST(contains(all, "abc.1:2"));
    BOOST_TEST(contains(bench.run("INFO conflicts"), "conflicts_write_write:2\r\n"));
    for (const char* const second :
         {"CRDT.CONFLICTS AFTER 1", "crdt.conflicts key b1", "CRDT.CONFLICTS PREFIX b",
          "CRDT.CONFLICTS REV COUNT 1", "CRDT.CONFLICTS KIND write-write REV COUNT 1"}) {
        const std::string shown = bench.run(second);
        BOOST_TEST(contains(shown, "lost"), second);
        BOOST_TEST(!contains(shown, "theirs"), second);
    }
    BOOST_TEST(!contains(bench.run("CRDT.CONFLICTS KIND type-clash"), "lost"));
}

BOOST_AUTO_TEST_CASE(wrong_options_get_one_sentence) {
    CommandBench bench;
    BOOST_TEST(bench.run("CRDT.CONFLICTS COUNT 0") ==
               "-ERR COUNT takes a number from 1 to 1000\r\n");
    BOOST_TEST(bench.run("CRDT.CONFLICTS AFTER x") == "-ERR AFTER takes a sequence number\r\n");
    BOOST_TEST(bench.run("CRDT.CONFLICTS KIND x") ==
               "-ERR KIND is write-write, add-remove, reset-increment, type-clash, deadline, "
               "edit-remove or remove-add\r\n");
    BOOST_TEST(bench.run("CRDT.CONFLICTS COUNT") == "-ERR syntax error\r\n");
    BOOST_TEST(bench.run("CRDT.CONFLICTS NONSENSE 1") == "-ERR syntax error\r\n");
    BOOST_TEST(bench.run("CRDT.CONFLICTS KEY a PREFIX b") == "-ERR syntax error\r\n");
}

BOOST_AUTO_TEST_CASE(a_loser_is_written_anew) {
    CommandBench bench;
    bench.run("SET key mine");
    come(bench, 1, {write("key", "theirs")});
    BOOST_TEST(bench.run("GET key") == "$4\r\nmine\r\n");
    BOOST_TEST(bench.run("CRDT.RESOLVE key abc.1:1") == "+OK\r\n");
    BOOST_TEST(bench.run("GET key") == "$6\r\ntheirs\r\n");
    // No longer a sibling, but on record still.
    bench.run("SET key other");
    BOOST_TEST(bench.run("CRDT.RESOLVE key ABC.1:1") == "+OK\r\n");
    BOOST_TEST(bench.run("GET key") == "$6\r\ntheirs\r\n");
    BOOST_TEST(bench.run("CRDT.RESOLVE key abc.1:9") ==
               "-ERR neither a live value nor a recorded conflict here has this dot\r\n");
    BOOST_TEST(bench.run("CRDT.RESOLVE key field abc.1:1 x") ==
               "-ERR wrong number of arguments for 'crdt.resolve' command\r\n");
}

BOOST_AUTO_TEST_CASE(a_value_too_long_for_the_record_cannot_be_written_anew) {
    CommandBench bench;
    bench.run("SET key mine");
    come(bench, 1, {write("key", Bytes(2000, 'x'))});
    bench.run("SET key other");
    BOOST_TEST(bench.run("CRDT.RESOLVE key abc.1:1") ==
               "-ERR the record has the length of this value, but not the value\r\n");
}

BOOST_AUTO_TEST_CASE(a_removal_that_lost_is_done_again) {
    CommandBench bench;
    bench.run("SADD team ann bob");
    come(bench, 1, {CellOp{"team", CellType::set, "ann", CellDelta{true, std::nullopt, {}}}});
    BOOST_TEST(bench.run("SISMEMBER team ann") == ":1\r\n");
    BOOST_TEST(bench.run("CRDT.RESOLVE team ann abc.1:1") == "+OK\r\n");
    BOOST_TEST(bench.run("SISMEMBER team ann") == ":0\r\n");
    BOOST_TEST(bench.run("SISMEMBER team bob") == ":1\r\n");
}

BOOST_AUTO_TEST_CASE(what_a_removed_text_took_along_is_appended_anew) {
    CommandBench bench;
    bench.run("TEXT.APPEND page seen");
    const Dot made{bench.replica()->actor(), 1};
    bench.run("TEXT.APPEND page unseen");
    Event removal;
    removal.dot = Dot{Actor{0xabc, 1}, 1};
    removal.past.add(made);
    removal.hlc = Hlc::at_ms(1);
    removal.ops = {ClearKey{"page"}};
    Replica& replica = *bench.replica();
    BOOST_REQUIRE(replica.group().apply(removal, replica.log().durable()).has_value());
    BOOST_TEST(bench.run("TEXT.GET page") == "$-1\r\n");
    BOOST_TEST(contains(bench.run("CRDT.CONFLICTS KIND edit-remove"), "unseen"));
    const ConflictRecord record = replica.group().conflicts().page({})->records.at(0);
    const Bytes field = field_text(CellType::text, record.loser.field).value();
    BOOST_TEST(bench.run({"CRDT.RESOLVE", "page", field, to_string(record.loser.dot)}) ==
               "+OK\r\n");
    BOOST_TEST(bench.run("TEXT.GET page") == "$6\r\nunseen\r\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
