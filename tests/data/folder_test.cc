// Folders of pictures: order, classes, captions, links, and what goes wrong.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.h"
#include "files.h"

using namespace atelier;
using namespace atelier::test;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names_of(const std::vector<Item>& items) {
  std::vector<std::string> names;
  for (const Item& item : items) names.push_back(item.name);
  return names;
}

}  // namespace

TEST_CASE("a folder is read in byte order and its sub-folders are the classes") {
  Folder folder;
  for (const char* name : {"dog/2.png", "dog/10.png", "cat/b.png", "Zebra/x.png", "cat/B.png"}) {
    folder.png(name, make_picture(4, 5, 3, int(std::string(name).size())));
  }
  std::unique_ptr<ItemSource> source = open_source(folder.path(), {});
  CHECK(source->label_names() == std::vector<std::string>{"Zebra", "cat", "dog"});
  std::vector<Item> items = read_items(folder.path());
  CHECK(names_of(items) == std::vector<std::string>{"Zebra/x.png", "cat/B.png", "cat/b.png",
                                                    "dog/10.png", "dog/2.png"});
  CHECK(items[0].label == 0);
  CHECK(items[2].label == 1);
  CHECK(items[4].label == 2);
  CHECK(items[4].picture.pixels == make_picture(4, 5, 3, 9).pixels);
}

TEST_CASE("a flat folder has no labels, and neither has one below the other") {
  Folder folder;
  folder.png("inner/deep/a.png", make_picture(4, 4, 1, 1));
  folder.png("inner/deep/b.png", make_picture(4, 4, 1, 2));
  CHECK(open_source(folder.path("inner/deep"), {})->label_names().empty());
  CHECK(read_items(folder.path("inner/deep"))[1].label == -1);
  CHECK(read(folder.path()).labels.empty());
}

TEST_CASE("run directories below a folder are no pictures") {
  Folder folder;
  folder.png("a.png", make_picture(4, 4, 1, 1));
  folder.png("deep/b.png", make_picture(4, 4, 1, 1));
  folder.png("deep/run/samples/step-00000001.png", make_picture(4, 4, 1, 2));
  CHECK(read_items(folder.path()).size() == 3);
  folder.write("deep/run/run.lock", "");
  CHECK(names_of(read_items(folder.path())) == std::vector<std::string>{"a.png", "deep/b.png"});
  // What was named is what is meant.
  CHECK(read_items(folder.path("deep/run")).size() == 1);
}

TEST_CASE("classes begin below the folder that holds all pictures") {
  Folder folder;
  folder.png("photos/train/cat/one/a.png", make_picture(4, 4, 1, 1));
  folder.png("photos/train/cat/two/b.png", make_picture(4, 4, 1, 2));
  folder.png("photos/train/dog/c.png", make_picture(4, 4, 1, 3));
  Dataset set = read(folder.path());
  CHECK(set.label_names == std::vector<std::string>{"cat", "dog"});
  CHECK(set.labels == std::vector<std::int32_t>{0, 0, 1});
  CHECK(set.num_classes() == 2);
}

