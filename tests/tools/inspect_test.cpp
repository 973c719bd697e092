#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "net/commands/table.hpp"
#include "tools/inspect_diff.hpp"
#include "tools/inspect_key.hpp"
#include "tools/inspect_nodes.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(inspect)
namespace {

NodeView node(const std::string& name, ActorVector vv, const std::string& root) {
    NodeView view;
    view.name = name;
    view.address = name + ":7379";
    view.cluster = "c1";
    view.health = "ok";
    view.ready = true;
    view.actor = name + ".1";
    view.vv = std::move(vv);
    view.root = root;
    return view;
}

RespValue bulk(const Bytes& text) {
    RespValue value;
    value.type = RespValue::Type::bulk;
    value.text = text;
    return value;
}

RespValue number(std::int64_t integer) {
    RespValue value;
    value.type = RespValue::Type::integer;
    value.integer = integer;
    return value;
}

RespValue list(std::vector<RespValue> elements) {
    RespValue value;
    value.type = RespValue::Type::array;
    value.elements = std::move(elements);
    return value;
}

/// CRDT.EXPLAIN of a key with one string cell and these (dot, value, winner).
RespValue explained(const std::vector<std::tuple<Bytes, Bytes, bool>>& dots) {
    std::vector<RespValue> list_of_dots;
    for (const auto& [dot, value, winner] : dots) {
        list_of_dots.push_back(list({bulk("dot"), bulk(dot), bulk("time"), bulk("T"), bulk("value"),
                                     bulk(value), bulk("winner"), number(winner ? 1 : 0)}));
    }
    const RespValue cell =
        list({bulk("type"), bulk("string"), bulk("field"), RespValue{}, bulk("why"), bulk("rule"),
              bulk("dots"), list(std::move(list_of_dots)), bulk("counter"), list({})});
    return list(
        {bulk("key"), bulk("k"), bulk("type"), bulk("string"), bulk("cells"), list({cell})});
}

}  // namespace

BOOST_AUTO_TEST_CASE(events_missing_counts_what_the_other_has) {
    BOOST_TEST(events_missing({{"a.1", 5}}, {{"a.1", 7}, {"b.1", 2}}) == 4U);
    BOOST_TEST(events_missing({{"a.1", 5}}, {{"a.1", 3}}) == 0U);
    BOOST_TEST(events_missing({}, {}) == 0U);
}

BOOST_AUTO_TEST_CASE(agreement_tells_late_from_wrong) {
    const NodeView a = node("a", {{"a.1", 5}, {"b.1", 2}}, "r1");
    const NodeView b = node("b", {{"a.1", 3}, {"b.1", 4}}, "r2");
    const Agreement late = agreement({a, b});
    BOOST_TEST((late.state == Agreement::State::behind));
    BOOST_TEST(late.events == 4U);
    BOOST_TEST((late.missing == std::vector<std::uint64_t>{2, 2}));

    const Agreement wrong = agreement({a, node("b", a.vv, "r2"), node("c", {}, "r0")});
    BOOST_TEST((wrong.state == Agreement::State::different));
    BOOST_TEST(wrong.sentence.find("a and b") != std::string::npos);

    BOOST_TEST((agreement({a, node("b", a.vv, "r1")}).state == Agreement::State::equal));

    NodeView stranger = node("b", a.vv, "r1");
    stranger.cluster = "c2";
    BOOST_TEST((agreement({a, stranger}).state == Agreement::State::strangers));

    NodeView silent;
    silent.address = "d:7379";
    silent.error = "refused";
    const Agreement alone = agreement({a, silent});
    BOOST_TEST((alone.state == Agreement::State::unknown));
    BOOST_TEST(alone.missing.size() == 2U);
}

BOOST_AUTO_TEST_CASE(names_of_actors_hold_over_incarnations) {
    NodeView a = node("a", {}, "");
    a.actor = "1f.2";
    a.links.push_back({"b", "", "", "up", "out", "2e.1", "", {}, 0, 0, 0});
    const ActorNames names({a});
    BOOST_TEST(names.name("1f.1:77") == "a");
    BOOST_TEST(names.name("2e.3:1") == "b");
    BOOST_TEST(names.name("99.1:4") == "99.1");
}

BOOST_AUTO_TEST_CASE(peers_that_were_not_asked_are_heard_of) {
    NodeView a = node("a", {{"a.1", 1}}, "r");
    a.links.push_back({"b", "", "u", "up", "out", "b.1", "", {{"b.1", 4}}, 0, 0, 0});
    a.links.push_back({"", "host:1", "", "down", "out", "", "", {}, 0, 0, 0});
    const std::vector<NodeView> others = heard_of({a});
    BOOST_REQUIRE(others.size() == 1U);
    BOOST_TEST(others[0].name == "b");
    const SeenView view = seen(a, others[0]);
    BOOST_TEST(view.known);
    BOOST_TEST(view.missing == 4U);
    BOOST_REQUIRE(view.link != nullptr);
    BOOST_TEST(heard_of({a, node("b", {}, "")}).empty());
}

BOOST_AUTO_TEST_CASE(status_names_who_does_not_answer) {
    const NodeView a = node("a\x1b[2J", {{"a.1", 1}}, "r");
    NodeView silent;
    silent.address = "d:7379";
    silent.error = "connection refused";
    const std::string text = status_text({a, silent}, {});
    BOOST_TEST(text.find("1/2 nodes answer") != std::string::npos);
    BOOST_TEST(text.find("no answer from d:7379: connection refused") != std::string::npos);
    BOOST_TEST(text.find('\x1b') == std::string::npos);
    const auto json = nlohmann::json::parse(status_json({a, silent}));
    BOOST_TEST(json["nodes"][1]["reachable"] == false);
    BOOST_TEST(json["nodes"][0]["vector"]["a.1"] == 1);
    BOOST_TEST(json["agreement"]["state"] == "unknown");
}

