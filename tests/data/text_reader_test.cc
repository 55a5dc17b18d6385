// Texts from everywhere, in order; bad ones named or passed.
#include "data/text_reader.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "data/files.h"

using namespace atelier;
using namespace atelier::test;

namespace {

std::vector<std::string> texts_of(const TextSources& sources, std::int64_t* skipped = nullptr) {
  TextReader reader(sources);
  std::vector<std::string> texts;
  std::string text;
  while (reader.next(text)) texts.push_back(text);
  if (skipped) *skipped = reader.skipped();
  return texts;
}

std::string fault_of(const TextSources& sources) {
  return message_of<Error>([&] { texts_of(sources); });
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("texts come as they were given, then lines, then captions") {
  Folder folder;
  std::string lines = folder.write("lines.txt", "\xef\xbb\xbfone\r\ntwo words\nthree");
  std::string more = folder.write("more.txt", "four\n");
  folder.png("set/a.png", plain(2, 2, {0, 0, 0}));
  folder.write("set/a.txt", "a cat");
  CHECK(texts_of({.texts = {"zero"}, .lines = {lines, more}, .captions = {folder.path("set")}}) ==
        Texts{"zero", "one", "two words", "three", "four", "a cat"});
  CHECK(texts_of({}).empty());
  std::string empty = folder.write("empty.txt", "");
  CHECK(texts_of({.lines = {empty}}).empty());
  PipedInput input(bytes_of("from a pipe\nand on"));
  CHECK(texts_of({.lines = {"-"}}) == Texts{"from a pipe", "and on"});
}

TEST_CASE("texts that are none are named by their place") {
  Folder folder;
  auto file = [&](std::string_view text) { return folder.write("t.txt", text); };
  CHECK(fault_of({.texts = {"a", ""}}) == "text 2: the text is empty");
  std::string path = file("a\n \nb\n");
  CHECK(fault_of({.lines = {path}}) == path + ": line 2: the text is empty");
  CHECK(fault_of({.lines = {file("a\n\xff\n")}}) == path + ": line 2: expected a text in UTF-8");
  CHECK(fault_of({.lines = {file(std::string_view("a\0b", 3))}}) ==
        path + ": line 1: the text holds a NUL");
  CHECK(fault_of({.lines = {file("a\n" + std::string(2 << 20, 'x'))}}) ==
        path + ": line 2: longer than 65536 bytes");
  CHECK(contains(fault_of({.lines = {folder.path("none.txt")}}), "none.txt: cannot open"));
  folder.png("set/a.png", plain(2, 2, {0, 0, 0}));
  folder.png("set/b.png", plain(2, 2, {0, 0, 0}));
  folder.write("set/b.txt", "a dog");
  std::string set = folder.path("set");
  CHECK(fault_of({.captions = {set}}) == set + "/a.png: the picture has no caption");
  std::int64_t skipped = 0;
  path = file("a\n\nb\n\xff\n");
  CHECK(texts_of({.texts = {"", "t"}, .lines = {path}, .captions = {set}, .on_error = "skip"},
                 &skipped) == Texts{"t", "a", "b", "a dog"});
  CHECK(skipped == 4);
}
