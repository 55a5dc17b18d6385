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
#include "eval/judge.h"
#include "eval/modes.h"
#include "eval/zero_shot.h"
#include "eval_models.h"
#include "eval_page.h"
#include "infer/infer.h"
#include "infer/rows.h"
#include "infer/score.h"
#include "io/picture_sink.h"
#include "reading_page.h"

using namespace atelier;

namespace {

using Options = EvalOptions;

// ---- models

// Of --features, if that is a checkpoint; it also says how pictures are prepared.
LoadedModel load_encoder(Options& o, const Tool& tool) {
  bool computed = o.features.empty() || o.features == "pixels" || o.features.starts_with("pca:");
  return computed ? nullptr : load(o.features, o, tool);
}

FeatureSpace encoder_space(const LoadedModel& encoder, std::int64_t batch_size) {
  auto rows = [encoder, batch_size](const Dataset& data) {
    auto values = encoder->encode(data, all_rows(data.size), batch_size);
    if (!all_finite(values)) throw Error(encoder->name() + ": features are not finite");
    auto columns = std::int64_t(values.size()) / std::max<std::int64_t>(data.size, 1);
    return table_of_values(std::move(values), columns);
  };
  return {.name = name_of(*encoder), .rows = rows, .pool = resolved_pool(encoder->model(), "auto")};
}

// `fallback`: what --features means if it was not given.
FeatureSpace space_for(const JudgedSet& reference, const LoadedModel& encoder, const Options& o,
                       const char* fallback) {
  if (reference.of_vectors && !o.features.empty())
    throw UsageError("--features goes with pictures, " + reference.source + " holds vectors");
  if (encoder) return encoder_space(encoder, o.batch_size);
  return make_space(reference, o.features.empty() ? fallback : o.features);
}

// What may be printed, as far as that is known before anything is read; `by_stats`: the reference
// is a file of stats.
std::vector<std::string> figures_expected(const Options& o, bool by_stats) {
  const std::pair<bool, Job> jobs[] = {{!o.reference.empty(), Job::compare},
                                       {o.control, Job::control},
                                       {!o.probe.empty(), Job::probe},
                                       {!o.retrieval.empty(), Job::retrieve},
                                       {!o.zero_shot.empty(), Job::zero_shot},
                                       {!o.reconstruct.empty(), Job::reconstruct},
                                       {o.baselines, Job::baselines},
                                       {!o.classifier.empty(), Job::classify},
                                       {o.reference.empty() && !o.save_stats.empty(), Job::stats}};
  Compared with{.interval = o.bootstrap > 0, .reference_rows = !o.reference.empty() && !by_stats};
  std::vector<std::string> names;
  // Those are of the model, see require_known_figures().
  if (!o.likelihood.empty() || !o.denoising.empty()) return names;
  for (const auto& [asked, job] : jobs) {
    std::vector<std::string> more = asked ? figure_names(job, with) : std::vector<std::string>();
    names.insert(names.end(), more.begin(), more.end());
  }
  return names;
}

// ---- jobs

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
                  std::span<const Bar> bars, Report& report) {
  SetInput data = recognise(o.sources, o.reading);
  SetInput other = recognise_other(o.reference, o.reading);
  bool by_stats = other.kind == "stats";
  require_known(bars, figures_expected(o, by_stats));
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
    if (!o.save_stats.empty()) write_stats(o.save_stats, stats_of(*reference));
  }
  if (!o.unseen.empty()) {
    unseen = report.read(recognise_other(o.unseen, o.reading), of_vectors);
    require_alike(*unseen, reference->set ? *reference->set : judged);
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
  write_stats(o.save_stats, stats_of(*reference));
  report.add({{"features", reference->space.name}, {"rows", reference->set->size()}});
}

void say_baselines(const Options& o, Report& report) {
  FittedAndJudged sets = read_fitted_and_judged(o, report);
  report.add({{"train_rows", std::int64_t(sets.fitted_rows.size())},
              {"rows", std::int64_t(sets.judged_rows.size())}});
  report.add(baseline_figures(sets.data.pictures, sets.fitted_rows, sets.judged().pictures,
                              sets.judged_rows));
}

// ---- the command line

