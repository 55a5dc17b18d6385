// The five formats of vectors, row by row.
#include "io/vector_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "io/half.h"
#include "io/hdf5.h"
#include "io/metrics.h"

namespace atelier {
namespace {

std::string stated_format(const VectorSinkOptions& o) {
  if (!o.format.empty()) return o.format;
  auto ends = [&](std::string_view suffix) { return o.output.ends_with(suffix); };
  if (ends(".h5") || ends(".hdf5") || o.output == "-") return "hdf5";
  for (const char* format : {"npy", "fvecs", "csv", "jsonl"}) {
    if (ends(std::string(".") + format)) return format;
  }
  throw UsageError(fmt::format(
      "-o '{}': expected a name ending in .h5, .npy, .fvecs, .csv or .jsonl, or --format",
      o.output));
}

// Of the .npy format, version 1.0: 128 bytes whatever the number of rows, which is known last.
std::string npy_header(std::int64_t rows, std::int64_t dim, const std::string& dtype) {
  constexpr std::size_t kBytes = 128, kBefore = 10;
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                   dtype == "f16" ? "<f2" : "<f4", rows, dim);
  header.resize(kBytes - kBefore - 1, ' ');
  header += '\n';
  const char length[2] = {char(header.size()), char(header.size() >> 8)};
  return std::string("\x93NUMPY\x01\x00", 8) + std::string(length, 2) + header;
}

// RFC 4180: quotes around what holds a comma, a quote or the end of a line.
void put_csv(std::string& line, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == text.npos) {
    line += text;
    return;
  }
  line += '"';
  for (char c : text) line.append(c == '"' ? 2 : 1, c);
  line += '"';
}

std::string_view distance_of(const std::string& metric) {
  return metric == "cosine" ? "angular" : metric == "l2" ? "euclidean" : "dot";
}

}  // namespace

std::string format_of(const VectorSinkOptions& o, const std::string& dtype) {
  std::string format = stated_format(o);
  if (o.layout != "atelier" && format != "hdf5")
    throw UsageError(fmt::format("--layout {}: goes with hdf5, not with {}", o.layout, format));
  if (dtype == "f16" && format == "fvecs")
    throw UsageError("--dtype f16: fvecs holds f32 alone; npy and hdf5 hold f16");
  return format;
}

struct VectorSink::Impl {
  VectorSinkOptions options;
  std::string format, name, dtype;
  std::int64_t dim, count = 0;
  bool labelled, normalized;
  std::optional<Hdf5Writer> file;
  std::optional<Hdf5Writer::Rows> rows, labels;
  std::vector<std::string> ids;
  bool named = false;  // some row has a name
  std::unique_ptr<AtomicFile> atomic;
  Descriptor spool;  // npy on its way to standard output
  std::string pending;
  std::vector<std::uint16_t> halves;
  std::vector<float> rounded;

