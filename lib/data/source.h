// What the readers of pictures share; private to this floor. Each format has its
// source_<format>.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "data/byte_reader.h"
#include "data/dataset.h"
#include "data/input.h"
#include "data/label_file.h"
#include "io/hdf5.h"
#include "io/latents.h"

namespace atelier {

constexpr std::size_t kMaxCaptionBytes = 64 << 10;  // more is no text that a model reads

// A reader of one format: finds items and loads them, and leaves to next() what all formats share:
// naming the culprit, skipping, and labels from --labels.
class CheckedSource : public ItemSource {
 public:
  CheckedSource(std::string source, const ReadOptions& options);
  bool next(Item& item) final;
  bool pass();  // goes to the next item without loading it; false at the end
  // Items met so far, those skipped and passed over too, and where next() shall end; -1: nowhere.
  std::int64_t met() const { return position_; }
  void end_at(std::int64_t position) { end_ = position; }
  std::vector<std::string> label_names() const final;
  const std::string& source() const { return source_; }
  bool has_labels() const { return !labels_.values.empty() || own_labels(); }
  virtual bool has_captions() const { return false; }
  virtual std::int64_t expected() const { return -1; }  // items to come, -1: unknown
  virtual std::string_view noun() const { return "pictures"; }
  // What holds of all items, of latents.
  virtual std::optional<LatentSpace> latents() const { return {}; }
  // What was done to the pictures before, as a packed file records it; empty: nothing is known.
  virtual Attributes stored_preprocess() const { return {}; }

 protected:
  // Goes to the next item and sets what is known without its pixels; false at the end. What it
  // throws is about the container and ends the reading even if bad items are skipped.
  virtual bool advance(Item& item) = 0;
  // Loads the picture of the item; throws Error("reason") without a name.
  virtual void load(Item& item) = 0;
  virtual bool own_labels() const { return false; }
  virtual std::vector<std::string> own_label_names() const { return {}; }
  const ReadOptions& options() const { return options_; }

 private:
  std::string source_;
  ReadOptions options_;
  LabelFile labels_;
  std::int64_t position_ = 0, end_ = -1;
};

std::unique_ptr<CheckedSource> open_input(Input input, const ReadOptions& options);
std::unique_ptr<CheckedSource> open_folder(std::string source, const ReadOptions& options);
// Without a descriptor or reader `source` is the path of a file.
std::unique_ptr<CheckedSource> open_tar(Descriptor file, std::string source,
                                        const ReadOptions& options);
std::unique_ptr<CheckedSource> open_idx(Descriptor file, std::string source,
                                        const ReadOptions& options);
// Opens all images of the file or stream into input.hdf5, if that was not done yet.
void open_hdf5_files(Input& input);
std::unique_ptr<CheckedSource> open_hdf5_items(std::vector<Hdf5Reader> files, std::string source,
                                               const ReadOptions& options);
std::unique_ptr<CheckedSource> open_pictures(std::unique_ptr<ByteReader> reader, std::string source,
                                             const ReadOptions& options);
std::unique_ptr<CheckedSource> open_synthetic(const ReadOptions& options);
std::unique_ptr<CheckedSource> open_toy(const ReadOptions& options);

// "sh-{08..10}.tar" as sh-08.tar, sh-09.tar, sh-10.tar; itself if it is no range or a file has that
// name. UsageError for more names than anybody means.
std::vector<std::string> expand_ranges(const std::string& source);

// Names inside folders and archives.
bool is_hidden(std::string_view path);           // any part begins with a dot
bool has_picture_suffix(std::string_view path);  // .png .jpg ..., in any case
std::string_view without_suffix(std::string_view path);
std::string_view parent_of(std::string_view path);  // "" for a bare name
std::string_view file_name_of(std::string_view path);
// "photos/cat/a.png" of item "cat/a.png" in source "photos"; a file with one picture is its name.
std::string place_of(std::string_view source, std::string_view name);

// Classes from folders: the first folder below the one that holds all pictures. Directories are
// those that pictures lie in. No classes if they all lie in one, or some above the others.
class FolderClasses {
 public:
  FolderClasses() = default;
  explicit FolderClasses(std::vector<std::string> directories);
  const std::vector<std::string>& names() const { return names_; }
  std::int32_t label_of(std::string_view path) const;  // -1 without classes

 private:
  std::size_t prefix_ = 0;  // bytes of the common folder with its slash
  std::vector<std::string> names_;
};

}  // namespace atelier