TEST_CASE("class names are sorted whole, not with the slash behind them") {
  Folder folder;
  folder.png("a/1.png", make_picture(2, 2, 1, 1));
  folder.png("a-b/1.png", make_picture(2, 2, 1, 2));
  Dataset set = read(folder.path());
  CHECK(set.label_names == std::vector<std::string>{"a", "a-b"});
  CHECK(set.name_of(0) == "a/1.png");
  CHECK(set.labels == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("pictures above sub-folders leave a folder without classes") {
  Folder folder;
  folder.png("stray.png", make_picture(4, 4, 1, 1));
  folder.png("cat/a.png", make_picture(4, 4, 1, 2));
  CHECK(read(folder.path()).labels.empty());
}

TEST_CASE("hidden files and files that are no pictures are passed over") {
  Folder folder;
  folder.png("a.PNG", make_picture(4, 4, 3, 1));
  folder.png(".hidden.png", make_picture(4, 4, 3, 2));
  folder.png(".git/b.png", make_picture(4, 4, 3, 3));
  folder.write("README", "text");
  folder.write("notes.txt", "text");
  folder.write("metadata.json", "{}");
  Dataset set = read(folder.path());
  CHECK(set.size == 1);
  CHECK(set.captions.empty());
  CHECK(set.skipped == 0);
}

TEST_CASE("links are followed once and rings of links end") {
  Folder folder;
  folder.png("real/a.png", make_picture(4, 4, 1, 1));
  Folder other;
  other.png("b.png", make_picture(4, 4, 1, 2));
  fs::create_directory_symlink(other.path(), folder.path("linked"));
  fs::create_directory_symlink(other.path(), folder.path("linked-again"));
  fs::create_directory_symlink(folder.path(), folder.path("real/ring"));
  fs::create_symlink(folder.path("real/a.png"), folder.path("real/z.png"));
  CHECK(names_of(read_items(folder.path())) ==
        std::vector<std::string>{"linked/b.png", "real/a.png", "real/z.png"});
}

TEST_CASE("captions come from the table, else from the text beside the picture") {
  Folder folder;
  folder.png("x/a.png", make_picture(4, 4, 1, 1));
  folder.png("x/b.png", make_picture(4, 4, 1, 2));
  folder.png("y/c.png", make_picture(4, 4, 1, 3));
  folder.write("captions.tsv",
               "id\ttitle\tfilepath\r\n7\tone, two\tx/a.png\r\n8\tabsent\tx/q.png\r\n");
  folder.write("x/a.txt", "not this");
  folder.write("x/b.txt", "\n from\r\na text \n");
  folder.write("x/README.txt", "nor this");
  Dataset set = read(folder.path());
  CHECK(set.captions == std::vector<std::string>{"one, two", "from a text", ""});
}

TEST_CASE("a caption table without its header or with a short line is named") {
  Folder folder;
  folder.png("a.png", make_picture(4, 4, 1, 1));
  folder.write("captions.tsv", "path\ttext\na.png\tone\n");
  std::string message = message_of<Error>([&] { read(folder.path()); });
  CHECK(contains(message, "captions.tsv: line 1: expected the header filepath<TAB>title"));
  folder.write("captions.tsv", "title\tfilepath\nonly a title\n");
  message = message_of<Error>([&] { read(folder.path()); });
  CHECK(contains(message, "captions.tsv: line 2: expected"));
}

TEST_CASE("a broken picture is an error with its name, or is skipped and counted") {
  Folder folder;
  folder.png("a.png", make_picture(6, 6, 3, 1));
  folder.write("b.png", "this is no picture");
  std::vector<std::byte> whole = encode_png(make_picture(6, 6, 3, 2));
  folder.write("c.png", std::span(whole).first(whole.size() / 2));
  folder.write("d.jpg", "");
  fs::create_symlink(folder.path("nowhere"), folder.path("e.png"));
  std::string message = message_of<Error>([&] { read(folder.path()); });
  CHECK(contains(message, folder.path("b.png") + ": "));
  ReadOptions options;
  options.on_error = "skip";
  Dataset set = read(folder.path(), options);
  CHECK(set.size == 1);
  CHECK(set.skipped == 4);
  std::int64_t skipped = 0;
  CHECK(read_items(folder.path(), options, &skipped).size() == 1);
  CHECK(skipped == 4);
}

TEST_CASE("an empty folder, one of broken pictures and a missing one say so") {
  Folder folder;
  CHECK(contains(message_of<Error>([&] { read(folder.path()); }),
                 folder.path() + ": no pictures found"));
  folder.write("b.png", "this is no picture");
  ReadOptions options;
  options.on_error = "skip";
  CHECK(contains(message_of<Error>([&] { read(folder.path(), options); }),
                 "no pictures found (1 skipped)"));
  CHECK(contains(message_of<Error>([&] { read(folder.path("absent")); }), "No such file"));
}

TEST_CASE("a photograph is turned as its EXIF says") {
  Folder folder;
  folder.write("turned.jpg", turned_jpeg());
  Item item = read_items(folder.path()).at(0);
  REQUIRE(item.picture.height == 16);
  REQUIRE(item.picture.width == 8);
  CHECK(item.picture.pixels.front() < 40);
  CHECK(item.picture.pixels.back() > 215);
}

TEST_CASE("grey, coloured and transparent PNG become pictures without alpha") {
  for (std::int64_t channels : {1, 2, 3, 4}) {
    CAPTURE(channels);
    Folder folder;
    folder.png("a.png", make_picture(48, 80, channels, 1));
    Dataset set = read(folder.path());
    CHECK(set.channels == (channels < 3 ? 1 : 3));
    CHECK(set.height == 48);
    CHECK(set.width == 80);
  }
}

TEST_CASE("pictures above the limits are refused before they are decoded") {
  Folder folder;
  folder.png("large.png", make_picture(40, 50, 1, 1));
  ReadOptions options;
  options.limits.max_pixels = 1999;
  CHECK(contains(message_of<Error>([&] { read(folder.path(), options); }), "large.png: "));
  options.limits.max_pixels = 2000;
  CHECK(read(folder.path(), options).size == 1);
}
