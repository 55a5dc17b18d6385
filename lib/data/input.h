// Sources told apart by their content before anybody reads them. What can be read once only is
// opened here, once, and handed on: whoever asks what it is gets it whole all the same.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "data/byte_reader.h"
#include "data/dataset.h"
#include "io/hdf5.h"
#include "io/vectors.h"

namespace atelier {

enum class SourceFormat : std::uint8_t { folder, tar, idx, hdf5, pictures, synthetic };

// A source told apart and not yet read.
struct Input {
  std::string source;  // as the user wrote it, for messages: "photos/", "standard input"
  SourceFormat format = SourceFormat::folder;
  // Of a pipe only; files are opened when their turn comes, so that thousands may be given.
  Descriptor file = {};                     // tar, idx, HDF5: seekable, at its start
  std::unique_ptr<ByteReader> reader = {};  // pictures
  std::vector<Hdf5Reader> hdf5 = {};        // HDF5, once opened
  // Why it cannot be read, where bad items are skipped: it then counts as one of them.
  std::string fault = {};
};

// A source that is there and of no known kind.
class UnknownInput : public Error {
 public:
  using Error::Error;
};

// Recognises a source; a pipe that needs seeking is copied to a spool. Throws Error for what is
// missing, UnknownInput for what is of no known kind.
Input identify(const std::string& source, const ReadOptions& options);
// One input each; the synthetic one if no sources are given. UsageError if that makes no sense.
// With on_error skip, a source among several that cannot be read is an Input with a fault.
std::vector<Input> identify_all(std::span<const std::string> sources, const ReadOptions& options);

// All of them as one set; read_dataset() of dataset.h in two steps.
Dataset read_dataset(std::vector<Input> inputs, const ReadOptions& options);

// The kind of a source that is HDF5 of ours, of the first image there: "images", "vectors"; empty
// for whatever else lies there. Reads nothing away.
std::string kind_of(const Input& input);
// The one HDF5 image of the source, which is left empty. Throws Error if there are more, or none.
Hdf5Reader take_hdf5(Input input);
// All vectors of the source, as read_all_vectors() has them.
Vectors take_vectors(Input input);

}  // namespace atelier
