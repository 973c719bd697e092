// Users: rules, logging in, what is refused and noted. Replies are those of Redis 7.0.15; what the
// rules make of each command is compared with it in tests/interop/users_test.py.
#include "net/acl/users.hpp"

#include <filesystem>
#include <fstream>
#include <random>

#include "net/acl/catalog.hpp"
#include "tests/net/exchanges.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(users_of_clients)
namespace {

constexpr const char* no_auth = "-NOAUTH Authentication required.\r\n";
constexpr const char* no_key =
    "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n";
constexpr const char* no_channel =
    "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n";
constexpr const char* wrong_pass =
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr const char* queued = "+QUEUED\r\n";
constexpr const char* ok = "+OK\r\n";
constexpr const char* secret_hash =
    "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";  // of "secret"

std::string no_command(const std::string& name) {
    return "-NOPERM this user has no permissions to run the '" + name + "' command\r\n";
}

/// The rules of a user as ACL LIST has them.
std::string rules_after(std::initializer_list<BytesView> rules) {
    AclUser user("u", false);
    for (const BytesView rule : rules) {
        const RuleFault fault = user.apply(rule, false);
        if (fault != RuleFault::none) return Bytes(fault_text(fault));
    }
    return user.describe();
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

CommandName command_named(BytesView name) {
    for (const CatalogEntry& entry : acl_catalog()) {
        if (entry.name.command->name == name) return entry.name;
    }
    return {};
}

std::string write_file(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read);
    return path;
}

/// The bench's first client is user `u`, with these rules.
void log_in_as(CommandBench& bench, const std::string& rules) {
    BOOST_TEST(bench.run_other("ACL SETUSER u reset on nopass " + rules) == ok);
    BOOST_TEST(bench.run("AUTH u any") == ok);
}

}  // namespace

BOOST_AUTO_TEST_CASE(rules_are_shown_as_rules_that_make_them_again) {
    BOOST_TEST(AclUsers().default_user()->describe() == "on nopass ~* &* +@all");
    BOOST_TEST(rules_after({}) == "off resetchannels -@all");
    BOOST_TEST(rules_after({"reset"}) == "off sanitize-payload resetchannels -@all");
    BOOST_TEST(rules_after({"on", ">secret", "~a*", "%R~b", "%W~c", "%RW~d", "&news", "+get"}) ==
               "on #" + std::string(secret_hash) +
                   " ~a* %R~b %W~c ~d resetchannels &news -@all +get");
    BOOST_TEST(rules_after({"%R~x", "%W~x"}) == "off ~x resetchannels -@all");
    BOOST_TEST(rules_after({"+@all", "-@string"}) == "off resetchannels +@all -@string");
    BOOST_TEST(rules_after({"+client", "-client|kill"}) ==
               "off resetchannels -@all +client -client|kill");
    BOOST_TEST(rules_after({"+select|0", "+SELECT|1"}) ==
               "off resetchannels -@all +select|0 +select|1");
    BOOST_TEST(rules_after({"+select|0", "+select"}) == "off resetchannels -@all +select");
    BOOST_TEST(rules_after({"+@all", "+memory|doctor", "-@all"}) == "off resetchannels -@all");
    BOOST_TEST(rules_after({"allkeys", "(%R~x +get)"}) ==
               "off ~* resetchannels -@all (%R~x resetchannels -@all +get)");
    BOOST_TEST(rules_after({"(+get)", "clearselectors"}) == "off resetchannels -@all");
}

BOOST_AUTO_TEST_CASE(each_category_is_shown_by_its_name) {
    for (const CatalogEntry& entry : acl_catalog()) BOOST_TEST(entry.categories != 0U);
    for (const BytesView name : acl_category_names()) {
        const std::uint32_t bit = *acl_category(name);
        const bool known =
            std::any_of(acl_catalog().begin(), acl_catalog().end(),
                        [&](const CatalogEntry& entry) { return (entry.categories & bit) != 0; });
        if (!known) continue;  // of commands that are not here
        const std::string rule = "@" + Bytes(name);
        BOOST_TEST(rules_after({"+" + rule}) == "off resetchannels -@all +" + rule);
        BOOST_TEST(rules_after({"+@all", "-" + rule}) == "off resetchannels +@all -" + rule);
    }
}

