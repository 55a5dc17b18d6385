// One figure after another, each where there are rows enough.
#include "eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "eval/fidelity.h"
#include "eval/kernel_distance.h"

namespace atelier {
namespace {

constexpr std::int64_t kKernelRows = 4;

class Writer {
 public:
  Writer(const ComparisonArgs& args, Comparison& into) : args_(args), into_(into) {}
  void figure(const char* key, double value) {
    into_.figures.push_back({args_.prefix + key, value, args_.features});
  }
  void remark(std::string text) { into_.remarks.push_back(std::move(text)); }

 private:
  const ComparisonArgs& args_;
  Comparison& into_;
};

void say_frechet(const FrechetReference& real, const Table& generated, const ComparisonArgs& args,
                 Writer& out) {
  double distance = frechet_distance(real.moments, moments_of(generated));
  out.figure("frechet", distance);
  if (args.bootstrap > 0) {
    Interval interval = frechet_interval(distance, real, generated, args.bootstrap, args.seed);
    out.figure("frechet_low", interval.low);
    out.figure("frechet_high", interval.high);
  }
  std::optional<double> limit = frechet_limit(real, generated, args.seed);
  if (limit) out.figure("frechet_limit", *limit);
  std::int64_t fewest = std::min(real.moments.count, generated.rows);
  if (fewest <= generated.columns) {
    out.remark(
        fmt::format("{} rows for {} features: the covariance is singular and the Frechet "
                    "distance is far too large; take fewer features or more pictures",
                    fewest, generated.columns));
  } else if (!limit) {
    out.remark(fmt::format("{} rows for {} features: too few for the limit of the Frechet distance",
                           fewest, generated.columns));
  }
}

}  // namespace

Comparison compare(const FrechetReference& real, const Table& generated,
                   const ComparisonArgs& args) {
  Comparison result;
  Writer out(args, result);
  if (real.moments.dim() != generated.columns) {
    throw Error(fmt::format("comparison: features of {} and {} numbers", real.moments.dim(),
                            generated.columns));
  }
  say_frechet(real, generated, args, out);
  if (!real.rows) return result;
  std::int64_t fewest = std::min(real.rows->rows, generated.rows);
  if (fewest >= kKernelRows) {
    KernelDistance kernel = kernel_distance(*real.rows, generated, {.seed = args.seed});
    out.figure("kernel", kernel.mean);
    out.figure("kernel_standard_error", kernel.standard_error);
  } else {
    out.remark(fmt::format("{} rows: too few for the kernel distance", fewest));
  }
  FidelityArgs neighbours;
  if (real.rows->rows > neighbours.density_k && generated.rows > neighbours.precision_k) {
    Fidelity found = fidelity(*real.rows, generated, neighbours);
    out.figure("precision", found.precision);
    out.figure("recall", found.recall);
    out.figure("density", found.density);
    out.figure("coverage", found.coverage);
  } else {
    out.remark(fmt::format("{} rows: too few for precision, recall, density and coverage", fewest));
  }
  return result;
}

Figures figures_of(const Memorization& m, const std::string& features, bool fair) {
  Figures figures = {{"nearest", m.nearest, features}, {"nearest_real", m.reference, features}};
  if (fair) {
    figures.push_back({"nearer_prob", m.nearer_prob, features});
    figures.push_back({"copying_z", m.z, features});
  }
  figures.push_back({"copies", m.copies, features});
  figures.push_back({"copies_real", m.reference_copies, features});
  figures.push_back({"copies_exact", m.exact, features});
  return figures;
}

}  // namespace atelier
