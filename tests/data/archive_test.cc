// Tar archives, idx files, streams and synthetic pictures as sources.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "files.h"
#include "support/near.h"

using namespace atelier;
using namespace atelier::test;

namespace {

// The folder's files as members, in the order that a folder is read in.
Members members_with(std::string_view prefix) {
  Members members;
  int seed = 0;
  for (const char* name : {"cat/a.png", "cat/b.png", "dog/c.png"}) {
    members.emplace_back(std::string(prefix) + name, encode_png(make_picture(7, 5, 3, ++seed)));
  }
  members.emplace_back(std::string(prefix) + "captions.tsv",
                       bytes_of("filepath\ttitle\ncat/b.png\ta cat\ncat/a.png\tcats\n"));
  members.emplace_back(std::string(prefix) + "dog/c.txt", bytes_of("a dog\n"));
  return members;
}

}  // namespace

TEST_CASE("a tar archive of a folder gives what the folder gives, compressed or not") {
  Folder folder;
  for (const auto& [name, bytes] : members_with("set/")) folder.write(name, bytes);
  Dataset expected = read(folder.path("set"));
  for (const char* filter : {"none", "gzip", "zstd", "xz"}) {
    CAPTURE(std::string(filter));
    std::string path = folder.path(std::string("archive.") + filter);
    write_tar(path, members_with("./"), filter);
    Dataset set = read(path);
    CHECK(set.digest == expected.digest);
    CHECK(set.names == expected.names);
    CHECK(set.labels == std::vector<std::int32_t>{0, 0, 1});
    CHECK(set.label_names == expected.label_names);
    CHECK(set.captions == std::vector<std::string>{"cats", "a cat", "a dog"});
    CHECK(set.captions == expected.captions);
  }
}

TEST_CASE("a tar archive comes through a pipe, captions behind their pictures or not") {
  Folder folder;
  std::string path = folder.path("a.tar");
  write_tar(path, members_with(""), "gzip");
  Dataset expected = read(path);
  PipedInput input(read_bytes(path));
  Dataset set = read("-");
  CHECK(set.digest == expected.digest);
  CHECK(set.captions == expected.captions);
}

TEST_CASE("names in tar archives are bytes, whatever the locale") {
  Folder folder;
  Members members = {{"k\xc3\xb6nig/a.png", encode_png(make_picture(3, 3, 1, 1))},
                     {"b\xff/b.png", encode_png(make_picture(3, 3, 1, 2))}};
  write_tar(folder.path("a.tar"), members, "none");
  Dataset set = read(folder.path("a.tar"));
  CHECK(set.label_names == std::vector<std::string>{"b%FF", "k\xc3\xb6nig"});
  CHECK(set.names == std::vector<std::string>{"k\xc3\xb6nig/a.png", "b%FF/b.png"});
}

TEST_CASE("names in tar archives that climb are those of members below") {
  Folder folder;
  Members members = {{"x/a.png", encode_png(make_picture(3, 3, 1, 1))},
                     {"../../y.png", encode_png(make_picture(3, 3, 1, 2))},
                     {"/x/.././/../z/b.png", encode_png(make_picture(3, 3, 1, 3))},
                     {"x/../.hidden/c.png", encode_png(make_picture(3, 3, 1, 4))}};
  write_tar(folder.path("a.tar"), members, "none");
  CHECK(read(folder.path("a.tar")).names ==
        std::vector<std::string>{"x/a.png", "y.png", "x/z/b.png"});
}

TEST_CASE("a damaged archive fails even where broken pictures are skipped") {
  Folder folder;
  Members members;
  for (int i = 0; i < 20; ++i) {
    members.emplace_back(std::to_string(i) + ".png", encode_png(make_picture(64, 64, 3, i)));
  }
  write_tar(folder.path("a.tar"), members, "gzip");
  std::vector<std::byte> bytes = read_bytes(folder.path("a.tar"));
  ReadOptions options;
  options.on_error = "skip";
  for (std::size_t kept : {std::size_t{600}, bytes.size() / 2, bytes.size() - 9}) {
    CAPTURE(kept);
    folder.write("cut.tar.gz", std::span(bytes).first(kept));
    std::string message = message_of<Error>([&] { read(folder.path("cut.tar.gz"), options); });
    CAPTURE(message);
    CHECK(contains(message, "cut.tar.gz: "));
    CHECK((contains(message, "is damaged") || contains(message, "cannot be read as tar")));
  }
}

