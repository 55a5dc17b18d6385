// Steps of one or of several players.
#include "train/turns.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "train/trainer.h"

namespace atelier {

Turns::Turns(const Task& task, const TrainConfig& config, const Dataset& data, Store& store,
             std::int64_t context_length)
    : task_(task), store_(store) {
  auto workspace = std::make_shared<Workspace>();
  if (task.players.empty()) {
    plans_.push_back(
        std::make_unique<TrainPlans>(task, config, data, store, context_length, -1, workspace));
    updates_ = {1};
    return;
  }
  for (std::size_t i = 0; i < task.players.size(); ++i) {
    plans_.push_back(
        std::make_unique<TrainPlans>(task, config, data, store, context_length, int(i), workspace));
    updates_.push_back(task.players[i].updates);
  }
}

std::int64_t Turns::batches() const {
  auto last = updates_.begin() + std::ptrdiff_t(readers());
  return std::accumulate(updates_.begin(), last, std::int64_t{0});
}

void Turns::compile(std::int64_t rows) {
  for (auto& plans : plans_) plans->for_rows(rows);
}

double Turns::flops(std::int64_t rows) {
  double total = 0;
  for (std::size_t i = 0; i < plans_.size(); ++i)
    total += double(updates_[i]) * plans_[i]->flops(rows);
  return total;
}

std::int64_t Turns::parameters() const {
  std::int64_t total = 0;
  for (const auto& plans : plans_) total += plans->parameters();
  return total;
}

std::set<std::string> Turns::tensors() const {
  std::set<std::string> all;
  for (const auto& plans : plans_) all.insert(plans->tensors().begin(), plans->tensors().end());
  return all;
}

std::size_t Turns::bytes(std::int64_t rows) {
  std::size_t packed = 0;
  for (auto& plans : plans_) packed += plans->for_rows(rows).packed_bytes();
  return plans_.back()->workspace_bytes() + packed;
}

// What several updates have written before one of them fails is taken back. The last one has its
// guard.
void Turns::keep() {
  for (std::size_t i = 0; i + 1 < plans_.size(); ++i) {
    for (const std::string& name : plans_[i]->written()) {
      const StoredTensor& tensor = store_.at(name);
      kept_[name].assign(tensor.data(), tensor.data() + tensor.bytes());
    }
  }
}

void Turns::restore() {
  for (const auto& [name, bytes] : kept_) {
    StoredTensor& tensor = store_.at(name);
    std::ranges::copy(bytes, tensor.data());
    ++tensor.version;
  }
}

void Turns::begin_terms() {
  terms_.clear();
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    if (i + 1 < plans_.size())
      terms_.push_back({task_.players[i].name + "_loss", plans_[i]->unit(), 0, TermRole::loss});
    terms_.insert(terms_.end(), plans_[i]->terms().begin(), plans_[i]->terms().end());
  }
  for (ReportedTerm& term : terms_) term.value = term.weight = 0;
}

// Adds what an update of a player has said.
void Turns::collect(std::size_t player, double share) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < player; ++i) at += plans_[i]->terms().size() + 1;
  auto add = [&](double value, double weight) {
    terms_[at].value += share * value;
    terms_[at++].weight += share * weight;
  };
  if (player + 1 < plans_.size()) add(plans_[player]->loss(), 1);
  for (const ReportedTerm& term : plans_[player]->terms()) add(term.value, term.weight);
}

bool Turns::run(Loader& loader, std::int64_t step, double rate) {
  // Every update has noise of its own.
  std::int64_t number = step * std::accumulate(updates_.begin(), updates_.end(), std::int64_t{0});
  rows_ = 0;
  HostBatch batch = loader.next();
  if (plans_.size() > 1) {
    compile(batch.rows);  // tells what is written
    keep();
  }
  begin_terms();
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    bool reads = i < readers();
    for (std::int64_t k = 0; k < updates_[i]; ++k) {
      if (reads && (i > 0 || k > 0)) batch = loader.next();
      if (!plans_[i]->update(batch, number++, rate)) {
        non_finite_ = plans_[i]->non_finite();
        restore();
        return false;
      }
      if (terms_.empty()) begin_terms();
      collect(i, 1.0 / double(updates_[i]));
      if (reads) rows_ += batch.rows;
      next_ = batch.next;
    }
  }
  return true;
}

}  // namespace atelier
