#include <boost/test/unit_test.hpp>

#include "core/engine/resubmission.hpp"
#include "tests/net/command_bench.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(resubmission_commands)
namespace {

/// Of a replica that nobody here has met.
LostTransaction lost_write(CommandBench& bench) {
    const Actor actor{77, 1};
    CellOp write{"k", CellType::string, std::nullopt, {}};
    write.delta.writes_dots = true;
    write.delta.value = "lost";
    return LostTransaction{
        bench.replica()->identity().cluster, Event{Dot{actor, 1}, {}, Hlc{}, {write}}, {}};
}

BOOST_AUTO_TEST_CASE(a_lost_write_is_done_again) {
    CommandBench bench;
    const Bytes bytes = encode_lost_transaction(lost_write(bench));
    const std::string reply = bench.run(Arguments{"CRDT.RESUBMIT", bytes});
    BOOST_TEST(reply.starts_with("*4\r\n$7\r\noutcome\r\n$4\r\ndone\r\n$6\r\nresult\r\n$"));
    BOOST_TEST(bench.run("GET k") == "$4\r\nlost\r\n");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_changes_nothing) {
    CommandBench bench;
    LostTransaction lost = lost_write(bench);
    CellOp member{"s", CellType::set, "m", {}};
    member.delta.writes_dots = true;
    member.delta.value = "";
    lost.event.ops.emplace_back(member);
    bench.run("RPUSH s v");
    const Bytes bytes = encode_lost_transaction(lost);
    const std::string refused = bench.run(Arguments{"CRDT.RESUBMIT", bytes});
    BOOST_TEST(refused.starts_with("-CONFLICT write set s m: "));
    BOOST_TEST(bench.run("GET k") == "$-1\r\n");
    bench.run("DEL s");
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", bytes}).starts_with("*4\r\n"));
    BOOST_TEST(bench.run("SISMEMBER s m") == ":1\r\n");
}

BOOST_AUTO_TEST_CASE(damaged_and_foreign_ones_are_refused) {
    CommandBench bench;
    LostTransaction lost = lost_write(bench);
    Bytes damaged = encode_lost_transaction(lost);
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", damaged}) ==
               "-ERR the lost transaction is damaged\r\n");
    const Bytes whole = encode_lost_transaction(lost);
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", whole, "x"}) ==
               "-ERR the past of a lost transaction is damaged\r\n");
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", whole, "x", "y"}) == "-ERR syntax error\r\n");
    lost.cluster.bytes[0] = static_cast<std::uint8_t>(lost.cluster.bytes[0] ^ 1);
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", encode_lost_transaction(lost)})
                   .starts_with("-ERR the transaction is of cluster "));
    bench.run("MULTI");
    BOOST_TEST(bench.run(Arguments{"CRDT.RESUBMIT", whole}) ==
               "-ERR Command not allowed inside a transaction\r\n");
    bench.run("DISCARD");
    BOOST_TEST(bench.run("EXISTS k") == ":0\r\n");
}

}  // namespace
BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
