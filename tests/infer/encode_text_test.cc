// Texts to vectors: any batch size, templates, what is refused; on CLIP and on a model of numbers.
#include "infer/encode_text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "infer/training.h"
#include "support/near.h"

using namespace atelier;

namespace {

const std::vector<std::string> kTexts = {"a pink background", "pixel art avatar",
                                         "big smile avatar with a crown", "short hair"};

Tokenizer small_tokenizer() { return Tokenizer::train(kTexts, 400); }

// The vector of a text holds its numbers of tokens, and how many they are.
Model counting_model(std::int64_t length) {
  Model model;
  model.name = "counting";
  model.context_length = [length] { return length; };
  model.encode_text = [](const Scope&, Expr tokens) { return cast(tokens, DType::f32); };
  model.data_shape = [] { return DataShape{}; };
  return model;
}

Model small_clip() {
  return testing::fitted("clip",
                         {{"net", std::string("vit")},
                          {"patch_size", std::int64_t{4}},
                          {"embed_dim", std::int64_t{8}},
                          {"depth", std::int64_t{1}},
                          {"num_heads", std::int64_t{2}},
                          {"text_embed_dim", std::int64_t{16}},
                          {"text_depth", std::int64_t{2}},
                          {"text_num_heads", std::int64_t{2}},
                          {"context_length", std::int64_t{12}},
                          {"vocab_size", std::int64_t{500}},
                          {"projection_dim", std::int64_t{6}}},
                         {8, 8, 3});
}

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * b[i];
  return sum;
}

}  // namespace

TEST_CASE("a row is what the model makes of the tokens of its text") {
  Store store(1);
  Loaded loaded(counting_model(9), store, "");
  Tokenizer tokenizer = small_tokenizer();
  TextEncoder encoder(loaded, tokenizer);
  CHECK(encoder.dim() == 9);
  CHECK(encoder.context_length() == 9);
  std::vector<float> rows = encoder.encode(kTexts);
  REQUIRE(rows.size() == 4 * 9);
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<std::int32_t> tokens(9);
    tokenizer.write(kTexts[i], tokens);
    CHECK(std::equal(tokens.begin(), tokens.end(), rows.begin() + std::ptrdiff_t(9 * i)));
  }
  CHECK(encoder.cut() == 0);
  CHECK(encoder.encode({}).empty());
  const std::vector<std::string> longer = {"pixel art avatar with a crown on a pink background"};
  encoder.encode(longer);
  CHECK(encoder.cut() == 1);
}

TEST_CASE("vectors of texts are the same bytes in any batch") {
  Store store(1);
  Loaded loaded(small_clip(), store, "");
  std::vector<std::string> texts;
  for (int i = 0; i < 3; ++i) texts.insert(texts.end(), kTexts.begin(), kTexts.end());
  std::vector<float> expected;
  for (std::int64_t batch : {64, 12, 5, 1}) {
    TextEncoder encoder(loaded, small_tokenizer(), {.templates = {}, .batch_size = batch});
    std::vector<float> rows = encoder.encode(texts);
    CHECK(rows.size() == texts.size() * 6);
    if (expected.empty()) expected = rows;
    CHECK(std::memcmp(rows.data(), expected.data(), rows.size() * sizeof(float)) == 0);
    // One call or many.
    std::vector<float> one = encoder.encode(std::span(texts).subspan(5, 1));
    CHECK(std::equal(one.begin(), one.end(), expected.begin() + 5 * 6));
  }
  CHECK(!std::equal(expected.begin(), expected.begin() + 6, expected.begin() + 6));
}

TEST_CASE("of several templates the mean of the unit vectors, then a unit vector if asked for") {
  Store store(1);
  Loaded loaded(small_clip(), store, "");
  const std::vector<std::string> templates = {"a photo of {}", "{}, or {}", "{}"};
  TextEncoder plain(loaded, small_tokenizer());
  TextEncoder unit(loaded, small_tokenizer(), {.templates = {}, .normalize = true});
  TextEncoder mean(loaded, small_tokenizer(), {.templates = templates});
  TextEncoder both(loaded, small_tokenizer(), {.templates = templates, .normalize = true});
  const std::vector<std::string> text = {"pixel art avatar"},
                                 prompts = {"a photo of pixel art avatar",
                                            "pixel art avatar, or pixel art avatar",
                                            "pixel art avatar"};
  std::vector<float> units = unit.encode(prompts), expected(6);
  for (std::size_t k = 0; k < 6; ++k)
    expected[k] = float((double(units[k]) + units[6 + k] + units[12 + k]) / 3);
  std::vector<float> averaged = mean.encode(text), finished = both.encode(text);
  CHECK(averaged == expected);
  CHECK(dot(averaged, averaged) < 1);
  CHECK(dot(finished, finished) == testing::near(1, 1e-6));
  CHECK(dot(finished, averaged) == testing::near(std::sqrt(dot(averaged, averaged)), 1e-6));
  // One template is another text.
  TextEncoder photo(loaded, small_tokenizer(), {.templates = {"a photo of {}"}});
  CHECK(photo.encode(text) == plain.encode(std::span(prompts).first(1)));
}

TEST_CASE("what has no text tower, no tokenizer or no room is refused by name") {
  Store store(1);
  Loaded vae(testing::fitted("vae", {{"net", std::string("fc")}}, {8, 8, 1}), store, "");
  CHECK(message_of([&] { tokenizer_of(vae); }) == "vae: this model does not read text");
  CHECK(message_of([&] { TextEncoder(vae, small_tokenizer()); }) ==
        "vae: this model does not read text");
  Store other(1);
  Loaded clip(small_clip(), other, "");
  CHECK(message_of([&] { tokenizer_of(clip); }) == "clip: holds no tokenizer, which texts need");
  std::vector<std::string> many;
  for (char32_t c = 'a'; c <= 'z'; ++c) many.push_back(std::string(300, char(c)) + char(c));
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'a'; b <= 'z'; ++b) many.push_back(std::string("x") + a + b + a + b + "y");
  }
  Tokenizer large = Tokenizer::train(many, 1000);
  CHECK(message_of([&] { TextEncoder(clip, large); }) ==
        "clip: --vocab-size 500: the tokenizer has " + std::to_string(large.vocab_size()));
  CHECK_THROWS_AS(TextEncoder(clip, small_tokenizer(), {.templates = {"a photo"}}), UsageError);
  CHECK_THROWS_AS(TextEncoder(clip, small_tokenizer(), {.templates = {}, .batch_size = 0}),
                  UsageError);
  Model silent = counting_model(4);
  silent.encode_text = [](const Scope&, Expr tokens) { return 0.0 * cast(tokens, DType::f32); };
  Loaded zero(silent, other, "");
  TextEncoder encoder(zero, small_tokenizer(), {.templates = {}, .normalize = true});
  CHECK(message_of([&] { encoder.encode(std::span(kTexts).first(1)); }) ==
        "counting: the vector of 'a pink background' has no length that could be 1");
}
