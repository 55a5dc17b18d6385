// Which class is meant.
#include "infer/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "infer/score.h"

namespace atelier {
namespace {

std::int64_t classes_drawn(const Loaded& model) {
  return draws_classes(model) ? model.data_shape().num_classes : 0;
}

}  // namespace

bool draws_classes(const Loaded& model) {
  return (model.model().draw || model.model().denoise) && model.data_shape().num_classes > 0;
}

bool draws_without_class(const Loaded& model) {
  return draws_classes(model) && model.model().diffusion && model.model().diffusion().knows_none;
}

std::int64_t class_named(const Loaded& model, const std::string& text) {
  if (text.empty()) return -1;
  const std::vector<std::string>& names = model.checkpoint().label_names;
  std::int64_t label = std::ranges::find(names, text) - names.begin();
  if (!draws_classes(model) || label == std::int64_t(names.size())) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
    bool number = error == std::errc{} && end == text.data() + text.size() && label >= 0;
    if (text == "none") {
      label = kNoClass;
    } else if (!number && !names.empty()) {
      throw Error(
          fmt::format("{}: no class '{}', it has {}", model.name(), text, fmt::join(names, ", ")));
    } else if (!number) {
      throw UsageError(fmt::format("--class '{}': expected a class, from 0, or none", text));
    }
  }
  class_of(model, label, 0);  // refuses what the model does not have
  return label;
}

std::int32_t class_of(const Loaded& model, std::int64_t label, std::int32_t seed) {
  std::int64_t classes = classes_drawn(model);
  if (label == -1) return std::int32_t(classes > 0 ? seed % classes : 0);
  if (classes == 0)
    throw Error(
        fmt::format("{}: this model draws no classes; --class needs one that does", model.name()));
  if (label == kNoClass && !draws_without_class(model))
    throw Error(fmt::format("{}: --class none: this model draws no pictures without a class",
                            model.name()));
  if (label >= classes)
    throw Error(fmt::format("{}: no class {}, it has 0 to {}", model.name(), label, classes - 1));
  return std::int32_t(label == kNoClass ? classes : label);
}

std::int64_t label_of_pictures(const Loaded& model, const Dataset& data, std::int64_t label) {
  if (label != -1 || !draws_classes(model) || !data.labels.empty()) return label;
  if (draws_without_class(model)) return kNoClass;
  throw Error(fmt::format(
      "{}: this model draws no pictures without a class; expected --class, or labels of {}",
      model.name(), data.source));
}

std::vector<std::int32_t> classes_of_pictures(const Loaded& model, const Dataset& data,
                                              std::int64_t label) {
  label = label_of_pictures(model, data, label);
  if (label == -1 && draws_classes(model)) return labels_for(model, data);
  return std::vector<std::int32_t>(std::size_t(data.size), class_of(model, label, 0));
}

}  // namespace atelier
