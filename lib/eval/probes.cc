// k nearest neighbours, ridge and logistic regression.
#include "eval/probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "eval/lbfgs.h"
#include "eval/matrix.h"
#include "eval/moments.h"
#include "eval/neighbors.h"
#include "graph/ops.h"
#include "run/plan.h"

namespace atelier {
namespace {

// Means and inverse deviations of columns; constant columns stay as they are.
struct Scale {
  std::vector<double> mean, inverse;
};

Scale scale_of(const Table& table) {
  Scale scale{mean_of(table), std::vector<double>(std::size_t(table.columns), 0.0)};
  for_each_piece(table, [&](std::int64_t, std::int64_t, std::span<float> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::size_t j = i % scale.mean.size();
      double apart = double(rows[i]) - scale.mean[j];
      scale.inverse[j] += apart * apart;
    }
  });
  for (double& v : scale.inverse) v = v > 0 ? 1 / std::sqrt(v / double(table.rows)) : 1;
  return scale;
}

// Loss and gradients of a piece: inputs "rows" [P,D], "label" [P], "counts" [P] (0 or 1), "weight",
// "bias"; outputs "loss", "d_weight", "d_bias".
Plan logistic_plan(std::int64_t d, std::int64_t classes, Store& store) {
  Graph graph;
  Expr rows = graph.input("rows", DType::f32, {kTablePiece, d});
  Expr label = graph.input("label", DType::i32, {kTablePiece});
  Expr counts = graph.input("counts", DType::f32, {kTablePiece});
  Expr weight = graph.input("weight", DType::f32, {d, classes});
  Expr bias = graph.input("bias", DType::f32, {classes});
  Expr loss = sum(cross_entropy(matmul(rows, weight) + bias, label) * counts);
  const Expr wrt[] = {weight, bias};
  std::vector<Expr> gradients = gradient(loss, wrt);
  graph.output("loss", loss);
  graph.output("d_weight", gradients[0]);
  graph.output("d_bias", gradients[1]);
  return Plan(graph, store);
}

void write_piece(Plan& plan, std::span<const float> values, const Scale& scale,
                 std::span<const std::int32_t> labels) {
  std::span<float> rows = plan.input("rows");
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t j = i % scale.mean.size();
    rows[i] = float((double(values[i]) - scale.mean[j]) * scale.inverse[j]);
  }
  std::fill(rows.begin() + std::ptrdiff_t(values.size()), rows.end(), 0.0f);
  auto label = plan.input<std::int32_t>("label");
  std::span<float> counts = plan.input("counts");
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = i < labels.size() ? 1.0f : 0.0f;
    label[i] = i < labels.size() ? labels[i] : 0;
  }
}

// Of least squares, in one of its forms.
struct Normal {
  std::vector<double> mean;
  Matrix products;  // of centred columns [D,D] or rows [N,N]
  Matrix targets;   // beside them: [D,classes] or [N,classes]
  Matrix centred;   // [N,D], of rows only
};

Normal normal_of_columns(const LabelledRows& train, std::int64_t classes) {
  std::int64_t d = train.rows.columns;
  Moments moments = moments_of(train.rows);
  Normal normal{.mean = std::move(moments.mu),
                .products = square_of(moments.sigma, d) * double(moments.count - 1),
                .targets = Matrix::Zero(d, classes),
                .centred = {}};
  for_each_piece(train.rows, [&](std::int64_t first, std::int64_t count, std::span<float> rows) {
    for (std::int64_t i = 0; i < count; ++i) {
      Eigen::Map<const Eigen::VectorXf> x(rows.data() + i * d, d);
      normal.targets.col(train.labels[std::size_t(first + i)]) +=
          x.cast<double>() - vector_of(normal.mean);
    }
  });
  return normal;
}

Normal normal_of_rows(const LabelledRows& train, std::int64_t classes) {
  std::int64_t d = train.rows.columns, n = train.rows.rows;
  Normal normal{.mean = mean_of(train.rows),
                .products = Matrix::Zero(n, n),
                .targets = Matrix::Zero(n, classes),
                .centred = Matrix(n, d)};
  for_each_piece(train.rows, [&](std::int64_t first, std::int64_t count, std::span<float> rows) {
    Eigen::Map<const FloatMatrix> x(rows.data(), count, d);
    normal.centred.middleRows(first, count) =
        x.cast<double>().rowwise() - vector_of(normal.mean).transpose();
  });
  normal.products.selfadjointView<Eigen::Lower>().rankUpdate(normal.centred);
  normal.products.triangularView<Eigen::StrictlyUpper>() = normal.products.transpose();
  for (std::int64_t i = 0; i < n; ++i) normal.targets(i, train.labels[std::size_t(i)]) = 1;
  return normal;
}

}  // namespace

std::int64_t classes_of(const LabelledRows& rows) {
  if (std::int64_t(rows.labels.size()) != rows.rows.rows || rows.labels.empty()) {
    throw Error(fmt::format("probe: {} labels for {} rows", rows.labels.size(), rows.rows.rows));
  }
  if (*std::min_element(rows.labels.begin(), rows.labels.end()) < 0) {
    throw Error("probe: a label is below 0");
  }
  return std::int64_t(*std::max_element(rows.labels.begin(), rows.labels.end())) + 1;
}

