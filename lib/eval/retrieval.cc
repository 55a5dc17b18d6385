// Ranks of partners: two passes over the blocks, for the partner's distance and for those before.
#include "eval/retrieval.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/distances.h"
#include "eval/neighbors.h"

namespace atelier {

std::vector<std::int64_t> partner_ranks(const Table& queries, const Table& answers) {
  if (queries.rows != answers.rows || queries.columns != answers.columns) {
    throw Error(fmt::format("retrieval: {} rows of {} numbers have no partners in {} rows of {}",
                            queries.rows, queries.columns, answers.rows, answers.columns));
  }
  Table asked = unit_rows(queries), offered = unit_rows(answers);
  std::vector<double> partner(std::size_t(queries.rows), 0.0);
  std::vector<float> a(std::size_t(queries.columns)), b(std::size_t(queries.columns));
  for (std::int64_t i = 0; i < queries.rows; ++i) {
    asked.read(i, 1, a);
    offered.read(i, 1, b);
    partner[std::size_t(i)] = squared_distance(a, b);
  }
  std::vector<std::int64_t> ranks(std::size_t(queries.rows), 0);
  for_each_block(asked, offered, [&](const DistanceBlock& block) {
    parallel([&](int thread, int threads) {
      Range mine = split_range(long(block.queries), thread, threads);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        std::int64_t query = block.query_first + i;
        double bar = partner[std::size_t(query)];
        for (std::int64_t j = 0; j < block.bases; ++j) {
          if (block.base_first + j == query) continue;
          double near = block.near(i, j), slack = block.slack(i, j);
          if (near - slack > bar) continue;
          if (near + slack < bar || block.exact(i, j) <= bar) ++ranks[std::size_t(query)];
        }
      }
    });
  });
  return ranks;
}

double recall_at(std::span<const std::int64_t> ranks, std::int64_t k) {
  if (ranks.empty()) return 0;
  auto found = std::count_if(ranks.begin(), ranks.end(), [k](std::int64_t r) { return r < k; });
  return double(found) / double(ranks.size());
}

}  // namespace atelier
