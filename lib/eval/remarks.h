// What a user should know of a result.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/fields.h"
#include "eval/baselines.h"
#include "nn/objective.h"

namespace atelier {

// A term of an objective or of a validation, measured.
struct ReportedTerm {
  std::string name, unit;
  double value = 0;
  TermRole role = TermRole::other;
  // In a mean over several of it, or of a sum what it is to be divided by; 0: it was not to be
  // measured.
  double weight = 1;
};

struct Remark {
  std::string key, text;  // the key is for programs; the text one line for people
};

// The figures compared with, as recorded in metrics: "baseline_squared_error" (principal
// components), "baseline_loss" (mixture or independent pixels).
std::vector<ReportedTerm> baseline_terms(const Baselines& baselines);

// Compares terms, by their roles, with what methods without learning reach on the same data: the
// squared error with as many principal components (or says why there are none), the loss with a
// mixture of independent pixels; and names a latent that says nothing (information below 0.1 nats).
std::vector<Remark> judge(std::span<const ReportedTerm> terms, const Baselines& baselines);

// The mean square error of a denoiser, over all timesteps alike, with that of the best linear one.
std::vector<Remark> judge_denoiser(double mse, double wiener_mse);

}  // namespace atelier