TEST_CASE("a broken picture in an archive is named by both names, or skipped") {
  Folder folder;
  Members members = members_with("");
  members[1].second = bytes_of("junk");
  write_tar(folder.path("a.tar"), members, "none");
  CHECK(contains(message_of<Error>([&] { read(folder.path("a.tar")); }), "a.tar/cat/b.png: "));
  ReadOptions options;
  options.on_error = "skip";
  Dataset set = read(folder.path("a.tar"), options);
  CHECK(set.size == 2);
  CHECK(set.skipped == 1);
  CHECK(set.captions == std::vector<std::string>{"cats", "a dog"});
}

TEST_CASE("idx files are grey at rank 3, and the labels beside them are found") {
  Folder folder;
  std::vector<std::uint8_t> pixels = make_picture(5, 4, 3, 1).pixels;  // 3 pictures of 5x4
  for (const char* suffix : {"", ".gz"}) {
    Folder own;
    std::string images = own.path(std::string("train-images-idx3-ubyte") + suffix);
    write_idx(images, {3, 5, 4}, pixels);
    CHECK(read(images).labels.empty());
    std::vector<std::uint8_t> labels = {2, 0, 9};
    write_idx(own.path("train-labels-idx1-ubyte.gz"), {3}, labels);
    Dataset set = read(images);
    CHECK(set.size == 3);
    CHECK(set.height == 5);
    CHECK(set.width == 4);
    CHECK(set.channels == 1);
    CHECK(std::equal(pixels.begin(), pixels.end(),
                     reinterpret_cast<const std::uint8_t*>(set.pixels.data())));
    CHECK(set.labels == std::vector<std::int32_t>{2, 0, 9});
    CHECK(set.num_classes() == 10);
    CHECK(set.name_of(1) == "index 1");
  }
  write_idx(folder.path("rank4"), {1, 5, 4, 3}, pixels);
  CHECK(read(folder.path("rank4")).channels == 3);
}

TEST_CASE("idx labels that do not fit are an error with both counts") {
  Folder folder;
  std::vector<std::uint8_t> pixels(3 * 4), labels = {1, 2};
  write_idx(folder.path("images.idx"), {3, 2, 2}, pixels);
  write_idx(folder.path("labels.idx"), {2}, labels);
  std::string message = message_of<Error>([&] { read(folder.path("images.idx")); });
  CHECK(contains(message, "labels.idx: has 2 labels, but"));
  CHECK(contains(message, "has 3 pictures"));
}

TEST_CASE("--labels gives labels to any source: idx, numbers or names") {
  Folder folder;
  for (int i = 0; i < 3; ++i) {
    folder.png("p/" + std::to_string(i) + ".png", make_picture(4, 4, 1, i));
  }
  ReadOptions options;
  options.labels = folder.write("numbers.txt", "3\n1\n2\n");
  CHECK(read(folder.path("p"), options).labels == std::vector<std::int32_t>{3, 1, 2});
  options.labels = folder.write("names.txt", "dog\r\ncat\r\ndog\r\n");
  Dataset set = read(folder.path("p"), options);
  CHECK(set.labels == std::vector<std::int32_t>{1, 0, 1});
  CHECK(set.label_names == std::vector<std::string>{"cat", "dog"});
  // big-endian i32
  std::vector<std::uint8_t> wide = {0, 0, 1, 0, 0, 0, 0, 5, 0, 1, 0, 0};
  options.labels = folder.path("wide.idx");
  write_idx(options.labels, {3}, wide, 0x0c);
  CHECK(read(folder.path("p"), options).labels == std::vector<std::int32_t>{256, 5, 65536});
  for (const char* text : {"1\n2\n", "1\n2\n3\n4\n"}) {
    options.labels = folder.write("wrong.txt", text);
    std::string message = message_of<Error>([&] { read(folder.path("p"), options); });
    CHECK(contains(message, "wrong.txt: has "));
    CHECK(contains(message, " pictures"));
  }
}

