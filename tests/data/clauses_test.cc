// Clauses of captions: found, put together anew, left out evenly.
#include "data/clauses.h"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

using namespace atelier;

namespace {

constexpr const char* kCaption =
    "pixel art avatar with long blue hair, light skin, glasses and red clothes on a pink "
    "background";

// The caption of the clauses whose bits are set.
std::string some(const Clauses& clauses, unsigned bits) {
  std::vector<bool> keep;
  for (std::size_t i = 0; i < clauses.size(); ++i) keep.push_back(bits >> i & 1);
  return clauses.text(keep);
}

}  // namespace

TEST_CASE("what stays of a caption reads as if the rest had never been there") {
  Clauses clauses(kCaption);
  REQUIRE(clauses.size() == 6);
  const std::pair<unsigned, const char*> cases[] = {
      {0b111111, kCaption},
      {0b000001, "pixel art avatar"},
      {0b100001, "pixel art avatar on a pink background"},
      {0b000011, "pixel art avatar with long blue hair"},
      {0b010001, "pixel art avatar with red clothes"},
      {0b000111, "pixel art avatar with long blue hair and light skin"},
      {0b111001, "pixel art avatar with glasses and red clothes on a pink background"},
      {0b101111,
       "pixel art avatar with long blue hair, light skin and glasses on a pink background"},
      {0b000000, ""},
  };
  for (const auto& [bits, expected] : cases) CHECK(some(clauses, bits) == expected);
}

TEST_CASE("captions of any kind come apart, and whole again") {
  const std::pair<const char*, std::size_t> cases[] = {
      {"", 0},
      {"  ", 0},
      {"hash key", 1},
      {"with", 1},
      {"and", 1},
      {"a dog on a beach", 2},
      {"a man, a woman and a dog in front of a house", 4},
      {"1girl, blue hair, smile", 3},
      {"1,000 cats", 1},
      {"a cat with and on", 1},
      {"\u732b\u3068\u72ac", 1},
      {"flag: Bosnia & Herzegovina", 1},
      {"withered standing android", 1},
  };
  for (const auto& row : cases) {
    const std::string caption = row.first;
    const std::size_t count = row.second;
    CAPTURE(caption);
    Clauses clauses(caption);
    CHECK(clauses.size() == count);
    std::string whole = some(clauses, ~0u);
    if (count > 1 || caption == "hash key") CHECK(whole == caption);
    CHECK(Clauses(whole).size() == count);
  }
  CHECK(some(Clauses("a cat , big, and  red ,, with\ta tail,"), ~0u) ==
        "a cat, big and red with a tail");
}

TEST_CASE("clauses are left out with the probability asked for, their number evenly") {
  Clauses clauses(kCaption);
  constexpr int kDraws = 20000;
  std::map<std::size_t, int> sizes;
  std::map<std::string, int> texts;
  for (int i = 0; i < kDraws; ++i) {
    RandomStream random(1, 2, 3, std::uint32_t(i));
    std::string text = drop_clauses(kCaption, 0.5, random);
    CHECK(text.starts_with("pixel art avatar"));
    ++sizes[Clauses(text).size()];
    ++texts[text];
  }
  auto near = [&](int count, double share) {
    double deviation = std::sqrt(kDraws * share * (1 - share));
    return std::abs(count - kDraws * share) < 5 * deviation;
  };
  CHECK(near(sizes[6], 0.5));
  for (std::size_t size = 1; size <= 5; ++size) CHECK(near(sizes[size], 0.1));
  CHECK(near(texts["pixel art avatar"], 0.1));
  // One of five with one clause beside the head, one of ten with two.
  CHECK(near(texts["pixel art avatar on a pink background"], 0.1 / 5));
  CHECK(near(texts["pixel art avatar with glasses"], 0.1 / 5));
  CHECK(near(texts["pixel art avatar with light skin and glasses"], 0.1 / 10));
  CHECK(texts.size() == 32);  // every choice of the five
}

TEST_CASE("the ends: nothing is left out, or something always, but never the head") {
  for (std::uint32_t i = 0; i < 200; ++i) {
    RandomStream never(1, 2, 3, i), always(1, 2, 3, i), again(1, 2, 3, i);
    CHECK(drop_clauses(kCaption, 0, never) == kCaption);
    std::string text = drop_clauses(kCaption, 1, always);
    CHECK(Clauses(text).size() < 6);
    CHECK(Clauses(text).size() > 0);
    CHECK(drop_clauses(kCaption, 1, again) == text);
    for (const char* caption : {"", "hash key", "a  cat"}) {
      RandomStream random(1, 2, 3, i);
      CHECK(drop_clauses(caption, 1, random) == caption);
    }
  }
}