BOOST_AUTO_TEST_CASE(any_rules_come_back_as_they_were) {
    constexpr BytesView rules[] = {"on",
                                   "off",
                                   "nopass",
                                   "resetpass",
                                   ">secret",
                                   ">other",
                                   "<other",
                                   "~*",
                                   "~a*",
                                   "%R~b*",
                                   "%W~c?",
                                   "%RW~[x",
                                   "resetkeys",
                                   "&*",
                                   "&news",
                                   "resetchannels",
                                   "+@all",
                                   "-@all",
                                   "+@read",
                                   "-@write",
                                   "+@string",
                                   "-@string",
                                   "+@admin",
                                   "-@dangerous",
                                   "+get",
                                   "-get",
                                   "+config",
                                   "-config|get",
                                   "+config|set",
                                   "+select|0",
                                   "+echo|hi",
                                   "-select",
                                   "+client|id",
                                   "-client",
                                   "reset",
                                   "(~s* +get)",
                                   "(%R~t +@read -mget)",
                                   "clearselectors",
                                   "sanitize-payload",
                                   "-@fast"};
    const std::vector<Bytes> requests[] = {
        {"get", "a1"},  {"set", "a1", "v"},      {"get", "b1"},   {"set", "c1", "v"},
        {"get", "s1"},  {"mget", "t"},           {"select", "0"}, {"select", "1"},
        {"echo", "hi"}, {"publish", "news", "m"}};
    std::mt19937_64 chance(1);
    for (int round = 0; round < 500; ++round) {
        AclUser user("u", false);
        Bytes given;
        for (std::uint64_t i = chance() % 20; i > 0; --i) {
            const BytesView rule = rules[chance() % std::size(rules)];
            if (user.apply(rule, false) == RuleFault::none) given += Bytes(rule) + " ";
        }
        AclUsers users;
        Bytes error;
        const Bytes described = user.describe();
        const std::vector<Bytes> words = *split_arguments(described);
        const std::optional<AclUser> again = users.with_rules("u", words, error);
        BOOST_REQUIRE_MESSAGE(again, given << "-> " << described << ": " << error);
        BOOST_TEST(again->describe() == described, given);
        BOOST_TEST(again->unrestricted() == user.unrestricted(), given);
        for (const std::vector<Bytes>& request : requests) {
            const CommandName name = command_named(request[0]);
            const bool same =
                again->check(name, request).reason == user.check(name, request).reason;
            BOOST_TEST(same, given << request[0]);
        }
    }
}

BOOST_AUTO_TEST_CASE(wrong_rules_say_why) {
    const std::string unknown(fault_text(RuleFault::unknown_name));
    BOOST_TEST(rules_after({"+nosuch"}) == unknown);
    BOOST_TEST(rules_after({"-@nosuch"}) == unknown);
    BOOST_TEST(rules_after({"+config|nosuch"}) == unknown);
    BOOST_TEST(rules_after({"-select|0"}) == unknown);
    BOOST_TEST(rules_after({"+get|a|b"}) == unknown);
    BOOST_TEST(rules_after({"+config|get|x"}) ==
               "Allowing first-arg of a subcommand is not supported");
    for (const char* const rule : {"x", "%x~k", "%~k", "%R", "~a b", "&a b", "+select|", "("}) {
        BOOST_TEST(rules_after({rule}) == "Syntax error", rule);
    }
    BOOST_TEST(holds(rules_after({"~*", "~a"}), "Try 'resetkeys' to start"));
    BOOST_TEST(holds(rules_after({"&*", "&a"}), "Try 'resetchannels' to start"));
    BOOST_TEST(rules_after({"<none"}) ==
               "The password you are trying to remove from the user does not exist");
    BOOST_TEST(holds(rules_after({"#" + std::string(secret_hash).substr(1)}), "exactly 64"));
    BOOST_TEST(holds(rules_after({"#" + std::string(63, 'a') + "A"}), "lowercase hexadecimal"));
}

