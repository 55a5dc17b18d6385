// Recognising sources, and what all readers share.
#include "data/source.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "data/idx.h"
#include "data/toy.h"
#include "data/tsv.h"

namespace atelier {
namespace {

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";
constexpr std::size_t kTarMagicOffset = 257, kTarBlock = 512;
constexpr std::size_t kLastSignature = 2048;  // of the places where user blocks are looked for
constexpr std::size_t kHeadBytes = 1024;      // a compressed beginning shows what is inside

bool starts_with(std::span<const std::byte> head, std::string_view magic) {
  return head.size() >= magic.size() && std::memcmp(head.data(), magic.data(), magic.size()) == 0;
}

bool is_tar(std::span<const std::byte> head) {
  return head.size() >= kTarBlock && starts_with(head.subspan(kTarMagicOffset), "ustar");
}

bool is_compressed(std::span<const std::byte> head) {
  using namespace std::string_view_literals;
  for (std::string_view magic : {"\x1f\x8b"sv, "\x28\xb5\x2f\xfd"sv, "\xfd\x37zXZ\0"sv, "BZh"sv}) {
    if (starts_with(head, magic)) return true;
  }
  return false;
}

// The first bytes behind gzip, as many as these give; other bytes as they are.
std::vector<std::byte> gunzipped(std::span<const std::byte> head) {
  if (!starts_with(head, "\x1f\x8b")) return {head.begin(), head.end()};
  constexpr int kGzip = 15 + 16;  // window bits, and 16 for the format
  std::vector<std::byte> bytes(kTarBlock);
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(head.data()));
  stream.avail_in = uInt(head.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = uInt(bytes.size());
  inflate(&stream, Z_SYNC_FLUSH);  // a beginning ends in an error, after what it gives
  bytes.resize(bytes.size() - stream.avail_out);
  inflateEnd(&stream);
  return bytes;
}

// What begins so; --data-format overrules the content.
std::optional<SourceFormat> format_of(std::span<const std::byte> head, const std::string& format) {
  bool by_content = format == "auto";
  if (format == "hdf5" || (by_content && starts_with(head, kHdf5Signature))) {
    return SourceFormat::hdf5;
  }
  if (format == "idx" || (by_content && looks_like_idx(gunzipped(head)))) return SourceFormat::idx;
  if (format == "tar" || (by_content && (is_tar(head) || is_compressed(head)))) {
    return SourceFormat::tar;
  }
  if (by_content && sniff_picture(head) != PictureFormat::unknown) return SourceFormat::pictures;
  return {};
}

Input identify_bytes(std::unique_ptr<ByteReader> reader, const std::string& format, bool piped) {
  const std::string name = reader->name();
  std::span<const std::byte> head = reader->peek(kHeadBytes);
  if (head.empty()) throw Error(name + ": is empty");
  std::optional<SourceFormat> found = format_of(head, format);
  if (!found) {
    std::span<const std::byte> more = reader->peek(kLastSignature + kHdf5Signature.size());
    for (std::size_t at = 512; at <= kLastSignature && at < more.size(); at *= 2) {
      if (!starts_with(more.subspan(at), kHdf5Signature)) continue;
      throw Error(
          fmt::format("{}: is HDF5 behind a user block of {} bytes, which is not read", name, at));
    }
    throw UnknownInput(
        fmt::format("{}: expected {}a tar, idx or HDF5 file or pictures, found none of them", name,
                    piped ? "" : "a folder, "));
  }
  Input input{.source = name, .format = *found};
  if (!piped) return input;
  if (*found == SourceFormat::pictures) {
    input.reader = std::move(reader);
  } else {
    input.file = reader->seekable();
  }
  return input;
}

}  // namespace

Input identify(const std::string& source, const ReadOptions& options) {
  const std::string& format = options.data_format;
  struct stat status {};
  if (source != "-" && ::stat(source.c_str(), &status) != 0) {
    throw_errno(source, "cannot open", errno);
  }
  if (S_ISDIR(status.st_mode)) {
    if (format != "auto" && format != "folder") {
      throw UsageError(fmt::format("{}: is a folder, --data-format says {}", source, format));
    }
    return {.source = source, .format = SourceFormat::folder};
  }
  if (format == "folder") {
    throw UsageError(fmt::format("{}: is no folder, --data-format says folder", source));
  }
  // Whatever is no file can be read once only: by the descriptor that its beginning came from.
  auto reader = source == "-" ? std::make_unique<ByteReader>(STDIN_FILENO, "standard input")
                              : std::make_unique<ByteReader>(open_read(source), source);
  return identify_bytes(std::move(reader), format, !S_ISREG(status.st_mode));
}

std::vector<std::string> files_read(std::span<const std::string> sources,
                                    const ReadOptions& options) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    for (std::string& name : expand_ranges(source)) {
      if (std::optional<std::string> labels = labels_beside(name)) files.push_back(*labels);
      files.push_back(std::move(name));
    }
  }
  if (!options.labels.empty()) files.push_back(options.labels);
  return files;
}

