#include <boost/test/unit_test.hpp>

#include "tools/doctor_bundle.hpp"
#include "tools/doctor_checks.hpp"
#include "tools/doctor_mask.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(doctor)
namespace {

using Verdict = DoctorCheck::Verdict;

/// A replica that is well.
DoctorFacts well() {
    DoctorFacts facts;
    facts.version = "1.2.3";
    DoctorServer server;
    server.status = "ok";
    server.info = {{"syncline_version", "1.2.3"},
                   {"space_closed_by", "none"},
                   {"aof_last_write_status", "ok"},
                   {"disk_bytes", "1000"},
                   {"disk_free_bytes", "500"},
                   {"map_bytes_max", "1000"},
                   {"map_used_bytes", "10"},
                   {"membership_standing", "active"},
                   {"peers", "1"}};
    facts.server = server;
    facts.directory = DoctorDirectory{};
    facts.directory->mode = 0700;
    facts.settings = DoctorSettings{};
    facts.system.files_max = 20000;
    facts.system.clock_synchronised = true;
    facts.system.memory_bytes = 1000;
    facts.system.memory_available_bytes = 500;
    return facts;
}

/// "warning disk" of all that is not well.
std::string found(const DoctorFacts& facts) {
    std::string text;
    for (const DoctorCheck& check : doctor_checks(facts)) {
        BOOST_TEST(check.advice.empty() == (check.verdict == Verdict::ok), check.about);
        if (check.verdict == Verdict::ok) continue;
        text += (text.empty() ? "" : ", ") + std::string(verdict_name(check.verdict)) + " " +
                check.about;
    }
    return text;
}

std::string found_with(const char* name, const char* value) {
    DoctorFacts facts = well();
    facts.server->info[name] = value;
    return found(facts);
}

RespValue word(const char* text) {
    RespValue value;
    value.type = RespValue::Type::bulk;
    value.text = text;
    return value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_well_is_ok) {
    BOOST_TEST(found(well()) == "");
    BOOST_TEST(doctor_exit_code(doctor_checks(well())) == 0);
}

BOOST_AUTO_TEST_CASE(figures_of_the_server_are_judged) {
    BOOST_TEST(found_with("damaged_buckets", "2") == "problem damage");
    BOOST_TEST(found_with("scrub_last_faults", "2") == "warning damage");
    BOOST_TEST(found_with("space_closed_by", "disk") == "problem space");
    BOOST_TEST(found_with("aof_last_write_status", "err") == "problem log");
    BOOST_TEST(found_with("divergence_alarms", "1") == "problem divergence");
    BOOST_TEST(found_with("disk_free_bytes", "200") == "warning disk of the server");
    BOOST_TEST(found_with("disk_free_bytes", "50") == "problem disk of the server");
    BOOST_TEST(found_with("map_used_bytes", "950") == "problem map");
    BOOST_TEST(found_with("membership_standing", "former") == "warning membership");
    BOOST_TEST(found_with("rejected_connections", "1") == "warning clients");
    BOOST_TEST(found_with("syncline_version", "1.2.4") == "warning version");
}

BOOST_AUTO_TEST_CASE(links_health_and_clocks_are_judged) {
    DoctorFacts facts = well();
    facts.server->links_down = {"b"};
    facts.server->status = "degraded";
    facts.server->clock_ahead_ms = -5000;
    BOOST_TEST(found(facts) == "warning health, warning peers, warning clock of the server");
    BOOST_TEST(doctor_exit_code(doctor_checks(facts)) == 4);
    facts.server->status = "failing";
    BOOST_TEST(doctor_exit_code(doctor_checks(facts)) == 1);
    facts = well();
    facts.server->error = "refused";
    BOOST_TEST(found(facts) == "problem server");
}

BOOST_AUTO_TEST_CASE(files_settings_and_the_machine_are_judged) {
    DoctorFacts facts = well();
    facts.directory->mode = 0750;
    facts.directory->suspect = true;
    facts.settings->bind = "0.0.0.0";
    facts.settings->protected_mode = false;
    facts.settings->peers = true;
    facts.settings->secret_mode = 0644;
    facts.system.files_max = 1024;
    facts.system.clock_synchronised = false;
    facts.system.memory_available_bytes = 10;
    BOOST_TEST(found(facts) ==
               "warning permissions, warning crash, warning access, warning peer port, "
               "problem secret file, warning open files, warning clock, warning memory");
    facts = well();
    facts.directory->error = "damaged";
    facts.settings->error = "wrong";
    BOOST_TEST(found(facts) == "problem data directory, problem settings");
}

BOOST_AUTO_TEST_CASE(quotes_are_lengths) {
    BOOST_TEST(without_quotes("no 'k1' here") == "no (2 bytes) here");
    BOOST_TEST(without_quotes("the key \"it's\" is") == "the key (4 bytes) is");
    BOOST_TEST(without_quotes("it's open") == "it(6 bytes)");
    BOOST_TEST(without_quotes("'a' and 'b'") == "(9 bytes)");  // what is between may be quoted
}

BOOST_AUTO_TEST_CASE(log_lines_keep_what_is_ours) {
    const std::string text = masked_log(
        "2026-11-30T12:01:40.610Z info n1 replica.open cluster=e2 key=user:1 reason=\"no 'x'\"\n"
        "Nov 30 12:01 host syncline[7]: 2026-11-30T12:01:40.610Z error a.b key=\"a b\" rows=3\n"
        "{\"time\":\"2026-11-30T12:01:40.610Z\",\"level\":\"info\",\"node\":\"n\",\"event\":\"e\","
        "\"key\":\"user:1\",\"rows\":\"3\"}\n"
        "Syncline 0.1.0 (abc)\n"
        "something else\n",
        10000);
    BOOST_TEST(text ==
               "2026-11-30T12:01:40.610Z info n1 replica.open cluster=e2 key=(6 bytes) "
               "reason=no (1 bytes)\n"
               "2026-11-30T12:01:40.610Z error a.b key=(3 bytes) rows=3\n"
               "{\"time\":\"2026-11-30T12:01:40.610Z\",\"level\":\"info\",\"node\":\"n\","
               "\"event\":\"e\",\"key\":\"(6 bytes)\",\"rows\":\"3\"}\n"
               "Syncline 0.1.0 (abc)\n"
               "(a line of 14 bytes)\n");
    BOOST_TEST(masked_log("Syncline long ago\nSyncline 1\n", 12) == "Syncline 1\n");
}

BOOST_AUTO_TEST_CASE(arguments_and_secrets_are_left_out) {
    BOOST_TEST(masked_command({word("SET"), word("k"), word("value")}) ==
               "SET (1 bytes) (5 bytes)");
    BOOST_TEST(masked_command({word("config"), word("get"), word("dir")}) ==
               "config get (3 bytes)");
    BOOST_TEST(masked_command({word("hunter2")}) == "(7 bytes)");
    BOOST_TEST(masked_settings("port = 1  # default\npolicy = ['a=b']\npeer-secret-file = 'f'\n"
                               "requirepass = 'x'\n") ==
               "port = 1  # default\npolicy = (7 bytes)\npeer-secret-file = 'f'\n"
               "requirepass = (3 bytes)\n");
}

BOOST_AUTO_TEST_CASE(a_secret_stands_in_no_file) {
    DoctorBundle bundle;
    bundle.add_secret("hunter2");
    bundle.add_secret("abc");  // too short to be told from other text
    bundle.add("a", "x hunter2hunter2 abc");
    BOOST_TEST(bundle.files().at("a") == "x (secret)(secret) abc");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
