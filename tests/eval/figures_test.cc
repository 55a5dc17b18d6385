// Figures and bars; comparisons of sets that are too small for some of them.
#include "eval/figures.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/error.h"
#include "eval/comparison.h"
#include "eval/support.h"

using namespace atelier;

namespace {

std::string keys_of(const Figures& figures) {
  std::string keys;
  for (const Figure& f : figures) keys += f.key + " ";
  return keys;
}

}  // namespace

TEST_CASE("figures are lines and JSON, and bars are kept or not") {
  Figures figures{{"features", std::string("pixels@1")},
                  {"frechet", 1.0 / 3, "pixels@1"},
                  {"copies_exact", std::int64_t{2}},
                  {"psnr", std::numeric_limits<double>::infinity(), "dB"}};
  CHECK(to_lines(figures) ==
        "features: pixels@1\nfrechet: 0.333333 pixels@1\ncopies_exact: 2\npsnr: inf dB\n");
  CHECK(to_json(figures).find("\"copies_exact\":2,\"psnr\":null}") != std::string::npos);
  auto broken = [&](const char* text, bool above) {
    return broken_bars(figures, parse_bars(text, "--fail", above));
  };
  CHECK(broken("frechet=0.5,copies_exact=2", true).empty());
  CHECK(broken("frechet=0.3", true) == std::vector<std::string>{"frechet 0.333333 is above 0.3"});
  CHECK(broken("copies_exact=3", false) == std::vector<std::string>{"copies_exact 2 is below 3"});
  CHECK(broken("psnr=30", false).empty());
  CHECK(broken("psnr=30", true) == std::vector<std::string>{"psnr inf is above 30"});
  figures[3].value = std::numeric_limits<double>::quiet_NaN();
  CHECK(broken("psnr=30", false) == std::vector<std::string>{"psnr nan is not within 30"});
  figures[3].value = -std::numeric_limits<double>::infinity();
  CHECK(broken("psnr=30", true) == std::vector<std::string>{"psnr -inf is not within 30"});
  CHECK_THROWS_WITH_AS(broken("fid=3", true),
                       "no figure 'fid': there are frechet, copies_exact, psnr", UsageError);
  CHECK_THROWS_WITH_AS(parse_bars("frechet", "--fail", true),
                       "--fail 'frechet': expected KEY=VALUE, such as frechet=30", UsageError);
  CHECK_THROWS_AS(parse_bars("frechet=x", "--fail", true), UsageError);
}

TEST_CASE("a comparison says what the rows allow, and why it says no more") {
  const std::int64_t d = 4;
  std::vector<float> real = normal_rows(200, d, 1), made = normal_rows(200, d, 2);
  FrechetReference reference{moments_of(table_of_rows(real, d)), table_of_rows(real, d)};
  Comparison all = compare(reference, table_of_rows(made, d), {.bootstrap = 5});
  CHECK(keys_of(all.figures) ==
        "frechet frechet_low frechet_high frechet_limit kernel kernel_standard_error precision "
        "recall density coverage ");
  CHECK(all.remarks.empty());
  Table few = table_of_rows(std::span(made).first(3 * d), d);
  Comparison some = compare(reference, few, {.prefix = "control_", .bootstrap = 0});
  CHECK(keys_of(some.figures) == "control_frechet ");
  CHECK(some.remarks.size() == 3);
  reference.rows.reset();
  Comparison by_moments = compare(reference, table_of_rows(made, d), {.bootstrap = 0});
  CHECK(keys_of(by_moments.figures) == "frechet frechet_limit ");
  CHECK_THROWS_WITH_AS(compare(reference, table_of_rows(std::span(made).first(d), d), {}),
                       "covariance: expected at least 2 rows, found 1", Error);
}
