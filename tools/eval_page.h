// What the jobs of model-eval share: its options, what it says in the end, and the models and rows
// that this is about.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cli/tool.h"
#include "eval/baselines.h"
#include "eval/comparison.h"
#include "eval/sets.h"
#include "infer/infer.h"

namespace atelier {

struct EvalOptions {
  std::vector<std::string> sources;
  std::string reference, unseen, features, classifier, nearest, save_stats, probe, retrieval,
      zero_shot, modes, plot, reconstruct, likelihood, denoising, timesteps, average = "auto",
                                                                             split_by = "name";
  std::vector<std::string> fail_above, fail_below;
  std::int64_t bootstrap = 50, seed = 0, neighbors = 10, mode_points = 20, draws = 0,
               visited_timesteps = 100, inversion_steps = 50, batch_size = 64;
  double l2 = 1, held_out = 0;
  bool control = false, baselines = false, json = false;
  ReadOptions reading;
};

// What is said in the end.
struct Report {
  Figures figures;
  std::vector<std::string> left_out;  // keys of figures that the data have no value for
  std::int64_t skipped = 0;

  void add(const Comparison& comparison) {
    add(comparison.figures);
    for (const std::string& remark : comparison.remarks) logging::warning(remark);
  }
  void add(const Figures& more) { figures.insert(figures.end(), more.begin(), more.end()); }
  // All but those that are no numbers, as means over no row.
  void add_known(const Figures& more) {
    for (const Figure& figure : more) {
      auto* number = std::get_if<double>(&figure.value);
      if (number && std::isnan(*number)) {
        left_out.push_back(figure.key);
      } else {
        figures.push_back(figure);
      }
    }
  }
  JudgedSet read(SetInput input, bool of_vectors) {
    JudgedSet set = read_set(std::move(input), of_vectors);
    skipped += set.pictures.skipped;
    return set;
  }
  // What a model takes: pictures, or where the options say `real` vectors as pictures of one pixel.
  JudgedSet read_numbers(SetInput input) {
    const std::int64_t limit = input.reading.limit;
    const bool of_vectors = input.reading.real && input.of_vectors();
    JudgedSet set = read(std::move(input), of_vectors);
    if (of_vectors) set.pictures = dataset_of(set, limit);
    return set;
  }
  JudgedSet read(const EvalOptions& o) { return read_numbers(recognise(o.sources, o.reading)); }
};

// Rows of DATA that are asked for.
inline std::vector<std::int64_t> asked_rows(const EvalOptions& o, const Dataset& data) {
  std::vector<std::int64_t> rows =
      o.held_out > 0 ? split_dataset(data, o.held_out, o.split_by).held_out : all_rows(data.size);
  if (rows.empty()) throw Error(data.source + ": no pictures are held out");
  return rows;
}

// DATA, of which something without learning is fitted to some rows, and what that and a model are
// judged on: --unseen, the share of --held-out, or the rows fitted to themselves.
struct FittedAndJudged {
  JudgedSet data;
  std::optional<JudgedSet> unseen;
  std::vector<std::int64_t> fitted_rows, judged_rows;

  const JudgedSet& judged() const { return unseen ? *unseen : data; }
};
inline FittedAndJudged read_fitted_and_judged(const EvalOptions& o, Report& report) {
  FittedAndJudged sets{.data = report.read(o), .unseen = {}, .fitted_rows = {}, .judged_rows = {}};
  const Dataset& data = sets.data.pictures;
  sets.fitted_rows =
      o.held_out > 0 ? split_dataset(data, o.held_out, o.split_by).train : all_rows(data.size);
  if (!o.unseen.empty()) sets.unseen = report.read_numbers(recognise_other(o.unseen, o.reading));
  sets.judged_rows = sets.unseen ? all_rows(sets.unseen->pictures.size) : asked_rows(o, data);
  return sets;
}

using LoadedModel = std::shared_ptr<Loaded>;

// "vae@0123456789abcdef": the model and a digest of the weights in use.
inline std::string name_of(const Loaded& loaded) {
  return loaded.model().name + "@" + loaded.digest();
}

// Pictures are then prepared as the model's own were.
inline LoadedModel load(const std::string& checkpoint, EvalOptions& o, const Tool& tool) {
  auto loaded = std::make_shared<Loaded>(checkpoint, o.average);
  loaded->prepare(o.reading, [&](std::string_view flag) { return tool.given(flag); });
  return loaded;
}

}  // namespace atelier
