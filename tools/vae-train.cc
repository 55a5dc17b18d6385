// vae-train: train autoencoders and variational autoencoders.
#include <algorithm>
#include <chrono>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "eval/baselines.h"
#include "eval/remarks.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

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
  declare_data_and_output(tool, sources, config);
  tool.fields(model.fields, "Model");
  declare_presets(tool, model);
  declare_training_and_reading(tool, config, reading);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    Attributes asked = to_attributes(model.fields);
    fit(model, shape_of(sets, config), tool, config);
    std::string by_pictures = chosen(asked, to_attributes(model.fields));
    if (!by_pictures.empty()) logging::info("chosen by the pictures: " + by_pictures);

    Task task = task_of(model, tool, "vae-train", sets.train);
    task.started = started;
    task.log_weight = model.log_weight;
    if (model.no_prior && !model.no_prior().empty()) task.log_weight = nullptr;
    if (task.log_weight)
      task.latent = [&](const Scope& scope, Expr image) { return model.encode(scope, image, {}); };
    if (!model.no_prior || model.no_prior().empty()) task.sample_grid = seed_grid_of(model, config);
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
    return run_task(task, config, sets);
  });
}
