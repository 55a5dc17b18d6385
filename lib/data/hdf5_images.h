// What an HDF5 file holds of pictures, vectors or latents, their labels and names; private to this
// floor.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/prepare.h"
#include "io/hdf5.h"
#include "io/latents.h"

namespace atelier {

struct Hdf5Images {
  std::string path;  // "/images", "/vectors", "/latents"
  FileType type = FileType::u8;
  bool is_float = false;               // f32; f16 and bf16, which f32 holds exactly; f64, rounded
  bool real = false;                   // vectors or latents, whose numbers stay as they are
  bool boolean = false;                // false and true, which become 0 and 255
  std::optional<LatentSpace> latents;  // of latents
  ValueRange range;                    // of floats; our own files keep them in 0..1
  bool contiguous = false;
  std::string checksum;
  std::int64_t count = 0, height = 0, width = 0, channels = 0;
  std::int64_t pixels() const { return height * width * channels; }  // of one picture
  std::string_view noun() const { return noun_of(real, latents.has_value()); }
};

// Finds and checks the pictures' dataset: --dataset, or /images; with options.real also /vectors
// and /latents of files of these kinds. Throws Error naming the file.
Hdf5Images describe_images(const Hdf5Reader& file, const ReadOptions& options);

// A warning if the pictures look like channels first.
void warn_of_channels_first(const Hdf5Reader& file, const Hdf5Images& images);

// A pass over the pictures before they are used: Error for floats that are not finite or lie
// outside `range`, with what was found. With `skip` false instead of the Error if some are not
// finite: pictures that hold them are to be left out.
bool check_pictures(const Hdf5Reader& file, const Hdf5Images& images, bool skip);

// So many pictures are read at once: enough that a chunk of a compressed dataset is unpacked few
// times, and at most 2 MiB.
std::int64_t rows_at_once(const Hdf5Images& images);

// Rows as u8; other whole numbers are converted if each fits 0..255, else Error.
void read_u8_rows(const Hdf5Reader& file, const Hdf5Images& images, std::int64_t first,
                  std::int64_t count, std::span<std::uint8_t> into);

// Rows of floats, `range` mapped to 0..1; what is not finite stays so.
void read_f32_rows(const Hdf5Reader& file, const Hdf5Images& images, std::int64_t first,
                   std::int64_t count, std::span<float> into);

struct Hdf5Annotations {
  std::vector<std::int32_t> labels;                       // empty: none
  std::vector<std::string> label_names, captions, names;  // empty: none
};

// Labels, captions and names, where the file has them; counts must be that of the pictures.
Hdf5Annotations read_annotations(const Hdf5Reader& file, const Hdf5Images& images,
                                 const ReadOptions& options);

}  // namespace atelier
