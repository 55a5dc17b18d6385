// model-eval: judge pictures, vectors and models.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/tool.h"
#include "eval/baseline_figures.h"
#include "eval/class_scores.h"
#include "eval/figure_names.h"
#include "eval/importance.h"
#include "eval/judge.h"
#include "eval/modes.h"
#include "eval/picture_quality.h"
#include "eval/zero_shot.h"
#include "infer/infer.h"
#include "infer/score.h"
#include "io/picture_sink.h"

using namespace atelier;

namespace {

struct Options {
  std::vector<std::string> sources;
  std::string reference, unseen, features, classifier, nearest, save_stats, probe, retrieval,
      zero_shot, modes, plot, reconstruct, likelihood, average = "auto", split_by = "name";
  std::vector<std::string> fail_above, fail_below;
  std::int64_t bootstrap = 50, seed = 0, neighbors = 10, mode_points = 20, draws = 0,
               batch_size = 64;
  double l2 = 1, held_out = 0;
  bool control = false, baselines = false, json = false;
  ReadOptions reading;
};

// What is said in the end.
struct Report {
  Figures figures;
  std::int64_t skipped = 0;

  void add(const Comparison& comparison) {
    add(comparison.figures);
    for (const std::string& remark : comparison.remarks) logging::warning(remark);
  }
  void add(const Figures& more) { figures.insert(figures.end(), more.begin(), more.end()); }
  JudgedSet read(SetInput input, bool of_vectors) {
    JudgedSet set = read_set(std::move(input), of_vectors);
    skipped += set.pictures.skipped;
    return set;
  }
  JudgedSet read(const Options& o) { return read(recognise(o.sources, o.reading), false); }
};

std::vector<std::int64_t> all_rows(std::int64_t count) {
  std::vector<std::int64_t> rows(std::size_t(count), 0);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

// ---- models

using LoadedModel = std::shared_ptr<Loaded>;

// "vae@0123456789abcdef": the model and a digest of the weights in use.
std::string name_of(const Loaded& loaded) { return loaded.model().name + "@" + loaded.digest(); }

LoadedModel load(const std::string& checkpoint, Options& o, const Tool& tool) {
  auto loaded = std::make_shared<Loaded>(checkpoint, o.average);
  loaded->prepare(o.reading, [&](std::string_view flag) { return tool.given(flag); });
  return loaded;
}

// Of --features, if that is a checkpoint; it also says how pictures are prepared.
LoadedModel load_encoder(Options& o, const Tool& tool) {
  bool computed = o.features.empty() || o.features == "pixels" || o.features.starts_with("pca:");
  return computed ? nullptr : load(o.features, o, tool);
}

FeatureSpace encoder_space(const LoadedModel& encoder, std::int64_t batch_size) {
  return {name_of(*encoder), [encoder, batch_size](const Dataset& data) {
            auto values = encoder->encode(data, all_rows(data.size), batch_size);
            bool finite = std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
            if (!finite) throw Error(encoder->name() + ": features are not finite");
            auto columns = std::int64_t(values.size()) / std::max<std::int64_t>(data.size, 1);
            return table_of_values(std::move(values), columns);
          }};
}

// `fallback`: what --features means if it was not given.
FeatureSpace space_for(const JudgedSet& reference, const LoadedModel& encoder, const Options& o,
                       const char* fallback) {
  if (reference.of_vectors && !o.features.empty())
    throw UsageError("--features goes with pictures, " + reference.source + " holds vectors");
  if (encoder) return encoder_space(encoder, o.batch_size);
  return make_space(reference, o.features.empty() ? fallback : o.features);
}

// ---- jobs

void save_stats(const Options& o, const JudgedSet& set, const Reference& reference) {
  Stats stats = stats_of(reference.frechet.moments, reference.space, set.pictures);
  stats.config = form_of(set);
  write_stats(o.save_stats, stats);
}

// What a classifier says of one set, under keys with this suffix.
void classify_set(const Loaded& classifier, const Options& o, const JudgedSet& set,
                  const std::string& suffix, Report& report) {
  if (set.of_vectors) throw UsageError("--classifier goes with pictures");
  std::string name = name_of(classifier);
  if (suffix.empty()) report.add({{"classifier", name}});
  Logits logits = classify(classifier, set.pictures, all_rows(set.size()), o.batch_size);
  to_probabilities(logits.values, logits.classes);
  report.add({{"class_score" + suffix, class_score(logits.values, logits.classes), name}});
  if (set.labels().empty()) return;
  report.add({{"class_accuracy" + suffix,
               class_accuracy(logits.values, logits.classes, labels_for(classifier, set.pictures)),
               name}});
}

void compare_sets(const Options& o, const LoadedModel& encoder, const LoadedModel& classifier,
                  Report& report) {
  SetInput data = recognise(o.sources, o.reading);
  SetInput other = recognise_other(o.reference, o.reading);
  bool by_stats = other.kind == "stats";
  if (!by_stats) require_one_kind(data, other);
  bool of_vectors = data.of_vectors();
  JudgedSet judged = report.read(std::move(data), of_vectors);
  if (by_stats || of_vectors) {
    for (auto& [given, flag] :
         {std::pair(o.control, "--control"), {!o.nearest.empty(), "--nearest"}}) {
      if (given) throw UsageError(std::string(flag) + " goes with a reference of pictures");
    }
  }
  std::unique_ptr<Reference> reference;
  std::optional<JudgedSet> unseen;
  if (by_stats) {
    if (!o.unseen.empty() || !o.save_stats.empty())
      throw UsageError("--unseen and --save-stats go with a reference that has rows");
    reference = read_reference(take_hdf5(std::move(other.inputs.front())), judged,
                               space_for(judged, encoder, o, "pixels"));
    if (!o.features.empty() && !reference->space.pca.components.empty())
      throw UsageError("--features: " + o.reference + " has its own, " + reference->space.name);
  } else {
    JudgedSet set = report.read(std::move(other), of_vectors);
    require_alike(judged, set);
    FeatureSpace space = space_for(set, encoder, o, "pca:64");
    reference = make_reference(std::move(set), std::move(space));
    if (!o.save_stats.empty()) save_stats(o, *reference->set, *reference);
  }
  if (!o.unseen.empty()) {
    unseen = report.read(recognise_other(o.unseen, o.reading), of_vectors);
    require_alike(*unseen, judged);
  }
  report.add(judge(judged, *reference, unseen,
                   {.bootstrap = o.bootstrap,
                    .seed = std::uint64_t(o.seed),
                    .control = o.control,
                    .nearest = o.nearest}));
  if (!classifier) return;
  classify_set(*classifier, o, judged, "", report);
  if (reference->set) classify_set(*classifier, o, *reference->set, "_real", report);
}

void probe_sets(const Options& o, const LoadedModel& encoder, Report& report) {
  SetInput data = recognise(o.sources, o.reading);
  SetInput other = recognise_other(o.probe, o.reading);
  require_one_kind(data, other);
  bool of_vectors = other.of_vectors();
  JudgedSet test = report.read(std::move(data), of_vectors);
  JudgedSet train = report.read(std::move(other), of_vectors);
  FeatureSpace space = space_for(train, encoder, o, "pixels");
  report.add(probe(train, test, space, {.neighbors = o.neighbors, .l2 = o.l2}));
}

void name_classes(const Options& o, const LoadedModel& encoder, Report& report) {
  SetInput data = recognise(o.sources, o.reading);
  bool of_vectors = data.of_vectors();
  if (!of_vectors && !encoder)
    throw UsageError("--zero-shot: pictures need --features CHECKPOINT, that of the texts");
  JudgedSet set = report.read(std::move(data), of_vectors);
  report.add(zero_shot(set, space_for(set, encoder, o, ""), read_vector_set(o.zero_shot)));
}

void save_only(const Options& o, const LoadedModel& encoder, Report& report) {
  SetInput data = recognise(o.sources, o.reading);
  bool of_vectors = data.of_vectors();
  JudgedSet set = report.read(std::move(data), of_vectors);
  FeatureSpace space = space_for(set, encoder, o, "pca:64");
  auto reference = make_reference(std::move(set), std::move(space));
  save_stats(o, *reference->set, *reference);
  report.add({{"features", reference->space.name}, {"rows", reference->set->size()}});
}

// Rows of DATA that are asked for.
std::vector<std::int64_t> asked_rows(const Options& o, const Dataset& data) {
  std::vector<std::int64_t> rows =
      o.held_out > 0 ? split_dataset(data, o.held_out, o.split_by).held_out : all_rows(data.size);
  if (rows.empty()) throw Error(data.source + ": no pictures are held out");
  return rows;
}

void reconstruct(Options& o, const Tool& tool, Report& report) {
  LoadedModel model = load(o.reconstruct, o, tool);
  JudgedSet set = report.read(o);
  const Dataset& data = set.pictures;
  std::vector<std::int64_t> rows = asked_rows(o, data);
  PictureShape shape{data.height, data.width, data.channels};
  PixelReader pixels(data, model->binarize());
  std::vector<float> given(std::size_t(pixels.row())), made(given.size());
  double error = 0, similarity = 0, n = double(rows.size());
  model->reconstruct(
      data, rows,
      [&](std::int64_t i, std::span<const std::uint8_t> picture) {
        pixels.read({&rows[std::size_t(i)], 1}, given);
        for (std::size_t k = 0; k < made.size(); ++k) made[k] = float(picture[k]) / 255;
        error += squared_error(given, made) / n;
        similarity += ssim(given, made, shape) / n;
      },
      o.batch_size);
  report.add({{"model", name_of(*model)},
              {"rows", std::int64_t(rows.size())},
              {"squared_error", error * double(given.size()), "sum of squares/image"},
              {"mse", error},
              {"psnr", psnr(error), "dB"},
              {"ssim", similarity}});
}

constexpr const char* kImportance = "importance_nll";

// The names of the terms are the model's: they are asked for with one row, before all are scored.
void require_known_terms(const Options& o, const Loaded& model, const Dataset& data,
                         std::span<const std::int64_t> rows, std::span<const Bar> bars) {
  std::vector<std::string> names = {"rows"};
  if (o.draws > 0) names.emplace_back(kImportance);
  for (const ScoredTerm& term : validation_terms(model, data, rows.first(1), 1, o.seed))
    names.push_back(term.name);
  require_known(bars, names);
}

void score_likelihood(Options& o, const Tool& tool, std::span<const Bar> bars, Report& report) {
  LoadedModel model = load(o.likelihood, o, tool);
  JudgedSet set = report.read(o);
  std::vector<std::int64_t> rows = asked_rows(o, set.pictures);
  if (!bars.empty()) require_known_terms(o, *model, set.pictures, rows, bars);
  report.add({{"model", name_of(*model)}, {"rows", std::int64_t(rows.size())}});
  for (const ScoredTerm& term : validation_terms(*model, set.pictures, rows, o.batch_size, o.seed))
    report.add({{term.name, term.value, term.unit}});
  if (o.draws == 0) return;
  const Model& family = model->model();
  std::string reason = !family.log_weight ? "this model has no likelihood to sample"
                       : family.no_prior  ? family.no_prior()
                                          : "";
  if (!reason.empty()) throw Error(model->name() + ": " + reason);
  PixelReader pixels(set.pictures, model->binarize());
  std::vector<double> nll =
      importance_nll(family.log_weight, model->store(), set.pictures, pixels, rows,
                     {.draws = o.draws,
                      .batch_size = o.batch_size,
                      .seed = o.seed,
                      .store_prefix = model->store_prefix()});
  double mean = std::accumulate(nll.begin(), nll.end(), 0.0) / double(nll.size());
  if (!std::isfinite(mean))
    throw Error(model->name() + ": its likelihood of " + set.pictures.source + " is not finite");
  report.add({{kImportance, mean, "nats/image"}});
}

void say_baselines(const Options& o, Report& report) {
  JudgedSet set = report.read(o);
  const Dataset& data = set.pictures;
  Split split{all_rows(data.size), {}, 0};
  std::optional<JudgedSet> unseen;
  if (o.held_out > 0) split = split_dataset(data, o.held_out, o.split_by);
  if (o.held_out > 0 && split.held_out.empty())
    throw Error(data.source + ": no pictures are held out");
  if (!o.unseen.empty()) unseen = report.read(recognise_other(o.unseen, o.reading), false);
  const Dataset& judged = unseen ? unseen->pictures : data;
  std::vector<std::int64_t> rows = unseen           ? all_rows(judged.size)
                                   : o.held_out > 0 ? split.held_out
                                                    : split.train;
  report.add(
      {{"train_rows", std::int64_t(split.train.size())}, {"rows", std::int64_t(rows.size())}});
  report.add(baseline_figures(data, split.train, judged, rows));
}

// What may be printed, as far as that is known before anything is read.
std::vector<std::string> figures_expected(const Options& o) {
  const std::pair<bool, Job> jobs[] = {{!o.reference.empty(), Job::compare},
                                       {o.control, Job::control},
                                       {!o.probe.empty(), Job::probe},
                                       {!o.retrieval.empty(), Job::retrieve},
                                       {!o.zero_shot.empty(), Job::zero_shot},
                                       {!o.reconstruct.empty(), Job::reconstruct},
                                       {o.baselines, Job::baselines},
                                       {!o.classifier.empty(), Job::classify},
                                       {o.reference.empty() && !o.save_stats.empty(), Job::stats}};
  std::vector<std::string> names;
  if (!o.likelihood.empty()) return names;  // those are of the model, see require_known_terms
  for (const auto& [asked, job] : jobs) {
    std::vector<std::string> more = asked ? figure_names(job) : std::vector<std::string>();
    names.insert(names.end(), more.begin(), more.end());
  }
  return names;
}

// ---- the command line

// Refuses what cannot be meant, before anything is read.
void check(const Options& o, const Tool& tool) {
  bool compares = !o.reference.empty();
  const std::string* jobs[] = {&o.reference, &o.probe,       &o.retrieval, &o.zero_shot,
                               &o.modes,     &o.reconstruct, &o.likelihood};
  auto asked = std::count_if(std::begin(jobs), std::end(jobs),
                             [](const std::string* job) { return !job->empty(); });
  asked += o.baselines;
  if (asked > 1)
    throw UsageError(
        "--reference, --probe, --retrieval, --zero-shot, --modes, --reconstruct, --likelihood and "
        "--baselines exclude each other");
  if (!o.save_stats.empty() && !o.classifier.empty() && !compares)
    throw UsageError("--save-stats and --classifier exclude each other without --reference");
  if (asked == 0 && o.classifier.empty() && o.save_stats.empty())
    throw UsageError(
        "nothing to do: give --reference, --probe, --retrieval, --zero-shot, --modes, "
        "--reconstruct, --likelihood, --classifier, --baselines or --save-stats");
  if (o.sources.empty() && o.reading.synthetic.empty()) throw UsageError("DATA is missing");
  bool models = !o.reconstruct.empty() || !o.likelihood.empty();
  const std::pair<const char*, bool> companions[] = {
      {"control", compares},
      {"nearest", compares},
      {"bootstrap", compares},
      {"unseen", compares || o.baselines},
      {"features", compares || !o.probe.empty() || !o.zero_shot.empty() || !o.save_stats.empty()},
      {"save-stats", compares || asked == 0},
      {"classifier", compares || asked == 0},
      {"neighbors", !o.probe.empty()},
      {"l2", !o.probe.empty()},
      {"mode-points", !o.modes.empty()},
      {"plot", !o.modes.empty()},
      {"draws", !o.likelihood.empty()},
      {"held-out", models || o.baselines},
      {"split-by", o.held_out > 0},
  };
  for (const auto& [flag, meant] : companions) {
    if (tool.typed(flag) && !meant)
      throw UsageError(std::string("--") + flag + " does not go with what is asked for");
  }
  if (!(o.held_out >= 0 && o.held_out <= 0.9))
    throw UsageError("--held-out: expected a share from 0 to 0.9, as --val-split has it");
  if (!o.unseen.empty() && o.held_out > 0)
    throw UsageError("--unseen and --held-out exclude each other");
  if (o.batch_size < 1) throw UsageError("--batch-size '0': expected at least 1");
  if (o.neighbors < 1) throw UsageError("--neighbors '0': expected at least 1");
  if (o.mode_points < 1) throw UsageError("--mode-points '0': expected at least 1");
  if (!(o.l2 >= 0)) throw UsageError("--l2: expected a penalty of at least 0");
  auto inputs =
      paths_of(o.sources, o.reference, o.unseen, o.features, o.classifier, o.probe, o.retrieval,
               o.zero_shot, o.modes, o.reconstruct, o.likelihood, o.reading.labels);
  if (std::count(inputs.begin(), inputs.end(), "-") > 1)
    throw UsageError("'-' twice: standard input can be read once");
  for (const std::string& output : {o.nearest, o.save_stats, o.plot}) {
    if (output == "-") throw UsageError("'-': figures go to standard output");
  }
  if (!o.nearest.empty() && o.nearest == o.save_stats)
    throw UsageError("--nearest and --save-stats both want " + o.nearest);
  if (!o.nearest.empty())
    format_of({.output = o.nearest,
               .format = {},
               .grid = {},
               .text = {},
               .provenance = {},
               .option = "--nearest"});
  refuse_overwriting(o.nearest, inputs, "--nearest");
  if (!o.plot.empty() && !o.plot.ends_with(".svg"))
    throw UsageError("--plot '" + o.plot + "': expected a name ending in .svg");
  refuse_overwriting(o.save_stats, inputs, "--save-stats");
  refuse_overwriting(o.plot, inputs, "--plot");
}

void work(Options& o, const Tool& tool, std::span<const Bar> bars, Report& report) {
  LoadedModel classifier = o.classifier.empty() ? nullptr : load(o.classifier, o, tool);
  LoadedModel encoder = load_encoder(o, tool);
  if (!o.reference.empty()) compare_sets(o, encoder, classifier, report);
  if (o.reference.empty() && classifier) classify_set(*classifier, o, report.read(o), "", report);
  if (!o.probe.empty()) probe_sets(o, encoder, report);
  if (!o.retrieval.empty())
    report.add(
        retrieve(report.read(recognise(o.sources, o.reading), true), read_vector_set(o.retrieval)));
  if (!o.zero_shot.empty()) name_classes(o, encoder, report);
  if (!o.modes.empty())
    report.add(judge_modes(report.read(recognise(o.sources, o.reading), true),
                           read_vector_set(o.modes),
                           {.least_points = o.mode_points, .plot = o.plot}));
  if (!o.reconstruct.empty()) reconstruct(o, tool, report);
  if (!o.likelihood.empty()) score_likelihood(o, tool, bars, report);
  if (o.baselines) say_baselines(o, report);
  if (o.reference.empty() && !o.save_stats.empty()) save_only(o, encoder, report);
}

void declare(Tool& tool, Options& o) {
  tool.operands("DATA", o.sources,
                "what is judged: pictures (HDF5, folder, tar, idx) or a file of vectors, or -",
                false);
  const char* jobs = "Jobs";
  tool.option("--reference", o.reference, "DATA",
              "distances to these pictures or vectors, or to the stats of a file", jobs);
  tool.option("--probe", o.probe, "DATA",
              "accuracy on DATA of classifiers fitted to these pictures or vectors", jobs);
  tool.option("--retrieval", o.retrieval, "FILE",
              "how well vectors find their partners in these, row by row", jobs);
  tool.option("--zero-shot", o.zero_shot, "FILE",
              "accuracy of naming each row's class by the nearest of these vectors of texts", jobs);
  tool.option(
      "--modes", o.modes, "FILE",
      "modes of this toy (data-pack --synthetic ring) that points cover, and their distance", jobs);
  tool.option("--reconstruct", o.reconstruct, "MODEL",
              "errors of what a model makes of the pictures", jobs);
  tool.option("--likelihood", o.likelihood, "MODEL",
              "the model's own terms: loss, reconstruction, divergence", jobs);
  tool.option("--classifier", o.classifier, "MODEL",
              "class score and accuracy by a model with classes", jobs);
  tool.flag("--baselines", o.baselines, "what methods without learning reach on the pictures",
            jobs);
  tool.option("--save-stats", o.save_stats, "FILE",
              "write the moments of the reference's features, without one those of DATA", jobs);
  const char* comparing = "Comparing";
  tool.option("--features", o.features, "NAME",
              "what distances are measured in: pixels, pca:K (of the reference) or a checkpoint "
              "that encodes; pca:64, for probes pixels",
              comparing);
  tool.option("--unseen", o.unseen, "DATA",
              "real pictures that nothing was fitted to: the measure of copying, or what baselines "
              "are judged on",
              comparing);
  tool.option("--nearest", o.nearest, "FILE",
              "picture of the 32 pictures nearest to the reference, each beside its match",
              comparing);
  tool.flag("--control", o.control,
            "also judge pictures drawn from the Gaussian of the reference's pixels", comparing);
  tool.option("--bootstrap", o.bootstrap, "N",
              "resamples of the interval of the Frechet distance, 0: none", comparing);
  tool.option("--seed", o.seed, "N", "of resamples, subsets, the control and the model's noise",
              comparing);
  tool.option("--neighbors", o.neighbors, "N", "that vote in the probe", "Probing");
  tool.option("--l2", o.l2, "X", "penalty of the linear probes", "Probing");
  tool.option("--mode-points", o.mode_points, "N", "good points that make a mode covered", "Modes");
  tool.option("--plot", o.plot, "FILE", "drawing (.svg) of the points over the modes", "Modes");
  const char* models = "Models";
  tool.option("--draws", o.draws, "N",
              "importance samples a picture of its likelihood, 0: only the bound", models);
  tool.option("--held-out", o.held_out, "X", "only the share that --val-split X holds out", models);
  tool.choice("--split-by", o.split_by, {"name", "caption"},
              "with --held-out: what is hashed, as in training", models);
  tool.option("--average", o.average, "NAME",
              "weights: auto (the first average if there is one), none, or its number", models);
  tool.option("--batch-size", o.batch_size, "N", "pictures at once; does not change figures",
              models);
  const char* output = "Output";
  tool.flag("--json", o.json, "one JSON object instead of lines", output);
  tool.option("--fail-above", o.fail_above, "KEY=VALUE",
              "status 1 if the figure is above; may be repeated", output);
  tool.option("--fail-below", o.fail_below, "KEY=VALUE",
              "status 1 if the figure is below; may be repeated", output);
  tool.fields(o.reading.fields(), "Reading");
  tool.config_file();
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("model-eval", "Judge pictures, vectors and models.");
  declare(tool, o);
  return tool.run(argc, argv, [&] {
    std::vector<Bar> bars;
    for (bool above : {true, false}) {
      for (const std::string& text : above ? o.fail_above : o.fail_below) {
        auto given = parse_bars(text, above ? "--fail-above" : "--fail-below", above);
        bars.insert(bars.end(), given.begin(), given.end());
      }
    }
    check(o, tool);
    require_known(bars, figures_expected(o));
    Report report;
    work(o, tool, bars, report);
    write_all(1, o.json ? to_json(report.figures) : to_lines(report.figures), "standard output");
    std::vector<std::string> broken = broken_bars(report.figures, bars);
    for (const std::string& bar : broken) logging::error(bar);
    return !broken.empty() ? kExitFailed : report.skipped > 0 ? kExitSkipped : kExitDone;
  });
}
