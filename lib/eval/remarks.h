// What a user should know of a held-out result.
#pragma once

#include <string>
#include <vector>

#include "base/fields.h"
#include "eval/baselines.h"

namespace atelier {

struct Remark {
  std::string key, text;  // the key is for programs; the text one line for people
};

// The figures compared with, as recorded in metrics: "baseline_squared_error" (principal
// components), "baseline_loss" (mixture or independent pixels).
Attributes baseline_record(const Baselines& baselines);

// Compares a validation's terms with what methods without learning reach on the same data: the
// squared error with as many principal components, the loss of `binary` data (nats per picture)
// with a mixture of independent pixels; and names a posterior that says nothing (KL below 0.1
// nats).
std::vector<Remark> judge(const Attributes& terms, const Baselines& baselines, bool binary);

}  // namespace atelier
