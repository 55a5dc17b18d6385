// Shapes, element types and the store.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "support/near.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/store.h"

using namespace atelier;

TEST_CASE("shapes count, index from both ends and refuse what is out of range") {
  Shape shape{8, 32, 16, 3};
  CHECK(shape.rank() == 4);
  CHECK(shape.count() == 8 * 32 * 16 * 3);
  CHECK(shape[-1] == 3);
  CHECK(shape[0] == 8);
  CHECK(to_string(DType::f32, shape) == "f32[8,32,16,3]");
  CHECK(Shape{}.count() == 1);
  CHECK(shape.drop(1) == Shape{8, 16, 3});
  CHECK(shape.insert(0, 2) == Shape{2, 8, 32, 16, 3});
  CHECK(shape.with(-1, 4) == Shape{8, 32, 16, 4});
  CHECK_THROWS_AS(shape[4], std::out_of_range);
  CHECK_THROWS_AS(Shape({1, 1, 1, 1, 1, 1, 1}), std::invalid_argument);
  CHECK_THROWS_AS(Shape({1ll << 31}), std::invalid_argument);
}

TEST_CASE("bf16 rounds to nearest even and keeps NaN and infinity") {
  CHECK(to_float(to_bf16(1.0f)) == 1.0f);
  CHECK(to_float(to_bf16(1.00390625f)) == 1.0f);       // halfway, to even
  CHECK(to_float(to_bf16(1.01171875f)) == 1.015625f);  // halfway, to even upwards
  CHECK(to_float(to_bf16(-3.14159f)) == testing::near(-3.140625f));
  CHECK(std::isnan(to_float(to_bf16(std::nanf("")))));
  CHECK(std::isinf(to_float(to_bf16(std::numeric_limits<float>::infinity()))));
  CHECK(std::isinf(to_float(to_bf16(std::numeric_limits<float>::max()))));
}

TEST_CASE("the store keeps order, checks types and counts writes") {
  Store store(3);
  store.create("encoder.weight", {DType::f32, {2, 3}});
  store.create("decoder.weight", {DType::f32, {5}});
  CHECK(store.names() == std::vector<std::string>{"encoder.weight", "decoder.weight"});
  CHECK(store.names("dec").size() == 1);
  CHECK(store.count() == 11);
  auto before = store.at("encoder.weight").version;
  store.values("encoder.weight")[4] = 2.5f;
  CHECK(store.at("encoder.weight").version == before + 1);
  CHECK(std::as_const(store).values("encoder.weight")[4] == 2.5f);
  CHECK(store.at("encoder.weight").version == before + 1);
  CHECK_THROWS_WITH_AS(store.at("nothing"), "no tensor 'nothing'", StoreError);
  CHECK_THROWS_AS(store.create("encoder.weight", {DType::f32, {1}}), StoreError);
  CHECK_THROWS_AS(store.values<std::int32_t>("encoder.weight"), StoreError);
  store.erase("encoder.weight");
  CHECK_FALSE(store.has("encoder.weight"));
}
