// Principal components through the covariance matrix.
#include "eval/pca.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "eval/matrix.h"
#include "graph/ops.h"
#include "run/plan.h"

namespace atelier {
namespace {

constexpr std::int64_t kPiece = kTablePiece;  // rows whose products are summed in f32
constexpr std::int64_t kAllVectors = 1024;
constexpr std::int64_t kWideColumns = 4096, kWideRows = 2048;
constexpr int kMostIterations = 300;
constexpr double kSettled = 1e-7;

// X^T X / rows of centred rows.
Matrix covariance_of(const Table& table, const std::vector<double>& mean) {
  std::int64_t d = table.columns;
  Graph graph;
  Expr x = graph.input("rows", DType::f32, {kPiece, d});
  graph.output("products", matmul(x, x, /*ta=*/true));
  Store store;
  Plan plan(graph, store);
  Matrix total = Matrix::Zero(d, d);
  for_each_piece(table, [&](std::int64_t, std::int64_t, std::span<float> rows) {
    std::span<float> into = plan.input("rows");
    std::fill(into.begin(), into.end(), 0.0f);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      into[i] = float(double(rows[i]) - mean[i % mean.size()]);
    }
    plan.run();
    std::span<const float> products = plan.output("products");
    total += Eigen::Map<const FloatMatrix>(products.data(), d, d).cast<double>();
  });
  return total / double(table.rows);
}

struct Spectrum {
  Matrix vectors;  // [count, D], largest first
  Eigen::VectorXd values;
};

Spectrum all_vectors(const Matrix& covariance, std::int64_t count) {
  Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
  return {solver.eigenvectors().rightCols(count).rowwise().reverse().transpose(),
          solver.eigenvalues().tail(count).reverse()};
}

// Power iteration of a block somewhat wider than wanted, with Rayleigh-Ritz at each turn.
Spectrum leading_vectors(const Matrix& covariance, std::int64_t count) {
  std::int64_t d = covariance.rows(),
               block = std::min(d, count + std::max<std::int64_t>(16, count / 2));
  RandomStream random(0, stream_of("pca.start"));
  Matrix basis(d, block);
  for (std::int64_t i = 0; i < basis.size(); ++i) basis.data()[i] = random.normal();
  double captured = 0;
  Spectrum spectrum;
  for (int turn = 0; turn < kMostIterations; ++turn) {
    Eigen::HouseholderQR<Matrix> qr(basis);
    basis = qr.householderQ() * Matrix::Identity(d, block);
    Matrix image = covariance * basis;
    Eigen::SelfAdjointEigenSolver<Matrix> ritz(Matrix(basis.transpose() * image));
    spectrum.values = ritz.eigenvalues().tail(count).reverse();
    spectrum.vectors =
        (basis * ritz.eigenvectors().rightCols(count)).rowwise().reverse().transpose();
    double now = spectrum.values.sum();
    if (std::abs(now - captured) <= kSettled * now) break;
    captured = now;
    basis = image;
  }
  return spectrum;
}

// Of more columns than a covariance is formed for: through the products of evenly spaced rows.
Pca fit_wide(const Table& table, std::int64_t count) {
  std::int64_t rows = std::min(table.rows, kWideRows), d = table.columns;
  if (count > rows) {
    throw Error(fmt::format("principal components: {} of {} rows", count, rows));
  }
  Pca pca{d, count, std::vector<double>(std::size_t(d), 0.0), {}, {}, 0};
  Graph graph;
  Expr x = graph.input("rows", DType::f32, {rows, d});
  graph.output("products", matmul(x, x, /*ta=*/false, /*tb=*/true));
  Store store;
  Plan plan(graph, store);
  std::span<float> values = plan.input("rows");
  for (std::int64_t i = 0; i < rows; ++i) {
    std::span<float> row = values.subspan(std::size_t(i * d), std::size_t(d));
    table.read(i * table.rows / rows, 1, row);
    for (std::size_t j = 0; j < row.size(); ++j) pca.mean[j] += double(row[j]) / double(rows);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = float(double(values[i]) - pca.mean[i % pca.mean.size()]);
  }
  FloatMatrix centred = Eigen::Map<const FloatMatrix>(values.data(), rows, d);
  plan.run();
  Matrix products =
      Eigen::Map<const FloatMatrix>(plan.output("products").data(), rows, rows).cast<double>() /
      double(rows);
  Spectrum spectrum =
      rows <= kAllVectors ? all_vectors(products, count) : leading_vectors(products, count);
  pca.total_variance = products.trace();
  for (std::int64_t c = 0; c < count; ++c) {
    Eigen::RowVectorXd component = Eigen::RowVectorXd::Zero(d);
    for (std::int64_t i = 0; i < rows; ++i)
      component += spectrum.vectors(c, i) * centred.row(i).cast<double>();
    if (component.norm() > 0) component /= component.norm();
    pca.components.insert(pca.components.end(), component.data(), component.data() + d);
    pca.variances.push_back(std::max(0.0, spectrum.values[c]));
  }
  return pca;
}

}  // namespace

Pca fit_pca(const Table& table, std::int64_t count) {
  if (table.rows < 1) throw Error("principal components: expected rows, found none");
  if (count < 1 || count > table.columns) {
    throw Error(fmt::format("principal components: {} of {} columns", count, table.columns));
  }
  if (table.columns > kWideColumns) return fit_wide(table, count);
  Pca pca{table.columns, count, mean_of(table), {}, {}, 0};
  Matrix covariance = covariance_of(table, pca.mean);
  pca.total_variance = covariance.trace();
  Spectrum spectrum = table.columns <= kAllVectors ? all_vectors(covariance, count)
                                                   : leading_vectors(covariance, count);
  pca.components.assign(spectrum.vectors.data(), spectrum.vectors.data() + spectrum.vectors.size());
  pca.variances.assign(spectrum.values.data(), spectrum.values.data() + count);
  return pca;
}

double pca_error(const Pca& pca, const Table& table, std::int64_t count) {
  if (table.columns != pca.columns || count > pca.count || table.rows < 1) {
    throw Error(fmt::format("principal components: {} rows of {} with {} of {} components of {}",
                            table.rows, table.columns, count, pca.count, pca.columns));
  }
  Eigen::Map<const Matrix> components(pca.components.data(), count, pca.columns);
  double total = 0;
  for_each_centred(table, pca.mean, [&](std::int64_t, const Matrix& centred) {
    total += centred.squaredNorm() - (centred * components.transpose()).squaredNorm();
  });
  return total / double(table.rows);
}

void project(const Pca& pca, const Table& table, std::span<float> into) {
  if (table.columns != pca.columns) {
    throw Error(fmt::format("principal components: rows of {} numbers, but they are of {}",
                            table.columns, pca.columns));
  }
  Eigen::Map<const Matrix> components(pca.components.data(), pca.count, pca.columns);
  Eigen::Map<const Eigen::VectorXd> mean(pca.mean.data(), pca.columns);
  for_each_piece(table, [&](std::int64_t first, std::int64_t rows, std::span<float> values) {
    // Row by row: equal rows get equal bits wherever they stand, and so copies are found.
    for (std::int64_t i = 0; i < rows; ++i) {
      Eigen::Map<const Eigen::VectorXf> row(values.data() + i * pca.columns, pca.columns);
      Eigen::VectorXd centred = row.cast<double>() - mean;
      Eigen::VectorXd along = components * centred;
      for (std::int64_t c = 0; c < pca.count; ++c)
        into[std::size_t((first + i) * pca.count + c)] = float(along[c]);
    }
  });
}

}  // namespace atelier
