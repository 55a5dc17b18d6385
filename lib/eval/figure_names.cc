// The list, which tests/tools/model-eval.sh compares with what is printed.
#include "eval/figure_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "base/error.h"
#include "eval/baseline_figures.h"

namespace atelier {
namespace {

void append(std::vector<std::string>& names, std::initializer_list<const char*> more) {
  names.insert(names.end(), more.begin(), more.end());
}

std::vector<std::string> distances(Compared with) {
  std::vector<std::string> names = {"frechet"};
  if (with.interval) append(names, {"frechet_low", "frechet_high"});
  append(names, {"frechet_limit"});
  if (with.reference_rows)
    append(names,
           {"kernel", "kernel_standard_error", "precision", "recall", "density", "coverage"});
  return names;
}

std::vector<std::string> compared(Compared with) {
  std::vector<std::string> names = {"rows", "reference_rows"};
  std::ranges::copy(distances(with), std::back_inserter(names));
  if (with.reference_rows)
    append(names, {"nearest", "nearest_real", "nearer_prob", "copying_z", "copies", "copies_real",
                   "copies_exact"});
  return names;
}

std::vector<std::string> of_control(Compared with) {
  std::vector<std::string> names = distances(with);
  for (std::string& name : names) name = "control_" + name;
  return names;
}

std::vector<std::string> classified(Compared with) {
  std::vector<std::string> names = {"class_score", "class_accuracy"};
  if (with.reference_rows) append(names, {"class_score_real", "class_accuracy_real"});
  return names;
}

std::vector<std::string> of_baselines() {
  std::vector<std::string> names = {"train_rows", "rows"};
  for (std::int64_t k : kBaselineComponents) {
    names.push_back(fmt::format("pca_{}_squared_error", k));
    names.push_back(fmt::format("pca_{}_psnr", k));
  }
  append(names, {"bernoulli_nll", "mixture_nll", "histogram_bits", "place_histogram_bits",
                 "context_histogram_bits", "gaussian_bits", "wiener_linear_epsilon",
                 "wiener_linear_v", "wiener_cosine_epsilon", "wiener_cosine_v"});
  return names;
}

}  // namespace

std::vector<std::string> figure_names(Job job, Compared with) {
  switch (job) {
    case Job::compare:
      return compared(with);
    case Job::control:
      return of_control(with);
    case Job::probe:
      return {
          "rows",           "train_rows",           "majority_accuracy", "knn_accuracy",
          "ridge_accuracy", "ridge_train_accuracy", "logistic_accuracy", "logistic_train_accuracy"};
    case Job::retrieve:
      return {"pairs",         "forward_at_1",  "forward_at_5",  "forward_at_10",
              "backward_at_1", "backward_at_5", "backward_at_10"};
    case Job::zero_shot:
      return {"rows",
              "classes",
              "majority_accuracy",
              "zero_shot_accuracy",
              "zero_shot_class_accuracy",
              "zero_shot_top_5"};
    case Job::reconstruct:
      return {"rows", "squared_error", "mse", "psnr", "ssim"};
    case Job::baselines:
      return of_baselines();
    case Job::classify:
      return classified(with);
    case Job::stats:
      return {"rows"};
  }
  return {};
}

void require_known(std::span<const Bar> bars, const std::vector<std::string>& names) {
  if (names.empty()) return;
  for (const Bar& bar : bars) {
    if (std::ranges::find(names, bar.key) != names.end()) continue;
    throw UsageError(fmt::format("no figure '{}': there are {}", bar.key, fmt::join(names, ", ")));
  }
}

}  // namespace atelier
