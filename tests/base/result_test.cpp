#include "core/base/result.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>

namespace syncline {
BOOST_AUTO_TEST_SUITE(result)
namespace {

Result<int> positive(int number) {
    if (number > 0) return number;
    return Error{Code::invalid_argument, "not positive: " + std::to_string(number)};
}

Result<int> sum_of_positives(int a, int b) {
    SYNCLINE_TRY(const int first, positive(a));
    SYNCLINE_TRY(const int second, positive(b));
    return first + second;
}

Result<void> only_positive(int number) {
    SYNCLINE_CHECK(positive(number));
    return {};
}

BOOST_AUTO_TEST_CASE(try_passes_the_value_on) {
    BOOST_TEST(sum_of_positives(1, 2).value() == 3);
}

BOOST_AUTO_TEST_CASE(try_returns_the_first_error) {
    const auto failed = sum_of_positives(1, -2);
    BOOST_TEST(!failed.has_value());
    BOOST_TEST((failed.error().code == Code::invalid_argument));
    BOOST_TEST(failed.error().message == "not positive: -2");
}

BOOST_AUTO_TEST_CASE(check_returns_the_error_or_goes_on) {
    BOOST_TEST(only_positive(1).has_value());
    BOOST_TEST(only_positive(0).error().message == "not positive: 0");
}

BOOST_AUTO_TEST_CASE(context_goes_in_front) {
    const Error outer = Error{Code::io, "write failed"}.in("segment 7");
    BOOST_TEST(outer.message == "segment 7: write failed");
    BOOST_TEST((outer.code == Code::io));
}

BOOST_AUTO_TEST_CASE(values_that_only_move_are_moved_out) {
    Result<std::unique_ptr<int>> held = std::make_unique<int>(5);
    const std::unique_ptr<int> taken = std::move(held).value();
    BOOST_TEST(*taken == 5);
}

BOOST_AUTO_TEST_CASE(every_code_has_a_name_of_its_own) {
    std::string names = " ";
    for (int number = 0; number <= static_cast<int>(Code::conflict); ++number) {
        const std::string name(code_name(static_cast<Code>(number)));
        BOOST_TEST(name != "unknown");
        BOOST_TEST(names.find(" " + name + " ") == std::string::npos);
        names += name + " ";
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE_END()
}  // namespace syncline