// Refuses what cannot be meant, before anything is read.
void check(const Options& o, const Tool& tool) {
  bool compares = !o.reference.empty();
  const std::string* jobs[] = {&o.reference, &o.probe,       &o.retrieval,  &o.zero_shot,
                               &o.modes,     &o.reconstruct, &o.likelihood, &o.denoising};
  auto asked = std::count_if(std::begin(jobs), std::end(jobs),
                             [](const std::string* job) { return !job->empty(); });
  asked += o.baselines;
  if (asked > 1)
    throw UsageError(
        "--reference, --probe, --retrieval, --zero-shot, --modes, --reconstruct, --likelihood, "
        "--denoising and --baselines exclude each other");
  if (!o.save_stats.empty() && !o.classifier.empty() && !compares)
    throw UsageError("--save-stats and --classifier exclude each other without --reference");
  if (asked == 0 && o.classifier.empty() && o.save_stats.empty())
    throw UsageError(
        "nothing to do: give --reference, --probe, --retrieval, --zero-shot, --modes, "
        "--reconstruct, --likelihood, --denoising, --classifier, --baselines or --save-stats");
  if (o.sources.empty() && o.reading.synthetic.empty()) throw UsageError("DATA is missing");
  refuse_idle_drawing(tool, o.reading);
  bool denoises = !o.denoising.empty();
  bool models = !o.reconstruct.empty() || !o.likelihood.empty() || denoises;
  const std::pair<const char*, bool> companions[] = {
      {"control", compares},
      {"nearest", compares},
      {"bootstrap", compares},
      {"unseen", compares || o.baselines || denoises},
      {"features", compares || !o.probe.empty() || !o.zero_shot.empty() || !o.save_stats.empty()},
      {"save-stats", compares || asked == 0},
      {"classifier", compares || asked == 0},
      {"neighbors", !o.probe.empty()},
      {"l2", !o.probe.empty()},
      {"mode-points", !o.modes.empty()},
      {"plot", !o.modes.empty()},
      {"draws", !o.likelihood.empty()},
      {"visited-timesteps", !o.likelihood.empty() || denoises},
      {"timesteps", denoises},
      {"inversion-steps", denoises},
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
  for (auto [count, flag] : {std::pair(o.visited_timesteps, "--visited-timesteps"),
                             {o.inversion_steps, "--inversion-steps"}}) {
    if (count < 0) throw UsageError(flag + (" " + std::to_string(count)) + ": expected 0 or more");
  }
  if (o.neighbors < 1) throw UsageError("--neighbors '0': expected at least 1");
  if (o.mode_points < 1) throw UsageError("--mode-points '0': expected at least 1");
  if (!(o.l2 >= 0)) throw UsageError("--l2: expected a penalty of at least 0");
  auto inputs =
      paths_of(o.sources, o.reference, o.unseen, o.features, o.classifier, o.probe, o.retrieval,
               o.zero_shot, o.modes, o.reconstruct, o.likelihood, o.denoising, o.reading.labels);
  require_one_stdin(inputs);
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
  if (!o.reference.empty()) compare_sets(o, encoder, classifier, bars, report);
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
  if (!o.denoising.empty()) judge_denoising(o, tool, bars, report);
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
              "the model's own terms: loss, reconstruction, divergence; of a diffusion model the "
              "variational bound",
              jobs);
  tool.option("--denoising", o.denoising, "MODEL",
              "errors of a diffusion model by timestep, beside those of the best linear denoiser",
              jobs);
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
              "and denoisers are judged on",
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
  tool.option("--visited-timesteps", o.visited_timesteps, "N",
              "timesteps of each row that a diffusion model is judged at, 0: all", models);
  tool.option(
      "--timesteps", o.timesteps, "LIST",
      "with --denoising: timesteps whose errors are told, as 50,250; ten from first to last",
      models);
  tool.option("--inversion-steps", o.inversion_steps, "N",
              "with --denoising: timesteps of the way to the noise, and of that back; 0: neither",
              models);
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
    require_known(bars, figures_expected(o, /*by_stats=*/false));
    Report report;
    work(o, tool, bars, report);
    write_all(1, o.json ? to_json(report.figures) : to_lines(report.figures), "standard output");
    std::vector<std::string> broken = broken_bars(report.figures, bars, report.left_out);
    for (const std::string& bar : broken) logging::error(bar);
    return !broken.empty() ? kExitFailed : report.skipped > 0 ? kExitSkipped : kExitDone;
  });
}