TEST_CASE("labels below 0 are refused, and where they stand is said") {
  Folder folder;
  for (int i = 0; i < 3; ++i) {
    folder.png("p/" + std::to_string(i) + ".png", make_picture(4, 4, 1, i));
  }
  ReadOptions options;
  options.labels = folder.write("text", "3\n-1\n2\n");
  CHECK(contains(message_of<Error>([&] { read(folder.path("p"), options); }),
                 "text: line 2: expected a whole number from 0 to 2147483647, found -1"));
  options.labels = folder.path("wide");
  write_idx(options.labels, {3},
            std::vector<std::uint8_t>{0, 0, 0, 1, 255, 255, 255, 253, 0, 0, 0, 0}, 0x0c);
  CHECK(contains(message_of<Error>([&] { read(folder.path("p"), options); }),
                 "wide: label 1 is -3, expected at least 0"));
  write_idx(options.labels, {3}, std::vector<std::uint8_t>{0, 1, 255}, 0x09);
  CHECK(contains(message_of<Error>([&] { read(folder.path("p"), options); }),
                 "wide: label 2 is -1, expected at least 0"));
  write_idx(options.labels, {3}, std::vector<std::uint8_t>{0, 1, 255});
  CHECK(read(folder.path("p"), options).labels == std::vector<std::int32_t>{0, 1, 255});
}

TEST_CASE("labels that are no whole numbers, no text or too large are refused with their line") {
  Folder folder;
  for (int i = 0; i < 2; ++i) {
    folder.png("p/" + std::to_string(i) + ".png", make_picture(4, 4, 1, i));
  }
  using namespace std::string_literals;
  const std::pair<std::string, const char*> kRefused[] = {
      {"1.5\n2\n", "line 1: expected a whole number from 0 to 2147483647, found 1.5"},
      {"1\n99999999999\n",
       "line 2: expected a whole number from 0 to 2147483647, found 99999999999"},
      {"1\n+2\n", "line 2: expected a whole number"},
      {"1\n1e999\n", "line 2: expected a whole number"},
      {"cat\nd\0g\n"s, "line 2: expected a label, found a byte 0"},
      {"cat\nd\xf6g\n", "line 2: expected a label in UTF-8"},
      {"\x89HDF\r\n\x1a\n", "expected labels as idx or text, found HDF5"}};
  ReadOptions options;
  for (const auto& row : kRefused) {
    INFO(std::string(row.second));
    options.labels = folder.write("labels", row.first);
    CHECK(contains(message_of<Error>([&] { read(folder.path("p"), options); }), row.second));
  }
  for (const char* words : {"3d\nnan\n", "1.5\ncat\n", "2147483648 of them\n1\n"}) {
    options.labels = folder.write("labels", words);
    CHECK(read(folder.path("p"), options).label_names.size() == 2);
  }
  options.labels = folder.write("labels", "2147483647\n0\n");
  CHECK(read(folder.path("p"), options).labels == std::vector<std::int32_t>{2147483647, 0});
}

TEST_CASE("idx comes through a pipe, plain or gzip, without the labels of a file") {
  Folder folder;
  std::vector<std::uint8_t> pixels = make_picture(50 * 28, 28, 1, 1).pixels;
  for (const char* name : {"images.idx", "images.idx.gz"}) {
    CAPTURE(std::string(name));
    write_idx(folder.path(name), {50, 28, 28}, pixels);
    Dataset expected = read(folder.path(name));
    PipedInput input(read_bytes(folder.path(name)));
    Dataset set = read("-");
    CHECK(set.size == 50);
    CHECK(set.digest == expected.digest);
  }
}

