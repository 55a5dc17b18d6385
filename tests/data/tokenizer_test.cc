// Text to tokens and back: rows, marks, bytes, determinism, foreign models.
#include "data/tokenizer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/files.h"

using namespace atelier;
using namespace atelier::test;

namespace {

const std::vector<std::string> kCaptions = {
    "pixel art avatar with long blue hair, light skin and red clothes on a pink background",
    "pixel art avatar with short blue hair, tan skin and blue clothes on a mint background",
    "big smile avatar with a shaved head, light skin, a crown and sad eyes on a pink background",
    "adventurer avatar with long black hair and earrings on a light gray background",
};

using Ids = std::vector<std::int32_t>;

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("what is encoded is decoded, folded and with single spaces") {
  Tokenizer tokenizer = Tokenizer::train(kCaptions, 400);
  for (const std::string& caption : kCaptions) {
    Ids ids = tokenizer.encode(caption);
    CHECK(tokenizer.decode(ids) == caption);
    CHECK(ids.size() < caption.size() / 2);
    for (std::int32_t id : ids) CHECK((id > 0 && id < tokenizer.start()));
  }
  const std::pair<const char*, const char*> cases[] = {
      {"Pixel  ART\tavatar \n", "pixel art avatar"},
      {"\u00c4 \u03a3\u03a3", "\u00e4 \u03c3\u03c3"},  // case of other scripts
      {"\uff21\u00a0\u2460", "a 1"},                   // compatible characters
      {"\u732b and \U0001f600", "\u732b and \U0001f600"},
      {"bad \xff", "bad \ufffd"},
      {"", ""},
      {" \t ", ""},
  };
  for (const auto& [text, expected] : cases)
    CHECK(tokenizer.decode(tokenizer.encode(text)) == expected);
}

TEST_CASE("characters that the vocabulary lacks are spelled in bytes") {
  Tokenizer tokenizer = Tokenizer::train(kCaptions, 400);
  // A space begins every word; then three bytes, or four.
  CHECK(tokenizer.encode("\u732b").size() == 1 + 3);
  CHECK(tokenizer.encode("\U0001f600").size() == 1 + 4);
  CHECK(tokenizer.encode("\u732b") != tokenizer.encode("\u72ac"));
}

TEST_CASE("the same texts give the same bytes, and bytes the same tokenizer") {
  Tokenizer one = Tokenizer::train(kCaptions, 400), two = Tokenizer::train(kCaptions, 400);
  CHECK(std::ranges::equal(one.bytes(), two.bytes()));
  Tokenizer loaded(one.bytes(), "c.h5");
  CHECK(loaded.vocab_size() == one.vocab_size());
  CHECK(std::ranges::equal(loaded.bytes(), one.bytes()));
  for (const std::string& caption : kCaptions) CHECK(loaded.encode(caption) == one.encode(caption));
  Tokenizer smaller = Tokenizer::train(kCaptions, 320);
  CHECK(!std::ranges::equal(smaller.bytes(), one.bytes()));
}

TEST_CASE("a vocabulary is at most what was asked for, and what the texts fill") {
  CHECK(Tokenizer::train(kCaptions, 320).vocab_size() == 320);
  Tokenizer filled = Tokenizer::train(kCaptions, 49408);
  CHECK(filled.vocab_size() < 600);
  CHECK(filled.encode("pixel art avatar").size() == 3);
  CHECK(filled.end() == filled.vocab_size() - 1);
  CHECK(filled.start() == filled.vocab_size() - 2);
  for (std::int64_t size : {-1, 0, 258, 262})
    CHECK_THROWS_AS(Tokenizer::train(kCaptions, size), UsageError);
  CHECK(message_of<Error>([] { Tokenizer::train(kCaptions, 262); }) ==
        "--vocab-size 262: too small: 259 and one for each character of the captions must fit");
  const std::vector<std::string> none, blank = {"", " \t"};
  CHECK_THROWS_AS(Tokenizer::train(none, 400), Error);
  CHECK_THROWS_AS(Tokenizer::train(blank, 400), Error);
}

TEST_CASE("a word of any length can be learned from and encoded") {
  std::string japanese, folded;
  for (int i = 0; i < 20000; ++i) japanese += "\u65e5\u672c";
  for (int i = 0; i < 20000; ++i) folded += "\ufdfa";  // 18 characters, by NFKC
  for (const std::string& word :
       {std::string(60000, 'a'), std::string(65536, 'a'), japanese, folded}) {
    std::vector<std::string> texts = kCaptions;
    texts.push_back("a " + word + " with z");
    Tokenizer tokenizer = Tokenizer::train(texts, 400);
    std::string decoded = tokenizer.decode(tokenizer.encode(texts.back()));
    CHECK(decoded.size() >= texts.back().size());
    CHECK(tokenizer.encode("z").size() < 3);  // what follows the word was read as well
  }
}

TEST_CASE("a row is start, text, end, padding; the end is its largest id") {
  Tokenizer tokenizer = Tokenizer::train(kCaptions, 49408);
  Ids row(8, 7), words = tokenizer.encode("pixel art avatar");
  CHECK(tokenizer.write("pixel art avatar", row));
  CHECK(row == Ids{tokenizer.start(), words[0], words[1], words[2], tokenizer.end(), 0, 0, 0});
  CHECK(tokenizer.write("", row));
  CHECK(row == Ids{tokenizer.start(), tokenizer.end(), 0, 0, 0, 0, 0, 0});
  Ids exact(5);
  CHECK(tokenizer.write("pixel art avatar", exact));
  CHECK(exact.back() == tokenizer.end());
  Ids small(4);
  CHECK(!tokenizer.write("pixel art avatar", small));
  CHECK(small == Ids{tokenizer.start(), words[0], words[1], tokenizer.end()});
  Ids least(2);
  CHECK(!tokenizer.write("pixel", least));
  CHECK(least == Ids{tokenizer.start(), tokenizer.end()});
  // Whatever the text says, even the name of a mark.
  std::string all;
  for (int c = 1; c < 256; ++c) all += char(c);
  for (const std::string& text :
       {kCaptions[0], all, std::string("<unk> <s> </s> <pad> <0x41>"), std::string(100000, 'x')}) {
    Ids long_row(77);
    tokenizer.write(text, long_row);
    auto largest = std::max_element(long_row.begin(), long_row.end());
    CHECK(*largest == tokenizer.end());
    CHECK(std::count(long_row.begin(), long_row.end(), tokenizer.end()) == 1);
    CHECK(std::all_of(largest + 1, long_row.end(), [](std::int32_t id) { return id == 0; }));
    CHECK(std::count(long_row.begin(), largest, 0) == 0);
  }
}

TEST_CASE("bytes that are no tokenizer are refused by name") {
  const std::vector<std::byte> good = copy_of(Tokenizer::train(kCaptions, 400).bytes());
  auto message = [](std::span<const std::byte> bytes) {
    return message_of<Error>([&] { Tokenizer(bytes, "c.h5"); });
  };
  CHECK(message({}) == "c.h5: holds no tokenizer of SentencePiece");
  const std::string text = "not a tokenizer at all";
  CHECK(message(std::as_bytes(std::span(text))) == "c.h5: holds no tokenizer of SentencePiece");
  for (std::size_t length : {std::size_t{1}, std::size_t{100}, good.size() / 2, good.size() - 1}) {
    CAPTURE(length);
    CHECK(message(std::span(good).first(length)) == "c.h5: holds no tokenizer of SentencePiece");
  }
}
