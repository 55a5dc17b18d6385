// Moments as HDF5; one check serves the writer and the reader.
#include "io/stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atelier {
namespace {

void require_finite(std::span<const double> values, const char* path, const std::string& file) {
  if (std::ranges::all_of(values, [](double v) { return std::isfinite(v); })) return;
  throw Error(fmt::format("{}: {}: values must be finite", file, path));
}

void require_whole(const Stats& s, const std::string& file) {
  std::size_t d = s.mu.size();
  if (d < 1 || s.sigma.size() != d * d) {
    throw Error(fmt::format("{}: /sigma: expected [{},{}] as /mu has {} numbers", file, d, d, d));
  }
  if (s.count < 2) throw Error(fmt::format("{}: count {}: expected at least 2", file, s.count));
  if (s.components.size() != s.centre.size() * d) {
    throw Error(fmt::format("{}: /components: expected [{},{}]", file, d, s.centre.size()));
  }
  require_finite(s.mu, "/mu", file);
  require_finite(s.sigma, "/sigma", file);
  require_finite(s.components, "/components", file);
  require_finite(s.centre, "/centre", file);
  for (std::size_t i = 0; i < d; ++i) {
    if (s.sigma[i * d + i] < 0) {
      throw Error(fmt::format("{}: /sigma: variance {} is negative", file, i));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (s.sigma[i * d + j] == s.sigma[j * d + i]) continue;
      throw Error(fmt::format("{}: /sigma: not symmetric at {},{}", file, i, j));
    }
  }
}

std::vector<double> read_numbers(const Hdf5Reader& file, const char* path, std::size_t rank) {
  DatasetInfo info = file.info(path);
  if (info.type != FileType::f64 || info.dims.size() != rank) {
    throw Error(fmt::format("{}: {}: expected f64 of {} axes, found {} [{}]", file.name(), path,
                            rank, name(info.type), fmt::join(info.dims, ",")));
  }
  file.verify(path);
  std::vector<double> values(std::size_t(info.count()), 0.0);
  file.read<double>(path, values);
  return values;
}

template <class T>
T attribute(const Hdf5Reader& file, const Attributes& all, const char* name) {
  const Scalar* found = find(all, name);
  if (!found || !std::holds_alternative<T>(*found))
    throw Error(fmt::format("{}: / has no attribute {}", file.name(), name));
  return std::get<T>(*found);
}

}  // namespace

void write_stats(const std::string& output, const Stats& s, bool force) {
  require_whole(s, output_name(output));
  Hdf5Writer file = Hdf5Writer::create(output, "stats", force);
  file.attributes("/", {{"features", s.features}, {"count", s.count}});
  auto group = [&](const char* path, const Attributes& values) {
    if (values.empty()) return;
    file.group(path);
    file.attributes(path, values);
  };
  group("/config", s.config);
  group("/preprocess", s.preprocess);
  group("/inputs", s.inputs);
  const std::int64_t square[] = {s.dim(), s.dim()};
  file.dataset<double>("/mu", std::span(square).first(1), s.mu);
  file.dataset<double>("/sigma", square, s.sigma);
  if (!s.components.empty()) {
    const std::int64_t dims[] = {s.dim(), std::int64_t(s.centre.size())};
    file.dataset<double>("/components", dims, s.components);
    file.dataset<double>("/centre", std::span(dims).last(1), s.centre);
  }
  file.commit();
}

Stats read_stats(const Hdf5Reader& file) {
  file.require_kind("stats");
  Stats s;
  Attributes root = file.attributes("/");
  s.features = attribute<std::string>(file, root, "features");
  s.count = attribute<std::int64_t>(file, root, "count");
  if (file.is_group("/config")) s.config = file.attributes("/config");
  if (file.is_group("/preprocess")) s.preprocess = file.attributes("/preprocess");
  if (file.is_group("/inputs")) s.inputs = file.attributes("/inputs");
  s.mu = read_numbers(file, "/mu", 1);
  s.sigma = read_numbers(file, "/sigma", 2);
  if (file.has("/components")) {
    s.components = read_numbers(file, "/components", 2);
    s.centre = read_numbers(file, "/centre", 1);
  }
  require_whole(s, file.name());
  return s;
}

}  // namespace atelier
