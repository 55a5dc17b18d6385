// Balls about rows, and who lies in them.
#include "eval/fidelity.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/parallel.h"
#include "eval/distances.h"
#include "eval/neighbors.h"

namespace atelier {
namespace {

// Squared distances to the k-th neighbour.
std::vector<double> radii(const Neighbors& neighbors, std::int64_t k) {
  std::vector<double> squares;
  for (std::size_t i = std::size_t(k - 1); i < neighbors.square.size();
       i += std::size_t(neighbors.k)) {
    squares.push_back(neighbors.square[i]);
  }
  return squares;
}

double share_of(const std::vector<std::uint8_t>& marks) {
  return double(std::count(marks.begin(), marks.end(), 1)) / double(marks.size());
}

// Rows that several threads may mark at once.
void mark(std::uint8_t& flag) { std::atomic_ref(flag).store(1, std::memory_order_relaxed); }

}  // namespace

Fidelity fidelity(const Table& real, const Table& generated, const FidelityArgs& args) {
  std::int64_t most = std::max(args.precision_k, args.density_k);
  Neighbors among_real = nearest(real, real, most, own_rows(real.rows));
  std::vector<double> real_balls = radii(among_real, args.precision_k);
  std::vector<double> dense_balls = radii(among_real, args.density_k);
  std::vector<double> generated_balls = radii(
      nearest(generated, generated, args.precision_k, own_rows(generated.rows)), args.precision_k);
  std::vector<std::uint8_t> precise(std::size_t(generated.rows), 0);
  std::vector<std::uint8_t> recalled(std::size_t(real.rows), 0), covered(std::size_t(real.rows), 0);
  std::vector<std::int64_t> inside(std::size_t(generated.rows), 0);
  for_each_block(generated, real, [&](const DistanceBlock& block) {
    parallel([&](int thread, int threads) {
      Range mine = split_range(long(block.queries), thread, threads);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        std::size_t g = std::size_t(block.query_first + i);
        for (std::int64_t j = 0; j < block.bases; ++j) {
          std::size_t r = std::size_t(block.base_first + j);
          double farthest = std::max({real_balls[r], dense_balls[r], generated_balls[g]});
          if (block.near(i, j) - block.slack(i, j) > farthest) continue;
          double distance = block.exact(i, j);
          if (distance <= real_balls[r]) precise[g] = 1;
          if (distance < dense_balls[r]) ++inside[g];
          if (distance <= dense_balls[r]) mark(covered[r]);
          if (distance <= generated_balls[g]) mark(recalled[r]);
        }
      }
    });
  });
  std::int64_t total = 0;
  for (std::int64_t count : inside) total += count;
  return {share_of(precise), share_of(recalled),
          double(total) / double(args.density_k * generated.rows), share_of(covered)};
}

}  // namespace atelier
