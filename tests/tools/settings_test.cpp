#include "tools/settings.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/cluster.hpp"

namespace syncline {
namespace {

struct Files {
    ScratchDirectory directory;

    std::string write(const std::string& text) const {
        const std::filesystem::path path = directory.path() / "syncline.toml";
        std::ofstream(path) << text;
        return path.string();
    }
    std::string error_of(const std::string& text) const {
        const Result<GivenSettings> given = read_settings_file(write(text));
        return given ? "" : given.error().message;
    }
};

/// An environment variable while it is in scope.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
    ~Variable() { ::unsetenv(name_); }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* name_;
};

std::string refusal(const GivenSettings& given) {
    const Result<ServeSettings> settings = resolve_settings(given);
    return settings ? "" : settings.error().message;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(settings, Files)

BOOST_AUTO_TEST_CASE(nothing_given_means_the_defaults) {
    const Result<ServeSettings> settings = resolve_settings({});
    BOOST_REQUIRE(settings);
    BOOST_TEST(settings->server.port == 7379);
    BOOST_TEST(settings->server.bind == "127.0.0.1");
    BOOST_TEST(!settings->server.peer_port.has_value());
    BOOST_TEST(settings->server.protected_mode);
    BOOST_TEST((settings->log_level == LogLevel::info));
}

BOOST_AUTO_TEST_CASE(retention_of_the_log_is_a_size_and_hours) {
    const Result<ServeSettings> settings =
        resolve_settings({{"log-retention-bytes", {{"20mb"}}}, {"log-retention-hours", {{"2"}}}});
    BOOST_REQUIRE(settings);
    BOOST_TEST(settings->server.log_retention.bytes == std::uint64_t{20} << 20);
    BOOST_TEST(settings->server.log_retention.ms == 7'200'000U);
    const std::string size = refusal({{"log-retention-bytes", {{"much"}}}});
    BOOST_TEST(size.rfind("--log-retention-bytes: ", 0) == 0U, size);
    const std::string hours = refusal({{"log-retention-hours", {{"-1"}}}});
    BOOST_TEST(hours.rfind("--log-retention-hours: ", 0) == 0U, hours);
}

BOOST_AUTO_TEST_CASE(repair_bandwidth_is_a_size) {
    BOOST_TEST(resolve_settings({})->server.repair_bandwidth == 0U);
    const Result<ServeSettings> given = resolve_settings({{"repair-bandwidth", {{"64kb"}}}});
    BOOST_REQUIRE(given);
    BOOST_TEST(given->server.repair_bandwidth == 65536U);
    const std::string path = write("repair-bandwidth = '10mb'\n");
    const Result<ServeSettings> read = resolve_settings({{"config", {{path}}}});
    BOOST_REQUIRE(read);
    BOOST_TEST(read->server.repair_bandwidth == std::uint64_t{10} << 20);
    const std::string wrong = refusal({{"repair-bandwidth", {{"fast"}}}});
    BOOST_TEST(wrong.rfind("--repair-bandwidth: ", 0) == 0U, wrong);
}

BOOST_AUTO_TEST_CASE(what_is_given_outranks_the_file) {
    const std::string path = write(
        "node = 'from-file'\n"
        "port = 1234\n"
        "init = true\n"
        "peer = ['a:1', '[::1]:2']\n"
        "log-format = 'json'\n");
    const Result<ServeSettings> settings =
        resolve_settings({{"config", {{path}}}, {"node", {{"from-flag"}}}});
    BOOST_REQUIRE(settings);
    BOOST_TEST(settings->server.node == "from-flag");
    BOOST_TEST(settings->server.port == 1234);
    BOOST_TEST(settings->server.init);
    BOOST_REQUIRE_EQUAL(settings->server.peers.size(), 2U);
    BOOST_TEST(settings->server.peers[0].host == "a");
    BOOST_TEST(settings->server.peers[1].host == "::1");
    BOOST_TEST(settings->server.peers[1].port == 2);
    BOOST_TEST((settings->log_format == LogFormat::json));
}

BOOST_AUTO_TEST_CASE(errors_in_the_file_name_line_and_column) {
    const auto ends_with = [](const std::string& text, const std::string& end) {
        return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
    };
    BOOST_TEST(ends_with(error_of("node = 'a'\n\nnosuch = 1\n"),
                         ".toml:3:1: there is no setting 'nosuch'"));
    BOOST_TEST(
        ends_with(error_of("[server]\nport = 1\n"), ".toml:1:2: there is no setting 'server'"));
    BOOST_TEST(
        ends_with(error_of("port = 1.5\n"), ".toml:1:8: the value of 'port' is of the wrong kind"));
    BOOST_TEST(ends_with(error_of("node = ['a']\n"),
                         ".toml:1:8: the value of 'node' is of the wrong kind"));
    BOOST_TEST(error_of("\nport = 70000\n").find(".toml:2:8: port: ") != std::string::npos);
    BOOST_TEST(error_of("port = \n").find(".toml:1:8: ") != std::string::npos);
    BOOST_TEST(!read_settings_file((directory.path() / "missing").string()).has_value());
}

BOOST_AUTO_TEST_CASE(bad_values_name_their_setting) {
    BOOST_TEST(refusal({{"port", {{"x"}}}}).rfind("--port: 'x' is no port", 0) == 0U);
    BOOST_TEST(refusal({{"port", {{"65536"}}}}).rfind("--port: ", 0) == 0U);
    BOOST_TEST(refusal({{"peer", {{"host"}}}}).rfind("--peer: ", 0) == 0U);
    BOOST_TEST(refusal({{"durability", {{"never"}}}}).rfind("--durability: ", 0) == 0U);
    BOOST_TEST(refusal({{"sync-interval", {{"0"}}}}).rfind("--sync-interval: ", 0) == 0U);
    BOOST_TEST(refusal({{"log-level", {{"loud"}}}}) ==
               "--log-level: 'loud' is none of: debug, info, warning, error, off");
    BOOST_TEST(refusal({{"protected-mode", {{"no"}}}}).empty());
}

BOOST_AUTO_TEST_CASE(the_environment_stands_between_file_and_flags) {
    const std::string path = write("port = 1\nnode = 'file'\ndata = 'file'\n");
    const Variable port("SYNCLINE_PORT", "2");
    const Variable node("SYNCLINE_NODE", "environment");
    const Variable empty("SYNCLINE_DATA", "");
    const Variable peers("SYNCLINE_PEER", "a:1,b:2");
    const Result<ServeSettings> settings =
        resolve_settings({{"config", {{path}}}, {"port", {{"3"}}}});
    BOOST_REQUIRE(settings);
    BOOST_TEST(settings->server.port == 3);
    BOOST_TEST(settings->server.node == "environment");
    BOOST_TEST(settings->server.data_dir == "file");
    BOOST_TEST(settings->server.peers.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_bad_value_of_the_environment_names_its_variable) {
    const Variable port("SYNCLINE_PORT", "x");
    BOOST_TEST(refusal({}).rfind("SYNCLINE_PORT: 'x' is no port", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(printed_settings_say_where_they_come_from) {
    const std::string path = write("port = 1\n");
    const Variable bind("SYNCLINE_BIND", "::1");
    const GivenSettings flags{{"config", {{path}}}, {"node", {{"a'b"}}}};
    const Result<std::string> given = print_settings(flags, true);
    BOOST_REQUIRE(given);
    BOOST_TEST(*given ==
               "node = \"a'b\"  # flag\n"
               "bind = '::1'  # environment SYNCLINE_BIND\n"
               "port = 1  # " +
                   path + ":1:1\n");
    const Result<std::string> all = print_settings(flags, false);
    BOOST_REQUIRE(all);
    BOOST_TEST(all->find("protected-mode = true  # default\n") != std::string::npos);
    BOOST_TEST(all->find("# peer-port is not set\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_printed_can_be_read_back) {
    const GivenSettings flags{{"node", {{"a \"b\" \\"}}},
                              {"peer", {{"host:1", "[::1]:2"}}},
                              {"peer-port", {{"7"}}},
                              {"log-level", {{"debug"}}}};
    const Result<std::string> text = print_settings(flags, false);
    BOOST_REQUIRE(text);
    const Result<std::string> again = print_settings({{"config", {{write(*text)}}}}, false);
    BOOST_REQUIRE(again);
    const auto values = [](std::string lines) {
        std::string kept;
        std::istringstream in(lines);
        for (std::string line; std::getline(in, line);)
            kept += line.substr(0, line.find("  # ")) + "\n";
        return kept;
    };
    BOOST_TEST(values(*again) == values(*text));
}

BOOST_AUTO_TEST_CASE(settings_that_changed_are_named) {
    const std::string before = "port = 1  # default\nbind = 'a'  # flag\n# node is not set\n";
    BOOST_TEST(changed_settings(before, before, {}) == "");
    BOOST_TEST(changed_settings(before, "port = 1  # flag\nbind = 'a'  # flag\n", {}) == "");
    const std::string after = "port = 2  # default\nnode = 'n'  # flag\n";
    BOOST_TEST(changed_settings(before, after, {}) == "node bind port");
    BOOST_TEST(changed_settings(before, after, {"bind", "node"}) == "port");
}

BOOST_AUTO_TEST_CASE(the_manual_has_each_setting) {
    const std::string manual = settings_manual();
    const std::string printed = print_settings({}, false).value();
    std::istringstream lines(printed);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::size_t begin = line.rfind("# ", 0) == 0 ? 2 : 0;
        const std::string name = line.substr(begin, line.find(' ', begin) - begin);
        BOOST_TEST(manual.find("*" + name + "* = ") != std::string::npos, name);
    }
    BOOST_TEST(count > 20U);
    BOOST_TEST(manual.find("SYNCLINE\\_PEER\\_PORT") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