TEST_CASE("ranges in names are the files that they mean") {
  Folder folder;
  Members members = members_with("");
  for (int i = 8; i < 11; ++i) {
    std::string name = "sh-" + std::string(i < 10 ? "0" : "") + std::to_string(i) + ".tar";
    write_tar(folder.path(name), members, "none");
  }
  CHECK(read(folder.path("sh-{08..10}.tar")).size == 9);
  CHECK(read(folder.path("sh-{08..10}.tar")).source == folder.path("sh-08.tar") + " and 2 more");
  CHECK(read(folder.path("sh-{1..1}{0..0}.tar")).size == 3);
  CHECK(contains(message_of<Error>([&] { read(folder.path("sh-{8..10}.tar")); }),
                 "sh-8.tar: cannot open"));
  CHECK(contains(message_of<Error>([&] { read(folder.path("sh-{08..11}.tar")); }),
                 "sh-11.tar: cannot open"));
  CHECK(contains(message_of<Error>([&] { read(folder.path("sh-{10..08}.tar")); }),
                 "sh-{10..08}.tar: cannot open"));
  CHECK_THROWS_AS(read(folder.path("{1..99999}{1..99999}")), UsageError);
  // A file of that very name is that file.
  folder.png("{0..3}.png", make_picture(4, 4, 1, 1));
  CHECK(read(folder.path("{0..3}.png")).size == 1);
  std::vector<std::string> shards = {folder.path("sh-{08..09}.tar")};
  CHECK(files_read(shards, {}) ==
        std::vector<std::string>{folder.path("sh-08.tar"), folder.path("sh-09.tar")});
}

TEST_CASE("shards of WebDataset have their classes in .cls members") {
  Folder folder;
  Members members;
  for (const char* stem : {"n/000", "n/001", "m/002"}) {
    members.emplace_back(std::string(stem) + ".cls", bytes_of(stem[4] == '0' ? "7" : "12\n"));
    members.emplace_back(std::string(stem) + ".png", encode_png(make_picture(4, 4, 1, stem[4])));
    members.emplace_back(std::string(stem) + ".txt", bytes_of("a text"));
  }
  write_tar(folder.path("a.tar"), members, "none");
  Dataset set = read(folder.path("a.tar"));
  CHECK(set.labels == std::vector<std::int32_t>{7, 12, 12});
  CHECK(set.label_names.empty());
  CHECK(set.captions[2] == "a text");
  members[0].second = bytes_of("cat");
  write_tar(folder.path("a.tar"), members, "none");
  CHECK(contains(message_of<Error>([&] { read(folder.path("a.tar")); }),
                 "a.tar/n/000.cls: expected the number of a class, found 'cat'"));
  members.erase(members.begin());
  write_tar(folder.path("a.tar"), members, "none");
  CHECK(contains(message_of<Error>([&] { read(folder.path("a.tar")); }),
                 "a.tar/n/000.png: has no .cls member beside it"));
}

TEST_CASE("skipped pictures keep the labels of the others in place") {
  Folder folder;
  folder.png("p/0.png", make_picture(4, 4, 1, 0));
  folder.write("p/1.png", "junk");
  folder.png("p/2.png", make_picture(4, 4, 1, 2));
  ReadOptions options;
  options.on_error = "skip";
  options.labels = folder.write("labels.txt", "7\n8\n9\n");
  CHECK(read(folder.path("p"), options).labels == std::vector<std::int32_t>{7, 9});
}

