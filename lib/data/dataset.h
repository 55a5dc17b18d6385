// Data sets: any source of pictures as a table of equal pictures with labels, captions and names;
// or numbers in units of their own as such a table: vectors, pictures of one pixel, and latents,
// which an encoder made of pictures.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "io/image.h"
#include "tensor/shape.h"

namespace atelier {

// How sources are read; every field is an option of data-pack and of the trainers.
struct ReadOptions {
  std::string data_format = "auto";  // auto folder tar idx hdf5 synthetic
  std::string dataset;               // HDF5: name of the pictures' dataset; empty: images
  std::string label_dataset;         // HDF5: empty: labels if present
  std::int64_t image_size = 0;       // side after resizing and cropping; 0: as they are (all equal)
  std::int64_t image_height = 0, image_width = 0;  // the same for pictures that are not square
  std::string crop = "center";                     // center none; how other aspect ratios fit
  std::string filter = "bicubic";                  // nearest box bilinear bicubic lanczos
  std::int64_t channels = 0;                       // 0: as the first picture
  std::string background = "white";                // behind alpha: white, black or RRGGBB
  std::string on_error = "fail";                   // fail skip
  std::string value_range = "0,1";                 // LOW,HIGH of floats, which become 0 and 1
  std::int64_t limit = 0;                          // first n items; 0: all
  std::string labels;     // idx or text file of labels for a source without
  std::string synthetic;  // noise shapes: draw pictures instead of reading them; or a toy (toy.h)
  std::int64_t synthetic_count = 1000;
  std::int64_t seed = 0;             // of what is drawn
  std::int64_t synthetic_modes = 0;  // of toys, as the next two; 0: the toy's usual number
  double synthetic_radius = 0, synthetic_std = 0;
  DecodeLimits limits;
  // Whether the caller takes real-valued data too. No option: a program says so before fields(),
  // which then have those of toys.
  bool real = false;

  bool draws() const { return !synthetic.empty() || data_format == "synthetic"; }  // reads none
  Fields fields();
};

// One example on its way into a data set.
struct Item {
  std::string name;                // path below the source, or "index 17"
  Picture picture;                 // u8; without pixels if `values` hold them
  std::vector<float> values = {};  // f32 [H,W,C], 0..1 unless `real`; empty: u8
  std::int32_t label = -1;
  std::string caption;
  bool data_channels = false;  // channels are data (HDF5, idx): an even number is no alpha
  bool real = false;           // a vector, or a latent: values of any size, finite
  bool latent = false;         // a real one of io/latents.h

  DType dtype() const { return values.empty() ? DType::u8 : DType::f32; }
  std::span<const std::byte> bytes() const {
    return values.empty() ? std::as_bytes(std::span(picture.pixels))
                          : std::as_bytes(std::span(values));
  }
};

// Items by their places in all sources together, those that are skipped included.
struct ItemRange {
  std::int64_t first = 0, last = -1;  // [first, last); -1: to the end
};

// What such items are called: pictures, vectors, latents.
inline std::string_view noun_of(bool real, bool latents) {
  return latents ? "latents" : real ? "vectors" : "pictures";
}

// A stream of items in a fixed order. The only inheritance of this floor: one reader a format.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  // False at the end. With on_error skip, bad items are counted, named by a warning, and passed.
  virtual bool next(Item& item) = 0;
  virtual std::vector<std::string> label_names() const { return {}; }
  std::int64_t skipped = 0;
};

// Opens any source: folder, tar (plain or compressed), idx(.gz), HDF5, concatenated pictures, a
// pipe with any but a folder ("-": standard input), told apart by content, or --synthetic.
std::unique_ptr<ItemSource> open_source(const std::string& source, const ReadOptions& options);

// The whole set, mapped from an HDF5 file where it can be and otherwise in memory.
class Dataset {
 public:
  std::string source;
  std::int64_t size = 0, height = 0, width = 0, channels = 0;
  DType dtype = DType::u8;    // u8 pixels 0..255, or f32 values 0..1
  bool real = false;          // f32 of any size, finite: vectors [size,1,1,C], or latents
  bool latents = false;       // of real ones: those of io/latents.h, [size,H,W,C]
  double scaling_factor = 1;  // of latents: what a model multiplies them by; they are as stored
  std::string vae;            // of latents: what decodes them; empty: not known
  std::vector<std::int32_t> labels;                       // empty: none
  std::vector<std::string> label_names, captions, names;  // empty: none
  std::uint64_t digest = 0;                               // of pictures and labels: files record it
  Attributes preprocess;                                  // what was done to the pictures
  std::int64_t skipped = 0;

  std::int64_t row_bytes() const {
    return height * width * channels * std::int64_t(size_of(dtype));
  }
  std::span<const std::byte> image(std::int64_t index) const {
    return pixels.subspan(std::size_t(index * row_bytes()), std::size_t(row_bytes()));
  }
  // u8 [H,W,C], floats rounded. Throws Error of vectors and latents.
  std::vector<std::uint8_t> picture(std::int64_t index) const;
  std::int64_t num_classes() const;  // named ones, or the largest label + 1; 0 without labels
  std::string name_of(std::int64_t index) const;  // its name, or "index 17"
  std::string_view noun() const { return noun_of(real, latents); }

  std::span<const std::byte> pixels;    // [size, row_bytes]
  std::shared_ptr<const void> storage;  // keeps the mapping or the memory alive
};

// Throws Error("points.h5: baselines are of pictures, found vectors") if it holds others.
void require_pictures(const Dataset& set, std::string_view what);

// What reading these sources opens, besides what lies in folders: nothing of it may be written.
std::vector<std::string> files_read(std::span<const std::string> sources,
                                    const ReadOptions& options);

// Reads sources one after another into one set; shapes must agree (Error naming both items), and
// what files of latents say of theirs (Error naming both files). Files of kinds vectors and latents
// need options.real, and are an Error without. With them, UsageError for options of preparing
// pictures, and Error for numbers that are not finite, naming file, row and number.
Dataset read_dataset(std::span<const std::string> sources, const ReadOptions& options);

// Streams sources into an HDF5 file of kind images with flat memory, latents into one of kind
// latents, or the points of a toy into one of kind vectors; returns items written and skipped.
// `output` "-" is standard output.
struct PackResult {
  std::int64_t written = 0, skipped = 0, height = 0, width = 0, channels = 0, classes = 0;
  bool real = false, latents = false;
};
PackResult pack_dataset(std::span<const std::string> sources, const ReadOptions& options,
                        const std::string& output, const Attributes& provenance, bool force);
// "16000 pictures 64x64x3, 4 classes, 0 skipped", "1000 vectors of 2, 8 classes, 0 skipped",
// "900 latents 4x4x4, 10 classes, 0 skipped"
std::string describe(const PackResult& result);

// Train and held-out indices by hash of each item's name or caption: adding items moves no other.
struct Split {
  std::vector<std::int64_t> train, held_out;
  std::int64_t duplicates = 0;  // held-out pictures that occur byte for byte among the train ones
};
Split split_dataset(const Dataset& dataset, double fraction, const std::string& by);

// Pictures of the held-out ones that occur byte for byte among those trained on; none if the sets
// differ in shape or type. Both may be of one set.
std::int64_t count_duplicates(const Dataset& held_out, std::span<const std::int64_t> held_indices,
                              const Dataset& train, std::span<const std::int64_t> train_indices);

}  // namespace atelier
