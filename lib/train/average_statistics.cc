// Running statistics of averaged weights, from batches.
#include "train/average_statistics.h"

#include <algorithm>
#include <cstring>

#include "nn/optimizers.h"

namespace atelier {
namespace {

// Noise apart from that of training and of validation.
constexpr std::uint64_t kStatisticsNoise = 0x7374616e64696e67u;

}  // namespace

AverageStatistics::AverageStatistics(const Task& task, const TrainConfig& config,
                                     const TrainData& data, Store& store)
    : data_(*data.train),
      store_(store),
      seed_(config.seed),
      rows_(
          slice_rows(config, std::min(config.batch_size, std::int64_t(data.train_indices.size())))),
      context_length_(data.captions ? data.captions->context_length() : 0) {
  std::size_t averages = parse_decays(config.ema_decay).size();
  if (task.players.empty()) add("", task.objective, averages);
  for (const TrainedPlayer& player : task.players) {
    if (player.averaged) add(player.name, player.objective, averages);
  }
  if (averages_.empty()) return;
  LoaderOptions options = loader_options(config, data);
  options.batch_size = rows_;
  loader_ = std::make_unique<Loader>(data_, data.train_indices, options);
}

// Which states the part moves is seen from a graph of it, of which nothing is run.
void AverageStatistics::add(const std::string& part, const Build& build, std::size_t averages) {
  if (averages == 0) return;
  std::vector<std::string> names;
  Graph graph;
  GraphInputs in = graph_inputs(graph, data_, rows_, context_length_);
  Scope root(graph, store_, Mode::train, in.noise);
  Scope own = part.empty() ? root : root / part;
  in.batch.step = graph.constant(0);
  build(root, in.batch);
  for (const Scope::StateUpdate& state : own.state_updates()) {
    if (state.name.find('/') == state.name.npos) names.push_back(state.name);  // of the model
  }
  if (names.empty()) return;
  for (std::size_t i = 0; i < averages; ++i) {
    Average average{ema_prefix(int(i)), build, {}, nullptr};
    for (const std::string& name : names) {
      average.states.push_back(average.prefix + name);
      if (store_.has(average.states.back())) continue;
      StoredTensor& tensor = store_.create(average.states.back(), store_.at(name).type);
      std::memcpy(tensor.data(), store_.at(name).data(), std::size_t(tensor.bytes()));
      ++tensor.version;
    }
    averages_.push_back(std::move(average));
  }
}

Plan& AverageStatistics::plan_of(Average& average) {
  if (average.plan) return *average.plan;
  Graph graph;
  GraphInputs in = graph_inputs(graph, data_, rows_, context_length_);
  Scope root(graph, store_, Mode::train, in.noise);
  in.batch.step = graph.constant(0);
  Expr share = graph.input("share", DType::f32, {});
  average.build(root.reading(average.prefix).settling(share), in.batch);
  average.plan = std::make_unique<Plan>(graph, store_, PlanOptions{}, workspace_);
  return *average.plan;
}

void AverageStatistics::estimate() {
  if (!loader_) return;
  // So that the first share, which is 1, leaves nothing of them, not even a rounding.
  for (Average& average : averages_) {
    for (const std::string& name : average.states) std::ranges::fill(store_.values(name), 0.0f);
  }
  loader_->seek({});
  for (std::int64_t done = 0; done < kStatisticsBatches;) {
    HostBatch batch = loader_->next();
    if (batch.rows != rows_) continue;  // the end of an epoch
    for (Average& average : averages_) {
      Plan& plan = plan_of(average);
      feed_rows(plan, batch, 0, rows_);
      write_clock(plan, std::uint64_t(seed_) ^ kStatisticsNoise, done);
      plan.input("share")[0] = float(1.0 / double(done + 1));
      plan.run();
    }
    ++done;
  }
}

}  // namespace atelier
