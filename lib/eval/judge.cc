// Comparisons, probes and retrieval on whole sets.
#include "eval/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "eval/gaussian_control.h"
#include "eval/neighbors.h"
#include "eval/probes.h"
#include "eval/retrieval.h"
#include "io/picture_sink.h"

namespace atelier {
namespace {

constexpr std::size_t kNearestPairs = 32;
// Measured on Fashion-MNIST in 64 components, 2,000 real rows: z is 4.5 with 200 reference
// rows, 1.9 with 1,000, and within 1.3 of 0 from 2,000 on.
constexpr std::int64_t kRowsAComponent = 32;

void write_nearest(const std::string& output, const Dataset& made, const Dataset& real,
                   const Memorization& found) {
  SinkOptions options;
  options.output = output;
  options.parts = {"", "-nearest"};
  PictureSink sink(options, made.height, made.width, made.channels);
  std::size_t pairs = std::min(found.order.size(), kNearestPairs);
  for (std::size_t i = 0; i < pairs; ++i) {
    sink.add(made.picture(found.order[i]), found.order[i]);
    sink.add(real.picture(found.matches[i]), found.matches[i]);
  }
  sink.finish();
}

Comparison compare_control(const Reference& reference, std::int64_t count, ComparisonArgs args) {
  const Dataset& real = reference.set->pictures;
  Table pixels = pixel_features(real.height, real.width, real.channels).rows(real);
  std::vector<float> rows(std::size_t(count * pixels.columns));
  draw_gaussian(pixels, args.seed, rows);
  Dataset drawn = pictures_of(rows, real, "Gaussian control");
  args.prefix = "control_";
  Comparison result = compare(reference.frechet, reference.space.rows(drawn), args);
  result.remarks.clear();  // said of the set itself
  return result;
}

void append(Comparison& to, Comparison more) {
  to.figures.insert(to.figures.end(), more.figures.begin(), more.figures.end());
  to.remarks.insert(to.remarks.end(), more.remarks.begin(), more.remarks.end());
}

// Files of stats without /config would be taken for rows of any form.
void require_stated_form(const Stats& stats, const JudgedSet& judged, const FeatureSpace& space,
                         const std::string& file) {
  std::string form;
  for (const auto& [field, value] : form_of(judged, space))
    form += fmt::format("{}{} {}", form.empty() ? "" : ", ", field, to_text(value));
  if (form.empty() || !stats.config.empty()) return;
  throw Error(
      fmt::format("{}: expected /config with {}, as {} has it, found none: save the stats anew",
                  file, form, judged.source));
}

std::span<const std::int32_t> labels_of(const JudgedSet& set) {
  if (set.labels().empty()) throw Error(set.source + ": a probe needs labels, there are none");
  return set.labels();
}

// The classes that occur in either, ascending: classifiers have room for these alone, since labels
// may be any whole numbers.
std::vector<std::int32_t> occurring(std::span<const std::int32_t> a,
                                    std::span<const std::int32_t> b) {
  std::vector<std::int32_t> classes(a.begin(), a.end());
  classes.insert(classes.end(), b.begin(), b.end());
  std::ranges::sort(classes);
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  std::erase_if(classes, [](std::int32_t label) { return label < 0; });
  return classes;
}

// Places among `classes`; labels below 0 stay, for the probe to refuse.
std::vector<std::int32_t> renumbered(std::span<const std::int32_t> labels,
                                     const std::vector<std::int32_t>& classes) {
  std::vector<std::int32_t> result(labels.begin(), labels.end());
  for (std::int32_t& label : result) {
    if (label >= 0)
      label = std::int32_t(std::ranges::lower_bound(classes, label) - classes.begin());
  }
  return result;
}

double majority_share(std::span<const std::int32_t> labels) {
  std::vector<std::int64_t> counts(std::size_t(*std::max_element(labels.begin(), labels.end())) + 1,
                                   0);
  for (std::int32_t label : labels) ++counts[std::size_t(std::max(label, 0))];
  return double(*std::max_element(counts.begin(), counts.end())) / double(labels.size());
}

void say_linear(const char* name, const LinearProbe& fitted, const LabelledRows& train,
                const LabelledRows& test, const std::string& features, Figures& figures) {
  figures.push_back({fmt::format("{}_accuracy", name),
                     agreement(predict(fitted, test.rows), test.labels), features});
  figures.push_back({fmt::format("{}_train_accuracy", name),
                     agreement(predict(fitted, train.rows), train.labels), features});
}

}  // namespace

std::unique_ptr<Reference> make_reference(JudgedSet set, FeatureSpace space) {
  if (set.size() < 2) {
    throw Error(
        fmt::format("{}: a reference needs at least 2 rows, found {}", set.source, set.size()));
  }
  auto reference = std::make_unique<Reference>(Reference{std::move(set), std::move(space), {}});
  Table rows = rows_of(*reference->set, reference->space);
  reference->frechet = {moments_of(rows), rows};
  return reference;
}

std::unique_ptr<Reference> read_reference(const Hdf5Reader& reader, const JudgedSet& judged,
                                          FeatureSpace own) {
  const std::string& file = reader.name();
  Stats stats = read_stats(reader);
  FeatureSpace space = features_of(stats, file);
  // Of vectors that were drawn nothing but the width is known.
  bool drawn = judged.of_vectors && (judged.vectors.drawn() || find(stats.config, kDrawn));
  if (judged.of_vectors || !space.rows) {
    if (!drawn && own.name != space.name) {
      throw Error(fmt::format("{}: features are {}, but those of {} are {}", file, space.name,
                              judged.source, own.name));
    }
    if (judged.of_vectors && judged.vectors.dim != stats.dim()) {
      throw Error(fmt::format("{}: features of {} numbers, but {} has vectors of {}", file,
                              stats.dim(), judged.source, judged.vectors.dim));
    }
    if (!drawn) {
      require_stated_form(stats, judged, own, file);
      require_form(judged, own, stats.config, file);
      require_preprocess(judged, stats.preprocess, file);
    }
    space = std::move(own);
  }
  return std::make_unique<Reference>(
      Reference{std::nullopt, std::move(space), {moments_of(stats), std::nullopt}});
}

Stats stats_of(const Reference& reference) {
  const JudgedSet& set = *reference.set;
  Stats stats = stats_of(reference.frechet.moments, reference.space, set.pictures);
  stats.config = form_of(set, reference.space);
  if (set.of_vectors) stats.preprocess = set.vectors.preprocess;
  return stats;
}

Comparison judge(const JudgedSet& judged, const Reference& reference,
                 const std::optional<JudgedSet>& unseen, const JudgeArgs& args) {
  const std::string& features = reference.space.name;
  if (judged.size() < 2) {
    throw Error(
        fmt::format("{}: distances need at least 2 rows, found {}", judged.source, judged.size()));
  }
  Table made = rows_of(judged, reference.space);
  Comparison result;
  result.figures = {{"features", features},
                    {"rows", judged.size()},
                    {"reference_rows", reference.frechet.moments.count}};
  ComparisonArgs comparing{.features = features, .bootstrap = args.bootstrap, .seed = args.seed};
  append(result, compare(reference.frechet, made, comparing));
  if (!reference.set) return result;
  Table others = unseen ? rows_of(*unseen, reference.space) : Table{0, made.columns, {}};
  Memorization found = memorization(*reference.frechet.rows, made, others);
  // Components that few rows decide are those along which the rows themselves lie far apart.
  std::int64_t enough = kRowsAComponent * reference.space.pca.count;
  bool fair = unseen || reference.frechet.moments.count >= enough;
  append(result, {figures_of(found, features, fair), {}});
  if (!fair) {
    result.remarks.push_back(fmt::format(
        "{} reference rows for {} components fitted to them: too few for nearer_prob and "
        "copying_z; give --unseen, {} rows a component or --features pixels",
        reference.frechet.moments.count, reference.space.pca.count, kRowsAComponent));
  }
  if (!args.nearest.empty()) {
    write_nearest(args.nearest, judged.pictures, reference.set->pictures, found);
  }
  if (args.control) append(result, compare_control(reference, judged.size(), comparing));
  return result;
}

Comparison probe(const JudgedSet& train, const JudgedSet& test, const FeatureSpace& space,
                 const ProbeArgs& args) {
  require_alike(test, train);
  if (!train.label_names().empty() && !test.label_names().empty() &&
      train.label_names() != test.label_names()) {
    throw Error(
        fmt::format("{}: classes have other names than those of {}", test.source, train.source));
  }
  if (train.size() < 2) {
    throw Error(
        fmt::format("{}: a probe needs at least 2 rows, found {}", train.source, train.size()));
  }
  std::vector<std::int32_t> classes = occurring(labels_of(train), labels_of(test));
  std::vector<std::int32_t> train_labels = renumbered(train.labels(), classes),
                            test_labels = renumbered(test.labels(), classes);
  LabelledRows fitted{rows_of(train, space), train_labels};
  LabelledRows judged{rows_of(test, space), test_labels};
  Comparison result;
  Figures& figures = result.figures;
  figures = {{"features", space.name},
             {"rows", test.size()},
             {"train_rows", train.size()},
             {"majority_accuracy", majority_share(judged.labels)}};
  bool cosine = train.of_vectors && train.vectors.metric == "cosine";
  LabelledRows near{cosine ? unit_rows(fitted.rows) : fitted.rows, fitted.labels};
  Table asked = cosine ? unit_rows(judged.rows) : judged.rows;
  std::int64_t k = std::min(args.neighbors, train.size());
  figures.push_back(
      {"knn_accuracy", agreement(knn_labels(near, asked, k), judged.labels), space.name});
  LinearProbe ridge;
  try {
    ridge = fit_ridge(fitted, args.l2);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", train.source, error.what()));
  }
  say_linear("ridge", ridge, fitted, judged, space.name, figures);
  LinearProbe logistic = fit_logistic(fitted, args.l2);
  say_linear("logistic", logistic, fitted, judged, space.name, figures);
  if (!logistic.converged) {
    result.remarks.push_back("logistic regression: out of iterations before it settled");
  }
  return result;
}

Comparison retrieve(const JudgedSet& a, const JudgedSet& b) {
  require_alike(a, b, {}, /*by_direction=*/true);
  if (a.size() != b.size()) {
    throw Error(fmt::format("{}: {} rows have no partners in the {} of {}", a.source, a.size(),
                            b.size(), b.source));
  }
  if (a.size() == 0) throw Error(a.source + ": no rows to find partners of");
  Table rows = rows_of(a, {}), others = rows_of(b, {});
  Comparison result;
  std::string features = maker_of(a.vectors);
  result.figures = {{"features", features}, {"pairs", a.size()}};
  auto say = [&](const char* way, const std::vector<std::int64_t>& ranks) {
    for (std::int64_t k : {1, 5, 10}) {
      result.figures.push_back({fmt::format("{}_at_{}", way, k), recall_at(ranks, k), features});
    }
  };
  say("forward", partner_ranks(rows, others));
  say("backward", partner_ranks(others, rows));
  return result;
}

}  // namespace atelier
