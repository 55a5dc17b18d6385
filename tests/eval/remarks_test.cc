// Remarks on held-out results.
#include "eval/remarks.h"

#include <doctest/doctest.h>

using namespace atelier;

namespace {
std::string keys(const Attributes& terms, const Baselines& base, bool binary) {
  std::string list;
  for (const Remark& r : judge(terms, base, binary)) list += r.key + " ";
  return list;
}
}  // namespace

TEST_CASE("a result is remarked upon where a method without learning does better") {
  Baselines base{.pca_error = 16.0, .factorised_nll = 200.0, .mixture_nll = 180.0};
  CHECK(keys({{"squared_error", 15.9}}, base, false).empty());
  CHECK(keys({{"squared_error", 16.1}}, base, false) == "above_pca ");
  CHECK(keys({{"loss", 190.0}}, base, true) == "above_mixture ");
  CHECK(keys({{"loss", 190.0}}, base, false).empty());
  base.mixture_nll.reset();
  CHECK(keys({{"loss", 190.0}}, base, true).empty());
  CHECK(keys({{"loss", 201.0}}, base, true) == "above_mixture ");
}

TEST_CASE("a posterior without information is named, with its divergence") {
  CHECK(keys({{"kl", 0.2}}, {}, false).empty());
  auto remarks = judge({{"kl", 0.05}}, {}, false);
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].text.find("0.05 nats") != std::string::npos);
}
