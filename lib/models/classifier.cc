// Classifiers.
#include "models/classifier.h"

#include <fmt/format.h>

#include "nn/layers.h"
#include "nn/losses.h"

namespace atelier {
namespace {

using Config = std::shared_ptr<ClassifierConfig>;

Objective objective(const ClassifierConfig& c, const Scope& scope, const Batch& batch) {
  Expr logits = classifier_logits(c, scope, batch.image);
  Expr loss = mean_of_rows(smoothed_cross_entropy(logits, batch.label, c.label_smoothing));
  return {
      loss, "nats/image", {{"accuracy", "share", mean_of_rows(top1_hits(logits, batch.label))}}};
}

std::vector<Term> validation(const ClassifierConfig& c, const Scope& scope, const Batch& batch) {
  Expr logits = classifier_logits(c, scope, batch.image);
  return {{"loss", "nats/image", cross_entropy(logits, batch.label)},
          {"accuracy", "share", top1_hits(logits, batch.label)}};
}

std::vector<Preset> presets() {
  using namespace std::string_literals;
  auto vit = [](std::int64_t width, std::int64_t depth, std::int64_t heads, std::int64_t patch) {
    return Attributes{{"net", "vit"s},           {"embed_dim", width},    {"depth", depth},
                      {"num_heads", heads},      {"patch_size", patch},   {"pool", "cls"s},
                      {"pos_embed", "learned"s}, {"learning_rate", 1e-3}, {"weight_decay", 0.05}};
  };
  auto with = [](Attributes base, const Attributes& more) {
    base.insert(base.end(), more.begin(), more.end());
    return base;
  };
  return {
      {"vit-ti16", "ViT-Ti/16: 192 wide, 12 blocks, 3 heads", vit(192, 12, 3, 16)},
      {"vit-s16", "ViT-S/16: 384 wide, 12 blocks, 6 heads", vit(384, 12, 6, 16)},
      {"vit-b16", "ViT-B/16: 768 wide, 12 blocks, 12 heads", vit(768, 12, 12, 16)},
      {"vit-28",
       "a transformer for 28x28 pictures on two cores: 128 wide, 6 blocks, patches of 7, mean",
       with(vit(128, 6, 4, 7), {{"pool", "mean"s},
                                {"pos_embed", "sincos"s},
                                {"batch_size", std::int64_t{128}},
                                {"warmup_steps", std::int64_t{500}},
                                {"max_grad_norm", 1.0}})},
      {"conv-28",
       "32-64-128 convolutions with batch norm for 28x28 pictures, shifts and one-cycle rate",
       {{"net", "conv"s},
        {"channels", "32,64,128"s},
        {"dropout", 0.3},
        {"batch_size", std::int64_t{128}},
        {"crop_padding", std::int64_t{2}},
        {"learning_rate", 4e-3},
        {"lr_schedule", "one-cycle"s},
        {"weight_decay", 0.01}}},
  };
}

}  // namespace

Fields ClassifierConfig::fields() {
  Fields fields = tower.fields();
  fields.push_back(
      bind(label_smoothing, {.name = "label_smoothing",
                             .help = "labels: share of the target that goes to all classes alike",
                             .low = 0,
                             .high = 0.9}));
  fields.push_back(
      bind(num_classes,
           {.name = "num_classes", .help = "classes of the labels", .low = 0, .from_data = true}));
  return fields;
}

void ClassifierConfig::check() const {
  if (num_classes < 2)
    throw UsageError(fmt::format("labels: expected at least 2 classes, found {}", num_classes));
}

Expr smoothed_cross_entropy(Expr logits, Expr label, double smoothing) {
  Expr loss = cross_entropy(logits, label);
  if (smoothing == 0) return loss;
  std::int64_t rows = logits.shape()[0];
  Expr uniform = reshape(logsumexp(logits, 1), {rows}) - reshape(mean(logits, {1}), {rows});
  return (1 - smoothing) * loss + smoothing * uniform;
}

Expr classifier_logits(const ClassifierConfig& c, const Scope& scope, Expr image) {
  Expr features = tower_features(c.tower, scope, image);
  return linear(scope / "head", features, c.num_classes);
}

Model make_classifier() {
  Config c = std::make_shared<ClassifierConfig>();
  Model model;
  model.name = "classifier";
  model.fields = c->fields();
  model.presets = presets();
  model.state = c;
  model.fit = [c](const DataShape& shape) {
    require_pictures(shape, "classifier");
    c->num_classes = shape.num_classes;
    c->tower.take(shape);
    c->check();
  };
  model.objective = [c](const Scope& s, const Batch& b) { return objective(*c, s, b); };
  model.validation = [c](const Scope& s, const Batch& b) { return validation(*c, s, b); };
  model.encode = [c](const Scope& s, Expr image, const EncodeArgs& args) {
    return tower_features(c->tower, s, image, args);
  };
  model.pool = [c] { return c->tower.net == "conv" ? "auto" : c->tower.pool; };
  model.classify = [c](const Scope& s, Expr image) { return classifier_logits(*c, s, image); };
  model.attention = [c](const Scope& s, Expr image) { return tower_attention(c->tower, s, image); };
  model.token_grid = [c] { return tower_grid(c->tower); };
  model.data_shape = [c] {
    DataShape shape = c->tower.shape();
    shape.num_classes = c->num_classes;
    return shape;
  };
  return model;
}

}  // namespace atelier
