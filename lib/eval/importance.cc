// Importance sampling, one plan run a draw.
#include "eval/importance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "run/plan.h"

namespace atelier {
namespace {

// log of a sum of exponentials that grows one term at a time.
struct LogSum {
  double top = -std::numeric_limits<double>::infinity(), scaled = 0;
  void add(double value) {
    if (value == -std::numeric_limits<double>::infinity()) return;
    if (value > top) {
      scaled = scaled * std::exp(top - value) + 1;
      top = value;
    } else {
      scaled += std::exp(value - top);
    }
  }
  double log() const { return top + std::log(scaled); }
};

void write_clock(Plan& plan, std::int64_t seed, std::int64_t step) {
  if (!plan.has_input("clock")) return;
  auto clock = plan.input<std::int32_t>("clock");
  clock[0] = std::int32_t(seed & 0xffffffff);
  clock[1] = std::int32_t(seed >> 32);
  clock[2] = std::int32_t(step);
}

void write_rows(Plan& plan, const Dataset& dataset, std::span<const std::int64_t> rows) {
  if (plan.has_input("ids")) {
    auto ids = plan.input<std::int32_t>("ids");
    for (std::size_t i = 0; i < rows.size(); ++i) ids[i] = std::int32_t(rows[i]);
  }
  if (plan.has_input("label")) {
    auto labels = plan.input<std::int32_t>("label");
    for (std::size_t i = 0; i < rows.size(); ++i) labels[i] = dataset.labels[std::size_t(rows[i])];
  }
}

}  // namespace

std::vector<double> importance_nll(const LogWeight& log_weight, Store& store,
                                   const Dataset& dataset, PixelReader& pixels,
                                   std::span<const std::int64_t> indices,
                                   const ImportanceArgs& args) {
  std::int64_t rows = std::min<std::int64_t>(args.batch_size, std::int64_t(indices.size()));
  std::vector<double> result;
  if (rows < 1) return result;
  Graph graph;
  Expr image =
      graph.input("image", DType::f32, {rows, dataset.height, dataset.width, dataset.channels});
  Scope scope(graph, store, Mode::eval, noise_inputs(graph, rows));
  Scope reader = args.store_prefix.empty() ? scope : scope.reading(args.store_prefix);
  Expr label;
  if (dataset.num_classes() > 0) label = graph.input("label", DType::i32, {rows});
  graph.output("log_weight", log_weight(reader, {.image = image, .label = label}));
  Plan plan(graph, store);

  std::vector<float> values(std::size_t(rows * pixels.row()));
  for (std::size_t first = 0; first < indices.size(); first += std::size_t(rows)) {
    std::vector<std::int64_t> batch(std::size_t(rows), indices[first]);  // pads the last one
    std::size_t count = std::min(std::size_t(rows), indices.size() - first);
    std::copy_n(indices.begin() + std::ptrdiff_t(first), count, batch.begin());
    pixels.read(batch, values);
    std::vector<LogSum> sums(count);
    for (std::int64_t draw = 0; draw < args.draws; ++draw) {
      if (args.stop && args.stop()) return {};
      std::ranges::copy(values, plan.input("image").begin());
      write_rows(plan, dataset, batch);
      write_clock(plan, args.seed, draw);
      plan.run();
      auto weights = plan.output("log_weight");
      for (std::size_t i = 0; i < count; ++i) sums[i].add(double(weights[i]));
    }
    for (const LogSum& sum : sums) result.push_back(std::log(double(args.draws)) - sum.log());
  }
  return result;
}

}  // namespace atelier
