// Tables of captions as programs write them: quotes, line breaks, rows that do not fit.
#include <doctest/doctest.h>

#include "base/error.h"
#include "data/tsv.h"
#include "files.h"

using namespace atelier;
using namespace atelier::test;

namespace {

struct Pictures : Folder {
  Pictures() {
    for (const char* name : {"a.png", "b.png", "c.png"}) png(name, make_picture(4, 4, 1, name[0]));
  }
  std::vector<std::string> captions(std::string_view table) const {
    write("captions.tsv", table);
    return read(path()).captions;
  }
  std::string refused(std::string_view table) const {
    return message_of<Error>([&] { captions(table); });
  }
};

}  // namespace

TEST_CASE("quotes and line breaks of a caption table are those of csv writers") {
  Pictures pictures;
  using Texts = std::vector<std::string>;
  // csv.writer(file, delimiter="\t") of Python 3
  CHECK(pictures.captions("filepath\ttitle\r\n"
                          "a.png\t\"a \"\"red\"\" ball\"\r\n"
                          "b.png\t\"two\r\nlines\"\r\n"
                          "\"c.png\"\t\"a\ttab\"\r\n") ==
        Texts{"a \"red\" ball", "two lines", "a\ttab"});
  CHECK(pictures.captions("title\tfilepath\n a 5\" nail \ta.png\n\n\n\tb.png\n\"\"\tc.png") ==
        Texts{" a 5\" nail ", "", ""});
  CHECK(pictures.captions("\xef\xbb\xbf\"filepath\"\t\"title\"\na.png\t\xc3\xa9t\xc3\xa9\n") ==
        Texts{"\xc3\xa9t\xc3\xa9", "", ""});
  // A row behind one of several lines is a row.
  CHECK(pictures.captions("filepath\ttitle\na.png\t\"1\n2\n3\"\nb.png\tfour\n") ==
        Texts{"1 2 3", "four", ""});
}

TEST_CASE("rows of a caption table that do not fit are named by the line they begin on") {
  Pictures pictures;
  const std::string head = "filepath\ttitle\na.png\t\"one\ntwo\"\n";
  CHECK(contains(pictures.refused(head + "b.png\n"),
                 "captions.tsv: line 4: expected a path and a title"));
  CHECK(contains(pictures.refused(head + "\ttitle\n"), "line 4: expected a path and a title"));
  CHECK(contains(pictures.refused(head + "b.png\t\"red\" ball\nc.png\t\"blue\" sky\n"),
                 "line 4: expected a tab or the line's end behind a closing quote"));
  CHECK(contains(pictures.refused(head + "b.png\t\"red\nc.png\tblue\n"),
                 "line 4: its last quote is not closed"));
  CHECK(contains(pictures.refused(head + "b.png\tcaf\xe9\n"), "line 4: expected a title in UTF-8"));
  CHECK(contains(pictures.refused(""), "line 1: expected the header filepath<TAB>title"));
  const std::string twice = head + "b.png\tfour\n./b.png\tfive\n";
  CHECK(contains(pictures.refused(twice),
                 "captions.tsv: line 5: a second title of b.png, which has one in line 4"));
  pictures.write("captions.tsv", twice);
  ReadOptions skipping;
  skipping.on_error = "skip";
  Dataset set = read(pictures.path(), skipping);
  CHECK(set.captions[1] == "four");
  CHECK(set.skipped == 1);
  CHECK(contains(pictures.refused("filepath\na.png\n"), "line 1: expected the header"));
}

TEST_CASE("UTF-8 is told from what looks like it") {
  for (const char* text : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xa8", "\xef\xbf\xbf",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    CAPTURE(std::string(text));
    CHECK(is_utf8(text));
  }
  // a lone follower, a cut form, overlong forms, a surrogate, beyond U+10FFFF, a wrong follower
  for (const char* text :
       {"\x80", "a\xc3", "\xe2\x82", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x82("}) {
    CAPTURE(std::string(text));
    CHECK(!is_utf8(text));
  }
}

TEST_CASE("names of files are bytes, and become text") {
  CHECK(as_utf8("caf\xc3\xa9 %FF") == "caf\xc3\xa9 %FF");
  CHECK(as_utf8("caf\xe9\xff.png\xc3") == "caf%E9%FF.png%C3");
  CHECK(as_utf8("") == "");
  Pictures pictures;
  pictures.png("caf\xe9/1.png", make_picture(4, 4, 1, 7));
  pictures.write("caf\xe9/1.txt", "one\n");
  Dataset set = read(pictures.path());
  CHECK(set.names[3] == "caf%E9/1.png");
  CHECK(set.captions[3] == "one");  // found by its bytes
}

TEST_CASE("a title that is longer than texts are makes its picture a bad one") {
  Pictures pictures;
  auto table = [](std::size_t bytes) {
    return "filepath\ttitle\na.png\t" + std::string(bytes, 'a') + "\nb.png\tb\n";
  };
  pictures.write("captions.tsv", table(65536));
  CHECK(read(pictures.path()).captions[0].size() == 65536);
  pictures.write("captions.tsv", table(65537));
  CHECK(message_of<Error>([&] { read(pictures.path()); }) ==
        pictures.path() + "/a.png: its caption has 65537 bytes, at most 65536");
  ReadOptions skip;
  skip.on_error = "skip";
  Dataset rest = read(pictures.path(), skip);
  CHECK(rest.captions.front() == "b");
  CHECK(rest.skipped == 1);
}

TEST_CASE("a caption beside its picture that is not UTF-8 is named with its line") {
  Pictures pictures;
  pictures.write("a.txt",
                 "\xef\xbb\xbf"
                 "caf\xc3\xa9\n");
  CHECK(read(pictures.path()).captions[0] == "caf\xc3\xa9");
  pictures.write("b.txt", "a\ncaf\xe9 and \xff\n");
  CHECK(message_of<Error>([&] { read(pictures.path()); }) ==
        pictures.path() + "/b.txt: line 2: expected a caption in UTF-8");
}
