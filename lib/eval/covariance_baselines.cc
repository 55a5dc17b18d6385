// Closed forms over the eigenvalues of a covariance.
#include "eval/covariance_baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "eval/baselines.h"
#include "eval/matrix.h"

namespace atelier {
namespace {

constexpr int kTimesteps = 1000;
constexpr double kFirstBeta = 1e-4, kLastBeta = 0.02;       // linear
constexpr double kCosineOffset = 0.008, kMostBeta = 0.999;  // cosine
// Half a decade apart: between them the error hardly changes. Data with pixels that never change
// want little, the noise of few rows much.
constexpr double kShrinkages[] = {1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3,
                                  3e-3, 1e-2, 3e-2, 0.1,  0.3,  1};
constexpr double kStep = 1.0 / 255, kUniform = 1.0 / 12;  // variance of a width of 1

double linear_beta(int t) { return kFirstBeta + (kLastBeta - kFirstBeta) * t / (kTimesteps - 1); }

double cosine_beta(int t) {
  auto level = [](int at) {
    double place = (double(at) / kTimesteps + kCosineOffset) / (1 + kCosineOffset);
    double c = std::cos(place * std::numbers::pi / 2);
    return c * c;
  };
  return std::min(kMostBeta, 1 - level(t + 1) / level(t));
}

// Errors of noise and of v averaged over timesteps.
void losses(const WienerFilter& filter, double (*beta)(int), double& epsilon, double& v) {
  double kept = 1;  // alphas_cumprod
  for (int t = 0; t < kTimesteps; ++t) {
    kept *= 1 - beta(t);
    double along_v = filter.v_error(kept);
    epsilon += kept * along_v / kTimesteps;
    v += along_v / kTimesteps;
  }
}

// Mean squares of rows about a place: E[(x - place) (x - place)^T].
Matrix second_moment(const Moments& rows, const std::vector<double>& place) {
  Eigen::VectorXd apart = vector_of(rows.mu) - vector_of(place);
  Matrix second = square_of(rows.sigma, rows.dim()) * (double(rows.count - 1) / double(rows.count));
  second += apart * apart.transpose();
  return second;
}

std::vector<double> scaled(const Eigen::VectorXd& variances, double scale) {
  std::vector<double> result;
  for (double variance : variances) result.push_back(scale * scale * std::max(variance, 0.0));
  return result;
}

void require_alike(std::int64_t a, std::int64_t b, const char* what) {
  if (a != b) throw Error(fmt::format("{}: pictures of {} and {} numbers", what, a, b));
}

// With X^T X / (n - 1) = V L V^T, the rows of V^T are those of U^T X / sqrt((n - 1) L) for the
// eigenvectors U of X X^T. Along all other directions the data fitted to do not vary, and of the
// judged only the mean square over them counts.
WienerFilter filter_of_few_rows(const Table& fitted, const Table& judged, double scale) {
  constexpr double kLeastVariance = 1e-12;  // of the largest: below it is rounding
  require_alike(fitted.columns, judged.columns, "Wiener filter");
  if (fitted.rows < 2 || judged.rows < 1) {
    throw Error(
        fmt::format("Wiener filter: expected 2 rows to fit to and one to judge, found {}, {}",
                    fitted.rows, judged.rows));
  }
  std::vector<double> mean = mean_of(fitted);
  Matrix x(fitted.rows, fitted.columns);
  for_each_centred(fitted, mean, [&](std::int64_t first, const Matrix& rows) {
    x.middleRows(first, rows.rows()) = rows;
  });
  Matrix products = Matrix::Zero(fitted.rows, fitted.rows);
  products.selfadjointView<Eigen::Lower>().rankUpdate(x);
  Eigen::SelfAdjointEigenSolver<Matrix> solver(products);  // which reads the lower half
  const Eigen::VectorXd& values = solver.eigenvalues();
  Matrix axes = solver.eigenvectors().transpose() * x;  // of lengths sqrt(values)
  Eigen::VectorXd squares = Eigen::VectorXd::Zero(fitted.rows);
  double rest = 0;
  for_each_centred(judged, mean, [&](std::int64_t, const Matrix& rows) {
    squares += (axes * rows.transpose()).rowwise().squaredNorm();
    rest += rows.squaredNorm();
  });
  rest /= double(judged.rows);
  // In rising order.
  Eigen::Index count = (values.array() > kLeastVariance * values[fitted.rows - 1]).count();
  Eigen::VectorXd variances = Eigen::VectorXd::Zero(fitted.columns), means = variances;
  variances.head(count) = values.tail(count) / double(fitted.rows - 1);
  means.head(count) = squares.tail(count).cwiseQuotient(values.tail(count)) / double(judged.rows);
  rest -= means.head(count).sum();
  means.tail(fitted.columns - count).setConstant(rest / double(fitted.columns - count));
  return {scaled(variances, scale), scaled(means, scale)};
}

}  // namespace

// With g = s l / (s^2 l + n^2) along an eigenvector, s^2 = a and n^2 = 1 - a, the clean data are
// off by (1 - s g)^2 m + n^2 g^2, and v by 1 / n^2 of that.
double WienerFilter::v_error(double a, double shrinkage) const {
  double count = double(fitted.size()), sum = 0;
  double mean = std::accumulate(fitted.begin(), fitted.end(), 0.0) / count;
  for (std::size_t i = 0; i < fitted.size(); ++i) {
    double l = (1 - shrinkage) * fitted[i] + shrinkage * mean, spread = a * l + 1 - a;
    sum += (a * l * l + (1 - a) * judged[i]) / (spread * spread);
  }
  return sum / count;
}

double WienerFilter::v_error(double a) const {
  double least = v_error(a, 0);
  for (double shrinkage : kShrinkages) least = std::min(least, v_error(a, shrinkage));
  return least;
}

std::string no_covariance(std::int64_t rows, std::int64_t numbers, std::int64_t most_numbers) {
  if (rows < 2) return "a covariance needs at least 2 rows";
  if (numbers <= most_numbers) return "";
  return fmt::format("{} numbers have too large a covariance, {} is the most", numbers,
                     most_numbers);
}

WienerFilter wiener_filter(const Moments& data, double scale) {
  Eigen::SelfAdjointEigenSolver<Matrix> solver(square_of(data.sigma, data.dim()),
                                               Eigen::EigenvaluesOnly);
  std::vector<double> variances = scaled(solver.eigenvalues(), scale);
  return {variances, variances};
}

WienerFilter wiener_filter(const Moments& fitted, const Moments& judged, double scale) {
  require_alike(fitted.dim(), judged.dim(), "Wiener filter");
  Eigen::SelfAdjointEigenSolver<Matrix> solver(square_of(fitted.sigma, fitted.dim()));
  const auto& vectors = solver.eigenvectors();
  Matrix along = second_moment(judged, fitted.mu) * vectors;
  Eigen::VectorXd squares = vectors.cwiseProduct(along).colwise().sum();
  return {scaled(solver.eigenvalues(), scale), scaled(squares, scale)};
}

WienerFilter wiener_filter(const Table& fitted, const Table& judged, double scale) {
  if (fitted.rows < fitted.columns) return filter_of_few_rows(fitted, judged, scale);
  return wiener_filter(moments_of(fitted), moments_of(judged), scale);
}

WienerFilter wiener_filter(const Dataset& fitted, std::span<const std::int64_t> fitted_rows,
                           const Dataset& judged, std::span<const std::int64_t> judged_rows,
                           double scale, Binarize binarize) {
  PixelReader fitted_pixels(fitted, binarize), judged_pixels(judged, binarize);
  Table own = table_of(fitted_pixels, fitted_rows);
  if (&fitted == &judged && std::ranges::equal(fitted_rows, judged_rows))
    return wiener_filter(moments_of(own), scale);  // a third of the work: no eigenvectors
  return wiener_filter(own, table_of(judged_pixels, judged_rows), scale);
}

WienerLosses wiener_losses(const WienerFilter& filter) {
  WienerLosses result;
  losses(filter, linear_beta, result.linear_epsilon, result.linear_v);
  losses(filter, cosine_beta, result.cosine_epsilon, result.cosine_v);
  return result;
}

double gaussian_bits(const Moments& train, const Moments& test) {
  std::int64_t d = train.dim();
  require_alike(d, test.dim(), "Gaussian");
  double noise = kStep * kStep * kUniform;
  Matrix sigma = square_of(train.sigma, d);
  sigma.diagonal().array() += noise;
  Eigen::LLT<Matrix> llt(sigma);
  if (llt.info() != Eigen::Success) throw Error("Gaussian: the covariance is not positive");
  Matrix factor = llt.matrixL();
  double log_det = 2 * factor.diagonal().array().log().sum();
  // Mean of the squared Mahalanobis length: the trace of the inverse times the second moment.
  Matrix second = second_moment(test, train.mu);
  second.diagonal().array() += noise;
  double length = llt.solve(second).trace();
  double nats = 0.5 * (log_det + length + double(d) * std::log(2 * std::numbers::pi));
  return nats / double(d) / std::numbers::ln2 - std::log2(kStep);
}

}  // namespace atelier