BOOST_AUTO_TEST_CASE(a_password_keeps_out_who_has_not_logged_in) {
    CommandBench bench;
    BOOST_TEST(bench.run_other("CONFIG SET requirepass secret") == ok);
    bench.client.become_default(bench.users());
    play(bench, {{"GET k", no_auth},
                 {"PING", no_auth},
                 {"MULTI", no_auth},
                 {"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"},
                 {"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
                 {"EXEC",
                  "-EXECABORT Transaction discarded because of: NOAUTH Authentication "
                  "required.\r\n"},
                 {"HELLO 3",
                  "-NOAUTH HELLO must be called with the client already authenticated, otherwise "
                  "the HELLO AUTH <user> <pass> option can be used to authenticate the client and "
                  "select the RESP protocol version at the same time\r\n"},
                 {"HELLO 3 AUTH default wrong", wrong_pass},
                 {"AUTH wrong", wrong_pass},
                 {"AUTH nobody secret", wrong_pass},
                 {"AUTH default secret", ok},
                 {"PING", "+PONG\r\n"},
                 {"RESET", "+RESET\r\n"},
                 {"PING", no_auth}});
    BOOST_TEST(holds(bench.run("HELLO 2 AUTH default secret"), "proto"));
    BOOST_TEST(bench.run("SET k v") == ok);
    BOOST_TEST(bench.run("CONFIG GET requirepass") == "*2\r\n$11\r\nrequirepass\r\n$0\r\n\r\n");
    BOOST_TEST(bench.run("CONFIG SET requirepass ''") == ok);
    BOOST_TEST(holds(bench.run("AUTH secret"), "without any password configured"));
    BOOST_TEST(bench.run("AUTH default anything") == ok);
}

BOOST_AUTO_TEST_CASE(users_are_made_changed_and_deleted) {
    CommandBench bench;
    play(bench,
         {{"ACL WHOAMI", "$7\r\ndefault\r\n"},
          {"ACL USERS", "*1\r\n$7\r\ndefault\r\n"},
          {"ACL LIST", "*1\r\n$34\r\nuser default on nopass ~* &* +@all\r\n"},
          {"ACL SETUSER 'a b'", "-ERR Usernames can't contain spaces or null characters\r\n"},
          {"ACL SETUSER u +get nosuch",
           "-ERR Error in ACL SETUSER modifier 'nosuch': Syntax error\r\n"},
          {"ACL SETUSER u (~a +get",
           "-ERR Unmatched parenthesis in acl selector starting at '(~a'.\r\n"},
          {"ACL GETUSER u", "$-1\r\n"},
          {"ACL SETUSER u", ok},
          {"AUTH u secret", wrong_pass},
          {"ACL SETUSER u on >secret ~k* (~s +set)", ok},
          {"ACL GETUSER u",
           "*12\r\n$5\r\nflags\r\n*1\r\n$2\r\non\r\n$9\r\npasswords\r\n*1\r\n$64\r\n"
           "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\r\n"
           "$8\r\ncommands\r\n$5\r\n-@all\r\n$4\r\nkeys\r\n$3\r\n~k*\r\n"
           "$8\r\nchannels\r\n$0\r\n\r\n$9\r\nselectors\r\n*1\r\n*6\r\n"
           "$8\r\ncommands\r\n$10\r\n-@all +set\r\n$4\r\nkeys\r\n$2\r\n~s\r\n"
           "$8\r\nchannels\r\n$0\r\n\r\n"},
          {"ACL DELUSER default", "-ERR The 'default' user cannot be removed\r\n"},
          {"ACL DELUSER u nobody u", ":1\r\n"},
          {"ACL USERS", "*1\r\n$7\r\ndefault\r\n"},
          {"ACL CAT nosuch", "-ERR Unknown category 'nosuch'\r\n"},
          {"ACL CAT a b",
           "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.\r\n"},
          {"ACL HELP x", "-ERR wrong number of arguments for 'acl|help' command\r\n"},
          {"ACL GENPASS 0",
           "-ERR ACL GENPASS argument must be the number of bits for the output password, a "
           "positive number up to 4096\r\n"}});
    BOOST_TEST(bench.run("ACL GENPASS").size() == std::string("$64\r\n\r\n").size() + 64);
    BOOST_TEST(bench.run("ACL GENPASS 5").rfind("$2\r\n", 0) == 0U);
    BOOST_TEST(bench.run("ACL GENPASS") != bench.run("ACL GENPASS"));
    BOOST_TEST(holds(bench.run("ACL LOAD"), "not configured to use an ACL file"));
}

BOOST_AUTO_TEST_CASE(rules_hold_for_commands_keys_and_channels) {
    CommandBench bench;
    bench.run_other("SET other v");
    log_in_as(bench, "~k* %R~r* %W~w* &news* +@all -config -client|kill");
    play(bench, {{"SET k1 v", ok},
                 {"GET other", no_key},
                 {"MGET k1 other", no_key},
                 {"SET r1 v", no_key},
                 {"GET r1", "$-1\r\n"},
                 {"SET w1 v", ok},
                 {"SET w1 v GET", no_key},
                 {"GET w1", no_key},
                 {"EXISTS w1", ":1\r\n"},
                 {"COPY r1 w2", ":0\r\n"},
                 {"COPY w1 r1", no_key},
                 {"BITFIELD r1 GET u8 0", "*1\r\n:0\r\n"},
                 {"BITFIELD r1 SET u8 0 1", no_key},
                 {"ZUNIONSTORE w3 1 r1", ":0\r\n"},
                 {"ZUNIONSTORE w3 1 other", no_key},
                 {"ZUNIONSTORE r3 1 r1", no_key},
                 {"SORT k2 STORE other", no_key},
                 {"SORT k2 BY w_* GET #",
                  "-ERR BY option of SORT denied due to insufficient ACL permissions.\r\n"},
                 {"SORT k2 GET w_*",
                  "-ERR GET option of SORT denied due to insufficient ACL permissions.\r\n"},
                 {"SORT k2 BY nosort", "*0\r\n"},
                 {"CRDT.EXPLAIN other", no_key},
                 {"CRDT.CONFLICTS", no_key},
                 {"CRDT.CONFLICTS PREFIX k", no_key},
                 {"CRDT.CONFLICTS KEY other", no_key},
                 {"CRDT.CONFLICTS KIND key", no_key},
                 {"CRDT.CONFLICTS KEY k1 KEY other", no_key},
                 {"CRDT.DIFF x", no_key},
                 {"CRDT.RESUBMIT x", no_key},
                 {"PUBLISH news1 x", ":0\r\n"},
                 {"PUBLISH other x", no_channel},
                 {"SPUBLISH other x", no_channel},
                 {"SUBSCRIBE news1 other", no_channel},
                 {"PSUBSCRIBE news1*", no_channel},
                 {"PUBSUB CHANNELS", "*0\r\n"},
                 {"CLIENT ID", ":1\r\n"}});
    BOOST_TEST(bench.run("CRDT.CONFLICTS KEY k1").front() == '*');
    BOOST_TEST(bench.run("CONFIG GET port") == no_command("config|get"));
    BOOST_TEST(bench.run("CLIENT KILL ID 9") == no_command("client|kill"));
    log_in_as(bench, "~* +select|0 +acl|whoami");
    BOOST_TEST(bench.run("SELECT 0") == ok);
    BOOST_TEST(bench.run("SELECT 1") == no_command("select"));
    BOOST_TEST(bench.run("ACL WHOAMI") == "$1\r\nu\r\n");
    BOOST_TEST(bench.run("ACL LIST") == no_command("acl|list"));
    BOOST_TEST(bench.run("AUTH u x") == ok);
    // What one selector lacks another may have, but not in pieces.
    log_in_as(bench, "~a +get (~b +set)");
    play(bench, {{"GET a", "$-1\r\n"}, {"SET b v", ok}, {"GET b", no_key}, {"SET a v", no_key}});
}

BOOST_AUTO_TEST_CASE(transactions_are_checked_when_queued_and_when_run) {
    CommandBench bench;
    log_in_as(bench, "~k* +@all -get");
    play(bench, {{"MULTI", ok},
                 {"SET other v", no_key},
                 {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"},
                 {"MULTI", ok},
                 {"SET k1 v", queued},
                 {"DEL k2", queued}});
    BOOST_TEST(bench.run_other("ACL SETUSER u -del") == ok);
    BOOST_TEST(bench.run("EXEC") ==
               "*2\r\n+OK\r\n-NOPERM ACLs rules changed between the moment the transaction was "
               "accumulated and the EXEC call. This command is no longer allowed for the following "
               "reason: can't run this command or subcommand\r\n");
    play(bench, {{"MULTI", ok}, {"SET k1 v", queued}});
    BOOST_TEST(bench.run_other("ACL SETUSER u -exec") == ok);
    BOOST_TEST(bench.run("EXEC") ==
               "-EXECABORT Transaction discarded because of: NOPERM this user has no permissions "
               "to run the 'exec' command\r\n");
    BOOST_TEST(!bench.client.in_multi);
}

BOOST_AUTO_TEST_CASE(what_is_refused_is_on_record) {
    CommandBench bench;
    log_in_as(bench, "~k* &news +@all -get");
    bench.run("GET k1");
    bench.run("GET k1");
    bench.run("SET other v");
    bench.run("PUBLISH other v");
    bench.run("MULTI");
    bench.run("GET k1");
    bench.run("DISCARD");
    bench.run("AUTH u2 not-a-secret");
    bench.clock.now_ms += 1500;
    const std::string log = bench.run_other("ACL LOG");
    BOOST_TEST(log.rfind("*5\r\n", 0) == 0U);
    BOOST_TEST(!holds(log, "not-a-secret"));
    const auto entry = [](const std::string& count, const std::string& fields) {
        return "*14\r\n$5\r\ncount\r\n:" + count + "\r\n" + fields;
    };
    BOOST_TEST(holds(log, entry("1",
                                "$6\r\nreason\r\n$4\r\nauth\r\n$7\r\ncontext\r\n$8\r\n"
                                "toplevel\r\n$6\r\nobject\r\n$4\r\nAUTH\r\n$8\r\nusername\r\n"
                                "$2\r\nu2\r\n$11\r\nage-seconds\r\n$3\r\n1.5\r\n"
                                "$11\r\nclient-info\r\n")));
    BOOST_TEST(holds(log, entry("2",
                                "$6\r\nreason\r\n$7\r\ncommand\r\n$7\r\ncontext\r\n$8\r\n"
                                "toplevel\r\n$6\r\nobject\r\n$3\r\nget\r\n")));
    BOOST_TEST(holds(log,
                     "$3\r\nkey\r\n$7\r\ncontext\r\n$8\r\ntoplevel\r\n$6\r\nobject\r\n"
                     "$5\r\nother\r\n"));
    BOOST_TEST(holds(log, "$7\r\nchannel\r\n"));
    BOOST_TEST(holds(log, "$5\r\nmulti\r\n"));
    BOOST_TEST(bench.run_other("ACL LOG 2").rfind("*2\r\n", 0) == 0U);
    bench.run({"SET", Bytes(5'000'000, 'o'), "v"});  // nobody can fill the memory with entries
    bench.run({"AUTH", Bytes(5'000'000, 'u'), "x"});
    BOOST_TEST(bench.run_other("ACL LOG").size() < 20'000U);
    BOOST_TEST(bench.run_other("CONFIG SET acllog-max-len 1") == ok);
    BOOST_TEST(bench.run_other("ACL LOG").rfind("*1\r\n", 0) == 0U);
    BOOST_TEST(bench.run_other("ACL LOG RESET") == ok);
    BOOST_TEST(bench.run_other("ACL LOG") == "*0\r\n");
}

BOOST_AUTO_TEST_CASE(clients_of_deleted_users_and_of_lost_channels_go) {
    CommandBench bench;
    log_in_as(bench, "+@all &news:* &one");
    bench.run("SUBSCRIBE news:1");
    bench.run("PSUBSCRIBE one");
    BOOST_TEST(bench.run_other("ACL SETUSER u &more") == ok);
    BOOST_TEST(bench.killed.empty());
    BOOST_TEST(bench.run_other("ACL SETUSER u resetchannels &news:*") == ok);
    BOOST_TEST((bench.killed == std::vector<std::uint64_t>{1}));
    bench.killed.clear();
    bench.run("RESET");
    log_in_as(bench, "+@all");
    BOOST_TEST(bench.run_other("ACL DELUSER u") == ":1\r\n");
    BOOST_TEST((bench.killed == std::vector<std::uint64_t>{1}));
    BOOST_TEST(bench.client.user->name() == "default");
    // Its own connection ends behind the reply.
    bench.killed.clear();
    bench.client.become_default(bench.users());
    log_in_as(bench, "+@all");
    BOOST_TEST(bench.run("ACL DELUSER u") == ":1\r\n");
    BOOST_TEST(bench.client.closing);
    BOOST_TEST(bench.killed.empty());
}

BOOST_AUTO_TEST_CASE(secrets_are_in_no_listing) {
    CommandBench bench;
    bench.run("CONFIG SET slowlog-log-slower-than 0");
    bench.run_other("MONITOR");
    bench.run("ACL SETUSER u on >hidden ~k +get");
    bench.run("AUTH u hidden");
    bench.run("HELLO 2 AUTH u hidden");
    bench.run("AUTH default x");
    bench.run("CONFIG SET requirepass hidden");
    for (const char* const line : {"SLOWLOG GET -1", "CONFIG GET *", "INFO everything", "ACL LIST",
                                   "ACL GETUSER u", "CLIENT LIST", "ACL LOG"}) {
        BOOST_TEST(!holds(bench.run(line), "hidden"), line);
    }
    BOOST_TEST(!holds(bench.pushed[2], "hidden"));
    BOOST_TEST(holds(bench.run("CLIENT LIST"), " user=default "));
}

BOOST_AUTO_TEST_CASE(a_file_is_read_as_a_whole_or_not_at_all) {
    CommandBench bench;
    AclUsers users;
    const std::string path = bench.scratch("users.acl");
    const std::string folder = std::filesystem::path(path).parent_path().string();
    BOOST_TEST(users.load(folder) == "Error loading ACLs, '" + folder + "' is no file");
    BOOST_TEST(users.load(path) ==
               "Error loading ACLs, opening file '" + path + "': No such file or directory");
    write_file(path, "user ann on >secret ~* +@all\r\n\n  user bob  off -@all (~x +get)\n");
    BOOST_TEST(users.load(path) == "");
    BOOST_TEST(users.all().size() == 3U);
    BOOST_TEST(!users.must_log_in());
    BOOST_TEST((users.log_in("ann", "secret") == users.find("ann")));
    BOOST_TEST(!users.log_in("ann", "Secret"));
    BOOST_TEST(!users.log_in("ann", secret_hash));
    BOOST_TEST(!users.log_in("bob", ""));
    const std::string text = users.text();
    BOOST_TEST(!holds(text, ">secret"));

    const std::string wrong = bench.scratch("wrong.acl");
    write_file(wrong, "user ann on\nuser ann off\nuse\nuser cat +nosuch ~a b\nuser dog (+get\n");
    BOOST_TEST(users.load(wrong) ==
               "WARNING: Duplicate user 'ann' found on line 2. " + wrong +
                   ":3 should start with user keyword followed by the username. " + wrong +
                   ":4: Error in applying operation '+nosuch': Unknown command or category name "
                   "in ACL. " +
                   wrong + ":4: Syntax error. " + wrong +
                   ":5: Unmatched parenthesis in selector definition.WARNING: ACL errors "
                   "detected, no change to the previously active ACL rules was performed");
    BOOST_TEST(users.text() == text);

    const std::string copy = bench.scratch("copy.acl");
    BOOST_TEST(save_users(users, copy).has_value());
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    BOOST_TEST(
        ((std::filesystem::status(copy).permissions() & others) == std::filesystem::perms::none));
    AclUsers again;
    BOOST_TEST(again.load(copy) == "");
    BOOST_TEST(again.text() == text);
    std::filesystem::permissions(copy, std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    BOOST_TEST(holds(again.load(copy), "open to others than its owner"));
}

BOOST_AUTO_TEST_CASE(users_come_from_their_file_and_go_back) {
    CommandBench bench;
    const std::string path = bench.scratch("users.acl");
    write_file(path, "user u on nopass +@all ~k*\nuser default on nopass ~* &* +@all\n");
    bench.config().set("aclfile", path);
    log_in_as(bench, "+@all");
    BOOST_TEST(bench.run_other("ACL LOAD") == ok);
    BOOST_TEST((bench.killed == std::vector<std::uint64_t>{1}));
    BOOST_TEST(bench.run_other("ACL SETUSER eve on >secret +get ~*") == ok);
    BOOST_TEST(bench.run_other("ACL SAVE") == ok);
    BOOST_TEST(bench.run_other("ACL DELUSER eve") == ":1\r\n");
    BOOST_TEST(bench.run_other("ACL LOAD") == ok);
    BOOST_TEST(bench.run_other("ACL DRYRUN eve GET k") == ok);
    BOOST_TEST(bench.run_other("ACL DRYRUN eve SET k v") ==
               "$53\r\nThis user has no permissions to run the 'set' command\r\n");
    BOOST_TEST(bench.run_other("ACL DRYRUN nobody GET k") == "-ERR User 'nobody' not found\r\n");
    BOOST_TEST(bench.run_other("ACL DRYRUN eve NOSUCH") == "-ERR Command 'NOSUCH' not found\r\n");
    BOOST_TEST(bench.run_other("ACL DRYRUN u GET x") ==
               "$50\r\nThis user has no permissions to access the 'x' key\r\n");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
