#include "tools/console.hpp"

#include <boost/test/unit_test.hpp>

#include "tools/json_text.hpp"

namespace syncline {

BOOST_AUTO_TEST_SUITE(console)

BOOST_AUTO_TEST_CASE(user_bytes_cannot_steer_the_terminal) {
    BOOST_TEST(quoted("plain") == "\"plain\"");
    BOOST_TEST(quoted("a\"b\\c") == "\"a\\\"b\\\\c\"");
    BOOST_TEST(quoted("\x1b[31m\n\t\r\x7f") == "\"\\x1b[31m\\n\\t\\r\\x7f\"");
    BOOST_TEST(quoted(BytesView("\0x", 2)) == "\"\\x00x\"");
    BOOST_TEST(quoted("caf\xc3\xa9") == "\"caf\xc3\xa9\"");
    BOOST_TEST(quoted("\xc3(") == "\"\\xc3(\"");                  // cut letter
    BOOST_TEST(quoted("\xc0\xaf") == "\"\\xc0\\xaf\"");           // overlong
    BOOST_TEST(quoted("\xed\xa0\x80") == "\"\\xed\\xa0\\x80\"");  // surrogate
    BOOST_TEST(quoted("\xc2\x9b") == "\"\\u{9b}\"");              // CSI in one letter
    BOOST_TEST(quoted("a\xe2\x80\xae"
                      "b") == "\"a\\u{202e}b\"");  // turns the line around
    BOOST_TEST(harmless("\x1b]0;x\x07") == "\\x1b]0;x\\x07");
}

BOOST_AUTO_TEST_CASE(long_values_are_cut_and_their_length_told) {
    BOOST_TEST(quoted(Bytes(100, 'x'), 5) == "\"xxxxx\"... (100 bytes)");
    BOOST_TEST(quoted("xxxxx", 5) == "\"xxxxx\"");
    BOOST_TEST(quoted("\x01\x01", 5) == "\"\\x01\"... (2 bytes)");  // escapes are not cut in two
    BOOST_TEST(harmless("abcdef", 3) == "abc...");
}

BOOST_AUTO_TEST_CASE(columns_are_those_of_a_terminal) {
    BOOST_TEST(columns("abc") == 3U);
    BOOST_TEST(columns("caf\xc3\xa9") == 4U);
    BOOST_TEST(columns("e\xcc\x81") == 1U);     // with a combining accent
    BOOST_TEST(columns("\xe4\xb8\xad") == 2U);  // CJK
    BOOST_TEST(fitted("abcdef", 6) == "abcdef");
    BOOST_TEST(fitted("abcdefg", 6) == "abc...");
    BOOST_TEST(fitted("\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad", 5) == "\xe4\xb8\xad...");
}

BOOST_AUTO_TEST_CASE(tables_align_and_fit_the_terminal) {
    TextTable table;
    table.add({"a", "bbbb", "c"});
    table.add({"aaa", "", "c"});
    table.add({"a", "b"});
    BOOST_TEST(table.text({}) == "a    bbbb  c\naaa        c\na    b\n");

    TextTable wide(2);
    wide.add({std::string(50, 'x'), std::string(50, 'y'), "end"});
    const std::string text = wide.text({false, 60});
    BOOST_TEST(columns(text.substr(0, text.find('\n'))) == 60U);
    BOOST_TEST(text.find("x...") != std::string::npos);
    BOOST_TEST(text.find("end") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(colors_are_left_out_where_they_are_not_wanted) {
    BOOST_TEST(toned({false, 0}, Tone::bad, "x") == "x");
    BOOST_TEST(toned({true, 0}, Tone::bad, "x") == "\033[1;31mx\033[0m");
    BOOST_TEST(toned({true, 0}, Tone::plain, "x") == "x");
    BOOST_TEST(console_style("never").color == false);
    BOOST_TEST(console_style("always").color == true);
}

BOOST_AUTO_TEST_CASE(json_keeps_bytes_that_are_no_text) {
    BOOST_TEST(json_bytes(Bytes("caf\xc3\xa9")).dump() == "\"caf\xc3\xa9\"");
    BOOST_TEST(json_bytes(Bytes("\xff\x01")).dump() == "{\"hex\":\"ff01\"}");
}

BOOST_AUTO_TEST_CASE(sizes_for_people) {
    BOOST_TEST(human_bytes(0) == "0 B");
    BOOST_TEST(human_bytes(1023) == "1023 B");
    BOOST_TEST(human_bytes(1536) == "1.5 KiB");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
