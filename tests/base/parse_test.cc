// Numbers as people write them.
#include "base/parse.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace atelier;

TEST_CASE("counts take decimal suffixes and exponents, never fractions of one") {
  CHECK(parse_count("500") == 500);
  const CountList widths{"--widths", "8,16", 1, 1000};
  CHECK(parse_counts("8,1k,1", widths) == std::vector<std::int64_t>{8, 1000, 1});
  for (const char* bad : {"", "8,", "0", "1001", "8;9"})
    CHECK_THROWS_WITH_AS(
        parse_counts(bad, widths),
        ("--widths '" + std::string(bad) + "': expected numbers from 1 to 1000, such as 8,16")
            .c_str(),
        UsageError);
  CHECK(parse_count("10k") == 10000);
  CHECK(parse_count("1.5M") == 1500000);
  CHECK(parse_count("1e6") == 1000000);
  for (const char* bad : {"1,5", "", "k", "-1", "1.5", "10x", "nan", "inf", "1e40"}) {
    INFO(std::string(bad));
    CHECK_THROWS_AS(parse_count(bad), UsageError);
  }
}

TEST_CASE("times and numbers") {
  CHECK(parse_seconds("90") == 90);
  CHECK(parse_seconds("5m") == 300);
  CHECK(parse_seconds("2h") == 7200);
  CHECK(parse_number("1e-4") == 1e-4);
  CHECK(parse_number("-0.5") == -0.5);
  CHECK_THROWS_AS(parse_number("1,5"), UsageError);
  CHECK_THROWS_AS(parse_number("0x10"), UsageError);
  CHECK_THROWS_AS(parse_seconds("-3s"), UsageError);
}

TEST_CASE("seed lists are ranges and numbers in order") {
  CHECK(parse_seed_list("0,3-6,9", "--seeds") == std::vector<std::int32_t>{0, 3, 4, 5, 6, 9});
  CHECK(parse_seed_list("7", "--seeds") == std::vector<std::int32_t>{7});
  for (const char* bad : {"", ",", "3-", "6-3", "1,,2", "a", "-1", "3000000000"}) {
    INFO(std::string(bad));
    CHECK_THROWS_AS(parse_seed_list(bad, "--seeds"), UsageError);
  }
}