TEST_CASE("truncated, longer and foreign idx files are refused") {
  Folder folder;
  std::vector<std::uint8_t> pixels(11);
  write_idx(folder.path("short.idx"), {3, 2, 2}, pixels);
  CHECK(contains(message_of<Error>([&] { read(folder.path("short.idx")); }), "is truncated"));
  pixels.resize(13);
  write_idx(folder.path("long.idx"), {3, 2, 2}, pixels);
  CHECK(contains(message_of<Error>([&] { read(folder.path("long.idx")); }), "bytes follow"));
  write_idx(folder.path("float.idx"), {1, 2, 2}, pixels, 0x0d);
  CHECK(contains(message_of<Error>([&] { read(folder.path("float.idx")); }), "type 0x0d"));
  write_idx(folder.path("huge.idx"), {0xffffffff, 0xffffffff, 0xffffffff}, pixels);
  CHECK(contains(message_of<Error>([&] { read(folder.path("huge.idx")); }), "is damaged"));
  folder.write("foreign", "no data at all");
  CHECK(contains(message_of<Error>([&] { read(folder.path("foreign")); }), "foreign: expected"));
  for (std::size_t block : {512u, 1024u, 2048u}) {
    folder.write("block.h5", std::string(block, '\0') + "\x89HDF\r\n\x1a\n and so on");
    CHECK(message_of<Error>([&] { read(folder.path("block.h5")); }) ==
          folder.path("block.h5") + ": is HDF5 behind a user block of " + std::to_string(block) +
              " bytes, which is not read");
  }
  folder.write("empty", "");
  CHECK(contains(message_of<Error>([&] { read(folder.path("empty")); }), "empty: is empty"));
}

TEST_CASE("gzip data of idx files are read to their end and checked, wherever they are cut") {
  Folder folder;
  write_idx(folder.path("whole.idx.gz"), {3, 2, 2}, std::vector<std::uint8_t>(12, 7));
  const std::vector<std::byte> bytes = read_bytes(folder.path("whole.idx.gz"));
  CHECK(read(folder.path("whole.idx.gz")).size == 3);
  for (std::size_t cut = 1; cut <= bytes.size() - 30; ++cut) {
    folder.write("cut.idx.gz", std::span(bytes).first(bytes.size() - cut));
    CAPTURE(cut);
    CHECK(contains(message_of<Error>([&] { read(folder.path("cut.idx.gz")); }), "is truncated"));
  }
  std::vector<std::byte> changed = bytes;
  changed[changed.size() - 6] ^= std::byte{1};  // of the checksum
  folder.write("changed.idx.gz", changed);
  CHECK(contains(message_of<Error>([&] { read(folder.path("changed.idx.gz")); }), "is damaged"));
  PipedInput input({bytes.begin(), bytes.end() - 5});
  CHECK(message_of<Error>([&] { read("-"); }) ==
        "standard input: is truncated, its gzip data end early");
}

TEST_CASE("pictures back to back come through a pipe, formats mixed") {
  std::vector<Picture> pictures;
  std::vector<std::byte> stream;
  for (int i = 0; i < 5; ++i) {
    Picture picture = make_picture(16, 8, i == 4 ? 3 : 1, i);
    std::vector<std::byte> bytes = i % 2 ? encode_png(picture) : encode_pnm(picture);
    if (i == 3) bytes = turned_jpeg();
    stream.insert(stream.end(), bytes.begin(), bytes.end());
    pictures.push_back(picture);
  }
  PipedInput input(stream);
  std::vector<Item> items = read_items("-");
  REQUIRE(items.size() == 5);
  for (std::size_t i : {0, 1, 2, 4}) CHECK(items[i].picture.pixels == pictures[i].pixels);
  CHECK(items[3].picture.height == 16);
  CHECK(items[2].name == "index 2");
}

TEST_CASE("a stream that ends inside a picture fails and says where") {
  std::vector<std::byte> one = encode_png(make_picture(9, 9, 3, 1)), stream = one;
  stream.insert(stream.end(), one.begin(), one.end() - 5);
  ReadOptions options;
  options.on_error = "skip";
  {
    PipedInput input(stream);
    CHECK(contains(message_of<Error>([&] { read("-", options); }),
                   "standard input: index 1 is truncated"));
  }
  stream = one;
  for (int i = 0; i < 40; ++i) stream.push_back(std::byte('x'));
  {
    PipedInput input(stream);
    CHECK(contains(message_of<Error>([&] { read("-", options); }), "index 1 is no picture"));
  }
  {
    PipedInput input({});
    CHECK(contains(message_of<Error>([&] { read("-"); }), "standard input: is empty"));
  }
}

