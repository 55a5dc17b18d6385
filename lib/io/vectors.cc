// Vectors as HDF5; one check serves the writer and the reader.
#include "io/vectors.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"

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

void write_vectors(const std::string& output, const Vectors& v, bool force) {
  require_whole(v, output == "-" ? "standard output" : output);
  Hdf5Writer file = Hdf5Writer::create(output, "vectors", force);
  for (const Group& group : kGroups) {
    const Attributes& values = v.*group.member;
    if (values.empty()) continue;
    file.group(group.path);
    file.attributes(group.path, values);
  }
  const std::int64_t dims[] = {v.size(), v.dim};
  file.dataset<float>("/vectors", dims, v.values);
  file.attributes("/vectors",
                  {{"metric", v.metric}, {"normalized", v.normalized}, {"model", v.model}});
  if (!v.labels.empty()) file.dataset<std::int32_t>("/labels", std::span(dims).first(1), v.labels);
  if (!v.ids.empty()) file.strings("/meta/ids", v.ids);
  if (!v.label_names.empty()) file.strings("/meta/label_names", v.label_names);
  file.commit();
}

Vectors read_vectors(const Hdf5Reader& file) {
  file.require_kind("vectors");
  DatasetInfo info = file.info("/vectors");
  if (info.type != FileType::f32 || info.dims.size() != 2) {
    throw Error(fmt::format("{}: /vectors: expected f32 [N,D], found {} [{}]", file.name(),
                            name(info.type), fmt::join(info.dims, ",")));
  }
  file.verify("/vectors");
  Vectors v;
  for (const Group& group : kGroups) {
    if (file.is_group(group.path)) v.*group.member = file.attributes(group.path);
  }
  Attributes about = file.attributes("/vectors");
  v.metric = attribute<std::string>(file, about, "metric");
  v.normalized = attribute<bool>(file, about, "normalized");
  v.model = attribute<std::string>(file, about, "model");
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

}  // namespace atelier
