// What a training says while it runs: metrics records, the line on a terminal, remarks.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/metrics.h"
#include "train/trainer.h"
#include "train/turns.h"

namespace atelier {

class Reports {
 public:
  using Clock = std::chrono::steady_clock;
  // `noun`: what a row of the data is, in the plural.
  Reports(const Task& task, const TrainConfig& config, const Turns& turns, std::string_view noun)
      : task_(task), config_(config), turns_(turns), noun_(noun) {}

  void start(std::int64_t step, std::int64_t total_steps);  // the clock; tells known baselines
  // `file`: where records go, empty: nowhere, "-": standard output. Records beyond the step of
  // start(), which a killed job left, are removed: those steps are done again.
  void open(const std::string& file);
  // Counts an update and, every --log-every, writes a record of the updates since the last one that
  // this process did: after a resume the first record may be of fewer, which it says.
  void update(std::int64_t step, std::int64_t epoch, std::int64_t rows, double rate);
  void validation(std::int64_t step, std::int64_t epoch, const std::vector<ReportedTerm>& terms);
  void remark(std::int64_t step, const Remark& remark);  // once a key
  // Takes the time since `start` out of the speed: validating and saving is no training.
  void pause(Clock::time_point start) { last_record_ += Clock::now() - start; }
  void summary(std::int64_t step, bool done);

 private:
  struct Interval {
    std::int64_t images = 0;
    double seconds = 0;  // of training alone
    Interval operator+(Interval b) const { return {images + b.images, seconds + b.seconds}; }
    double speed() const { return seconds > 0 ? double(images) / seconds : 0; }
  };
  double seconds() const;  // since start()
  void write_units(const std::string& prefix, std::span<const ReportedTerm> terms);
  void record_baselines(Attributes record, std::span<const ReportedTerm> baselines);
  void measure();
  void progress(std::int64_t step);
  void judge(std::int64_t step, std::span<const ReportedTerm> terms);

  const Task& task_;
  const TrainConfig& config_;
  const Turns& turns_;
  std::string_view noun_;
  MetricsWriter metrics_;
  // Sums of the loss and the terms over some updates, and of their weights.
  struct Sums {
    std::vector<ReportedTerm> terms;  // "loss" first
    std::int64_t updates = 0;
    void add(const Turns& turns);
    std::vector<ReportedTerm> means() const;  // without what was never to be measured
  };
  std::int64_t first_step_ = 0, total_steps_ = 0, images_ = 0, intervals_ = 0;
  Sums recent_;  // since the last record
  Sums late_;    // of the second half of the run
  // The first interval holds the start-up of the plans.
  Interval first_, steady_, last_;
  double speed_ = 0;
  bool judged_ = false;
  bool judges_ = true;  // until judging fails
  std::vector<std::string> remarked_;
  std::set<std::string> known_units_;
  Clock::time_point start_, last_record_, last_progress_;
};

double peak_rss_mib();  // of this process so far

}  // namespace atelier
