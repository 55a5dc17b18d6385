// Texts for encoders, one after another: given ones, lines of files, captions of data sets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace atelier {

struct TextSources {
  std::vector<std::string> texts = {};
  std::vector<std::string> lines = {};     // files with a text a line, "-" is standard input
  std::vector<std::string> captions = {};  // data sets, as open_source() takes them
  std::string on_error = "fail";           // or skip: bad texts are named by a warning and passed
};

class TextReader {
 public:
  explicit TextReader(TextSources sources);
  ~TextReader();
  // False at the end. Throws Error("names.txt: line 3: the text is empty"), of texts that are
  // longer than 64 KiB, not UTF-8 or hold a NUL too, and of pictures without a caption.
  bool next(std::string& text);
  std::int64_t skipped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
