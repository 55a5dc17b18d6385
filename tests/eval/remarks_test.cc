// Remarks on results.
#include "eval/remarks.h"

#include <doctest/doctest.h>

using namespace atelier;

namespace {
std::string keys(TermRole role, double value, const Baselines& base) {
  std::vector<ReportedTerm> terms{{"other", "", 1e9}, {"any name", "", value, role}};
  std::string list;
  for (const Remark& r : judge(terms, base)) list += r.key + " ";
  return list;
}
}  // namespace

TEST_CASE("a result is remarked upon where a method without learning does better") {
  Baselines base{.pca_error = 16.0, .no_pca = {}, .factorised_nll = 200.0, .mixture_nll = 180.0};
  CHECK(keys(TermRole::squared_error, 15.9, base).empty());
  CHECK(keys(TermRole::squared_error, 16.1, base) == "above_pca ");
  CHECK(keys(TermRole::loss, 179.0, base).empty());
  CHECK(keys(TermRole::loss, 190.0, base) == "above_mixture ");
  base.mixture_nll.reset();
  CHECK(keys(TermRole::loss, 190.0, base).empty());
  CHECK(keys(TermRole::loss, 201.0, base) == "above_mixture ");
  CHECK(keys(TermRole::loss, 201.0, {}).empty());
  base.no_pca = "too many columns";
  CHECK(keys(TermRole::squared_error, 15.9, base) == "no_pca ");
}

TEST_CASE("a remark says which is better, by which figures, and what to do") {
  std::vector<ReportedTerm> terms{{"error", "", 225.557, TermRole::squared_error},
                                  {"loss", "", 300.25, TermRole::loss}};
  auto remarks = judge(
      terms, {.pca_error = 45.7599, .no_pca = {}, .factorised_nll = 200.0, .mixture_nll = {}});
  REQUIRE(remarks.size() == 2);
  for (const Remark& r : remarks)
    CHECK(r.text.ends_with("train longer or raise the learning rate"));
  CHECK(remarks[0].text.find("better (squared error 45.7599 against 225.557)") !=
        std::string::npos);
  CHECK(remarks[1].text.find("better (loss in nats a picture 200 against 300.25)") !=
        std::string::npos);
}

TEST_CASE("a posterior without information is named, with its divergence") {
  CHECK(keys(TermRole::information, 0.2, {}).empty());
  std::vector<ReportedTerm> terms{{"kl", "nats/image", 0.05, TermRole::information}};
  auto remarks = judge(terms, {});
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].key == "collapsed");
  CHECK(remarks[0].text.find("kl of 0.05 nats") != std::string::npos);
}

TEST_CASE("baselines are reported with their units") {
  auto terms = baseline_terms(
      {.pca_error = 16.0, .no_pca = {}, .factorised_nll = 200.0, .mixture_nll = 180.0});
  REQUIRE(terms.size() == 2);
  CHECK(terms[0].name == "baseline_squared_error");
  CHECK(terms[0].unit == "sum of squares/image");
  CHECK(terms[1].name == "baseline_loss");
  CHECK(terms[1].value == 180.0);
  CHECK(baseline_terms({}).empty());
}

TEST_CASE("a denoiser is compared with the best linear one") {
  CHECK(judge_denoiser(0.069, 0.07).empty());
  auto remarks = judge_denoiser(0.08, 0.07);
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].key == "above_wiener");
  CHECK(remarks[0].text.find("does better (mse 0.07 against 0.08)") != std::string::npos);
}
