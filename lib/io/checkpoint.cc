// Checkpoints as HDF5: attributes by group, tensors by name, every one checksummed.
#include "io/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace atelier {
namespace {

struct Group {
  const char* path;
  Attributes Checkpoint::*member;
};
constexpr Group kGroups[] = {{"/config", &Checkpoint::config},
                             {"/preprocess", &Checkpoint::preprocess},
                             {"/training", &Checkpoint::training},
                             {"/state", &Checkpoint::state},
                             {"/inputs", &Checkpoint::inputs}};

constexpr const char *kTokenizer = "/tokenizer", *kTokenizerType = "sentencepiece";
constexpr const char* kLabelNames = "/meta/label_names";
// On /config, beside the fields: another tokenizer of as many tokens would go unnoticed otherwise.
constexpr const char* kTokenizerDigest = "tokenizer_xxh3";

std::string path_of(const std::string& name) {
  return name.find('/') == name.npos ? "/model/" + name : "/" + name;
}

FileType stored_type(DType type) {
  switch (type) {
    case DType::f32:
      return FileType::f32;
    case DType::bf16:
      return FileType::bf16;
    case DType::i32:
      return FileType::i32;
    case DType::u8:
      return FileType::u8;
    case DType::f64:
      return FileType::f64;
  }
  return FileType::other;
}

DType memory_type(const Hdf5Reader& file, const DatasetInfo& info) {
  switch (info.type) {
    case FileType::f32:
      return DType::f32;
    case FileType::bf16:
      return DType::bf16;
    case FileType::i32:
      return DType::i32;
    case FileType::u8:
      return DType::u8;
    case FileType::f64:
      return DType::f64;
    default:
      throw Error(
          fmt::format("{}: {}: expected f32, found {}", file.name(), info.path, name(info.type)));
  }
}

// "nan" or "inf" if there is one among floating point numbers, else "". `exponent`: its bits, which
// are all set in what is not finite.
template <class Bits>
std::string_view first_not_finite(const std::byte* at, std::size_t count, Bits exponent) {
  auto number = reinterpret_cast<const Bits*>(at);  // of a store: aligned
  constexpr std::size_t kPiece = 1024;              // without an exit inside: done in vectors
  std::size_t first = 0;
  for (; first + kPiece <= count; first += kPiece) {
    Bits found = 0;
    for (std::size_t i = 0; i < kPiece; ++i)
      found = Bits(found | Bits((number[first + i] & exponent) == exponent));
    if (found) break;
  }
  for (; first < count; ++first) {
    if ((number[first] & exponent) != exponent) continue;
    return number[first] & Bits((exponent & (~exponent + 1)) - 1) ? "nan" : "inf";
  }
  return "";
}

std::string_view first_not_finite(const StoredTensor& tensor) {
  std::size_t count = tensor.bytes() / size_of(tensor.type.dtype);
  switch (tensor.type.dtype) {
    case DType::f32:
      return first_not_finite<std::uint32_t>(tensor.data(), count, 0x7f800000);
    case DType::bf16:
      return first_not_finite<std::uint16_t>(tensor.data(), count, 0x7f80);
    case DType::f64:
      return first_not_finite<std::uint64_t>(tensor.data(), count, 0x7ff0000000000000);
    case DType::i32:
    case DType::u8:
      return "";
  }
  return "";
}

// Weights and their averages only: a moment of the optimizer may overflow and recover.
std::string non_finite_weight(const std::string& path, const StoredTensor& tensor) {
  if (!path.starts_with("/model/") && !path.starts_with("/ema")) return "";
  std::string_view found = first_not_finite(tensor);
  return found.empty() ? "" : fmt::format("{} holds {}", path, found);
}

void require_finite(const std::string& file, const std::string& path, const StoredTensor& tensor) {
  std::string found = non_finite_weight(path, tensor);
  if (!found.empty()) throw Error(fmt::format("{}: {}; values must be finite", file, found));
}

void read_tensor(const Hdf5Reader& file, const std::string& path, const std::string& label,
                 Store& store) {
  DatasetInfo info = file.info(path);
  if (info.dims.size() > std::size_t(kMaxRank))
    throw Error(
        fmt::format("{}: {}: rank {} is above {}", file.name(), path, info.dims.size(), kMaxRank));
  Type type{memory_type(file, info), Shape(info.dims)};
  if (store.has(label) && store.at(label).type != type) {
    throw Error(fmt::format("{}: tensor {}: expected {}, found {}", file.name(), label,
                            to_string(store.at(label).type), to_string(type)));
  }
  if (!info.contiguous)
    throw Error(fmt::format("{}: {}: expected a contiguous dataset", file.name(), path));
  file.verify(path);
  StoredTensor& tensor = store.has(label) ? store.at(label) : store.create(label, type);
  Mapping bytes = file.map(path);
  std::copy(bytes.bytes().begin(), bytes.bytes().end(), tensor.data());
  require_finite(file.name(), path, tensor);
  ++tensor.version;
}

std::vector<std::byte> read_tokenizer(const Hdf5Reader& file) {
  if (!file.has(kTokenizer)) return {};
  const std::string where = fmt::format("{}: {}", file.name(), kTokenizer);
  if (file.is_group(kTokenizer)) throw Error(where + ": expected a dataset, found a group");
  DatasetInfo info = file.info(kTokenizer);
  if (info.type != FileType::u8 || info.dims.size() != 1 || info.dims[0] == 0 || !info.contiguous)
    throw Error(where + ": expected contiguous bytes u8 [n]");
  Attributes attributes = file.attributes(kTokenizer);
  const Scalar* type = find(attributes, "type");
  std::string found = type ? to_text(*type) : "none";
  if (found != kTokenizerType)
    throw Error(fmt::format("{}: expected type {}, found {}", where, kTokenizerType, found));
  file.verify(kTokenizer);
  Mapping bytes = file.map(kTokenizer);
  return {bytes.bytes().begin(), bytes.bytes().end()};
}

// Takes the digest out of what was read of /config, which holds fields.
void require_own_tokenizer(const Hdf5Reader& file, Checkpoint& checkpoint) {
  const Scalar* digest = find(checkpoint.config, kTokenizerDigest);
  if (!digest) return;  // of an older version
  std::string wanted = to_text(*digest);
  std::erase_if(checkpoint.config, [](const auto& a) { return a.first == kTokenizerDigest; });
  if (checkpoint.tokenizer.empty() || xxh3_hex(checkpoint.tokenizer) == wanted) return;
  throw Error(
      fmt::format("{}: {}: is not the one that the model was trained with: expected {}, "
                  "found {}",
                  file.name(), kTokenizer, wanted, xxh3_hex(checkpoint.tokenizer)));
}

}  // namespace