namespace {

void check_synthetic(const ReadOptions& options) {
  const std::string& synthetic = options.synthetic;
  if (is_toy(synthetic) && options.real) {
    make_toy(options);  // refuses what it cannot be
    return;
  }
  if (is_toy(synthetic)) {
    throw UsageError(fmt::format(
        "--synthetic {}: draws vectors, expected pictures: noise or shapes", synthetic));
  }
  if (!synthetic.empty() && synthetic != "noise" && synthetic != "shapes") {
    throw UsageError(fmt::format("--synthetic '{}': expected noise{} shapes{}", synthetic,
                                 options.real ? "," : " or",
                                 options.real ? ", ring, grid, swiss-roll or gaussians" : ""));
  }
  const char* flag = options.synthetic_modes > 0    ? "modes"
                     : options.synthetic_radius > 0 ? "radius"
                     : options.synthetic_std > 0    ? "std"
                                                    : nullptr;
  if (flag) {
    throw UsageError(fmt::format(
        "--synthetic-{} goes with --synthetic ring, grid, swiss-roll or gaussians", flag));
  }
}

Input identify_one_of_many(const std::string& source, const ReadOptions& options) {
  if (options.on_error != "skip") return identify(source, options);
  try {
    return identify(source, options);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    return {.source = source, .format = SourceFormat::pictures, .fault = error.what()};
  }
}

}  // namespace

std::vector<Input> identify_all(std::span<const std::string> sources, const ReadOptions& options) {
  std::vector<Input> inputs;
  const std::string& synthetic = options.synthetic;
  check_synthetic(options);
  if (options.draws()) {
    if (!sources.empty()) {
      throw UsageError(fmt::format("'{}': --synthetic draws {} and reads none", sources[0],
                                   is_toy(synthetic) ? "points" : "pictures"));
    }
    inputs.push_back({.source = "synthetic", .format = SourceFormat::synthetic});
    return inputs;
  }
  if (sources.empty()) {
    throw UsageError("no pictures: expected a folder, a tar, idx or HDF5 file, - or --synthetic");
  }
  if (std::count(sources.begin(), sources.end(), "-") > 1) {
    throw UsageError("'-': standard input can be read once only");
  }
  for (const std::string& source : sources) {
    for (const std::string& name : expand_ranges(source)) {
      inputs.push_back(sources.size() > 1 ? identify_one_of_many(name, options)
                                          : identify(name, options));
    }
  }
  if (inputs.size() > 1 && !options.labels.empty()) {
    throw UsageError("--labels: expected one source, found several");
  }
  return inputs;
}

std::unique_ptr<CheckedSource> open_input(Input input, const ReadOptions& options) {
  switch (input.format) {
    case SourceFormat::folder:
      return open_folder(input.source, options);
    case SourceFormat::tar:
      return open_tar(std::move(input.file), input.source, options);
    case SourceFormat::idx:
      return open_idx(std::move(input.file), input.source, options);
    case SourceFormat::hdf5:
      open_hdf5_files(input);
      return open_hdf5_items(std::move(input.hdf5), input.source, options);
    case SourceFormat::pictures:
      return open_pictures(std::move(input.reader), input.source, options);
    case SourceFormat::synthetic:
      break;
  }
  return is_toy(options.synthetic) ? open_toy(options) : open_synthetic(options);
}

std::unique_ptr<ItemSource> open_source(const std::string& source, const ReadOptions& options) {
  std::vector<std::string> sources;
  if (!source.empty()) sources.push_back(source);
  return open_input(std::move(identify_all(sources, options).front()), options);
}

CheckedSource::CheckedSource(std::string source, const ReadOptions& options)
    : source_(std::move(source)), options_(options) {
  while (source_.size() > 1 && source_.ends_with('/')) source_.pop_back();
  if (!options.labels.empty()) labels_ = read_label_file(options.labels);
}

std::vector<std::string> CheckedSource::label_names() const {
  std::vector<std::string> names = labels_.values.empty() ? own_label_names() : labels_.names;
  for (std::string& name : names) name = as_utf8(name);
  return names;
}

bool CheckedSource::pass() {
  Item item;
  if (!advance(item)) return false;
  ++position_;
  return true;
}

bool CheckedSource::next(Item& item) {
  const bool labelled = !labels_.values.empty();
  for (;;) {
    item = {};
    if (position_ == end_) return false;
    if (!advance(item)) break;
    std::size_t place = std::size_t(position_++);
    if (labelled && place >= labels_.values.size()) {
      throw Error(fmt::format("{}: has {} labels, but {} has more {}", labels_.path,
                              labels_.values.size(), source_, noun()));
    }
    try {
      load(item);
      if (item.caption.size() > kMaxCaptionBytes) {
        throw Error(fmt::format("its caption has {} bytes, at most {}", item.caption.size(),
                                kMaxCaptionBytes));
      }
    } catch (const Error& error) {
      std::string message = fmt::format("{}: {}", place_of(source_, item.name), error.what());
      if (options_.on_error != "skip") throw Error(message);
      logging::warning(message + " (skipped)");
      ++skipped;
      continue;
    }
    if (labelled) item.label = labels_.values[place];
    item.name = as_utf8(item.name);  // names of files are bytes, those in our files are text
    return true;
  }
  if (labelled && std::size_t(position_) != labels_.values.size()) {
    throw Error(fmt::format("{}: has {} labels, but {} has {} {}", labels_.path,
                            labels_.values.size(), source_, position_, noun()));
  }
  return false;
}

}  // namespace atelier
