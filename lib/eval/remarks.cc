// Remarks on results: worse than a method without learning, or a latent without use.
#include "eval/remarks.h"

#include <fmt/format.h>

namespace atelier {
namespace {

// Below this the latent is lost in the noise of its own draw.
constexpr double kCollapsed = 0.1;  // nats

const ReportedTerm* with_role(std::span<const ReportedTerm> terms, TermRole role) {
  for (const ReportedTerm& term : terms) {
    if (term.role == role) return &term;
  }
  return nullptr;
}

const std::optional<double>& density_nll(const Baselines& baselines) {
  return baselines.mixture_nll ? baselines.mixture_nll : baselines.factorised_nll;
}

}  // namespace

std::vector<ReportedTerm> baseline_terms(const Baselines& baselines) {
  std::vector<ReportedTerm> terms;
  if (baselines.pca_error) {
    terms.push_back({"baseline_squared_error", "sum of squares/image", *baselines.pca_error});
  }
  if (density_nll(baselines)) {
    terms.push_back({"baseline_loss", "nats/image", *density_nll(baselines)});
  }
  return terms;
}

std::vector<Remark> judge(std::span<const ReportedTerm> terms, const Baselines& baselines) {
  std::vector<Remark> remarks;
  auto above = [&](const char* key, TermRole role, const std::optional<double>& bar,
                   const char* better, const char* what, const char* advice) {
    const ReportedTerm* found = with_role(terms, role);
    if (!bar || !found || found->value <= *bar) return;
    remarks.push_back({key, fmt::format("{} ({} {:.6g} against {:.6g}): {}", better, what, *bar,
                                        found->value, advice)});
  };
  above("above_pca", TermRole::squared_error, baselines.pca_error,
        "principal components, as many as latent numbers, reconstruct the same pictures better",
        "squared error", "train longer or raise the learning rate");
  if (with_role(terms, TermRole::squared_error) && !baselines.no_pca.empty()) {
    remarks.push_back({"no_pca", "no principal components to compare the squared error with: " +
                                     baselines.no_pca});
  }
  above("above_mixture", TermRole::loss, density_nll(baselines),
        "a mixture of independent pixels fitted to your data predicts the same pictures better",
        "loss in nats a picture", "train longer or raise the learning rate");
  const ReportedTerm* said = with_role(terms, TermRole::information);
  if (said && said->value < kCollapsed) {
    remarks.push_back(
        {"collapsed", fmt::format("the posterior has collapsed: its {} of {:.3g} nats is below {}, "
                                  "so the latent says nothing",
                                  said->name, said->value, kCollapsed)});
  }
  return remarks;
}

std::vector<Remark> judge_denoiser(double mse, double wiener_mse) {
  if (mse <= wiener_mse) return {};
  return {{"above_wiener",
           fmt::format("the best linear denoiser fitted to your data does better (mse {:.6g} "
                       "against {:.6g}): train longer or raise the learning rate",
                       wiener_mse, mse)}};
}

}  // namespace atelier
