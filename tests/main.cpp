// The one main function of all unit tests; each test file adds its suite to it.
#define BOOST_TEST_MODULE syncline
#include <boost/test/unit_test.hpp>
