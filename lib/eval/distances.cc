// Blocks of distances by one matrix product each.
#include "eval/distances.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "graph/ops.h"
#include "run/plan.h"

namespace atelier {
namespace {

constexpr std::int64_t kBlock = 512;

// Writes rows - mean and zeros below them; gives the squared lengths of what was written.
void centre(std::span<const float> rows, const std::vector<double>& mean, std::span<float> into,
            std::span<double> squares) {
  std::size_t d = mean.size(), count = rows.size() / d;
  for (std::size_t i = 0; i < count; ++i) {
    double square = 0;
    for (std::size_t j = 0; j < d; ++j) {
      float v = float(double(rows[i * d + j]) - mean[j]);
      into[i * d + j] = v;
      square += double(v) * double(v);
    }
    squares[i] = square;
  }
  std::fill(into.begin() + std::ptrdiff_t(rows.size()), into.end(), 0.0f);
}

}  // namespace

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) {
    double apart = double(a[c]) - double(b[c]);
    sum += apart * apart;
  }
  return sum;
}

void for_each_block(const Table& queries, const Table& base,
                    const std::function<void(const DistanceBlock&)>& body) {
  if (queries.columns != base.columns || queries.rows < 1 || base.rows < 1) {
    throw Error(fmt::format("distances: {} rows of {} numbers against {} rows of {}", queries.rows,
                            queries.columns, base.rows, base.columns));
  }
  std::int64_t d = base.columns;
  std::vector<double> mean = mean_of(base);
  Graph graph;
  Expr a = graph.input("queries", DType::f32, {kBlock, d});
  Expr b = graph.input("base", DType::f32, {kBlock, d});
  graph.output("products", matmul(a, b, /*ta=*/false, /*tb=*/true));
  Store store;
  Plan plan(graph, store);
  std::vector<float> query_rows(std::size_t(kBlock * d)), base_rows(std::size_t(kBlock * d)),
      centred_queries(std::size_t(kBlock * d));
  std::vector<double> query_squares(std::size_t{kBlock}), base_squares(std::size_t{kBlock});
  DistanceBlock block;
  block.columns = d;
  block.stride = kBlock;
  block.query_squares = query_squares;
  block.base_squares = base_squares;
  for (std::int64_t q = 0; q < queries.rows; q += kBlock) {
    block.query_first = q;
    block.queries = std::min(kBlock, queries.rows - q);
    std::span<float> asked(query_rows.data(), std::size_t(block.queries * d));
    queries.read(q, block.queries, asked);
    centre(asked, mean, centred_queries, query_squares);
    block.query_rows = asked;
    for (std::int64_t first = 0; first < base.rows; first += kBlock) {
      block.base_first = first;
      block.bases = std::min(kBlock, base.rows - first);
      std::span<float> rows(base_rows.data(), std::size_t(block.bases * d));
      base.read(first, block.bases, rows);
      centre(rows, mean, plan.input("base"), base_squares);
      std::ranges::copy(centred_queries, plan.input("queries").begin());
      plan.run();
      block.base_rows = rows;
      block.products = plan.output("products");
      body(block);
    }
  }
}

}  // namespace atelier
