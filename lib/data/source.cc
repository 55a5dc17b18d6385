// Recognising sources, and what all readers share.
#include "data/source.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "data/idx.h"

namespace atelier {
namespace {

constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";
constexpr std::size_t kTarMagicOffset = 257, kTarBlock = 512;

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

// The first bytes behind gzip; zlib passes other bytes through.
std::vector<std::byte> gunzipped_head(const std::string& path) {
  std::vector<std::byte> head(kTarBlock);
  gzFile file = gzopen(path.c_str(), "rbe");
  int got = file ? gzread(file, head.data(), unsigned(head.size())) : 0;
  if (file) gzclose(file);
  head.resize(std::size_t(std::max(got, 0)));
  return head;
}

Input identify_file(const std::string& path, const std::string& format) {
  Input input{.source = path, .format = SourceFormat::tar};
  ByteReader reader(open_read(path), path);
  std::span<const std::byte> head = reader.peek(kTarBlock);
  if (head.empty()) throw Error(path + ": is empty");
  if (format == "hdf5" || (format == "auto" && starts_with(head, kHdf5Signature))) {
    input.format = SourceFormat::hdf5;
  } else if (format == "idx" || (format == "auto" && looks_like_idx(gunzipped_head(path)))) {
    input.format = SourceFormat::idx;
  } else if (format == "tar" || is_tar(head) || is_compressed(head)) {
    input.file = open_read(path);
  } else if (sniff_picture(head) != PictureFormat::unknown) {
    input.format = SourceFormat::pictures;
    input.reader = std::make_unique<ByteReader>(open_read(path), path);
  } else {
    throw Error(path + ": expected a folder, a tar, idx or HDF5 file or pictures, found neither");
  }
  return input;
}

Input identify_stream(const std::string& format) {
  const std::string name = "standard input";
  Input input{.source = name, .format = SourceFormat::tar};
  auto reader = std::make_unique<ByteReader>(STDIN_FILENO, name);
  std::span<const std::byte> head = reader->peek(kTarBlock);
  if (head.empty()) throw Error(name + ": is empty");
  if (format == "hdf5" || (format == "auto" && starts_with(head, kHdf5Signature))) {
    input.format = SourceFormat::hdf5;
    input.file = reader->seekable();
  } else if (format == "tar" || (format == "auto" && (is_tar(head) || is_compressed(head)))) {
    input.file = reader->seekable();
  } else if (format == "auto" && sniff_picture(head) != PictureFormat::unknown) {
    input.format = SourceFormat::pictures;
    input.reader = std::move(reader);
  } else {
    throw Error(name + (format == "auto" ? ": expected tar, HDF5 or pictures, found neither"
                                         : ": cannot be read as " + format + ", give its path"));
  }
  return input;
}

}  // namespace

Input identify(const std::string& source, const ReadOptions& options) {
  const std::string& format = options.data_format;
  if (source == "-") return identify_stream(format);
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) throw_errno(source, "cannot open", errno);
  if (S_ISDIR(status.st_mode)) {
    if (format != "auto" && format != "folder") {
      throw UsageError(fmt::format("{}: is a folder, --data-format says {}", source, format));
    }
    return {.source = source, .format = SourceFormat::folder};
  }
  if (format == "folder") {
    throw UsageError(fmt::format("{}: is no folder, --data-format says folder", source));
  }
  return identify_file(source, format);
}

std::vector<Input> identify_all(std::span<const std::string> sources, const ReadOptions& options) {
  std::vector<Input> inputs;
  const std::string& synthetic = options.synthetic;
  if (!synthetic.empty() && synthetic != "noise" && synthetic != "shapes") {
    throw UsageError(fmt::format("--synthetic '{}': expected noise or shapes", synthetic));
  }
  if (!synthetic.empty() || options.data_format == "synthetic") {
    if (!sources.empty()) {
      throw UsageError(fmt::format("'{}': --synthetic draws pictures and reads none", sources[0]));
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
  if (sources.size() > 1 && !options.labels.empty()) {
    throw UsageError("--labels: expected one source, found several");
  }
  for (const std::string& source : sources) inputs.push_back(identify(source, options));
  return inputs;
}

std::unique_ptr<CheckedSource> open_input(Input input, const ReadOptions& options) {
  switch (input.format) {
    case SourceFormat::folder:
      return open_folder(input.source, options);
    case SourceFormat::tar:
      return open_tar(std::move(input.file), input.source, options);
    case SourceFormat::idx:
      return open_idx(input.source, options);
    case SourceFormat::hdf5:
      open_hdf5_files(input);
      return open_hdf5_items(std::move(input.hdf5), input.source, options);
    case SourceFormat::pictures:
      return open_pictures(std::move(input.reader), input.source, options);
    case SourceFormat::synthetic:
      break;
  }
  return open_synthetic(options);
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
  return labels_.values.empty() ? own_label_names() : labels_.names;
}

bool CheckedSource::next(Item& item) {
  const bool labelled = !labels_.values.empty();
  for (;;) {
    item = {};
    if (!advance(item)) break;
    std::size_t place = std::size_t(position_++);
    if (labelled && place >= labels_.values.size()) {
      throw Error(fmt::format("{}: has {} labels, but {} has more pictures", labels_.path,
                              labels_.values.size(), source_));
    }
    try {
      load(item);
    } catch (const Error& error) {
      std::string message = fmt::format("{}: {}", place_of(source_, item.name), error.what());
      if (options_.on_error != "skip") throw Error(message);
      logging::warning(message + " (skipped)");
      ++skipped;
      continue;
    }
    if (labelled) item.label = labels_.values[place];
    return true;
  }
  if (labelled && std::size_t(position_) != labels_.values.size()) {
    throw Error(fmt::format("{}: has {} labels, but {} has {} pictures", labels_.path,
                            labels_.values.size(), source_, position_));
  }
  return false;
}

}  // namespace atelier
