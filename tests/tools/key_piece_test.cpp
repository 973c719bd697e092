#include "tools/key_piece.hpp"

#include <boost/test/unit_test.hpp>

#include "tools/progress.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(key_piece)
namespace {

KeyPiece piece(const std::string& type, std::vector<Bytes> values) {
    KeyPiece made;
    made.key = "k";
    made.type = type;
    made.values = std::move(values);
    return made;
}

std::string shown(const KeyPiece& of) {
    std::string text;
    for (const std::vector<Bytes>& command : commands_of(of)) {
        for (const Bytes& argument : command) text += argument + " ";
        text += "; ";
    }
    return text;
}

std::string refusal(std::string_view line) {
    const Result<KeyPiece> parsed = parse_json_line(line);
    return parsed ? "none" : parsed.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(lines_are_read_as_they_were_written) {
    KeyPiece bytes = piece("hash", {Bytes("f\xff", 2), Bytes("\0\xfe", 2), "g", "gr\xc3\xbcn"});
    bytes.key = Bytes("\xff\n", 2);
    bytes.part = 3;
    bytes.last = false;
    KeyPiece ends = piece("string", {"1"});
    ends.ends_ms = 1'700'000'000'123;
    for (const KeyPiece& one :
         {bytes, ends, piece("set", {"a", "b"}), piece("zset", {"m", "0.25"}), piece("list", {""}),
          piece("text", {""}), piece("multi-value", {"x", "y"}), piece("flag", {"0"}),
          piece("bounded-counter", {"12"})}) {
        const std::string line = json_line(one);
        BOOST_TEST(line.find('\n') == std::string::npos);
        const Result<KeyPiece> parsed = parse_json_line(line);
        BOOST_REQUIRE_MESSAGE(parsed, line);
        BOOST_TEST((*parsed == one), line);
    }
    BOOST_TEST(json_line(ends) ==
               R"({"key":"k","type":"string","ends_ms":1700000000123,"value":"1"})");
    BOOST_TEST(json_line(bytes) ==
               R"({"key":{"hex":"ff0a"},"type":"hash","part":3,"more":true,)"
               "\"values\":[[{\"hex\":\"66ff\"},{\"hex\":\"00fe\"}],[\"g\",\"gr\xc3\xbcn\"]]}");
}

BOOST_AUTO_TEST_CASE(numbers_need_no_quotes) {
    const Result<KeyPiece> parsed =
        parse_json_line(R"({"key":"k","type":"zset","values":[["m",1.5]]})");
    BOOST_REQUIRE(parsed);
    BOOST_TEST(shown(*parsed) == "DEL k ; ZADD k 1.5 m ; ");
}

BOOST_AUTO_TEST_CASE(first_pieces_replace_and_later_ones_add) {
    KeyPiece list = piece("list", {"a", "b"});
    BOOST_TEST(shown(list) == "DEL k ; RPUSH k a b ; ");
    list.part = 2;
    BOOST_TEST(shown(list) == "RPUSH k a b ; ");
    KeyPiece string = piece("string", {"v"});
    string.ends_ms = 99;
    BOOST_TEST(shown(string) == "SET k v ; PEXPIREAT k 99 ; ");
    BOOST_TEST(shown(piece("hash", {"f", "v"})) == "DEL k ; HSET k f v ; ");
    BOOST_TEST(shown(piece("multi-value", {"x", "y"})) == "DEL k ; MV.SET k x ; ");
    BOOST_TEST(shown(piece("flag", {"1"})) == "DEL k ; FLAG.ENABLE k ; ");
    BOOST_TEST(shown(piece("bounded-counter", {"5"})) == "BC.INCR k 5 ; ");
    BOOST_TEST(shown(piece("bounded-counter", {"0"})) == "BC.INCR k 1 ; BC.DECR k 1 ; ");
    BOOST_TEST(shown(piece("text", {""})) == "DEL k ; TEXT.APPEND k - ; TEXT.ERASE k 0 1 ; ");
}

BOOST_AUTO_TEST_CASE(bad_lines_are_refused_with_a_sentence) {
    BOOST_TEST(refusal("") == "it is no object of JSON");
    BOOST_TEST(refusal("[1]") == "it is no object of JSON");
    BOOST_TEST(refusal(R"({"type":"set","values":[]})") == "\"key\" is missing, or no string");
    BOOST_TEST(refusal(R"({"key":{"hex":"0g"},"type":"set","values":[]})") ==
               "\"key\" is missing, or no string");
    BOOST_TEST(refusal(R"({"key":"k"})") == "\"type\" is missing");
    BOOST_TEST(refusal(R"({"key":"k","type":"stream"})") == "there is no type \"stream\"");
    BOOST_TEST(refusal(R"({"key":"k","type":"string"})") == "\"value\" is missing");
    BOOST_TEST(refusal(R"({"key":"k","type":"set","values":1})") == "\"values\" is no array");
    BOOST_TEST(refusal(R"({"key":"k","type":"hash","values":[["f"]]})") == "a value is no pair");
    BOOST_TEST(refusal(R"({"key":"k","type":"set","values":[],"part":0})") ==
               "\"part\" is no number from 1 on");
}

BOOST_AUTO_TEST_CASE(progress_tells_share_rate_and_time_left) {
    BOOST_TEST(progress_text("backup", 50, 200, 1024, 500) == "backup: 25 %, 1.0 KiB");
    BOOST_TEST(progress_text("backup", 50, 200, 2048, 2000) ==
               "backup: 25 %, 2.0 KiB, 1.0 KiB/s, 0:06 left");
    BOOST_TEST(progress_text("import", 0, 0, 4096, 4000) == "import: 4.0 KiB, 1.0 KiB/s");
    BOOST_TEST(progress_text("verify", 1, 4000, 1024, 1000).find("1:06:39 left") !=
               std::string::npos);
    BOOST_TEST(progress_text("backup", 3, 2, 1024, 1000) == "backup: 100 %, 1.0 KiB, 1.0 KiB/s");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
