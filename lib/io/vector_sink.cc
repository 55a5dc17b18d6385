// The five formats of vectors, row by row.
#include "io/vector_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "io/half.h"
#include "io/metrics.h"
#include "io/row_file.h"

namespace atelier {
namespace {

std::string stated_format(const VectorSinkOptions& o) {
  constexpr std::array kFormats = {"hdf5", "npy", "fvecs", "csv", "jsonl"};
  if (std::ranges::find(kFormats, o.format) != kFormats.end()) return o.format;
  if (!o.format.empty()) {
    throw UsageError(
        fmt::format("--format {}: expected hdf5, npy, fvecs, csv or jsonl for vectors", o.format));
  }
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
  std::string format, name;
  RowRules rules;
  std::int64_t count = 0;
  std::optional<RowFile> file;  // hdf5
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
      write_all(fd(), pending, spool ? in_spool(name) : name);
    }
    pending.clear();
  }
  void put(std::span<const std::byte> bytes) {
    pending.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  void open();
  void put_csv_row(const VectorRow& row);
  void put_json_row(const VectorRow& row);
  void add(const VectorRow& row);
  void finish_hdf5(const Vectors& about);
  void finish_npy();
};

void VectorSink::Impl::open() {
  if (format == "hdf5") {
    file.emplace(options.output, "vectors", rules, std::span(&rules.size, 1), options.force);
    return;
  }
  bool binary = format == "npy" || format == "fvecs";
  if (binary && !options.force) refuse_terminal(options.output);
  if (options.output != "-") {
    atomic = std::make_unique<AtomicFile>(options.output);
  } else if (format == "npy") {
    spool = open_spool();
  }
  if (format == "npy") pending = npy_header(0, rules.size, rules.dtype);
  if (format != "csv" || !options.header) return;
  pending = rules.labelled ? "id,label" : "id";
  for (std::int64_t i = 0; i < rules.size; ++i)
    fmt::format_to(std::back_inserter(pending), ",v{}", i);
  pending += '\n';
}

void VectorSink::Impl::put_csv_row(const VectorRow& row) {
  put_csv(pending, row.id);
  if (rules.labelled) {
    pending += ',';
    put_csv(pending, row.label_name.empty() ? fmt::format("{}", row.label) : row.label_name);
  }
  for (float value : row.values) fmt::format_to(std::back_inserter(pending), ",{}", value);
  pending += '\n';
}

void VectorSink::Impl::put_json_row(const VectorRow& row) {
  Attributes about{{"id", std::string(row.id)}};
  if (rules.labelled && row.label_name.empty())
    about.emplace_back("label", std::int64_t{row.label});
  if (rules.labelled && !row.label_name.empty())
    about.emplace_back("label", std::string(row.label_name));
  std::string line = to_json_line(about);
  line.resize(line.size() - 2);  // without "}\n"
  pending += line;
  fmt::format_to(std::back_inserter(pending), ",\"vector\":[{}]}}\n", fmt::join(row.values, ","));
}

void VectorSink::Impl::add(const VectorRow& given) {
  require_row(rules, given, count);
  VectorRow row = given;
  if (rules.dtype == "f16" && (format == "csv" || format == "jsonl")) {
    rounded.resize(row.values.size());
    for (std::size_t i = 0; i < rounded.size(); ++i) rounded[i] = from_half(to_half(row.values[i]));
    row.values = rounded;
  }
  if (format == "hdf5") {
    file->add(row);
  } else if (format == "csv") {
    put_csv_row(row);
  } else if (format == "jsonl") {
    put_json_row(row);
  } else {
    std::int32_t columns = std::int32_t(rules.size);
    if (format == "fvecs") put(std::as_bytes(std::span(&columns, 1)));
    put(as_stored(row.values, rules.dtype, halves));
  }
  ++count;
  constexpr std::size_t kBlock = 1 << 20;
  if (pending.size() >= kBlock) flush();
}

void VectorSink::Impl::finish_hdf5(const Vectors& about) {
  Hdf5Writer& writer = file->finish(
      {{"metric", about.metric}, {"normalized", about.normalized}, {"model", about.model}},
      {.config = about.config,
       .preprocess = about.preprocess,
       .inputs = about.inputs,
       .label_names = about.label_names});
  if (options.layout == "ann-benchmarks") {
    writer.link("/train", "/vectors");
    writer.attributes("/", {{"distance", std::string(distance_of(about.metric))},
                            {"point_type", std::string("float")},
                            {"type", std::string("dense")},
                            {"dimension", rules.size}});
  }
  writer.commit();
}

void VectorSink::Impl::finish_npy() {
  std::string header = npy_header(count, rules.size, rules.dtype);
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
  s.name = output_name(options.output);
  s.options = std::move(options);
  s.rules = {.file = s.name,
             .size = about.dim,
             .dtype = about.dtype,
             .labelled = labelled,
             .normalized = about.normalized};
  if (about.dim < 1)
    throw Error(fmt::format("{}: /vectors: rows of {} numbers", s.name, about.dim));
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
