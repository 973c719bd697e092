#include "tools/settings.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

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

BOOST_AUTO_TEST_CASE(what_is_given_outranks_the_file) {
    const std::string path = write(
        "node = 'from-file'\n"
        "port = 1234\n"
        "init = true\n"
        "peer = ['a:1', '[::1]:2']\n"
        "log-format = 'json'\n");
    const Result<ServeSettings> settings =
        resolve_settings({{"config", {path}}, {"node", {"from-flag"}}});
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

BOOST_AUTO_TEST_CASE(errors_in_the_file_name_its_line) {
    const auto ends_with = [](const std::string& text, const std::string& end) {
        return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
    };
    BOOST_TEST(
        ends_with(error_of("node = 'a'\n\nnosuch = 1\n"), ".toml:3: there is no setting 'nosuch'"));
    BOOST_TEST(
        ends_with(error_of("[server]\nport = 1\n"), ".toml:1: there is no setting 'server'"));
    BOOST_TEST(
        ends_with(error_of("port = 1.5\n"), ".toml:1: the value of 'port' is of the wrong kind"));
    BOOST_TEST(
        ends_with(error_of("node = ['a']\n"), ".toml:1: the value of 'node' is of the wrong kind"));
    BOOST_TEST(error_of("\nport = 70000\n").find(".toml:2: port: ") != std::string::npos);
    BOOST_TEST(error_of("port = \n").find(".toml:1: ") != std::string::npos);
    BOOST_TEST(!read_settings_file((directory.path() / "missing").string()).has_value());
}

BOOST_AUTO_TEST_CASE(bad_values_name_their_setting) {
    BOOST_TEST(refusal({{"port", {"x"}}}).rfind("--port: 'x' is no port", 0) == 0U);
    BOOST_TEST(refusal({{"port", {"65536"}}}).rfind("--port: ", 0) == 0U);
    BOOST_TEST(refusal({{"peer", {"host"}}}).rfind("--peer: ", 0) == 0U);
    BOOST_TEST(refusal({{"durability", {"interval"}}}).rfind("--durability: ", 0) == 0U);
    BOOST_TEST(refusal({{"log-level", {"loud"}}}) ==
               "--log-level: 'loud' is none of: debug, info, warning, error, off");
    BOOST_TEST(refusal({{"protected-mode", {"no"}}}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace syncline
