// Batches: order, places, augmentation and binarization.
#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "support/near.h"

using namespace atelier;

namespace {

template <class T>
struct Made {
  std::vector<T> values;
  Dataset set;
  Made(std::int64_t count, std::int64_t height, std::int64_t width, std::int64_t channels,
       T (*value)(std::int64_t)) {
    set.source = "made";
    set.size = count;
    set.height = height;
    set.width = width;
    set.channels = channels;
    set.dtype = dtype_of<T>::value;
    for (std::int64_t i = 0; i < count * height * width * channels; ++i) {
      values.push_back(value(i));
    }
    for (std::int64_t i = 0; i < count; ++i) set.labels.push_back(std::int32_t(i % 7));
    set.pixels = std::as_bytes(std::span(values));
  }
};

std::uint8_t mixed(std::int64_t i) { return std::uint8_t((i * 2654435761) >> 7); }

std::vector<std::int64_t> all_of(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

using Bytes = std::vector<std::byte>;

// Examples and pictures of one epoch from its beginning.
std::map<std::int64_t, Bytes> epoch_of(Loader& loader, std::int64_t epoch) {
  std::map<std::int64_t, Bytes> pictures;
  loader.seek({.epoch = epoch, .index = 0});
  for (std::int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
    HostBatch batch = loader.next();
    std::size_t bytes = batch.images.size() / std::size_t(batch.rows);
    for (std::size_t row = 0; row < std::size_t(batch.rows); ++row) {
      std::span<const std::byte> image = batch.images.subspan(row * bytes, bytes);
      pictures[batch.examples[row]] = Bytes(image.begin(), image.end());
    }
  }
  return pictures;
}

std::vector<std::int64_t> order_of(Loader& loader, std::int64_t epoch) {
  std::vector<std::int64_t> order;
  loader.seek({.epoch = epoch, .index = 0});
  while (std::int64_t(order.size()) < loader.size()) {
    HostBatch batch = loader.next();
    CHECK(batch.position.epoch == epoch);
    order.insert(order.end(), batch.examples.begin(), batch.examples.end());
  }
  return order;
}

// How many values of one are on.
double share_on(const Bytes& picture) {
  return double(std::count(picture.begin(), picture.end(), std::byte{255})) /
         double(picture.size());
}

}  // namespace

TEST_CASE("an epoch is a permutation, another one in each epoch and for each seed") {
  Made<std::uint8_t> made(101, 1, 1, 1, mixed);
  Loader loader(made.set, all_of(101), {.batch_size = 8});
  CHECK(loader.size() == 101);
  CHECK(loader.batches_per_epoch() == 13);
  std::vector<std::int64_t> first = order_of(loader, 0), second = order_of(loader, 1);
  CHECK(first != second);
  Loader other(made.set, all_of(101), {.batch_size = 8, .seed = 1});
  CHECK(order_of(other, 0) != first);
  Loader again(made.set, all_of(101), {.batch_size = 30});
  CHECK(order_of(again, 0) == first);
  for (std::vector<std::int64_t>* order : {&first, &second}) {
    std::sort(order->begin(), order->end());
    CHECK(*order == all_of(101));
  }
}

TEST_CASE("first places are spread evenly over the examples") {
  Made<std::uint8_t> made(5, 1, 1, 1, mixed);
  Loader loader(made.set, all_of(5), {.batch_size = 1});
  std::array<int, 5> counts{};
  for (int epoch = 0; epoch < 2000; ++epoch) ++counts[std::size_t(order_of(loader, epoch)[0])];
  // 400 each with a deviation of sqrt(2000 * 0.2 * 0.8) = 17.9; five of them
  for (int count : counts) CHECK(std::abs(count - 400) < 90);
}

TEST_CASE("batches carry pictures, labels, ids and places") {
  Made<std::uint8_t> made(10, 2, 3, 1, mixed);
  std::vector<std::int64_t> chosen = {9, 2, 5, 7, 0};
  Loader loader(made.set, chosen, {.batch_size = 2, .shuffle = false});
  std::vector<std::int64_t> seen;
  for (int turn = 0; turn < 3; ++turn) {
    HostBatch batch = loader.next();
    CHECK(batch.rows == (turn < 2 ? 2 : 1));
    CHECK(batch.position == LoaderPosition{0, turn * 2});
    CHECK(batch.next == (turn < 2 ? LoaderPosition{0, turn * 2 + 2} : LoaderPosition{1, 0}));
    for (std::size_t row = 0; row < std::size_t(batch.rows); ++row) {
      seen.push_back(batch.examples[row]);
      CHECK(batch.ids[row] == std::int32_t(row));
      CHECK(batch.labels[row] == batch.examples[row] % 7);
      std::span<const std::byte> image = made.set.image(batch.examples[row]);
      CHECK(std::equal(image.begin(), image.end(), batch.images.begin() + std::ptrdiff_t(row * 6)));
    }
  }
  CHECK(seen == chosen);
  CHECK(loader.next().position == LoaderPosition{1, 0});
  Made<std::uint8_t> bare(10, 2, 3, 1, mixed);
  bare.set.labels.clear();
  Loader unlabelled(bare.set, chosen, {.batch_size = 2});
  CHECK(unlabelled.next().labels[0] == -1);
}

TEST_CASE("seeking gives what reading in sequence gives") {
  Made<std::uint8_t> made(23, 4, 4, 3, mixed);
  LoaderOptions options{
      .batch_size = 5, .seed = 3, .hflip = true, .crop_padding = 1, .binarize = "dynamic"};
  Loader sequential(made.set, all_of(23), options);
  for (int turn = 0; turn < 12; ++turn) {
    HostBatch expected = sequential.next();
    Loader sought(made.set, all_of(23), options);
    sought.seek(expected.position);
    HostBatch batch = sought.next();
    CHECK(batch.position == expected.position);
    CHECK(batch.next == expected.next);
    CHECK(std::ranges::equal(batch.examples, expected.examples));
    CHECK(std::ranges::equal(batch.images, expected.images));
  }
  // Back and forth on one loader, while its thread works ahead.
  sequential.seek({.epoch = 0, .index = 20});
  CHECK(sequential.next().rows == 3);
  sequential.seek({.epoch = 4, .index = 23});
  CHECK(sequential.next().position == LoaderPosition{5, 0});
  CHECK_THROWS_AS(sequential.seek({.epoch = 0, .index = 24}), Error);
  CHECK_THROWS_AS(sequential.seek({.epoch = -1, .index = 0}), Error);
}

TEST_CASE("augmentation does not depend on the size of batches") {
  Made<std::uint8_t> made(40, 6, 5, 3, mixed);
  LoaderOptions options{.batch_size = 1, .hflip = true, .crop_padding = 2, .binarize = "dynamic"};
  Loader one(made.set, all_of(40), options);
  options.batch_size = 7;
  Loader seven(made.set, all_of(40), options);
  options.batch_size = 100;
  options.shuffle = false;
  Loader all(made.set, all_of(40), options);
  for (std::int64_t epoch : {0, 3}) {
    std::map<std::int64_t, Bytes> expected = epoch_of(one, epoch);
    CHECK(expected.size() == 40);
    CHECK(epoch_of(seven, epoch) == expected);
    CHECK(epoch_of(all, epoch) == expected);
  }
  CHECK(epoch_of(one, 0) != epoch_of(one, 1));
}

TEST_CASE("half of the pictures are flipped, the others are as they were") {
  Made<std::uint8_t> made(2000, 1, 3, 2, mixed);
  Loader loader(made.set, all_of(2000), {.batch_size = 64, .hflip = true});
  int flipped = 0;
  for (const auto& [example, picture] : epoch_of(loader, 0)) {
    std::span<const std::byte> image = made.set.image(example);
    if (std::ranges::equal(picture, image)) continue;
    Bytes mirrored = {image[4], image[5], image[2], image[3], image[0], image[1]};
    CHECK(picture == mirrored);
    ++flipped;
  }
  // 1000 with a deviation of 22.4; a few pictures are their own mirror image
  CHECK(std::abs(flipped - 1000) < 112);
}

TEST_CASE("padded crops are shifts with edges repeated, all equally likely") {
  Made<std::uint8_t> made(3000, 3, 3, 1, [](std::int64_t i) { return std::uint8_t(i % 9); });
  Loader loader(made.set, all_of(3000), {.batch_size = 64, .crop_padding = 1});
  std::map<std::pair<int, int>, int> shifts;
  for (const auto& [example, picture] : epoch_of(loader, 2)) {
    int dy = int(picture[4]) / 3 - 1, dx = int(picture[4]) % 3 - 1;  // where the middle came from
    Bytes expected;
    for (int y = 0; y < 3; ++y) {
      for (int x = 0; x < 3; ++x) {
        expected.push_back(std::byte(std::clamp(y + dy, 0, 2) * 3 + std::clamp(x + dx, 0, 2)));
      }
    }
    CHECK(picture == expected);
    ++shifts[{dy, dx}];
  }
  CHECK(shifts.size() == 9);
  // 333 each with a deviation of sqrt(3000 / 9 * 8 / 9) = 17.2; five of them
  for (const auto& [shift, count] : shifts) CHECK(std::abs(count - 333) < 87);
}

TEST_CASE("a threshold makes 255 of 128 and more, 0 of the rest") {
  Made<std::uint8_t> made(1, 16, 16, 1, [](std::int64_t i) { return std::uint8_t(i); });
  Loader loader(made.set, all_of(1), {.binarize = "threshold"});
  HostBatch batch = loader.next();
  for (std::size_t i = 0; i < 256; ++i) CHECK(int(batch.images[i]) == (i >= 128 ? 255 : 0));

  Made<float> floats(1, 16, 16, 1, [](std::int64_t i) { return float(i) / 255; });
  Loader other(floats.set, all_of(1), {.binarize = "threshold"});
  std::vector<float> values(256);
  std::memcpy(values.data(), other.next().images.data(), 1024);
  for (std::size_t i = 0; i < 256; ++i) CHECK(values[i] == (i >= 128 ? 1 : 0));
}

TEST_CASE("samples are on with the probability of their pixel") {
  for (int value : {0, 1, 51, 128, 254, 255}) {
    CAPTURE(value);
    Made<std::uint8_t> made(50, 20, 20, 1, mixed);
    std::fill(made.values.begin(), made.values.end(), std::uint8_t(value));
    Loader loader(made.set, all_of(50), {.binarize = "dynamic"});
    double on = 0, p = value / 255.0;
    for (const auto& [example, picture] : epoch_of(loader, 0)) on += share_on(picture) / 50;
    // 20,000 draws; five deviations
    CHECK(std::abs(on - p) <= 5 * std::sqrt(p * (1 - p) / 20000) + 1e-12);
  }
  Made<float> floats(50, 20, 20, 1, [](std::int64_t) { return 0.3f; });
  Loader loader(floats.set, all_of(50), {.batch_size = 50, .binarize = "sample"});
  std::vector<float> values(20000);
  std::memcpy(values.data(), loader.next().images.data(), 80000);
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / 20000;
  CHECK(mean == testing::near(0.3, 0.054));  // five deviations of 0.00324
}

TEST_CASE("a sample is drawn once, a dynamic one in each epoch, both by the seed") {
  Made<std::uint8_t> made(9, 8, 8, 1, mixed);
  Loader once(made.set, all_of(9), {.binarize = "sample"});
  CHECK(epoch_of(once, 0) == epoch_of(once, 5));
  Loader dynamic(made.set, all_of(9), {.binarize = "dynamic"});
  CHECK(epoch_of(dynamic, 0) != epoch_of(dynamic, 1));
  CHECK(epoch_of(dynamic, 0) != epoch_of(once, 0));
  Loader seeded(made.set, all_of(9), {.seed = 1, .binarize = "sample"});
  CHECK(epoch_of(seeded, 0) != epoch_of(once, 0));
  // A flipped sample is the same sample, flipped.
  Loader flipped(made.set, all_of(9), {.hflip = true, .binarize = "sample"});
  std::map<std::int64_t, Bytes> still = epoch_of(once, 0), turned = epoch_of(flipped, 0);
  for (auto& [example, picture] : turned) {
    if (picture != still[example]) {
      for (std::size_t row = 0; row < 8; ++row) {
        std::reverse(picture.begin() + std::ptrdiff_t(row * 8),
                     picture.begin() + std::ptrdiff_t(row * 8 + 8));
      }
    }
    CHECK(picture == still[example]);
  }
}

TEST_CASE("a batch stays as it is while the next one is made") {
  Made<std::uint8_t> made(64, 32, 32, 3, mixed);
  Loader loader(made.set, all_of(64), {.batch_size = 4});
  for (int turn = 0; turn < 200; ++turn) {
    HostBatch batch = loader.next();
    Bytes copy(batch.images.begin(), batch.images.end());
    std::span<const std::byte> last = made.set.image(batch.examples[3]);
    CHECK(std::equal(last.begin(), last.end(), batch.images.end() - std::ptrdiff_t(last.size())));
    CHECK(std::ranges::equal(copy, batch.images));
  }
}

TEST_CASE("loaders refuse what they cannot load") {
  Made<std::uint8_t> made(4, 1, 1, 1, mixed);
  CHECK_THROWS_AS(Loader(made.set, {}, {}), Error);
  CHECK_THROWS_AS(Loader(made.set, {4}, {}), Error);
  CHECK_THROWS_AS(Loader(made.set, {0}, {.batch_size = 0}), UsageError);
  CHECK_THROWS_AS(Loader(made.set, {0}, {.binarize = "maybe"}), UsageError);
  CHECK_THROWS_AS(Loader(made.set, {0}, {.crop_padding = -1}), UsageError);
  CHECK_THROWS_AS(Loader(made.set, {0}, {.crop_padding = 1}), UsageError);
}
