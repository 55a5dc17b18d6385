// The four formats; memory holds one picture, except for a grid.
#include "io/picture_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "io/hdf5.h"

namespace atelier {
namespace {

std::string stated_format(const SinkOptions& o) {
  if (!o.format.empty()) return o.format;
  auto ends = [&](std::string_view suffix) { return o.output.ends_with(suffix); };
  if (ends(".h5") || ends(".hdf5")) return "hdf5";
  if (ends(".tar")) return "tar";
  if (ends(".ppm") || ends(".pgm")) return "ppm";
  if (ends(".png") || o.output == "-") return "png";
  throw UsageError(fmt::format("{} '{}': expected a name ending in .png, .ppm, .h5 or .tar{}",
                               o.option, o.output, o.option == "-o" ? ", or --format" : ""));
}

// A ustar header for a regular file without owner and clock.
std::string tar_header(const std::string& name, std::size_t bytes) {
  std::string header(512, '\0');
  auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", bytes));
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

}  // namespace

std::string format_of(const SinkOptions& o) {
  std::string format = stated_format(o);
  if (format != "png" && !o.grid.empty())
    throw UsageError(fmt::format("--grid {}: goes with png, not with {}", o.grid, format));
  return format;
}

GridShape parse_grid(const std::string& text, std::string_view flag) {
  if (text.empty()) return {};
  GridShape grid;
  auto x = text.find('x');
  auto number = [&](std::string_view piece, std::int64_t& value) {
    auto [end, error] = std::from_chars(piece.data(), piece.data() + piece.size(), value);
    return error == std::errc{} && end == piece.data() + piece.size() && value >= 1 &&
           value <= kMaxGridSide;
  };
  if (x == text.npos || !number(std::string_view(text).substr(0, x), grid.columns) ||
      !number(std::string_view(text).substr(x + 1), grid.rows)) {
    throw UsageError(fmt::format("{} '{}': expected columns x rows, as 8x4, each at most {}", flag,
                                 text, kMaxGridSide));
  }
  if (grid.columns * grid.rows > kMaxGridPictures) {
    throw UsageError(fmt::format("{} {}: has {} cells, at most {} are drawn", flag, text,
                                 grid.columns * grid.rows, kMaxGridPictures));
  }
  return grid;
}

void require_grid(std::int64_t pictures) {
  if (pictures <= kMaxGridPictures) return;
  throw UsageError(
      fmt::format("a png grid holds at most {} pictures, not {}; use --format hdf5, tar or ppm",
                  kMaxGridPictures, pictures));
}

struct PictureSink::Impl {
  SinkOptions options;
  std::string format;
  std::int64_t height, width, channels, count = 0;
  std::vector<std::uint8_t> grid;
  std::optional<Hdf5Writer> file;
  std::optional<Hdf5Writer::Rows> rows;
  std::vector<std::int64_t> seeds;
  std::vector<std::int32_t> labels;
  std::unique_ptr<AtomicFile> atomic;

  void put(std::span<const std::byte> bytes) {
    if (atomic) {
      atomic->write(bytes);
    } else {
      write_all(STDOUT_FILENO, bytes, "standard output");
    }
  }
  void put(const std::string& text) { put(std::as_bytes(std::span(text))); }
};

PictureSink::PictureSink(SinkOptions options, std::int64_t height, std::int64_t width,
                         std::int64_t channels)
    : impl_(std::make_unique<Impl>()) {
  Impl& s = *impl_;
  s.options = std::move(options);
  s.format = format_of(s.options);
  s.height = height;
  s.width = width;
  s.channels = channels;
  bool plain = channels == 1 || channels == 3;
  bool with_alpha = channels <= 4 && s.format != "ppm";
  if (s.format != "hdf5" && !plain && !with_alpha && !s.options.first_channels) {
    throw UsageError(
        fmt::format("--format {}: cannot hold {} channels; use hdf5", s.format, channels));
  }
  if (s.format == "hdf5") {
    s.file = Hdf5Writer::create(s.options.output, "samples", s.options.force);
    std::int64_t dims[] = {height, width, channels};
    s.rows.emplace(s.file->rows("/images", FileType::u8, dims));
    return;
  }
  if (!s.options.force) refuse_terminal(s.options.output);
  if (s.options.output != "-") s.atomic = std::make_unique<AtomicFile>(s.options.output);
}
PictureSink::~PictureSink() = default;

void PictureSink::add(std::span<const std::uint8_t> pixels, std::int64_t seed, std::int32_t label) {
  Impl& s = *impl_;
  if (s.format == "png") require_grid(s.count + 1);
  const std::vector<std::string>& parts = s.options.parts;
  const std::string& part = parts[std::size_t(s.count) % parts.size()];
  ++s.count;
  s.seeds.push_back(seed);
  s.labels.push_back(label);
  if (s.format == "hdf5") return s.rows->append(std::as_bytes(pixels));
  if (s.format == "png") {
    s.grid.insert(s.grid.end(), pixels.begin(), pixels.end());
    return;
  }
  Picture picture{s.height, s.width, s.channels, {pixels.begin(), pixels.end()}};
  if (s.format == "ppm") return s.put(encode_pnm(picture));
  std::vector<std::byte> png = encode_png(picture, s.options.text);
  s.put(tar_header(fmt::format("{:08}{}.png", seed, part), png.size()));
  s.put(png);
  s.put(std::string((512 - png.size() % 512) % 512, '\0'));
}

void PictureSink::finish() {
  Impl& s = *impl_;
  if (s.format == "hdf5") {
    s.rows->finish();
    s.file->attribute("/images", "color_space", std::string("sRGB"));
    std::int64_t n = s.count;
    s.file->dataset<std::int64_t>("/seeds", {&n, 1}, s.seeds);
    if (s.options.labelled) {
      s.file->dataset<std::int32_t>("/labels", {&n, 1}, s.labels);
      if (!s.options.label_names.empty())
        s.file->strings("/meta/label_names", s.options.label_names);
    }
    if (!s.options.provenance.empty()) s.file->attributes("/inputs", s.options.provenance);
    return s.file->commit();
  }
  if (s.format == "tar") s.put(std::string(1024, '\0'));
  if (s.format == "png") {
    GridShape grid = parse_grid(s.options.grid);
    std::int64_t columns = grid.columns;
    auto parts = std::int64_t(s.options.parts.size());
    if (columns == 0 && parts > 1) {
      columns = std::int64_t(std::ceil(std::sqrt(double(std::max<std::int64_t>(s.count, 1)))));
      columns = (columns + parts - 1) / parts * parts;
    }
    s.put(encode_png(make_grid(s.grid, s.count, s.height, s.width, s.channels, columns),
                     s.options.text));
  }
  if (s.atomic) s.atomic->commit();
}

}  // namespace atelier
