// Random graphs: plans against the oracle, teams against each other, and the independent checker.
// ATELIER_RANDOM_GRAPHS=FIRST:COUNT runs other seeds and more of them.
#include "run/random_graphs.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>

#include "base/parallel.h"
#include "base/parse.h"
#include "run/checker.h"
#include "run/support.h"

using namespace atelier;
using namespace atelier::testing;

namespace {

struct Results {
  std::map<std::string, std::vector<double>> values;  // outputs, and slots as "slot NAME"
};

void fill_store(Store& store, const OracleState& state) {
  for (const auto& [label, dense] : state.slots) {
    store.create(label, dense.type);
    std::span<float> values = store.values(label);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = float(dense.v[i]);
  }
}

Results run_plan(const RandomGraph& made, const PlanOptions& options, int threads) {
  set_threads(threads);
  Store store;
  fill_store(store, made.state);
  Plan plan(*made.graph, store, options);
  for (const auto& [label, dense] : made.state.inputs) write_input(plan, label, dense);
  plan.run();
  Results results;
  for (const NamedValue& o : made.graph->outputs())
    results.values[o.name] = read_output(plan, o.name, made.graph->type(o.value));
  for (const auto& [label, dense] : made.state.slots) {
    auto values = store.values(label);
    results.values["slot " + label] = {values.begin(), values.end()};
  }
  set_threads(0);
  return results;
}

Results run_by_oracle(const RandomGraph& made) {
  OracleState state = made.state;
  Results results;
  for (auto& [label, dense] : run_oracle(*made.graph, state)) results.values[label] = dense.v;
  for (auto& [label, dense] : state.slots) results.values["slot " + label] = dense.v;
  return results;
}

bool same_bits(const Results& a, const Results& b) {
  for (const auto& [label, values] : a.values) {
    const auto& others = b.values.at(label);
    for (std::size_t i = 0; i < values.size(); ++i) {
      bool nans = std::isnan(values[i]) && std::isnan(others[i]);
      if (!nans && values[i] != others[i]) return false;
    }
  }
  return true;
}

// Worst error relative to the largest value of its tensor (gradients may be of any size).
std::pair<double, std::string> worst_error(const Results& found, const Results& expected) {
  double worst = 0;
  std::string where;
  for (const auto& [label, values] : expected.values) {
    double scale = 0.1;
    for (double v : values) scale = std::max(scale, std::abs(v));
    for (std::size_t i = 0; i < values.size(); ++i) {
      double error = std::abs(values[i] - found.values.at(label)[i]) / scale;
      if (!std::isfinite(values[i]) || std::isnan(error)) error = 1e9;
      if (error > worst) {
        worst = error;
        where = label;
      }
    }
  }
  return {worst, where};
}

// What is found wrong with the program, and its arena over its live peak if memory is reused.
std::string faults_of(const RandomGraph& made, Level level, bool reuse, double& waste) {
  Program program = lower(*made.graph, {.level = level});
  layout(program, 3, reuse);
  if (reuse && program.live_peak > 0)
    waste = double(program.arena_bytes) / double(program.live_peak);
  std::string all;
  for (const std::string& fault : check_program(program)) all += fault + "\n";
  return all;
}

constexpr double kTolerance = 2e-4;

struct Verdict {
  std::string complaint;  // empty: right
  double error = 0;
  double waste = 1;  // arena over live peak
};

// Everything that must hold for one graph.
Verdict judge(const RandomGraph& made, std::uint64_t seed) {
  auto levels = host_levels();
  Level level = levels[seed % levels.size()];
  bool decompose = seed % 5 == 1;
  Verdict verdict;
  verdict.complaint = faults_of(made, level, seed % 2 == 0, verdict.waste);
  if (!verdict.complaint.empty()) return verdict;
  Results one = run_plan(made, {.level = level, .decompose_composites = decompose}, 1);
  auto [error, where] = worst_error(one, run_by_oracle(made));
  verdict.error = error;
  if (error > kTolerance) {
    verdict.complaint = fmt::format("{} differs from the oracle by {:.1e}", where, error);
    return verdict;
  }
  PlanOptions poisoned{.level = level, .decompose_composites = decompose, .poison = true};
  Results three = run_plan(made, {.level = level, .decompose_composites = decompose}, 3);
  if (!same_bits(one, three)) verdict.complaint = "3 threads give other bits than 1";
  if (!same_bits(one, run_plan(made, poisoned, 3))) verdict.complaint = "poison changes bits";
  PlanOptions unfused{.level = level, .decompose_composites = decompose, .fuse = false};
  if (!same_bits(one, run_plan(made, unfused, 2))) verdict.complaint = "fusion changes bits";
  // Narrowed products may round to either side, so that these are held to their own operands.
  if (seed % 4 == 2) {
    PlanOptions watched{.level = level, .decompose_composites = decompose, .verify = true};
    if (seed % 8 == 2) watched.precision = Precision::bf16;
    try {
      run_plan(made, watched, 2);
    } catch (const Error& error) {
      verdict.complaint = error.what();
    }
  }
  return verdict;
}

// The shortest prefix of the graph that still fails.
std::string shrunk(std::uint64_t seed, int operations) {
  for (int k = 0; k <= operations; ++k) {
    RandomGraph made = random_graph(seed, k);
    Verdict verdict = judge(made, seed);
    if (verdict.complaint.empty()) continue;
    return fmt::format("seed {}, {} of {} operations: {}\n{}", seed, k, operations,
                       verdict.complaint, made.graph->text());
  }
  return fmt::format("seed {}: fails only as a whole", seed);
}

std::pair<std::uint64_t, std::uint64_t> wanted_seeds() {
  const char* text = std::getenv("ATELIER_RANDOM_GRAPHS");
  if (!text) return {1, 500};
  std::string_view range = text;
  std::size_t colon = range.find(':');
  return {std::uint64_t(parse_count(range.substr(0, colon))),
          std::uint64_t(parse_count(range.substr(colon + 1)))};
}

}  // namespace

