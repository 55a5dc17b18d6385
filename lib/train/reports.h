// What a training says while it runs: metrics records, the line on a terminal, remarks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "io/metrics.h"
#include "train/train_plans.h"
#include "train/trainer.h"

namespace atelier {

class Reports {
 public:
  using Clock = std::chrono::steady_clock;
  Reports(const Task& task, const TrainConfig& config, const TrainPlans& plans)
      : task_(task), config_(config), plans_(plans) {}

  // Starts the clock. `file`: where records go, empty: nowhere, "-": standard output. Records
  // beyond `step`, which a killed job left, are removed: those steps are done again.
  void open(const std::string& file, std::int64_t step, std::int64_t total_steps);
  // Counts an update and, every --log-every, writes a record of the updates since the last one.
  void update(std::int64_t step, std::int64_t epoch, std::int64_t rows, double rate);
  void validation(std::int64_t step, std::int64_t epoch, const std::vector<ReportedTerm>& terms);
  // Takes the time since `start` out of the speed: validating and saving is no training.
  void pause(Clock::time_point start) { last_record_ += Clock::now() - start; }
  // `saved`: where a run that was stopped can go on from; empty: it is done.
  void summary(std::int64_t step, const std::string& saved);
  double seconds() const;  // since open()

 private:
  void progress(std::int64_t step);
  void remark(std::int64_t step, const Attributes& validation);

  const Task& task_;
  const TrainConfig& config_;
  const TrainPlans& plans_;
  MetricsWriter metrics_;
  std::int64_t first_step_ = 0, total_steps_ = 0, images_ = 0, loss_count_ = 0;
  double loss_sum_ = 0, speed_ = 0;
  bool judged_ = false;
  std::vector<std::string> remarked_;
  Clock::time_point start_, last_record_, last_progress_;
};

double peak_rss_mib();  // of this process so far

}  // namespace atelier
