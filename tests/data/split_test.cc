// Train and held-out parts.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/dataset.h"

using namespace atelier;

namespace {

// Pictures of one pixel; picture i has the value i % values.
struct Tiny {
  std::vector<std::byte> pixels;
  Dataset set;
  Tiny(std::int64_t count, std::int64_t values) {
    set.source = "tiny";
    set.size = count;
    set.height = set.width = 1;
    set.channels = 2;
    for (std::int64_t i = 0; i < count; ++i) {
      pixels.push_back(std::byte(i % values % 256));
      pixels.push_back(std::byte(i % values / 256));
      set.names.push_back("item " + std::to_string(i));
    }
    set.pixels = pixels;
  }
};

}  // namespace

TEST_CASE("a split has every item once and the fraction that was asked for") {
  Tiny tiny(20000, 20000);
  Split split = split_dataset(tiny.set, 0.1, "name");
  std::set<std::int64_t> all(split.train.begin(), split.train.end());
  all.insert(split.held_out.begin(), split.held_out.end());
  CHECK(all.size() == 20000);
  CHECK(split.train.size() + split.held_out.size() == 20000);
  // Binomial: 2000 with a deviation of sqrt(20000 * 0.1 * 0.9) = 42.4; five of them
  CHECK(double(split.held_out.size()) > 2000 - 212);
  CHECK(double(split.held_out.size()) < 2000 + 212);
  CHECK(split.duplicates == 0);
  CHECK(split_dataset(tiny.set, 0, "name").held_out.empty());
}

TEST_CASE("adding items moves no other, nor does a larger fraction take any back") {
  Tiny small(500, 500), large(900, 900);
  std::vector<std::int64_t> before = split_dataset(small.set, 0.2, "name").held_out;
  std::vector<std::int64_t> after = split_dataset(large.set, 0.2, "name").held_out;
  after.erase(std::remove_if(after.begin(), after.end(), [](auto i) { return i >= 500; }),
              after.end());
  CHECK(before == after);
  std::vector<std::int64_t> more = split_dataset(small.set, 0.4, "name").held_out;
  CHECK(std::includes(more.begin(), more.end(), before.begin(), before.end()));
  CHECK(more.size() > before.size());
}

TEST_CASE("items that share a caption go to one side") {
  Tiny tiny(2000, 2000);
  for (std::int64_t i = 0; i < 2000; ++i) {
    tiny.set.captions.push_back("caption " + std::to_string(i % 100));
  }
  Split split = split_dataset(tiny.set, 0.3, "caption");
  std::set<std::int64_t> train;
  for (std::int64_t i : split.train) train.insert(i % 100);
  CHECK(!split.held_out.empty());
  for (std::int64_t i : split.held_out) CHECK(!train.contains(i % 100));
}

TEST_CASE("duplicates across the split are counted") {
  Tiny tiny(1000, 50);
  Split split = split_dataset(tiny.set, 0.1, "name");
  std::set<std::int64_t> train;
  for (std::int64_t i : split.train) train.insert(i % 50);
  std::int64_t expected = std::count_if(split.held_out.begin(), split.held_out.end(),
                                        [&](std::int64_t i) { return train.contains(i % 50); });
  CHECK(expected > 0);
  CHECK(split.duplicates == expected);
}

TEST_CASE("duplicates in another set are counted, if it is of one shape") {
  Tiny train(100, 100), other(30, 10);
  std::vector<std::int64_t> odd, all;
  for (std::int64_t i = 1; i < 100; i += 2) odd.push_back(i);
  for (std::int64_t i = 0; i < 30; ++i) all.push_back(i);
  // Of 0..9, three times, the odd ones: 1, 3, 5, 7, 9.
  CHECK(count_duplicates(other.set, all, train.set, odd) == 15);
  CHECK(count_duplicates(other.set, all, train.set, {}) == 0);
  CHECK(count_duplicates(other.set, {}, train.set, odd) == 0);
  other.set.height = 2;
  other.set.channels = 1;
  CHECK(count_duplicates(other.set, all, train.set, odd) == 0);
}

TEST_CASE("splits that cannot be made are misuse") {
  Tiny tiny(10, 10);
  CHECK_THROWS_AS(split_dataset(tiny.set, 0.1, "caption"), UsageError);
  CHECK_THROWS_AS(split_dataset(tiny.set, 1.0, "name"), UsageError);
  CHECK_THROWS_AS(split_dataset(tiny.set, -0.1, "name"), UsageError);
  CHECK_THROWS_AS(split_dataset(tiny.set, 0.1, "colour"), UsageError);
}
