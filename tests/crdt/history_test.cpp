#include "tests/crdt/history.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/crdt/all_histories.hpp"
#include "tests/crdt/subjects.hpp"

namespace syncline {
BOOST_AUTO_TEST_SUITE(history)
namespace {

constexpr std::size_t histories_default = test::fewer_if_sanitized(1000);
constexpr std::size_t steps_per_history = 60;

template <test::CellSubject Subject>
void check_random() {
    const std::size_t count = test::count_from("SYNCLINE_HISTORIES", histories_default);
    for (const std::uint64_t seed : test::seeds(count)) {
        const std::string failure = test::check_random_history<Subject>(seed, steps_per_history);
        BOOST_REQUIRE_MESSAGE(failure.empty(), "SYNCLINE_SEED=" << seed << ": " << failure);
    }
}

template <test::CellSubject Subject>
void check_all() {
    test::check_all_histories<test::CellSystem<Subject>>();
}

/// Fields are strings in a row of another type.
struct FieldSubject : test::StringSubject {
    static constexpr CellType type = CellType::hash;
};

BOOST_AUTO_TEST_CASE(registers_follow_their_specification) {
    check_random<test::RegisterSubject>();
}

BOOST_AUTO_TEST_CASE(registers_of_many_values_follow_their_specification) {
    check_random<test::MultiValueSubject>();
}

BOOST_AUTO_TEST_CASE(counters_follow_their_specification) {
    check_random<test::CounterSubject>();
}

BOOST_AUTO_TEST_CASE(set_elements_follow_their_specification) {
    check_random<test::ElementSubject>();
}

BOOST_AUTO_TEST_CASE(elements_where_removals_win_follow_their_specification) {
    check_random<test::SignedElementSubject>();
}

BOOST_AUTO_TEST_CASE(flags_follow_their_specification) {
    check_random<test::FlagSubject>();
    check_random<test::SignedFlagSubject>();
}

BOOST_AUTO_TEST_CASE(strings_with_increments_follow_their_specification) {
    check_random<test::StringSubject>();
}

BOOST_AUTO_TEST_CASE(hash_fields_follow_their_specification) {
    check_random<FieldSubject>();
}

BOOST_AUTO_TEST_CASE(scores_follow_their_specification) {
    check_random<test::ScoreSubject>();
}

BOOST_AUTO_TEST_CASE(deadlines_follow_their_specification) {
    check_random<test::ExpirySubject>();
}

BOOST_AUTO_TEST_CASE(rights_follow_their_specification) {
    check_random<test::RightsRowSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_rights_is_right) {
    check_all<test::RightsRowSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_deadline_is_right) {
    check_all<test::ExpirySubject>();
}

BOOST_AUTO_TEST_CASE(list_elements_follow_their_specification) {
    check_random<test::ListElementSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_list_element_is_right) {
    check_all<test::ListElementSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_score_is_right) {
    check_all<test::ScoreSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_set_element_is_right) {
    check_all<test::ElementSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_an_element_where_removals_win_is_right) {
    check_all<test::SignedElementSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_flag_is_right) {
    check_all<test::FlagSubject>();
    check_all<test::SignedFlagSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_register_of_many_values_is_right) {
    check_all<test::MultiValueSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_counter_is_right) {
    check_all<test::CounterSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_string_is_right) {
    check_all<test::StringSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_hash_field_is_right) {
    check_all<FieldSubject>();
}

BOOST_AUTO_TEST_CASE(every_history_of_a_register_is_right) {
    check_all<test::RegisterSubject>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
