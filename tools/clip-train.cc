// clip-train: train image and text towers on captions, or an image tower on labels.
#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "train/signals.h"
#include "training_page.h"

using namespace atelier;

namespace {

// Towers draw no samples and have no likelihood.
const Names kUnused{"sample_every", "sample_grid", "binarize", "val_importance_samples",
                    "val_importance_images"};

const BoundField* field_of(const Fields& fields, const std::string& name) {
  auto found = std::ranges::find(fields, name, &BoundField::name);
  return found == fields.end() ? nullptr : &*found;
}

std::int64_t value_of(const Fields& fields, const std::string& name) {
  return std::get<std::int64_t>(field_of(fields, name)->value());
}

// Fields of `all` that `others` lack.
Fields without(const Fields& all, const Fields& others) {
  Fields rest;
  for (const BoundField& field : all) {
    if (!field_of(others, field.name)) rest.push_back(field);
  }
  return rest;
}

std::vector<std::pair<std::string, Attributes>> presets_of(const Model& clip,
                                                           const Model& classifier) {
  std::vector<std::pair<std::string, Attributes>> all;
  for (const Model* model : {&clip, &classifier}) {
    for (const Preset& preset : model->presets) {
      Attributes values = preset.values;
      values.emplace_back("targets", std::string(model == &clip ? "captions" : "labels"));
      all.emplace_back(preset.name, values);
    }
  }
  return all;
}

// What only one kind of targets has is refused with the other, as far as it was typed.
void require_fitting(const Tool& tool, const Fields& fields, const std::string& targets) {
  for (const BoundField& field : fields) {
    if (!field.from_data && tool.typed(field.flag()))
      throw UsageError(field.flag() + " goes with --targets " + targets);
  }
}

// A picture is told apart from the others of its batch; the sigmoid loss has a pair's own term.
void require_others(const std::string& loss, const TrainConfig& config, const TrainSets& sets) {
  if (loss != "clip") return;
  if (config.batch_size == 1)
    throw UsageError("--batch-size 1: --loss clip needs others to tell a picture from");
  if (sets.data.train_indices.size() < 2)
    throw Error(sets.train.source + ": expected at least 2 pictures to tell apart, found 1");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> sources;
  ReadOptions reading;
  TrainConfig config;
  CaptionConfig captions;
  std::string targets = "captions";
  Model clip = make_model("clip"), classifier = make_model("classifier");
  Fields of_labels = without(classifier.fields, clip.fields);
  Fields of_captions = without(clip.fields, classifier.fields);

  Tool tool("clip-train", "Train image and text towers on captions, or an image tower on labels.");
  declare_data_and_output(tool, sources, config, kUnused);
  tool.choice("--targets", targets, {"captions", "labels"},
              "what the pictures are trained against: their captions, or their classes", "Model");
  tool.fields(clip.fields, "Model");
  tool.fields(of_labels, "Model");
  tool.fields(captions.fields(), "Training");
  tool.presets(presets_of(clip, classifier));
  declare_training_and_reading(tool, config, reading, kUnused);

  return tool.run(argc, argv, [&] {
    auto started = std::chrono::steady_clock::now();
    install_signal_handlers();
    bool labels = targets == "labels";
    require_fitting(tool, labels ? of_captions : of_labels, labels ? "captions" : "labels");
    if (labels) require_fitting(tool, captions.fields(), "captions");
    check_before_reading(tool, sources, reading, config);
    TrainSets sets;
    read_train_sets(sources, reading, config, sets);
    Model& model = labels ? classifier : clip;
    if (labels) {
      require_labels(sets, "--targets labels");
      if (sets.train.num_classes() < 2)
        throw Error(sets.train.source + ": expected labels of at least 2 classes, found 1");
      // The options are bound to CLIP's fields; those of the image tower have the same names.
      for (const BoundField& field : classifier.fields) {
        if (const BoundField* given = field_of(clip.fields, field.name)) field.set(given->value());
      }
    } else {
      require_others(to_text(field_of(clip.fields, "loss")->value()), config, sets);
      read_train_captions(captions, value_of(clip.fields, "vocab_size"),
                          value_of(clip.fields, "context_length"), reading.on_error, config, sets);
    }
    DataShape shape = shape_of(sets, config);
    if (!labels) shape.vocab_size = sets.captions->tokenizer().vocab_size();
    fit(model, shape, tool, config);

    Task task = task_of(model, tool, "clip-train", sets.train);
    task.started = started;
    if (!labels) {
      task.training = to_attributes(captions.fields());
      auto bytes = sets.captions->tokenizer().bytes();
      task.tokenizer.assign(bytes.begin(), bytes.end());
    }
    return run_task(task, config, sets);
  });
}
