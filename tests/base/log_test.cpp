#include "core/base/log.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>

namespace syncline {
namespace {

/// Standard error goes into a file as long as this lives.
class CapturedErrors {
public:
    CapturedErrors() : file_(std::tmpfile()), saved_(dup(STDERR_FILENO)) {
        BOOST_REQUIRE(file_ != nullptr);
        dup2(fileno(file_), STDERR_FILENO);
    }
    CapturedErrors(const CapturedErrors&) = delete;
    CapturedErrors& operator=(const CapturedErrors&) = delete;
    ~CapturedErrors() {
        dup2(saved_, STDERR_FILENO);
        close(saved_);
        std::fclose(file_);
    }

    /// Everything so far, the 24 characters of each time replaced by "TIME".
    std::string text() {
        std::string all(static_cast<std::size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
        const ssize_t got = pread(fileno(file_), all.data(), all.size(), 0);
        BOOST_TEST(got == static_cast<ssize_t>(all.size()));
        for (std::size_t at = all.find("20"); at != std::string::npos; at = all.find("20", at)) {
            all.replace(at, std::string("2026-11-23T04:31:07.837Z").size(), "TIME");
        }
        return all;
    }

private:
    std::FILE* file_;
    int saved_;
};

/// Back to what a process starts with.
struct DefaultLog {
    void teardown() { configure_log(LogLevel::warning, LogFormat::text, ""); }
};

BOOST_FIXTURE_TEST_SUITE(log_sink, DefaultLog)

BOOST_AUTO_TEST_CASE(unconfigured_prints_warnings_and_errors_as_text) {
    CapturedErrors errors;
    log(LogLevel::debug, "unseen");
    log(LogLevel::info, "unseen");
    log(LogLevel::warning, "clock_skew", {{"peer", "b"}, {"ms", "17"}});
    log(LogLevel::error, "gone");
    BOOST_TEST(errors.text() == "TIME warning clock_skew peer=b ms=17\nTIME error gone\n");
}

BOOST_AUTO_TEST_CASE(text_quotes_what_could_forge_a_field_or_a_line) {
    configure_log(LogLevel::info, LogFormat::text, "a");
    CapturedErrors errors;
    log(LogLevel::info, "e", {{"k", "x y=\"z\"\n{}"}, {"empty", ""}});
    BOOST_TEST(errors.text() == "TIME info a e k=\"x y=\\\"z\\\"\\u000a{}\" empty=\"\"\n");
}

BOOST_AUTO_TEST_CASE(json_lines_are_valid_whatever_the_bytes) {
    configure_log(LogLevel::debug, LogFormat::json, "n\"1");
    CapturedErrors errors;
    // Two bytes of UTF-8; an overlong slash; a surrogate; a cut sequence; controls.
    log(LogLevel::debug, "e",
        {{"good", "\xc3\xa9"}, {"bad", "\xc0\xaf|\xed\xa0\x80|\xe2\x82"}, {"control", "\t\\\x7f"}});
    BOOST_TEST(errors.text() ==
               "{\"time\":\"TIME\",\"level\":\"debug\",\"node\":\"n\\\"1\",\"event\":\"e\","
               "\"good\":\"\xc3\xa9\",\"bad\":\"\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|"
               "\\ufffd\\ufffd\",\"control\":\"\\u0009\\\\\\u007f\"}\n");
}

BOOST_AUTO_TEST_CASE(off_prints_nothing) {
    configure_log(LogLevel::off, LogFormat::text, "a");
    CapturedErrors errors;
    log(LogLevel::error, "unseen");
    log(LogLevel::off, "unseen");
    BOOST_TEST(errors.text().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace syncline
