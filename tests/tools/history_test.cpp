#include "tools/history.hpp"

#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <set>

namespace syncline {
BOOST_AUTO_TEST_SUITE(history)
namespace {

const char* const small_history =
    R"({"kind": "kv-dag", "source": "by hand", "head": "", "numAgents": 2, "keys": ["a", "b"],
        "valueSizes": [3, 5000], "finalState": [[0, 1]],
        "txns": [[[], 0, 100, [[0, 0], [1, 0]]], [[1], 1, 101, [[0, 1]]],
                 [[2], 0, 99, [[1, -1]]], [[1, 2], 1, 102, []]]})";

Bytes gzip(BytesView text) {
    z_stream stream = {};
    BOOST_REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) ==
                  Z_OK);
    Bytes in(text);
    Bytes out(deflateBound(&stream, in.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    BOOST_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

Bytes replaced(Bytes text, BytesView old_part, BytesView new_part) {
    const std::size_t at = text.find(old_part);
    BOOST_REQUIRE(at != Bytes::npos);
    return text.replace(at, old_part.size(), new_part);
}

std::string failure_of(const Bytes& gzip_bytes) {
    const auto history = parse_history(gzip_bytes);
    BOOST_REQUIRE(!history.has_value());
    BOOST_TEST((history.error().code == Code::corrupt));
    return history.error().message;
}

BOOST_AUTO_TEST_CASE(a_history_is_read_as_it_was_written) {
    const auto history = parse_history(gzip(small_history));
    BOOST_REQUIRE(history.has_value());
    BOOST_TEST((history->keys == std::vector<std::string>{"a", "b"}));
    BOOST_TEST((history->value_sizes == std::vector<std::uint32_t>{3, 5000}));
    BOOST_REQUIRE(history->txns.size() == 4U);
    BOOST_TEST(history->txns[0].parents.empty());
    BOOST_TEST(history->txns[2].agent == 0U);
    BOOST_TEST(history->txns[2].time == 99);
    BOOST_TEST((history->txns[2].parents == std::vector<std::uint32_t>{0}));
    BOOST_TEST((history->txns[3].parents == std::vector<std::uint32_t>{2, 1}));
    BOOST_TEST(history->txns[2].ops[0].first == 1U);
    BOOST_TEST(history->txns[2].ops[0].second == History::removed);
    BOOST_TEST((history->final_state[0] == std::pair<std::uint32_t, std::uint32_t>{0, 1}));
}

BOOST_AUTO_TEST_CASE(what_is_out_of_range_or_of_another_kind_is_corrupt) {
    const char* const damages[][2] = {
        {"kv-dag", "kv-log"},       {"\"keys\"", "\"tasks\""},  {"[\"a\", \"b\"]", "[\"a\", 7]"},
        {"[[1], 1", "[[2], 1"},     {"[[1], 1", "[[0], 1"},     {"[[1], 1", "[[1], 2"},
        {"[[0, 1]]]", "[[2, 1]]]"}, {"[[0, 1]]]", "[[0, 2]]]"}, {"[[0, 1]]]", "[[0]]]"},
        {"[[1, -1]]", "[[1, -2]]"}, {"[3, 5000]", "[3, -1]"},   {"[3, 5000]", "[3, 5e3]"},
        {"[[0, 1]],", "{},"},
    };
    for (const auto& [old_part, new_part] : damages) {
        BOOST_TEST_CONTEXT(old_part << " -> " << new_part) {
            failure_of(gzip(replaced(small_history, old_part, new_part)));
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_one_gzip_file_of_json_is_corrupt) {
    const Bytes whole = gzip(small_history);
    BOOST_TEST(failure_of("") == "history file: not one gzip member");
    failure_of(small_history);
    failure_of(whole + "x");
    for (std::size_t size = 0; size < whole.size(); ++size) failure_of(whole.substr(0, size));
    BOOST_TEST(failure_of(gzip("{\"kind\":")) == "history file: not JSON");
    failure_of(gzip("[]"));
}

BOOST_AUTO_TEST_CASE(an_absent_file_is_an_error_that_names_it) {
    const auto history = load_history("/nowhere/etcd.json.gz");
    BOOST_REQUIRE(!history.has_value());
    BOOST_TEST((history.error().code == Code::io));
    BOOST_TEST(history.error().message == "cannot open /nowhere/etcd.json.gz");
}

BOOST_AUTO_TEST_CASE(values_have_their_sizes_within_bounds_and_are_distinct) {
    History history;
    history.value_sizes.assign(200, 5000);
    history.value_sizes[7] = 0;
    history.value_sizes[8] = 10;
    BOOST_TEST(history_value(history, 7) == "7:");
    BOOST_TEST(history_value(history, 8).size() == 10U);
    BOOST_TEST(history_value(history, 199).size() == 1024U);
    std::set<Bytes> values;
    for (std::uint32_t value = 0; value < 200; ++value)
        values.insert(history_value(history, value));
    BOOST_TEST(values.size() == 200U);
    BOOST_TEST(history_value(history, 9) == history_value(history, 9));
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
