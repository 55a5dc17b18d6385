// Remarks on held-out results: worse than a method without learning, or a latent without use.
#include "eval/remarks.h"

#include <fmt/format.h>

namespace atelier {
namespace {

// Below this the latent is lost in the noise of its own draw.
constexpr double kCollapsedKl = 0.1;

std::optional<double> term(const Attributes& terms, const char* name) {
  const Scalar* value = find(terms, name);
  if (!value || !std::holds_alternative<double>(*value)) return {};
  return std::get<double>(*value);
}

}  // namespace

Attributes baseline_record(const Baselines& baselines) {
  Attributes record;
  if (baselines.pca_error) record.emplace_back("baseline_squared_error", *baselines.pca_error);
  const auto& nll = baselines.mixture_nll ? baselines.mixture_nll : baselines.factorised_nll;
  if (nll) record.emplace_back("baseline_loss", *nll);
  return record;
}

std::vector<Remark> judge(const Attributes& terms, const Baselines& baselines, bool binary) {
  std::vector<Remark> remarks;
  auto above = [&](const char* key, const char* name, const std::optional<double>& bar,
                   const char* what) {
    std::optional<double> found = term(terms, name);
    if (!bar || !found || *found <= *bar) return;
    remarks.push_back({key, fmt::format("{}: {:.6g} against {:.6g}", what, *found, *bar)});
  };
  above("above_pca", "squared_error", baselines.pca_error,
        "the squared error is above that of as many principal components of your data");
  if (binary) {
    above("above_mixture", "loss",
          baselines.mixture_nll ? baselines.mixture_nll : baselines.factorised_nll,
          "the loss is above that of a mixture of independent pixels fitted to your data, in nats "
          "per picture");
  }
  if (auto kl = term(terms, "kl"); kl && *kl < kCollapsedKl) {
    remarks.push_back(
        {"collapsed", fmt::format("the posterior has collapsed: its KL divergence of {:.3g} nats "
                                  "is below {}, so the latent says nothing",
                                  *kl, kCollapsedKl)});
  }
  return remarks;
}

}  // namespace atelier