std::vector<std::int32_t> knn_labels(const LabelledRows& train, const Table& test, std::int64_t k) {
  std::vector<std::int64_t> votes(std::size_t(classes_of(train)), 0);
  Neighbors neighbors = nearest(test, train.rows, k);
  std::vector<std::int32_t> result;
  for (std::int64_t i = 0; i < test.rows; ++i) {
    auto found = std::span(neighbors.index).subspan(std::size_t(i * k), std::size_t(k));
    std::fill(votes.begin(), votes.end(), 0);
    for (std::int64_t row : found) ++votes[std::size_t(train.labels[std::size_t(row)])];
    std::int64_t most = *std::max_element(votes.begin(), votes.end());
    for (std::int64_t row : found) {
      std::int32_t label = train.labels[std::size_t(row)];
      if (votes[std::size_t(label)] != most) continue;
      result.push_back(label);
      break;
    }
  }
  return result;
}

LinearProbe fit_ridge(const LabelledRows& train, double l2, RidgeForm form) {
  std::int64_t d = train.rows.columns, n = train.rows.rows, classes = classes_of(train);
  if (form == RidgeForm::smaller) form = n < d ? RidgeForm::rows : RidgeForm::columns;
  Normal normal =
      form == RidgeForm::rows ? normal_of_rows(train, classes) : normal_of_columns(train, classes);
  double variance = normal.products.trace() / double(n);
  normal.products.diagonal().array() += l2;
  Eigen::LDLT<Eigen::MatrixXd> solver{Eigen::MatrixXd(normal.products)};
  double least = solver.vectorD().cwiseAbs().minCoeff(), top = solver.vectorD().maxCoeff();
  if (solver.info() != Eigen::Success || least <= 1e-14 * top) {
    if (l2 == 0) throw Error("ridge: columns are dependent, give a penalty above 0");
    throw Error(
        fmt::format("ridge: columns are dependent, and beside a variance of {:.3g} in all a "
                    "penalty of {:g} is nothing: scale the numbers, or give a larger one",
                    variance, l2));
  }
  Matrix weight = solver.solve(Eigen::MatrixXd(normal.targets));
  if (form == RidgeForm::rows) weight = Matrix(normal.centred.transpose() * weight);
  Eigen::VectorXd shares = Eigen::VectorXd::Zero(classes);
  for (std::int32_t label : train.labels) shares[label] += 1.0 / double(n);
  Eigen::VectorXd bias = shares - weight.transpose() * vector_of(normal.mean);
  return {d,
          classes,
          {weight.data(), weight.data() + weight.size()},
          {bias.data(), bias.data() + bias.size()}};
}

LinearProbe fit_logistic(const LabelledRows& train, double l2) {
  std::int64_t d = train.rows.columns, classes = classes_of(train);
  std::size_t weights = std::size_t(d * classes);
  Scale scale = scale_of(train.rows);
  Store store;
  Plan plan = logistic_plan(d, classes, store);
  double n = double(train.rows.rows);
  auto loss = [&](std::span<const double> x, std::span<double> gradient) {
    double value = 0;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for_each_piece(train.rows, [&](std::int64_t first, std::int64_t count, std::span<float> rows) {
      write_piece(plan, rows, scale, train.labels.subspan(std::size_t(first), std::size_t(count)));
      std::ranges::copy(x.first(weights), plan.input("weight").begin());
      std::ranges::copy(x.subspan(weights), plan.input("bias").begin());
      plan.run();
      value += double(plan.output("loss")[0]);
      std::span<const float> d_weight = plan.output("d_weight"), d_bias = plan.output("d_bias");
      for (std::size_t i = 0; i < weights; ++i) gradient[i] += double(d_weight[i]);
      for (std::size_t i = 0; i < d_bias.size(); ++i) gradient[weights + i] += double(d_bias[i]);
    });
    for (std::size_t i = 0; i < weights; ++i) {
      value += 0.5 * l2 * x[i] * x[i];
      gradient[i] += l2 * x[i];
    }
    for (double& g : gradient) g /= n;
    return value / n;
  };
  std::vector<double> x(weights + std::size_t(classes), 0.0);
  LbfgsResult found = minimise(loss, x);
  LinearProbe probe{d,
                    classes,
                    {x.begin(), x.begin() + std::ptrdiff_t(weights)},
                    {x.begin() + std::ptrdiff_t(weights), x.end()},
                    found.converged};
  for (std::size_t i = 0; i < weights; ++i) {
    std::size_t column = i / std::size_t(classes);
    probe.weight[i] *= scale.inverse[column];
    probe.bias[i % std::size_t(classes)] -= scale.mean[column] * probe.weight[i];
  }
  return probe;
}

std::vector<std::int32_t> predict(const LinearProbe& probe, const Table& rows) {
  if (rows.columns != probe.columns) {
    throw Error(fmt::format("probe: rows of {} numbers, but it was fitted to {}", rows.columns,
                            probe.columns));
  }
  Eigen::Map<const Matrix> weight(probe.weight.data(), probe.columns, probe.classes);
  Eigen::Map<const Eigen::RowVectorXd> bias(probe.bias.data(), probe.classes);
  std::vector<std::int32_t> result;
  for_each_piece(rows, [&](std::int64_t, std::int64_t count, std::span<float> values) {
    Eigen::Map<const FloatMatrix> x(values.data(), count, probe.columns);
    Matrix logits = x.cast<double>() * weight;
    for (std::int64_t i = 0; i < count; ++i) {
      Eigen::Index best = 0;
      (logits.row(i) + bias).maxCoeff(&best);
      result.push_back(std::int32_t(best));
    }
  });
  return result;
}

double agreement(std::span<const std::int32_t> predicted, std::span<const std::int32_t> labels) {
  if (predicted.size() != labels.size() || labels.empty()) {
    throw Error(fmt::format("probe: {} labels for {} rows", labels.size(), predicted.size()));
  }
  std::int64_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += predicted[i] == labels[i];
  return double(right) / double(labels.size());
}

}  // namespace atelier
