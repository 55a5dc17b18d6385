// vae-train: train autoencoders and variational autoencoders.
#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/tool.h"
#include "data/dataset.h"
#include "eval/baselines.h"
#include "eval/remarks.h"
#include "infer/infer.h"
#include "io/picture_sink.h"
#include "models/registry.h"
#include "train/signals.h"
#include "train/trainer.h"

using namespace atelier;

namespace {

struct Sets {
  Dataset train, held_out;
  TrainData data;
};

// The training pictures and what is held out of them, or comes from --val-data.
Sets read_sets(const std::vector<std::string>& sources, const ReadOptions& reading,
               const TrainConfig& config) {
  Sets sets;
  sets.train = read_dataset(sources, reading);
  sets.data.train = &sets.train;
  Split split = split_dataset(sets.train, config.val_split, config.split_by);
  sets.data.train_indices = split.train;
  sets.data.validation_indices = split.held_out;
  sets.data.validation = &sets.train;
  if (split.duplicates > 0) {
    logging::warning(std::to_string(split.duplicates) +
                     " held-out pictures are also among those trained on");
  }
  if (config.val_data.empty()) return sets;
  if (config.val_split > 0) throw UsageError("--val-data and --val-split exclude each other");
  std::vector<std::string> source{config.val_data};
  sets.held_out = read_dataset(source, reading);
  bool same =
      sets.held_out.height == sets.train.height && sets.held_out.width == sets.train.width &&
      sets.held_out.channels == sets.train.channels && sets.held_out.dtype == sets.train.dtype;
  if (!same)
    throw Error(config.val_data + ": its pictures have another shape than those trained on");
  sets.data.validation = &sets.held_out;
  for (std::int64_t i = 0; i < sets.held_out.size; ++i) sets.data.validation_indices.push_back(i);
  return sets;
}

// A grid of the pictures of seeds 0, 1, 2, ..: comparable over a training.
void draw_grid(Loaded loaded, const std::string& path, const std::string& shape) {
  GridShape grid = parse_grid(shape);
  DataShape picture = loaded.data_shape();
  PictureSink sink({.output = path, .format = "png", .grid = shape, .text = {}, .provenance = {}},
                   picture.height, picture.width, picture.channels);
  std::vector<std::int32_t> seeds(std::size_t(grid.columns * grid.rows), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  loaded.sample(seeds,
                [&](std::int64_t, std::span<const std::uint8_t> pixels) { sink.add(pixels, 0); });
  sink.finish();
}

// Fields that the pictures decided, for people: "net conv, likelihood gaussian".
std::string chosen(const Attributes& before, const Attributes& after) {
  std::string list;
  for (const auto& [name, value] : before) {
    if (value != Scalar(std::string("auto"))) continue;
    list += (list.empty() ? "" : ", ") + name + " " + to_text(*find(after, name));
  }
  return list;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  Model model = make_model("vae");

  Tool tool("vae-train", "Train an autoencoder or a variational autoencoder on pictures.");
  tool.operands("DATA", sources, "pictures: HDF5 file, folder, tar, idx, or - for standard input",
                false);
  tool.fields(config.reporting_fields(), "Output", {{"output", "-o"}, {"dry_run", "-n"}});
  tool.optional_value("--resume", config.resume, "auto", "FILE",
                      "go on where a checkpoint, or the newest of the run directory, ends",
                      "Output");
  tool.incidental("--resume");
  tool.fields(model.fields, "Model");
  tool.fields(config.training_fields(), "Training", {{"batch_size", "-b"}});
  tool.fields(reading.fields(), "Reading");
  std::vector<std::pair<std::string, Attributes>> presets;
  for (const Preset& preset : model.presets) presets.emplace_back(preset.name, preset.values);
  tool.presets(presets);
  tool.config_file();

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    config.settle([&](std::string_view option) { return tool.given(option); });
    if (sources.empty() && reading.synthetic.empty()) throw UsageError("DATA is missing");
    std::vector<std::string> inputs = sources;
    inputs.push_back(config.val_data);
    refuse_overwriting(config.output, inputs);
    Sets sets = read_sets(sources, reading, config);
    Attributes asked = to_attributes(model.fields);
    model.fit({.height = sets.train.height,
               .width = sets.train.width,
               .channels = sets.train.channels,
               .num_classes = sets.train.num_classes(),
               .binary = config.binarize != "none"});
    std::string by_pictures = chosen(asked, to_attributes(model.fields));
    if (!by_pictures.empty()) logging::info("chosen by the pictures: " + by_pictures);

    Task task{.program = "vae-train",
              .config = {{"model", model.name}},
              .preprocess = sets.train.preprocess,
              .objective = model.objective,
              .validation = model.validation,
              .log_weight = model.log_weight,
              .latent = {},
              .sample_grid = {},
              .judge = {},
              .resolved_toml = tool.resolved_toml(),
              .started = started};
    for (const auto& entry : to_attributes(model.fields)) task.config.push_back(entry);
    if (model.no_prior && !model.no_prior().empty()) task.log_weight = nullptr;
    if (task.log_weight) task.latent = model.encode;
    if (!model.no_prior || model.no_prior().empty())
      task.sample_grid = [&](Store& store, const std::string& prefix, const std::string& path) {
        draw_grid(Loaded(model, store, prefix), path, config.sample_grid);
      };
    std::optional<Baselines> base;
    bool binary =
        config.binarize != "none" && to_text(*find(task.config, "likelihood")) == "bernoulli";
    task.judge = [&](std::span<const ReportedTerm> terms) {
      if (!base) {
        bool compares = std::ranges::any_of(
            terms, [](const auto& term) { return term.role == TermRole::squared_error; });
        auto latent = std::get<std::int64_t>(*find(task.config, "latent_dim"));
        base = baselines(sets.train, sets.data.train_indices, *sets.data.validation,
                         sets.data.validation_indices,
                         {.latent_dim = compares ? latent : 0,
                          .bernoulli = binary,
                          .binarize = parse_binarize(config.binarize),
                          .seed = config.seed,
                          .most_rows = 5000});
      }
      return Judgement{baseline_terms(*base), judge(terms, *base)};
    };
    int status = train(task, config, sets.data);
    bool skipped = sets.train.skipped + sets.held_out.skipped > 0;
    return status == kExitDone && skipped ? kExitSkipped : status;
  });
}
