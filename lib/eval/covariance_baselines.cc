// Closed forms over the eigenvalues of a covariance.
#include "eval/covariance_baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "eval/matrix.h"

namespace atelier {
namespace {

constexpr int kTimesteps = 1000;
constexpr double kFirstBeta = 1e-4, kLastBeta = 0.02;       // linear
constexpr double kCosineOffset = 0.008, kMostBeta = 0.999;  // cosine
constexpr double kStep = 1.0 / 255, kUniform = 1.0 / 12;    // variance of a width of 1

double linear_beta(int t) { return kFirstBeta + (kLastBeta - kFirstBeta) * t / (kTimesteps - 1); }

double cosine_beta(int t) {
  auto level = [](int at) {
    double place = (double(at) / kTimesteps + kCosineOffset) / (1 + kCosineOffset);
    double c = std::cos(place * std::numbers::pi / 2);
    return c * c;
  };
  return std::min(kMostBeta, 1 - level(t + 1) / level(t));
}

// Errors of noise and of v averaged over timesteps, for variances `l` of the data.
void losses(const Eigen::VectorXd& l, double (*beta)(int), double& epsilon, double& v) {
  double kept = 1;  // alphas_cumprod
  for (int t = 0; t < kTimesteps; ++t) {
    kept *= 1 - beta(t);
    Eigen::ArrayXd along_v = l.array() / (kept * l.array() + 1 - kept);
    epsilon += kept * along_v.mean() / kTimesteps;
    v += along_v.mean() / kTimesteps;
  }
}

}  // namespace

WienerLosses wiener_losses(const Moments& moments) {
  Eigen::SelfAdjointEigenSolver<Matrix> solver(square_of(moments.sigma, moments.dim()),
                                               Eigen::EigenvaluesOnly);
  Eigen::VectorXd l = 4 * solver.eigenvalues().cwiseMax(0.0);  // of 2x - 1
  WienerLosses result;
  losses(l, linear_beta, result.linear_epsilon, result.linear_v);
  losses(l, cosine_beta, result.cosine_epsilon, result.cosine_v);
  return result;
}

double gaussian_bits(const Moments& train, const Moments& test) {
  std::int64_t d = train.dim();
  if (test.dim() != d) {
    throw Error(fmt::format("Gaussian: pictures of {} and {} numbers", d, test.dim()));
  }
  double noise = kStep * kStep * kUniform;
  Matrix sigma = square_of(train.sigma, d);
  sigma.diagonal().array() += noise;
  Eigen::LLT<Matrix> llt(sigma);
  if (llt.info() != Eigen::Success) throw Error("Gaussian: the covariance is not positive");
  Matrix factor = llt.matrixL();
  double log_det = 2 * factor.diagonal().array().log().sum();
  // Mean of the squared Mahalanobis length: the trace of the inverse times the second moment.
  Eigen::VectorXd apart = vector_of(test.mu) - vector_of(train.mu);
  Matrix second = square_of(test.sigma, d) * (double(test.count - 1) / double(test.count));
  second += apart * apart.transpose();
  second.diagonal().array() += noise;
  double length = llt.solve(second).trace();
  double nats = 0.5 * (log_det + length + double(d) * std::log(2 * std::numbers::pi));
  return nats / double(d) / std::numbers::ln2 - std::log2(kStep);
}

}  // namespace atelier
