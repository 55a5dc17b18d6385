// Updates: what is run in which order, over which rows. The graphs are built in train_graphs.cc.
#include "train/train_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/parse.h"
#include "nn/optimizers.h"
#include "train/train_graphs.h"

namespace atelier {

std::vector<double> parse_decays(const std::string& text) {
  std::vector<double> decays;
  if (text.empty()) return decays;
  for (std::string_view piece : split(text, ',')) {
    if (piece.empty())
      throw UsageError(
          fmt::format("--ema-decay '{}': expected a decay on each side of a comma", text));
    double decay = -1;
    try {
      decay = parse_number(piece);
    } catch (const UsageError&) {
    }
    if (!(decay >= 0 && decay < 1)) {
      throw UsageError(fmt::format(
          "--ema-decay '{}': expected decays of at least 0 and below 1, as 0.999,0.9999", text));
    }
    if (std::ranges::find(decays, decay) != decays.end())
      throw UsageError(fmt::format("--ema-decay '{}': {} is there twice", text, piece));
    decays.push_back(decay);
  }
  if (decays.size() > 4)
    throw UsageError(fmt::format("--ema-decay '{}': expected at most 4 decays", text));
  return decays;
}

namespace {

GraphInputs inputs(Graph& graph, const Dataset& data, std::int64_t rows, DType dtype,
                   std::int64_t context_length) {
  GraphInputs in;
  in.batch.image = graph.input("image", dtype, {rows, data.height, data.width, data.channels});
  if (data.num_classes() > 0) in.batch.label = graph.input("label", DType::i32, {rows});
  if (context_length > 0)
    in.batch.tokens = graph.input("tokens", DType::i32, {rows, context_length});
  in.noise.ids = graph.input("ids", DType::i32, {rows});
  in.noise.clock = graph.input("clock", DType::i32, {3});
  return in;
}

}  // namespace

std::int64_t slice_rows(const TrainConfig& config, std::int64_t rows) {
  return rows % config.grad_accum_steps == 0 ? rows / config.grad_accum_steps : rows;
}

std::int64_t least_rows(const TrainConfig& config, std::int64_t pictures) {
  std::int64_t least = 0;
  for (std::int64_t rows : {std::min(config.batch_size, pictures), pictures % config.batch_size}) {
    std::int64_t each = slice_rows(config, rows);
    if (each > 0) least = least == 0 ? each : std::min(least, each);
  }
  return least;
}

GraphInputs graph_inputs(Graph& graph, const Dataset& data, std::int64_t rows,
                         std::int64_t context_length) {
  GraphInputs in = inputs(graph, data, rows, data.dtype, context_length);
  if (data.dtype == DType::u8) in.batch.image = cast(in.batch.image, DType::f32) / 255.0;
  return in;
}

GraphInputs float_inputs(Graph& graph, const Dataset& data, std::int64_t rows,
                         std::int64_t context_length) {
  return inputs(graph, data, rows, DType::f32, context_length);
}

LoaderOptions loader_options(const TrainConfig& config, const TrainData& data) {
  return {.batch_size = config.batch_size,
          .seed = config.seed,
          .hflip = config.hflip,
          .crop_padding = config.crop_padding,
          .binarize = config.binarize,
          .captions = data.captions};
}

void feed_rows(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows) {
  auto copy = [&](const auto& from, auto into) {
    std::size_t each = from.size() / std::size_t(batch.rows);
    auto wanted = from.subspan(std::size_t(first) * each, std::size_t(rows) * each);
    std::memcpy(into.data(), wanted.data(), wanted.size_bytes());
  };
  if (plan.has_input("image")) {
    if (plan.input_type("image").dtype == DType::u8) {
      copy(batch.images, plan.input<std::uint8_t>("image"));
    } else {
      copy(batch.images, plan.input<float>("image"));
    }
  }
  if (plan.has_input("ids")) copy(batch.ids, plan.input<std::int32_t>("ids"));
  if (plan.has_input("label")) copy(batch.labels, plan.input<std::int32_t>("label"));
  if (plan.has_input("tokens")) copy(batch.tokens, plan.input<std::int32_t>("tokens"));
}

void write_clock(Plan& plan, std::uint64_t seed, std::int64_t step) {
  if (!plan.has_input("clock")) return;
  auto clock = plan.input<std::int32_t>("clock");
  clock[0] = std::int32_t(std::uint32_t(seed));
  clock[1] = std::int32_t(std::uint32_t(seed >> 32));
  clock[2] = std::int32_t(step);
}

TrainPlans::TrainPlans(const Task& task, const TrainConfig& config, const Dataset& data,
                       Store& store, std::int64_t context_length, int player,
                       std::shared_ptr<Workspace> workspace)
    : task_(task),
      config_(config),
      data_(data),
      store_(store),
      context_length_(context_length),
      player_(player),
      workspace_(std::move(workspace)) {}

bool TrainPlans::cached() const { return task_.contrast && config_.grad_accum_steps > 1; }

// Micro-batches of losses over rows are equal, or the batch is run whole; slices of features may be
// uneven.
std::int64_t TrainPlans::feature_slice_rows() const {
  return (config_.batch_size + config_.grad_accum_steps - 1) / config_.grad_accum_steps;
}

std::int64_t TrainPlans::micro_batches(std::int64_t rows) const {
  return cached() ? 1 : rows / slice_rows(config_, rows);
}

Plan& TrainPlans::for_rows(std::int64_t rows) {
  if (cached() && rows > feature_slice_rows()) {
    std::int64_t last = rows % feature_slice_rows();
    return plan(Role::finish, last > 0 ? last : feature_slice_rows(), 1);
  }
  std::int64_t slices = micro_batches(rows);
  return plan(slices == 1 ? Role::whole : Role::apply, rows / slices, slices);
}

double TrainPlans::flops(std::int64_t rows) {
  if (cached() && rows > feature_slice_rows()) {
    for_rows(rows);  // tells what the features are
    double total = plan(Role::contrast, rows, 1).flops();
    for (std::int64_t first = 0; first < rows; first += feature_slice_rows()) {
      std::int64_t count = std::min(feature_slice_rows(), rows - first);
      bool last = first + count == rows;
      total += plan(Role::features, count, 1).flops() +
               plan(last ? Role::finish : Role::backward, count, 1).flops();
    }
    return total;
  }
  std::int64_t slices = micro_batches(rows);
  return for_rows(rows).flops() * double(slices);
}

void TrainPlans::feed(Plan& plan, const HostBatch& batch, std::int64_t first, std::int64_t rows,
                      std::int64_t step, double rate) {
  feed_rows(plan, batch, first, rows);
  write_clock(plan, std::uint64_t(config_.seed), step);
  if (plan.has_input("rate")) plan.input<float>("rate")[0] = float(rate);
}

void TrainPlans::collect(const Plan& plan, double share) {
  loss_ += share * double(plan.scalar("loss"));
  for (ReportedTerm& term : terms_) {
    double value = double(plan.scalar("term." + term.name)), weight = 1;
    if (plan.has_output("weight." + term.name)) {  // both are sums, so that each row counts alike
      value *= double(rows_);
      weight = double(rows_) * double(plan.scalar("weight." + term.name));
    }
    term.value += share * value;
    term.weight += share * weight;
  }
}

// Running statistics move with every micro-batch, the sums of gradients are zero between updates.
void TrainPlans::keep_states() {
  for (auto& [name, bytes] : states_) {
    const StoredTensor& tensor = store_.at(name);
    bytes.assign(tensor.data(), tensor.data() + tensor.bytes());
  }
}

void TrainPlans::undo_slices() {
  for (const auto& [name, bytes] : states_) {
    StoredTensor& tensor = store_.at(name);
    std::copy(bytes.begin(), bytes.end(), tensor.data());
    ++tensor.version;
  }
  for (const std::string& name : store_.names("train/accumulated/")) {
    std::ranges::fill(store_.values(name), 0.0f);
  }
}

bool TrainPlans::update(const HostBatch& batch, std::int64_t step, double rate) {
  loss_ = 0;
  rows_ = batch.rows;
  for (ReportedTerm& term : terms_) term.value = term.weight = 0;
  return cached() && batch.rows > feature_slice_rows() ? update_cached(batch, step, rate)
                                                       : update_in_slices(batch, step, rate);
}

// False if something was not finite; `undo`: earlier parts of the update have changed the store.
bool TrainPlans::run(Plan& plan, bool undo) {
  if (plan.run_guarded()) return true;
  non_finite_ = plan.non_finite();
  if (undo) undo_slices();
  return false;
}

bool TrainPlans::update_in_slices(const HostBatch& batch, std::int64_t step, double rate) {
  std::int64_t slices = micro_batches(batch.rows);
  std::int64_t rows = batch.rows / slices;
  if (slices > 1) {
    for_rows(batch.rows);  // tells what the states are
    keep_states();
  }
  for (std::int64_t s = 0; s < slices; ++s) {
    Plan& p = plan(slices == 1      ? Role::whole
                   : s + 1 < slices ? Role::accumulate
                                    : Role::apply,
                   rows, slices);
    feed(p, batch, s * rows, rows, step, rate);
    if (!run(p, s > 0)) return false;
    collect(p, 1.0 / double(slices));
    if (p.has_output("grad_norm")) grad_norm_ = double(p.scalar("grad_norm"));
  }
  return true;
}

bool TrainPlans::update_cached(const HostBatch& batch, std::int64_t step, double rate) {
  for_rows(batch.rows);  // tells what features and states there are
  keep_states();
  std::size_t parts = feature_rows_.size();
  auto row = [&](std::size_t i) { return std::size_t(feature_rows_[i].count()); };
  features_.resize(parts);
  slopes_.resize(parts);
  for (std::size_t i = 0; i < parts; ++i) features_[i].resize(std::size_t(batch.rows) * row(i));

  auto for_each_slice = [&](const auto& body) {
    for (std::int64_t first = 0; first < batch.rows; first += feature_slice_rows()) {
      std::int64_t rows = std::min(feature_slice_rows(), batch.rows - first);
      if (!body(first, rows)) return false;
    }
    return true;
  };
  bool done = for_each_slice([&](std::int64_t first, std::int64_t rows) {
    Plan& p = plan(Role::features, rows, 1);
    feed(p, batch, first, rows, step, rate);
    if (!run(p, false)) return false;
    for (std::size_t i = 0; i < parts; ++i) {
      std::ranges::copy(p.output(feature_name(i)),
                        features_[i].begin() + first * std::int64_t(row(i)));
    }
    return true;
  });
  if (!done) return false;

  Plan& whole = plan(Role::contrast, batch.rows, 1);
  for (std::size_t i = 0; i < parts; ++i)
    std::ranges::copy(features_[i], whole.input(feature_name(i)).begin());
  feed(whole, batch, 0, batch.rows, step, rate);
  if (!run(whole, false)) return false;
  collect(whole, 1);
  for (std::size_t i = 0; i < parts; ++i) {
    auto slopes = whole.output(slope_name(i));
    slopes_[i].assign(slopes.begin(), slopes.end());
  }

  return for_each_slice([&](std::int64_t first, std::int64_t rows) {
    bool last = first + rows == batch.rows;
    Plan& p = plan(last ? Role::finish : Role::backward, rows, 1);
    for (std::size_t i = 0; i < parts; ++i) {
      auto from =
          std::span(slopes_[i]).subspan(std::size_t(first) * row(i), std::size_t(rows) * row(i));
      std::ranges::copy(from, p.input(slope_name(i)).begin());
    }
    feed(p, batch, first, rows, step, rate);
    if (!run(p, true)) return false;
    if (last) grad_norm_ = double(p.scalar("grad_norm"));
    return true;
  });
}

}  // namespace atelier
