// Rows of tokens of a data set's captions, by themselves and in the batches of a loader.
#include "data/caption_reader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "data/files.h"
#include "data/loader.h"

using namespace atelier;
using namespace atelier::test;

namespace {

struct Captioned {
  std::vector<std::uint8_t> pixels;
  Dataset set;
  explicit Captioned(std::int64_t count) : pixels(std::size_t(count)) {
    set.source = "made";
    set.size = count;
    set.height = set.width = set.channels = 1;
    set.pixels = std::as_bytes(std::span(pixels));
    const char* colors[] = {"pink", "mint", "gray"};
    for (std::int64_t i = 0; i < count; ++i) {
      set.captions.push_back("avatar " + std::to_string(i) +
                             " with long hair, glasses and a hat on a " + colors[i % 3] +
                             " background");
    }
  }
  Tokenizer tokenizer() const { return Tokenizer::train(set.captions, 1000); }
};

std::vector<std::int64_t> all_of(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

using Row = std::vector<std::int32_t>;

Row row_of(const CaptionReader& reader, std::int64_t example, std::int64_t epoch) {
  Row row(std::size_t(reader.context_length()));
  reader.write(example, epoch, row);
  return row;
}

std::map<std::int64_t, Row> epoch_of(Loader& loader, std::int64_t epoch) {
  std::map<std::int64_t, Row> rows;
  loader.seek({.epoch = epoch, .index = 0});
  for (std::int64_t i = 0; i < loader.batches_per_epoch(); ++i) {
    HostBatch batch = loader.next();
    std::size_t length = batch.tokens.size() / std::size_t(batch.rows);
    for (std::size_t row = 0; row < std::size_t(batch.rows); ++row) {
      auto tokens = batch.tokens.subspan(row * length, length);
      rows[batch.examples[row]] = Row(tokens.begin(), tokens.end());
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("a row says the caption, or some clauses of it by seed, epoch and example") {
  Captioned made(40);
  Tokenizer tokenizer = made.tokenizer();
  CaptionReader plain(made.set, tokenizer, {.context_length = 30});
  CaptionReader drop(made.set, tokenizer, {.context_length = 30, .caption_drop = 0.5, .seed = 1});
  CaptionReader again(made.set, tokenizer, {.context_length = 30, .caption_drop = 0.5, .seed = 1});
  CaptionReader seeded(made.set, tokenizer, {.context_length = 30, .caption_drop = 0.5, .seed = 2});
  CaptionReader whole = drop.whole();
  int changed = 0, epochs = 0, seeds = 0;
  for (std::int64_t i = 0; i < 40; ++i) {
    const std::string& caption = made.set.captions[std::size_t(i)];
    Row row = row_of(plain, i, 3);
    CHECK(tokenizer.decode(row) == caption);
    CHECK(row_of(whole, i, 3) == row);
    CHECK(row_of(drop, i, 3) == row_of(again, i, 3));
    CHECK(tokenizer.decode(row_of(drop, i, 3)) == drop.text(i, 3));
    changed += row_of(drop, i, 3) != row;
    epochs += row_of(drop, i, 3) != row_of(drop, i, 4);
    seeds += row_of(drop, i, 3) != row_of(seeded, i, 3);
  }
  CHECK((changed > 5 && changed < 35));
  CHECK(epochs > 5);
  CHECK(seeds > 5);
}

TEST_CASE("batches carry the rows of their pictures, at any batch size and after seeking") {
  Captioned made(23);
  CaptionReader reader(made.set, made.tokenizer(), {.context_length = 30, .caption_drop = 0.5});
  Loader one(made.set, all_of(23), {.batch_size = 1, .captions = &reader});
  Loader five(made.set, all_of(23), {.batch_size = 5, .captions = &reader});
  for (std::int64_t epoch : {0, 2}) {
    std::map<std::int64_t, Row> rows = epoch_of(five, epoch);
    CHECK(rows.size() == 23);
    CHECK(epoch_of(one, epoch) == rows);
    for (const auto& [example, row] : rows) CHECK(row == row_of(reader, example, epoch));
  }
  five.seek({.epoch = 2, .index = 20});
  HostBatch batch = five.next();
  CHECK(batch.tokens.size() == 3 * 30);
  Loader bare(made.set, all_of(23), {.batch_size = 5});
  CHECK(bare.next().tokens.empty());
}

TEST_CASE("pictures without a caption are named and counted, or left out") {
  Captioned made(6);
  made.set.captions[2] = "";
  made.set.captions[4] = " \t";
  made.set.names = {"a.png", "b.png", "c.png", "d.png", "e.png", "f.png"};
  std::vector<std::int64_t> indices = all_of(6), few = {0, 5}, bad = {2, 4};
  CHECK(message_of<Error>([&] { require_captions(made.set, indices, false); }) ==
        "made: no caption for 2 of the 6 pictures, such as c.png");
  CHECK(indices.size() == 6);
  CHECK(require_captions(made.set, indices, true) == 2);
  CHECK(indices == std::vector<std::int64_t>{0, 1, 3, 5});
  CHECK(require_captions(made.set, few, false) == 0);
  CHECK_THROWS_AS(require_captions(made.set, bad, true), Error);
  made.set.captions.clear();
  CHECK(message_of<Error>([&] { require_captions(made.set, few, true); }) ==
        "made: its pictures have no captions");
}

TEST_CASE("readers refuse what they cannot read") {
  Captioned made(6);
  Tokenizer tokenizer = made.tokenizer();
  CHECK_THROWS_AS(CaptionReader(made.set, tokenizer, {.context_length = 2}), UsageError);
  CHECK_THROWS_AS(CaptionReader(made.set, tokenizer, {.caption_drop = -0.1}), UsageError);
  CHECK_THROWS_AS(CaptionReader(made.set, tokenizer, {.caption_drop = 1.1}), UsageError);
  std::string digest = caption_digest(made.set);
  made.set.captions[5] += "!";
  CHECK(caption_digest(made.set) != digest);
  made.set.captions.clear();
  CHECK_THROWS_AS(CaptionReader(made.set, tokenizer, {}), Error);
}