  int fd() const { return atomic ? atomic->fd() : spool ? spool.get() : STDOUT_FILENO; }
  void flush() {
    if (pending.empty()) return;
    if (atomic) {
      atomic->write(pending);
    } else {
      write_all(fd(), pending, name + (spool ? " (spool)" : ""));
    }
    pending.clear();
  }
  void put(std::span<const std::byte> bytes) {
    pending.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  void open();
  void check(const VectorRow& row) const;
  std::span<const std::byte> stored(std::span<const float> values);
  void put_csv_row(const VectorRow& row);
  void put_json_row(const VectorRow& row);
  void add(const VectorRow& row);
  void finish_hdf5(const Vectors& about);
  void finish_npy();
};

void VectorSink::Impl::open() {
  if (format == "hdf5") {
    file = Hdf5Writer::create(options.output, "vectors", options.force);
    rows.emplace(file->rows("/vectors", dtype == "f16" ? FileType::f16 : FileType::f32, {&dim, 1}));
    if (labelled) labels.emplace(file->rows("/labels", FileType::i32, {}));
    return;
  }
  bool binary = format == "npy" || format == "fvecs";
  if (binary && !options.force) refuse_terminal(options.output);
  if (options.output != "-") {
    atomic = std::make_unique<AtomicFile>(options.output);
  } else if (format == "npy") {
    spool = open_spool();
  }
  if (format == "npy") pending = npy_header(0, dim, dtype);
  if (format != "csv" || !options.header) return;
  pending = labelled ? "id,label" : "id";
  for (std::int64_t i = 0; i < dim; ++i) fmt::format_to(std::back_inserter(pending), ",v{}", i);
  pending += '\n';
}

void VectorSink::Impl::check(const VectorRow& row) const {
  double square = 0;
  auto refuse = [&](const std::string& what) {
    throw Error(fmt::format("{}: row {}{} {}", name, count,
                            row.id.empty() ? "" : fmt::format(" ({})", row.id), what));
  };
  if (std::int64_t(row.values.size()) != dim)
    refuse(fmt::format("has {} numbers, others {}", row.values.size(), dim));
  if (labelled != (row.label >= 0))
    refuse(labelled ? "has no label, others have" : "has a label, others have none");
  for (float value : row.values) {
    if (!std::isfinite(value))
      refuse(fmt::format("holds {}, values must be finite", std::isnan(value) ? "nan" : "inf"));
    if (dtype == "f16" && std::isinf(from_half(to_half(value))))
      refuse(fmt::format("holds {}, f16 reaches {}; --dtype f32", value, kLargestHalf));
    square += double(value) * value;
  }
  if (normalized && std::abs(square - 1) > 0.01)
    refuse(fmt::format("has length {:.4g}, but rows are normalized", std::sqrt(square)));
}

// As the file holds them; valid until the next call.
std::span<const std::byte> VectorSink::Impl::stored(std::span<const float> values) {
  if (dtype != "f16") return std::as_bytes(values);
  halves.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_half(values[i]);
  return std::as_bytes(std::span(halves));
}

void VectorSink::Impl::put_csv_row(const VectorRow& row) {
  put_csv(pending, row.id);
  if (labelled) {
    pending += ',';
    put_csv(pending, row.label_name.empty() ? fmt::format("{}", row.label) : row.label_name);
  }
  for (float value : row.values) fmt::format_to(std::back_inserter(pending), ",{}", value);
  pending += '\n';
}

void VectorSink::Impl::put_json_row(const VectorRow& row) {
  Attributes about{{"id", std::string(row.id)}};
  if (labelled && row.label_name.empty()) about.emplace_back("label", std::int64_t{row.label});
  if (labelled && !row.label_name.empty()) about.emplace_back("label", std::string(row.label_name));
  std::string line = to_json_line(about);
  line.resize(line.size() - 2);  // without "}\n"
  pending += line;
  fmt::format_to(std::back_inserter(pending), ",\"vector\":[{}]}}\n", fmt::join(row.values, ","));
}

void VectorSink::Impl::add(const VectorRow& given) {
  check(given);
  VectorRow row = given;
  if (dtype == "f16" && (format == "csv" || format == "jsonl")) {
    rounded.resize(row.values.size());
    for (std::size_t i = 0; i < rounded.size(); ++i) rounded[i] = from_half(to_half(row.values[i]));
    row.values = rounded;
  }
  if (format == "hdf5") {
    rows->append(stored(row.values));
    if (labelled) labels->append(std::as_bytes(std::span(&row.label, 1)));
    ids.emplace_back(row.id);
    named = named || !row.id.empty();
  } else if (format == "csv") {
    put_csv_row(row);
  } else if (format == "jsonl") {
    put_json_row(row);
  } else {
    std::int32_t columns = std::int32_t(dim);
    if (format == "fvecs") put(std::as_bytes(std::span(&columns, 1)));
    put(stored(row.values));
  }
  ++count;
  constexpr std::size_t kBlock = 1 << 20;
  if (pending.size() >= kBlock) flush();
}

void VectorSink::Impl::finish_hdf5(const Vectors& about) {
  rows->finish();
  file->attributes(
      "/vectors",
      {{"metric", about.metric}, {"normalized", about.normalized}, {"model", about.model}});
  if (labelled) labels->finish();
  const std::pair<const char*, const Attributes*> groups[] = {
      {"/config", &about.config}, {"/preprocess", &about.preprocess}, {"/inputs", &about.inputs}};
  for (const auto& [path, values] : groups) {
    if (!values->empty()) file->attributes(path, *values);
  }
  if (named) file->strings("/meta/ids", ids);
  if (!about.label_names.empty()) file->strings("/meta/label_names", about.label_names);
  if (options.layout == "ann-benchmarks") {
    file->link("/train", "/vectors");
    file->attributes("/", {{"distance", std::string(distance_of(about.metric))},
                           {"point_type", std::string("float")},
                           {"type", std::string("dense")},
                           {"dimension", dim}});
  }
  file->commit();
}

void VectorSink::Impl::finish_npy() {
  std::string header = npy_header(count, dim, dtype);
  const char* at = header.data();
  for (std::size_t done = 0; done < header.size();) {
    ssize_t n = ::pwrite(fd(), at + done, header.size() - done, off_t(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_errno(name, "cannot write", n < 0 ? errno : ENOSPC);
    done += std::size_t(n);
  }
}

VectorSink::VectorSink(VectorSinkOptions options, const Vectors& about, bool labelled)
    : impl_(std::make_unique<Impl>()) {
  Impl& s = *impl_;
  s.format = format_of(options, about.dtype);
  s.name = options.output == "-" ? "standard output" : options.output;
  s.options = std::move(options);
  s.dtype = about.dtype;
  s.dim = about.dim;
  s.labelled = labelled;
  s.normalized = about.normalized;
  if (s.dim < 1) throw Error(fmt::format("{}: /vectors: rows of {} numbers", s.name, s.dim));
  s.open();
}
VectorSink::~VectorSink() = default;

void VectorSink::add(std::span<const VectorRow> rows) {
  for (const VectorRow& row : rows) impl_->add(row);
  impl_->flush();
}

void VectorSink::finish(const Vectors& about) {
  Impl& s = *impl_;
  s.flush();
  if (s.format == "hdf5") return s.finish_hdf5(about);
  if (s.format == "npy") s.finish_npy();
  if (s.spool) write_spool(s.spool.get(), STDOUT_FILENO, s.name);
  if (s.atomic) s.atomic->commit();
}

}  // namespace atelier
