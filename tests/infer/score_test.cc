// Terms and classes of given pictures.
#include "infer/score.h"

#include <doctest/doctest.h>

#include <cmath>

#include "infer/loading.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::testing;

const DataShape kGrey{6, 5, 1, 0};

TEST_CASE("terms of pictures are means over them, whatever the batch") {
  Model model = testing::fitted("vae",
                                {{"net", std::string("fc")},
                                 {"hidden_dim", std::string("8")},
                                 {"latent_dim", std::int64_t{2}}},
                                kGrey);
  Store store(1);
  Loaded loaded(model, store, "");
  Dataset data = random_dataset(11, kGrey, "score_test");
  std::vector<std::int64_t> rows = identity_order(11);
  std::vector<ScoredTerm> all = validation_terms(loaded, data, rows, 11);
  std::vector<ScoredTerm> parts = validation_terms(loaded, data, rows, 3);
  REQUIRE(all.size() == parts.size());
  REQUIRE(all.size() >= 3);
  CHECK(all[0].role == TermRole::loss);
  double one_by_one = 0;
  for (std::int64_t row : rows)
    one_by_one += validation_terms(loaded, data, {&row, 1})[0].value / 11;
  for (std::size_t t = 0; t < all.size(); ++t) {
    CHECK(all[t].value == parts[t].value);
    CHECK(std::isfinite(all[t].value));
  }
  CHECK(one_by_one == testing::near(all[0].value, 1e-12));
  CHECK(validation_terms(loaded, data, rows, 11, 1)[0].value != all[0].value);
  CHECK_THROWS_WITH_AS(classify(loaded, data, rows), "vae: this model classifies nothing", Error);
  data.width = 4;
  CHECK_THROWS_WITH_AS(validation_terms(loaded, data, rows),
                       "random: pictures of 6x4x1, but vae takes 6x5x1", Error);
}

TEST_CASE("a term with weights is the mean over the pictures that they weigh") {
  Model model;
  model.name = "toy";
  model.data_shape = [] { return kGrey; };
  model.validation = [](const Scope&, const Batch& batch) -> std::vector<Term> {
    Expr pixel = reshape(slice(reshape(batch.image, {batch.image.shape()[0], 30}), 1, 0, 1),
                         {batch.image.shape()[0]});
    Expr ones = broadcast(pixel.graph->constant(1), pixel.shape());
    return {{"bright", "", pixel, TermRole::other, where(less(pixel, 0.5), 0.0, ones)},
            {"none", "", pixel, TermRole::other, where(less(pixel, 2), 0.0, ones)}};
  };
  Store store(1);
  Loaded loaded(model, store, "");
  Dataset data = random_dataset(11, kGrey, "score_test");
  double sum = 0, count = 0;
  for (std::int64_t i = 0; i < 11; ++i) {
    float pixel = float(std::to_integer<int>(data.image(i)[0])) / 255;
    if (pixel >= 0.5f) sum += double(pixel), ++count;
  }
  REQUIRE(count > 0);
  REQUIRE(count < 11);
  for (std::int64_t batch : {3, 11}) {
    std::vector<ScoredTerm> terms = validation_terms(loaded, data, identity_order(11), batch);
    CHECK(terms[0].value == testing::near(sum / count, 1e-6));
    CHECK(terms[0].weight == count);
    CHECK(terms[1].weight == 0);
    CHECK(std::isnan(terms[1].value));
  }
}

TEST_CASE("a model that classifies gives its logits, one row a picture") {
  Model model;
  model.name = "toy";
  model.data_shape = [] { return kGrey; };
  model.classify = [](const Scope&, Expr image) {  // the first three pixels
    return slice(reshape(image, {image.shape()[0], 30}), 1, 0, 3);
  };
  Store store(1);
  Loaded loaded(model, store, "");
  Dataset data = random_dataset(5, kGrey, "score_test");
  Logits logits = classify(loaded, data, identity_order(5), 2);
  CHECK(logits.classes == 3);
  REQUIRE(logits.values.size() == 15);
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t c = 0; c < 3; ++c) {
      float pixel = float(std::to_integer<int>(data.image(i)[std::size_t(c)])) / 255;
      CHECK(logits.values[std::size_t(i * 3 + c)] == testing::near(pixel, 1e-6));
    }
  }
  CHECK_THROWS_WITH_AS(validation_terms(loaded, data, identity_order(5)),
                       "toy: this model has no terms of validation", Error);
}