TEST_CASE("plans of random graphs follow the oracle for any team, and the checker agrees") {
  auto [first, count] = wanted_seeds();
  std::vector<std::int64_t> counts(std::size_t(kNumOps), 0);
  double worst = 0, waste = 0, worst_waste = 1;
  std::int64_t large = 0, nodes = 0, failed = 0;
  for (std::uint64_t seed = first; seed < first + count && failed < 3; ++seed) {
    int operations = operations_of(seed);
    RandomGraph made = random_graph(seed, operations);
    Verdict verdict = judge(made, seed);
    if (!verdict.complaint.empty()) {
      ++failed;
      FAIL_CHECK(shrunk(seed, operations));
    }
    worst = std::max(worst, verdict.error);
    waste += verdict.waste / double(count);
    worst_waste = std::max(worst_waste, verdict.waste);
    large += made.large;
    nodes += made.graph->size();
    std::vector<std::int64_t> live = live_counts(*made.graph);
    for (std::size_t op = 0; op < counts.size(); ++op) counts[op] += live[op];
  }
  // Packing is a step of lowering, never a node of a graph.
  std::int64_t least = 1 << 30;
  std::string rarest, table;
  for (int op = 0; op < kNumOps; ++op) {
    if (Op(op) == Op::pack) continue;
    table += fmt::format(" {} {}", name(Op(op)), counts[std::size_t(op)]);
    if (counts[std::size_t(op)] >= least) continue;
    least = counts[std::size_t(op)];
    rarest = name(Op(op));
  }
  CHECK(3 * large >= std::int64_t(count));
  CHECK(least >= std::int64_t(count) / 20);
  // Of all graphs: a small one whose one large value fits nowhere may take more.
  CHECK(waste <= 1.05);
  fmt::print(
      "summary: {} random graphs of {} nodes, {} with long values, worst error {:.1e} of the "
      "largest value, rarest op {} ({}), arena {:.3f} times the live peak, at most {:.3f}\n",
      count, nodes, large, worst, rarest, least, waste, worst_waste);
  if (std::getenv("ATELIER_RANDOM_GRAPHS")) fmt::print("nodes by op:{}\n", table);
}
