// Reading sets and choosing their features.
#include "eval/sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"
#include "base/parse.h"

namespace atelier {
namespace {

std::int64_t components_of(const std::string& features) {
  try {
    if (features.starts_with("pca:")) {
      std::int64_t count = parse_count(features.substr(4));
      if (count >= 1) return count;
    }
  } catch (const UsageError&) {
    // said below
  }
  throw UsageError(
      fmt::format("--features '{}': expected pixels, pca:K or a checkpoint", features));
}

}  // namespace

SetInput recognise(const std::vector<std::string>& sources, const ReadOptions& reading) {
  try {
    SetInput input{identify_all(sources, reading), reading, {}};
    input.kind = kind_of(input.inputs.front());
    return input;
  } catch (const UnknownInput& error) {
    throw Error(fmt::format("{}; vectors are read from HDF5, as img2vec -o FILE.h5 writes them",
                            error.what()));
  }
}

SetInput recognise_other(const std::string& source, ReadOptions reading) {
  reading.labels.clear();
  reading.synthetic.clear();
  return recognise({source}, reading);
}

void require_one_kind(const SetInput& a, const SetInput& b) {
  if (a.of_vectors() == b.of_vectors()) return;
  auto held = [](const SetInput& set) -> std::string {
    if (set.kind == "checkpoint") return "a checkpoint";
    return set.of_vectors() || set.kind == "stats" ? set.kind : "pictures";
  };
  throw Error(fmt::format("{}: holds {}, but {} holds {}", a.inputs.front().source, held(a),
                          b.inputs.front().source, held(b)));
}

namespace {

// Beyond it squares and their sums leave what figures are computed in.
constexpr float kLargest = 1e15f;

void require_comparable(const JudgedSet& set) {
  const std::vector<float>& values = set.vectors.values;
  auto large = std::ranges::find_if(values, [](float v) { return std::abs(v) > kLargest; });
  if (large == values.end()) return;
  throw Error(fmt::format("{}: row {} holds {:g}: numbers beyond {:g} cannot be compared",
                          set.source, (large - values.begin()) / set.vectors.dim, *large,
                          kLargest));
}

}  // namespace

JudgedSet read_set(SetInput input, bool of_vectors) {
  const Input& first = input.inputs.front();
  bool drawn = first.format == SourceFormat::synthetic;
  if (of_vectors && (drawn || input.inputs.size() != 1))
    throw UsageError("vectors: expected one file or stream");
  JudgedSet set;
  set.source = drawn ? "synthetic pictures" : first.source;
  set.of_vectors = of_vectors;
  if (of_vectors) {
    set.vectors = take_vectors(std::move(input.inputs.front()));
    require_comparable(set);
  } else {
    set.pictures = read_dataset(std::move(input.inputs), input.reading);
  }
  return set;
}

JudgedSet read_vector_set(const std::string& input) {
  JudgedSet set;
  set.source = input_name(input);
  set.of_vectors = true;
  set.vectors = read_all_vectors(input);
  require_comparable(set);
  return set;
}

Dataset dataset_of(const JudgedSet& vectors, std::int64_t limit) {
  const Vectors& v = vectors.vectors;
  Dataset set;
  set.source = vectors.source;
  set.size = limit > 0 ? std::min(limit, v.size()) : v.size();
  set.height = set.width = 1;
  set.channels = v.dim;
  set.dtype = DType::f32;
  set.real = true;
  auto first = [&](const auto& all) {
    return std::remove_cvref_t<decltype(all)>(
        all.begin(), all.begin() + std::ptrdiff_t(all.empty() ? 0 : set.size));
  };
  set.labels = first(v.labels);
  set.label_names = v.label_names;
  set.names = first(v.ids);
  auto values =
      std::make_shared<std::vector<float>>(v.values.begin(), v.values.begin() + set.size * v.dim);
  set.pixels = std::as_bytes(std::span(*values));
  set.storage = std::move(values);
  return set;
}

std::string maker_of(const Vectors& vectors) {
  const Scalar* digest = find(vectors.inputs, "model");
  return digest ? vectors.model + "@" + to_text(*digest) : vectors.model;
}

Attributes form_of(const JudgedSet& set, const FeatureSpace& space) {
  if (!set.of_vectors) {
    if (space.pool.empty()) return {};
    return {{"pool", space.pool}, {"layer", std::string("-1")}, {"normalized", false}};
  }
  Attributes form;
  const Attributes& config = set.vectors.config;
  for (const char* field : {"pool", "layer"}) {
    if (const Scalar* value = find(config, field)) form.emplace_back(field, to_text(*value));
  }
  const Scalar* program = find(config, "program");
  bool of_texts = program && to_text(*program) == "txt2vec";
  // Texts have no other choice.
  if (!find(form, "pool") && of_texts) form.emplace_back("pool", "auto");
  form.emplace_back("normalized", set.vectors.normalized);
  if (set.vectors.drawn()) form.emplace_back(kDrawn, true);
  return form;
}

namespace {

void require_same(const JudgedSet& set, const char* field, const Attributes& own,
                  const Attributes& other, const std::string& source) {
  const Scalar *a = find(own, field), *b = find(other, field);
  if (!a || !b || *a == *b) return;
  throw Error(fmt::format("{}: vectors of {} {}, but those of {} are of {}", set.source, field,
                          to_text(*a), source, to_text(*b)));
}

}  // namespace

void require_form(const JudgedSet& set, const FeatureSpace& space, const Attributes& form,
                  const std::string& source, bool by_direction) {
  Attributes own = form_of(set, space);
  const Scalar *a = find(own, "normalized"), *b = find(form, "normalized");
  if (!by_direction && a && b && *a != *b) {
    bool unit = set.vectors.normalized;
    throw Error(fmt::format("{}: vectors are{} normalized, but those of {} are{}", set.source,
                            unit ? "" : " not", source, unit ? " not" : ""));
  }
  for (const char* field : {"pool", "layer"}) require_same(set, field, own, form, source);
}

void require_preprocess(const JudgedSet& set, const Attributes& preprocess,
                        const std::string& source) {
  for (const auto& [field, value] : set.vectors.preprocess)
    require_same(set, field.c_str(), set.vectors.preprocess, preprocess, source);
}

namespace {

void require_same_maker(const JudgedSet& a, const JudgedSet& b) {
  std::string of_a = maker_of(a.vectors), of_b = maker_of(b.vectors);
  bool by_name = of_a == a.vectors.model || of_b == b.vectors.model;
  bool same = by_name ? a.vectors.model == b.vectors.model : of_a == of_b;
  if (a.vectors.dim == b.vectors.dim && same) return;
  throw Error(fmt::format("{}: vectors [{}] of '{}', but {} has [{}] of '{}'", a.source,
                          a.vectors.dim, by_name ? a.vectors.model : of_a, b.source, b.vectors.dim,
                          by_name ? b.vectors.model : of_b));
}

}  // namespace

void require_alike(const JudgedSet& a, const JudgedSet& b, const FeatureSpace& space,
                   bool by_direction) {
  if (!a.of_vectors && !b.of_vectors) return;
  if (a.of_vectors && b.of_vectors) {
    bool drawn = a.vectors.drawn() || b.vectors.drawn();
    if (drawn && a.vectors.dim == b.vectors.dim) return;  // that is all that is known of them
    require_same_maker(a, b);
  }
  require_form(a, space, form_of(b, space), b.source, by_direction);
  require_preprocess(a, b.vectors.preprocess, b.source);
}

Table rows_of(const JudgedSet& set, const FeatureSpace& space) {
  if (set.of_vectors) return table_of_rows(set.vectors.values, set.vectors.dim);
  return space.rows(set.pictures);
}

FeatureSpace make_space(const JudgedSet& reference, const std::string& features) {
  if (reference.of_vectors) return {maker_of(reference.vectors), {}};
  const Dataset& data = reference.pictures;
  if (features == "pixels") return pixel_features(data.height, data.width, data.channels);
  return pca_features(data, components_of(features));
}

}  // namespace atelier