std::string Checkpoint::model() const {
  const Scalar* name = find(config, "model");
  return name ? to_text(*name) : "";
}

std::string non_finite_weight(const Store& store) {
  for (const std::string& name : store.names()) {
    std::string found = non_finite_weight(path_of(name), store.at(name));
    if (!found.empty()) return found;
  }
  return "";
}

void write_checkpoint(const std::string& output, const Checkpoint& checkpoint, const Store& store,
                      const std::function<bool(std::string_view name)>& wanted) {
  Hdf5Writer file = Hdf5Writer::create(output, "checkpoint");
  for (const Group& group : kGroups) {
    const Attributes& values = checkpoint.*group.member;
    if (values.empty()) continue;
    file.group(group.path);
    file.attributes(group.path, values);
  }
  if (!checkpoint.tokenizer.empty()) {
    const std::int64_t dims[] = {std::int64_t(checkpoint.tokenizer.size())};
    file.dataset(kTokenizer, FileType::u8, dims, checkpoint.tokenizer);
    file.attribute(kTokenizer, "type", std::string(kTokenizerType));
    if (!checkpoint.config.empty())
      file.attribute("/config", kTokenizerDigest, xxh3_hex(checkpoint.tokenizer));
  }
  if (!checkpoint.label_names.empty()) file.strings(kLabelNames, checkpoint.label_names);
  // By name: the order of creation differs between a first run and a resumed one.
  std::vector<std::string> names = store.names();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.starts_with(kTablePrefix) || (wanted && !wanted(name))) continue;
    const StoredTensor& tensor = store.at(name);
    require_finite(output, path_of(name), tensor);
    std::vector<std::int64_t> dims(tensor.type.shape.axes().begin(),
                                   tensor.type.shape.axes().end());
    file.dataset(path_of(name), stored_type(tensor.type.dtype), dims,
                 {tensor.data(), tensor.bytes()});
  }
  file.commit();
}

Checkpoint read_checkpoint_attributes(const Hdf5Reader& file) {
  file.require_kind("checkpoint");
  Checkpoint checkpoint;
  for (const Group& group : kGroups) {
    if (file.is_group(group.path)) checkpoint.*group.member = file.attributes(group.path);
  }
  checkpoint.tokenizer = read_tokenizer(file);
  if (file.has(kLabelNames)) {
    file.verify(kLabelNames);
    checkpoint.label_names = file.read_strings(kLabelNames);
  }
  require_own_tokenizer(file, checkpoint);
  if (checkpoint.model().empty())
    throw Error(fmt::format("{}: /config names no model", file.name()));
  return checkpoint;
}

Checkpoint read_checkpoint(const Hdf5Reader& file, Store& store,
                           const std::function<bool(std::string_view name)>& wanted) {
  Checkpoint checkpoint = read_checkpoint_attributes(file);
  // Tensors lie in /model and, by their path, in any group that holds no attributes of ours.
  for (const std::string& path : file.datasets("/")) {
    if (path == kTokenizer || path.starts_with("/meta/")) continue;
    std::string label = path.starts_with("/model/") ? path.substr(7) : path.substr(1);
    if (!wanted || wanted(label)) read_tensor(file, path, label, store);
  }
  return checkpoint;
}

}  // namespace atelier
