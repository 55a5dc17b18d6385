// Vectors as HDF5; one check serves the writer and the reader.
#include "io/vectors.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "io/row_blocks.h"
#include "io/vector_sink.h"

namespace atelier {
namespace {

struct Group {
  const char* path;
  Attributes Vectors::*member;
};
constexpr Group kGroups[] = {{"/config", &Vectors::config},
                             {"/preprocess", &Vectors::preprocess},
                             {"/inputs", &Vectors::inputs}};

void require_rows(const Vectors& v, const std::string& file) {
  for (std::int64_t row = 0; row < v.size(); ++row) {
    double square = 0;
    for (std::int64_t i = 0; i < v.dim; ++i) {
      float value = v.values[std::size_t(row * v.dim + i)];
      if (!std::isfinite(value)) {
        throw Error(fmt::format("{}: /vectors: row {} holds {}, values must be finite", file, row,
                                std::isnan(value) ? "nan" : "inf"));
      }
      square += double(value) * value;
    }
    // Wide enough for rows that were rounded to bf16: 2^-8 in each number.
    if (v.normalized && std::abs(square - 1) > 0.01) {
      throw Error(fmt::format("{}: /vectors: row {} has length {:.4g}, but rows are normalized",
                              file, row, std::sqrt(square)));
    }
  }
}

void require_labels(const Vectors& v, const std::string& file) {
  for (std::size_t i = 0; i < v.labels.size(); ++i) {
    bool named = v.label_names.empty() || std::size_t(v.labels[i]) < v.label_names.size();
    if (v.labels[i] >= 0 && named) continue;
    throw Error(fmt::format("{}: /labels: label {} of row {} is no class", file, v.labels[i], i));
  }
}

void require_whole(const Vectors& v, const std::string& file) {
  if (v.dim < 1 || v.values.size() % std::size_t(v.dim) != 0) {
    throw Error(
        fmt::format("{}: /vectors: {} numbers are no rows of {}", file, v.values.size(), v.dim));
  }
  auto one_each = [&](const char* path, std::size_t found) {
    if (found == 0 || std::int64_t(found) == v.size()) return;
    throw Error(fmt::format("{}: {} has {} entries, but /vectors has {} rows", file, path, found,
                            v.size()));
  };
  one_each("/labels", v.labels.size());
  one_each("/meta/ids", v.ids.size());
  if (v.metric != "cosine" && v.metric != "l2" && v.metric != "ip") {
    throw Error(
        fmt::format("{}: /vectors: metric '{}': expected cosine, l2 or ip", file, v.metric));
  }
  require_labels(v, file);
  require_rows(v, file);
}

template <class T>
T attribute(const Hdf5Reader& file, const Attributes& all, const char* name) {
  const Scalar* found = find(all, name);
  if (!found || !std::holds_alternative<T>(*found))
    throw Error(fmt::format("{}: /vectors has no attribute {}", file.name(), name));
  return std::get<T>(*found);
}

std::vector<std::string> texts(const Hdf5Reader& file, const char* path) {
  if (!file.has(path)) return {};
  file.verify(path);
  return file.read_strings(path);
}

}  // namespace

bool Vectors::drawn() const {
  const Scalar* said = find(config, kDrawn);
  return said && *said == Scalar(true);
}

void write_vectors(const std::string& output, const Vectors& v, bool force) {
  require_whole(v, output_name(output));
  VectorSink sink({.output = output, .format = "hdf5", .force = force}, v, !v.labels.empty());
  for (std::int64_t i = 0; i < v.size(); ++i) {
    VectorRow row{.values =
                      std::span(v.values).subspan(std::size_t(i * v.dim), std::size_t(v.dim))};
    if (!v.ids.empty()) row.id = v.ids[std::size_t(i)];
    if (!v.labels.empty()) row.label = v.labels[std::size_t(i)];
    sink.add({&row, 1});
  }
  sink.finish(v);
}

DatasetInfo describe_vectors(const Hdf5Reader& file) {
  file.require_kind("vectors");
  DatasetInfo info = file.info("/vectors");
  bool numbers = info.type == FileType::f32 || info.type == FileType::f16;
  if (!numbers || info.dims.size() != 2 || info.dims[1] < 1) {
    throw Error(fmt::format("{}: /vectors: expected f32 or f16 [N,D], found {} [{}]", file.name(),
                            name(info.type), fmt::join(info.dims, ",")));
  }
  return info;
}

Vectors read_vectors(const Hdf5Reader& file) {
  DatasetInfo info = describe_vectors(file);
  file.verify("/vectors");
  Vectors v;
  for (const Group& group : kGroups) {
    if (file.is_group(group.path)) v.*group.member = file.attributes(group.path);
  }
  Attributes about = file.attributes("/vectors");
  v.metric = attribute<std::string>(file, about, "metric");
  v.normalized = attribute<bool>(file, about, "normalized");
  v.model = attribute<std::string>(file, about, "model");
  v.dtype = name(info.type);
  v.dim = info.dims[1];
  v.values.resize(std::size_t(info.count()));
  file.read<float>("/vectors", v.values);
  if (file.has("/labels")) {
    file.verify("/labels");
    v.labels.resize(std::size_t(file.info("/labels").count()));
    file.read<std::int32_t>("/labels", v.labels);
  }
  v.ids = texts(file, "/meta/ids");
  v.label_names = texts(file, "/meta/label_names");
  require_whole(v, file.name());
  return v;
}

void for_each_vectors(const std::string& input,
                      const std::function<void(const std::string& name, Vectors part)>& give) {
  Descriptor file = input == "-" ? Descriptor() : open_read(input);
  for_each_vectors(file ? file.get() : STDIN_FILENO, input_name(input), give);
}

void for_each_vectors(int file, const std::string& name,
                      const std::function<void(const std::string& name, Vectors part)>& give) {
  Hdf5Stream stream(file, name);
  while (std::optional<Hdf5Reader> image = stream.next()) give(image->name(), read_vectors(*image));
}

namespace {

constexpr const char* kDataDigest = "data";

std::uint64_t digest_of(const Scalar& value) {
  std::string text = to_text(value);
  std::uint64_t digest = 0;
  std::from_chars(text.data(), text.data() + text.size(), digest, 16);
  return digest;
}

void require_same(const std::string& name, const char* what, const std::string& found,
                  const std::string& wanted) {
  if (found == wanted) return;
  throw Error(
      fmt::format("{}: {} is '{}', but '{}' in what comes before it", name, what, found, wanted));
}

void require_same(const std::string& name, const char* group, Attributes found, Attributes wanted) {
  for (Attributes* list : {&found, &wanted}) {
    std::erase_if(*list, [](const auto& entry) {
      return entry.first == kDataDigest || is_row_blocks(entry.first);
    });
  }
  for (const auto& [field, value] : wanted) {
    const Scalar* other = find(found, field);
    require_same(name, fmt::format("{}.{}", group, field).c_str(), other ? to_text(*other) : "",
                 to_text(value));
  }
  if (found.size() != wanted.size())
    throw Error(fmt::format("{}: /{} has other attributes than what comes before it", name, group));
}

void join_classes(Vectors& all, Vectors& part) {
  std::vector<std::int32_t> renumbered;
  for (const std::string& label : part.label_names) {
    auto found = std::ranges::find(all.label_names, label);
    renumbered.push_back(std::int32_t(found - all.label_names.begin()));
    if (found == all.label_names.end()) all.label_names.push_back(label);
  }
  if (part.label_names.empty()) return;
  for (std::int32_t& label : part.labels) label = renumbered[std::size_t(label)];
}

}  // namespace

void join_vectors(Vectors& all, Vectors& part, const std::string& name) {
  if (all.dim == 0) {
    auto values = std::move(part.values);
    auto labels = std::move(part.labels);
    auto ids = std::move(part.ids);
    part.values.clear(), part.labels.clear(), part.ids.clear();
    all = part;
    part.values = std::move(values);
    part.labels = std::move(labels);
    part.ids = std::move(ids);
    return;
  }
  require_same(name, "the number of columns", fmt::format("{}", part.dim),
               fmt::format("{}", all.dim));
  require_same(name, "the element type", part.dtype, all.dtype);
  require_same(name, "metric", part.metric, all.metric);
  require_same(name, "normalized", part.normalized ? "true" : "false",
               all.normalized ? "true" : "false");
  require_same(name, "the model", part.model, all.model);
  require_same(name, "config", part.config, all.config);
  require_same(name, "preprocess", part.preprocess, all.preprocess);
  require_same(name, "inputs", part.inputs, all.inputs);
  append_row_blocks(all.config, part.config, name);
  if (part.label_names.empty() != all.label_names.empty())
    throw Error(fmt::format("{}: only some of the vectors have named classes", name));
  join_classes(all, part);
  for (auto& [field, value] : all.inputs) {
    const Scalar* more = find(part.inputs, field);
    if (field != kDataDigest || !more) continue;
    value = fmt::format("{:016x}", digest_of(value) + digest_of(*more));
  }
}

namespace {

// Parts as one.
struct Joined {
  Vectors all;
  void add(const std::string& name, Vectors part) {
    bool first = all.dim == 0;
    if (!first &&
        (part.labels.empty() != all.labels.empty() || part.ids.empty() != all.ids.empty()) &&
        part.size() > 0 && all.size() > 0)
      throw Error(fmt::format("{}: only some of the vectors have labels or names", name));
    std::vector<float> values = std::move(all.values);
    join_vectors(all, part, name);
    all.values = std::move(values);
    all.values.insert(all.values.end(), part.values.begin(), part.values.end());
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
    std::ranges::move(part.ids, std::back_inserter(all.ids));
  }
};

template <class... Source>
Vectors all_of(Source... source) {
  Joined joined;
  for_each_vectors(
      source..., [&](const std::string& name, Vectors part) { joined.add(name, std::move(part)); });
  return std::move(joined.all);
}

}  // namespace

Vectors read_all_vectors(const std::string& input) { return all_of(input); }
Vectors read_all_vectors(int file, const std::string& source) { return all_of(file, source); }

}  // namespace atelier
