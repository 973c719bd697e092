#include "tests/crdt/text_trace.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace syncline {
BOOST_AUTO_TEST_SUITE(text_trace)
namespace {

std::vector<Text::Row> rows_of(const Text& text) {
    std::vector<Text::Row> rows;
    for (const TextRowName& name : text.rows()) rows.emplace_back(name, text.row(name));
    return rows;
}

void check_stored(const Text& text) {
    const std::vector<Text::Row> rows = rows_of(text);
    const Result<Text> loaded = Text::load(rows);
    BOOST_REQUIRE(loaded.has_value());
    BOOST_TEST((loaded->text() == text.text()));
    BOOST_TEST((rows_of(*loaded) == rows));
}

BOOST_DATA_TEST_CASE(one_writer_reaches_the_recorded_text,
                     boost::unit_test::data::make({"automerge-paper", "clownschool_flat",
                                                   "friendsforever_flat", "json-crdt-blog-post",
                                                   "json-crdt-patch", "rustcode", "seph-blog1",
                                                   "sveltecomponent"}),
                     name) {
    const test::TextTrace trace = test::load_trace(std::string("sequential/") + name);
    const Text text = test::replay(trace);
    BOOST_TEST((text.text() == trace.end));
    check_stored(text);
}

BOOST_DATA_TEST_CASE(several_writers_reach_the_recorded_text,
                     boost::unit_test::data::make({"clownschool", "friendsforever"}), name) {
    const test::TextTrace trace = test::load_trace(std::string("concurrent/") + name);
    test::TraceRecorder recorder(trace);
    const auto events = recorder.record(2);
    BOOST_TEST((recorder.last_text().text() == trace.end + trace.end));
    Text reader;
    for (const auto& event : events) {
        for (const TextOp& op : event.ops) BOOST_REQUIRE(reader.apply(op, event.dot).has_value());
    }
    BOOST_TEST((rows_of(reader) == rows_of(recorder.last_text())));
    check_stored(reader);
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
