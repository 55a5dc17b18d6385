// Where generated pictures go: one grid, a stream of pictures, an HDF5 file or a tar archive.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fields.h"
#include "io/image.h"

namespace atelier {

struct GridShape {
  std::int64_t columns = 0, rows = 0;  // 0: nearly square
};
inline constexpr std::int64_t kMaxGridSide = 10000;
// "8x4": columns x rows; UsageError, which names the flag.
GridShape parse_grid(const std::string& text, std::string_view flag = "--grid");

// One png is held in memory whole and looked at by people: larger grids are no pictures any more.
inline constexpr std::int64_t kMaxGridPictures = 65536;
void require_grid(std::int64_t pictures);  // UsageError for more

struct SinkOptions {
  std::string output;  // "-" is standard output
  std::string format;  // png ppm hdf5 tar; empty: by the suffix of output, png for "-"
  std::string grid;    // png: "8x8"; empty: nearly square
  // Pictures come so many by so many, as a given one and its reconstruction: png keeps them on one
  // row, unless grid says otherwise, and tar adds these to their names, NAME-reconstruction.png.
  std::vector<std::string> parts = {""};
  bool labelled = false;                      // hdf5: each picture has a label
  std::vector<std::string> label_names = {};  // hdf5: of all classes; empty: they are numbers
  bool first_channels = false;  // png: more than 4 channels are shown by their first three
  bool force = false;           // binary to a terminal
  TextChunks text;              // png: written into the picture
  Attributes provenance;        // hdf5: attributes of /inputs
  std::string option = "-o";    // what messages call the output; only -o has a --format beside it
};

// Of the file that the options ask for: by `format`, else by the suffix of `output`. UsageError if
// the suffix says nothing or if `grid` is given for a format other than png.
std::string format_of(const SinkOptions& options);

// Takes pictures u8 [H,W,C] of one shape in order. Files appear whole or not at all.
class PictureSink {
 public:
  PictureSink(SinkOptions options, std::int64_t height, std::int64_t width, std::int64_t channels);
  ~PictureSink();
  void add(std::span<const std::uint8_t> picture, std::int64_t seed, std::int32_t label = -1);
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