BOOST_AUTO_TEST_CASE(cells_are_compared_over_nodes) {
    const std::vector<NodeView> nodes{node("a", {{"a.1", 2}}, "r"), node("b", {{"a.1", 2}}, "r"),
                                      node("c", {{"a.1", 1}}, "s")};
    const RespValue both = explained({{"a.1:1", "x", false}, {"b.1:1", "y", true}});
    const RespValue one = explained({{"a.1:1", "x", true}});
    std::vector<KeyView> views{parse_key(0, both), parse_key(1, both), parse_key(2, one)};
    std::vector<CellComparison> cells = compare_key(views);
    BOOST_REQUIRE(cells.size() == 1U);
    BOOST_TEST(!all_equal(cells));
    BOOST_REQUIRE(cells[0].variants.size() == 2U);
    BOOST_TEST((cells[0].variants[0].nodes == std::vector<std::size_t>{0, 1}));
    BOOST_TEST((cells[0].variants[1].nodes == std::vector<std::size_t>{2}));
    const std::string text = key_text({"k", {}}, nodes, views, {});
    BOOST_TEST(text.find("on a, b:") != std::string::npos);
    BOOST_TEST(text.find("on c:") != std::string::npos);
    BOOST_TEST(text.find("behind is c by 1") != std::string::npos);

    views[2] = parse_key(2, both);
    BOOST_TEST(all_equal(compare_key(views)));

    // No key at all on one node is a difference; a node that does not tell is none.
    views[2] = parse_key(2, RespValue{});
    cells = compare_key(views);
    BOOST_REQUIRE(cells[0].variants.size() == 2U);
    BOOST_TEST(!cells[0].variants[1].cell.has_value());
    views[2] = parse_key(2, Error{Code::unavailable, "gone"});
    BOOST_TEST(all_equal(compare_key(views)));
    const std::string partial = key_text({"k", {}}, nodes, views, {});
    BOOST_TEST(partial.find("no answer from c: gone") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(json_of_a_key_has_every_sibling) {
    const std::vector<NodeView> nodes{node("a", {{"a.1", 2}}, "r")};
    const std::vector<KeyView> views{
        parse_key(0, explained({{"a.1:1", "\xff", false}, {"b.1:1", "y", true}}))};
    const auto json = nlohmann::json::parse(key_json({"k", {}}, nodes, views));
    const auto& cell = json["cells"][0]["variants"][0]["cell"];
    BOOST_TEST(json["equal"] == true);
    BOOST_TEST(cell["dots"][0]["value"]["hex"] == "ff");
    BOOST_TEST(cell["dots"][0]["origin"] == "a");
    BOOST_TEST(cell["dots"][1]["winner"] == true);
}

BOOST_AUTO_TEST_CASE(a_difference_is_told_as_the_command_replies_it) {
    Difference difference;
    RowDifference row;
    row.key = "k\x1b";
    row.newer = RowDifference::Newer::unexplained;
    row.here = Cell{};
    row.here->dots.put(Dot{Actor{1, 1}, 3}, DotValue{Hlc{}, Bytes(1000, 'x')});
    difference.rows.push_back(row);
    row.newer = RowDifference::Newer::there;
    row.field = "f";
    row.type = CellType::hash;
    row.there = row.here;
    row.here.reset();
    difference.rows.push_back(row);
    difference.counts.rows = 3;
    difference.counts.newer_there = 2;
    difference.counts.unexplained = 1;
    difference.counts.bytes_there = 2048;
    for (const int protocol : {2, 3}) {
        Bytes bytes;
        RespWriter writer(bytes, protocol);
        reply_comparison(writer, difference);
        RespReplyParser parser;
        parser.feed(bytes);
        const Result<std::optional<RespValue>> reply = parser.next();
        BOOST_REQUIRE((reply && *reply));
        const Result<DiffView> diff = parse_diff(**reply);
        BOOST_REQUIRE(diff);
        BOOST_TEST(diff->omitted == 1U);
        BOOST_REQUIRE(diff->rows.size() == 2U);
        BOOST_TEST(diff->rows[0].here->value_bytes == 1000U);
        BOOST_TEST(!diff->rows[0].there.has_value());
        BOOST_TEST(diff->rows[1].field.value_or("") == "f");
        const std::string text = diff_text(*diff, "a", "b", {});
        BOOST_TEST(text.find("3 rows differ between a and b") != std::string::npos);
        BOOST_TEST(text.find("1 that NO EVENT EXPLAINS") != std::string::npos);
        BOOST_TEST(text.find("2.0 KiB from b") != std::string::npos);
        BOOST_TEST(text.find("of 1000 bytes") != std::string::npos);
        BOOST_TEST(text.find("and 1 more") != std::string::npos);
        BOOST_TEST(text.find('\x1b') == std::string::npos);
        const auto json = nlohmann::json::parse(diff_json(*diff, "a", "b"));
        BOOST_TEST(json["rows"][1]["newer"] == "there");
        BOOST_TEST(json["rows"][0]["there"].is_null());
        BOOST_TEST(json["rows"][0]["here"]["dots"][0] == "1.1:3");
    }
    BOOST_TEST(!parse_diff(RespValue{}));
    RespValue error;
    error.type = RespValue::Type::error;
    error.text = "ERR no";
    BOOST_TEST(parse_diff(error).error().message == "ERR no");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
