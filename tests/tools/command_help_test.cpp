#include "tools/command_help.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "net/commands/table.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(command_help_of_the_shell)
namespace {

using Words = std::vector<std::string>;

/// Words outside of brackets, the name's included.
std::size_t words_needed(const std::string& syntax) {
    std::istringstream words(syntax);
    std::size_t needed = 0;
    int depth = 0;
    for (std::string word; words >> word;) {
        if (word == "|" && depth == 0) break;  // what follows is another way
        const auto opened = std::count(word.begin(), word.end(), '[');
        if (depth == 0 && opened == 0) ++needed;
        depth += static_cast<int>(opened - std::count(word.begin(), word.end(), ']'));
    }
    return needed;
}

void check_row(const CommandName& name) {
    const std::string full_name = name.full_name();
    const std::string syntax = command_syntax(full_name);
    const auto arity = static_cast<std::size_t>(std::abs(name.command->arity));
    const bool container = !name.command->subcommands.empty();
    if (name.command->name == "quit") return;  // what is behind it goes unread
    BOOST_TEST(words_needed(syntax) == (container && arity == 1 ? 1 : arity), syntax);
    const bool open =
        syntax.find('[') != std::string::npos || syntax.find(" | ") != std::string::npos;
    BOOST_TEST(open == (name.command->arity < 0), syntax);
}

}  // namespace

BOOST_AUTO_TEST_CASE(how_each_command_is_written_agrees_with_its_arity) {
    for (const Command* const command : all_commands()) {
        check_row(CommandName{command, nullptr});
        for (const Command& sub : command->subcommands) check_row(CommandName{&sub, command});
    }
}

BOOST_AUTO_TEST_CASE(words_are_completed_in_their_own_case) {
    BOOST_TEST(command_completions({"getr"}) == Words{"getrange"},
               boost::test_tools::per_element());
    BOOST_TEST(command_completions({"GETR"}) == Words{"GETRANGE"},
               boost::test_tools::per_element());
    BOOST_TEST(command_completions({"config", "res"}) == Words{"resetstat"},
               boost::test_tools::per_element());
    BOOST_TEST(command_completions({"nosuch"}).empty());
    BOOST_TEST(command_completions({"get", "k"}).empty());
    BOOST_TEST(command_completions({"config", "get", "x"}).empty());
    BOOST_TEST(command_completions({""}).size() == all_commands().size());
}

BOOST_AUTO_TEST_CASE(help_tells_what_a_command_is_for) {
    BOOST_TEST(command_in({"CONFIG", "get", "x"}) == "config|get");
    BOOST_TEST(command_in({"GET", "x"}) == "get");
    BOOST_TEST(command_in({"nosuch"}).empty());
    const std::string help = command_help({"set"});
    BOOST_TEST(help.find("SET key value [NX|XX]") == 0U);
    BOOST_TEST(help.find("group: string") != std::string::npos);
    BOOST_TEST(command_help({"client"}).find("\n  CLIENT LIST") != std::string::npos);
    BOOST_TEST(command_help({"nosuch"}).empty());
    BOOST_TEST(command_help({"get", "x"}).empty());
    BOOST_TEST(group_help("hash").find("HSET key field value") != std::string::npos);
    BOOST_TEST(group_help("hash").find("SADD") == std::string::npos);
    BOOST_TEST(group_help("nosuch").empty());
    BOOST_TEST(group_help("").find("@hash") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
