// Streams of pictures: blocks that add up to the whole, files that are skipped, lists of names.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/error.h"
#include "data/files.h"
#include "data/picture_reader.h"

using namespace atelier;
using namespace atelier::test;

namespace {

using Names = std::vector<std::string>;

struct Read {
  Names names;
  std::vector<std::int64_t> places;
  std::int64_t skipped = 0;
};

Read all(const Names& sources, const ReadOptions& options, ItemRange range = {}) {
  PictureReader reader(sources, options, range);
  Read read;
  Item item;
  while (reader.next(item)) {
    read.names.push_back(item.name);
    read.places.push_back(reader.place());
  }
  read.skipped = reader.skipped();
  return read;
}

}  // namespace

TEST_CASE("blocks of all sources add up to the whole, with what is skipped counted once") {
  Folder folder;
  for (int i = 0; i < 5; ++i) folder.png(fmt::format("set/{}.png", i), make_picture(4, 4, 3, i));
  folder.write("set/2b.png", std::string_view("no picture"));
  std::vector<std::byte> frames;
  for (int i = 0; i < 3; ++i) {
    std::vector<std::byte> one = encode_pnm(make_picture(4, 4, 3, i));
    frames.insert(frames.end(), one.begin(), one.end());
  }
  Members members{{"x.png", encode_png(make_picture(4, 4, 3, 7))},
                  {"y.png", encode_png(make_picture(4, 4, 3, 8))}};
  write_tar(folder.path("t.tar"), members, "gzip");
  std::vector<std::byte> cut = encode_png(make_picture(4, 4, 3, 9));
  cut.resize(cut.size() - 6);
  Names sources{folder.path("set"),
                folder.write("cut.png", cut),
                folder.write("frames.ppm", frames),
                folder.path("missing.png"),
                folder.path("t.tar"),
                folder.write("last.png", encode_png(make_picture(4, 4, 3, 3)))};
  ReadOptions options;
  options.on_error = "skip";
  Read whole = all(sources, options);
  CHECK(whole.names == Names{"0.png", "1.png", "2.png", "3.png", "4.png", "index 0", "index 1",
                             "index 2", "x.png", "y.png", folder.path("last.png")});
  CHECK(whole.places == std::vector<std::int64_t>{0, 1, 2, 4, 5, 7, 8, 9, 11, 12, 13});
  CHECK(whole.skipped == 3);
  for (std::int64_t count : {2, 3, 5, 14, 20}) {
    Read sum;
    for (std::int64_t k = 1; k <= count; ++k) {
      Read part = all(sources, options, range_of({k, count}, sources, options));
      sum.names.insert(sum.names.end(), part.names.begin(), part.names.end());
      sum.places.insert(sum.places.end(), part.places.begin(), part.places.end());
      sum.skipped += part.skipped;
    }
    CHECK(sum.names == whole.names);
    CHECK(sum.places == whole.places);
    CHECK(sum.skipped == whole.skipped);
  }
  options.on_error = "fail";
  CHECK(contains(message_of<Error>([&] { all(sources, options); }), "missing.png: cannot open"));
  sources.erase(sources.begin() + 3);
  CHECK(contains(message_of<Error>([&] { all(sources, options); }), "set/2b.png: "));
}

TEST_CASE("nothing but what is skipped is an error, as is a block of a pipe") {
  Folder folder;
  ReadOptions options;
  options.on_error = "skip";
  Names bad{folder.path("a.png"), folder.write("b.png", std::string_view("text, long enough"))};
  CHECK(contains(message_of<Error>([&] { all(bad, options); }), "no pictures found (2 skipped)"));
  CHECK(all(bad, options, {1, 2}).skipped == 1);
  PipedInput input(encode_pnm(make_picture(4, 4, 3, 1)));
  CHECK(contains(message_of<UsageError>([&] {
                   range_of({1, 2}, Names{"-"}, options);
                 }),
                 "standard input can be read once only"));
  CHECK(range_of({1, 1}, Names{"-"}, options).last == -1);
}

TEST_CASE("shards are written as K/N") {
  CHECK(parse_shard("2/16").index == 2);
  CHECK(parse_shard("2/16").count == 16);
  for (const char* text : {"", "2", "0/4", "5/4", "-1/4", "1/0", "1/4x", "1 / 4", "a/b"}) {
    CHECK(contains(message_of<UsageError>([&] { parse_shard(text); }),
                   fmt::format("--shard '{}': expected K/N", text)));
  }
}

TEST_CASE("lists name sources by lines or zero bytes") {
  Folder folder;
  std::string lines = folder.write("lines", std::string_view("a b.png\n\n-\nlast"));
  CHECK(read_names(lines, false) == Names{"a b.png", "./-", "last"});
  std::string zeros = folder.write("zeros", std::string_view("a\nb.png\0c\0", 10));
  CHECK(read_names(zeros, true) == Names{"a\nb.png", "c"});
  CHECK(contains(message_of<Error>([&] { read_names(zeros, false); }), "--null"));
  std::string empty = folder.write("empty", std::string_view("\n\n"));
  CHECK(contains(message_of<Error>([&] { read_names(empty, false); }), "names no pictures"));
  PipedInput input(bytes_of("x\ny\n"));
  CHECK(read_names("-", false) == Names{"x", "y"});
}