TEST_CASE("BMP and 16-bit PNM end where their headers say") {
  // 2x1 pixels of 24 bits: blue, then red; rows are padded to 4 bytes and run upwards.
  std::vector<std::uint8_t> bmp(54 + 8, 0);
  bmp[0] = 'B', bmp[1] = 'M', bmp[2] = 62, bmp[10] = 54, bmp[14] = 40;
  bmp[18] = 2, bmp[22] = 1, bmp[26] = 1, bmp[28] = 24, bmp[54] = 255, bmp[59] = 255;
  std::vector<std::byte> stream(62);
  std::transform(bmp.begin(), bmp.end(), stream.begin(), [](int v) { return std::byte(v); });
  std::vector<std::byte> deep = bytes_of("P6 # wide\n2 1\n65535\n");
  for (int v : {0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0}) deep.push_back(std::byte(v));
  stream.insert(stream.end(), deep.begin(), deep.end());
  PipedInput input(stream);
  std::vector<Item> items = read_items("-");
  REQUIRE(items.size() == 2);
  std::vector<std::uint8_t> expected = {0, 0, 255, 255, 0, 0};
  CHECK(items[0].picture.pixels == expected);
  CHECK(items[1].picture.pixels == expected);
}

TEST_CASE("Fashion-MNIST is read as it comes") {
  const std::string images = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";
  if (!std::filesystem::exists(images)) {
    std::puts("skipped: dataset-fashion-mnist is not installed");
    return;
  }
  Dataset set = read(images);
  CHECK(set.size == 10000);
  CHECK(set.height == 28);
  CHECK(set.num_classes() == 10);
  CHECK(std::count(set.labels.begin(), set.labels.end(), 3) == 1000);
}

TEST_CASE("one picture file is a source, too") {
  Folder folder;
  std::string path = folder.png("only.png", make_picture(4, 6, 3, 1));
  Dataset set = read(path);
  CHECK(set.size == 1);
  CHECK(set.name_of(0) == "only.png");
}

TEST_CASE("synthetic pictures depend on seed and place alone") {
  ReadOptions options;
  options.synthetic = "shapes";
  options.synthetic_count = 60;
  Dataset long_set = read_dataset({}, options);
  CHECK(long_set.label_names == std::vector<std::string>{"disc", "square", "triangle"});
  CHECK(long_set.captions.size() == 60);
  CHECK(long_set.height == 32);
  options.synthetic_count = 20;
  Dataset short_set = read_dataset({}, options);
  CHECK(std::equal(short_set.pixels.begin(), short_set.pixels.end(), long_set.pixels.begin()));
  options.seed = 1;
  CHECK(read_dataset({}, options).digest != short_set.digest);
  for (std::int64_t i = 0; i < long_set.size; ++i) {
    const std::string& name = long_set.label_names[std::size_t(long_set.labels[std::size_t(i)])];
    CHECK(contains(long_set.captions[std::size_t(i)], name));
  }
  options.synthetic = "noise";
  options.image_size = 64;
  options.channels = 1;
  Dataset noise = read_dataset({}, options);
  CHECK(noise.labels.empty());
  double sum = 0;
  for (std::byte value : noise.pixels) sum += double(value);
  // 20 * 64 * 64 uniform bytes: the mean has a deviation of 73.9 / sqrt(81920) = 0.26
  CHECK(sum / double(noise.pixels.size()) == testing::near(127.5, 0.01));
}

TEST_CASE("sources that make no sense together are misuse") {
  ReadOptions options;
  CHECK_THROWS_AS(read_dataset({}, options), UsageError);
  options.synthetic = "shapes";
  CHECK_THROWS_AS(read("somewhere", options), UsageError);
  options.synthetic = "cats";
  CHECK_THROWS_AS(read_dataset({}, options), UsageError);
  std::vector<std::string> twice = {"-", "-"};
  CHECK_THROWS_AS(read_dataset(twice, {}), UsageError);
}
