// Figures by which samples are judged while their maker is trained.
#include "eval/sample_quality.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "eval/sliced_wasserstein.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

// u8 pictures of 6x6: one of `kinds` bright stripes each, and a little noise.
Dataset striped(std::int64_t count, std::int64_t kinds, std::uint64_t seed) {
  RandomStream random(seed, stream_of("striped"));
  std::vector<float> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t pixel = 0; pixel < 36; ++pixel) {
      double bright = pixel / 6 == i % kinds ? 0.7 : 0.2;
      rows.push_back(float(bright + 0.02 * random.normal()));
    }
  }
  Dataset like;
  like.height = like.width = 6;
  like.channels = 1;
  return pictures_of(rows, like, "striped");
}

std::vector<std::uint8_t> pixels_of(const Dataset& data) {
  auto* first = reinterpret_cast<const std::uint8_t*>(data.pixels.data());
  return {first, first + data.pixels.size()};
}

double value_of(std::span<const ReportedTerm> terms, const std::string& name) {
  for (const ReportedTerm& term : terms) {
    if (term.name == name) return term.value;
  }
  return -1;
}

Dataset vectors_in(const std::vector<float>& values, std::int64_t dim) {
  Dataset set;
  set.source = "vectors";
  set.height = set.width = 1;
  set.channels = dim;
  set.dtype = DType::f32;
  set.real = true;
  set.size = std::int64_t(values.size()) / dim;
  set.pixels = std::as_bytes(std::span(values));
  return set;
}

}  // namespace

TEST_CASE("coverage and recall fall by what is lost, and the distance rises") {
  Dataset real = striped(600, 6, 1);
  SampleQuality quality(real, all_of(real));
  auto whole = quality.judge(pixels_of(striped(600, 6, 2)));
  auto third = quality.judge(pixels_of(striped(600, 2, 2)));
  fmt::print("summary: kinds lost: Frechet {:.3f} to {:.3f}, coverage {:.3f} to {:.3f}\n",
             whole[0].value, third[0].value, value_of(whole, "coverage"),
             value_of(third, "coverage"));
  CHECK(whole[0].name == "frechet");
  CHECK(third[0].value > 20 * whole[0].value);
  CHECK(value_of(whole, "coverage") > 0.9);
  CHECK(value_of(third, "coverage") < 1.0 / 3 + 0.02);
  CHECK(value_of(whole, "recall") > 0.6);
  CHECK(value_of(third, "recall") < 1.0 / 3 + 0.02);
  auto few = quality.judge(pixels_of(striped(9, 6, 2)));
  CHECK(few.size() == 1);
}

TEST_CASE("only the rows named are what samples are compared with") {
  Dataset real = striped(600, 6, 1);
  std::vector<std::int64_t> first_kind;
  for (std::int64_t i = 0; i < real.size; i += 6) first_kind.push_back(i);
  SampleQuality of_all(real, all_of(real)), of_one(real, first_kind);
  auto one = pixels_of(striped(100, 1, 3));
  CHECK(value_of(of_one.judge(one), "coverage") > 0.9);
  CHECK(value_of(of_all.judge(one), "coverage") < 0.2);
}

TEST_CASE("points in the plane are judged by their sliced Wasserstein distance, and by coverage") {
  std::vector<float> real = normal_rows(500, 2, 1), drawn = normal_rows(300, 2, 2, 1, 3);
  Dataset set = vectors_in(real, 2);
  auto terms = SampleQuality(set, all_of(set)).judge(drawn);
  REQUIRE(terms.size() == 3);
  CHECK(value_of(terms, "coverage") < 0.1);  // the two clouds hardly touch
  CHECK(value_of(SampleQuality(set, all_of(set)).judge(normal_rows(500, 2, 3)), "coverage") > 0.9);
  CHECK(terms[0].name == "sliced_wasserstein");
  CHECK(terms[0].value == sliced_wasserstein(drawn, real));
  // Moved by (3, 3): the mean of |3 cos a + 3 sin a| over the directions.
  CHECK(terms[0].value == testing::near(3 * std::sqrt(2.0) * 2 / std::numbers::pi, 0.05));
}

TEST_CASE("vectors of other lengths are judged as pictures are, in their own units") {
  std::vector<float> real = normal_rows(400, 5, 1, 100), drawn = normal_rows(400, 5, 2, 100, 1000);
  Dataset set = vectors_in(real, 5);
  auto terms = SampleQuality(set, all_of(set)).judge(drawn);
  REQUIRE(terms.size() == 3);
  CHECK(terms[0].name == "frechet");
  CHECK(terms[0].value == testing::near(5e6, 0.03));  // 5 x 1000^2
  CHECK(value_of(terms, "coverage") == 0);
  CHECK_THROWS_AS(SampleQuality(set, std::vector<std::int64_t>{3}), Error);
}
