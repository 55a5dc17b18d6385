// Records of a training as JSON Lines, notes for people on standard error.
#include "train/reports.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/parse.h"

namespace atelier {

double peak_rss_mib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

double Reports::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Reports::open(const std::string& file, std::int64_t step, std::int64_t total_steps) {
  start_ = last_record_ = Clock::now();
  first_step_ = step;
  total_steps_ = total_steps;
  if (file.empty()) return;
  if (file != "-") remove_records_after(file, step);
  metrics_ = MetricsWriter(file);
  Attributes units = {{"program", task_.program},
                      {"threads", std::int64_t(num_threads())},
                      {"level", std::string(name(host_level()))},
                      {"cpu", cpu_model()},
                      {"seed", config_.seed},
                      {"parameters", plans_.parameters()},
                      {"unit.loss", plans_.unit()}};
  for (const ReportedTerm& term : plans_.terms())
    units.emplace_back("unit." + term.name, term.unit);
  metrics_.record(units);
}

void Reports::update(std::int64_t step, std::int64_t epoch, std::int64_t rows, double rate) {
  loss_sum_ += plans_.loss();
  ++loss_count_;
  images_ += rows;
  if (step % config_.log_every != 0 && step != total_steps_) return progress(step);
  double elapsed = std::chrono::duration<double>(Clock::now() - last_record_).count();
  speed_ = elapsed > 0 ? double(images_) / elapsed : 0;
  double loss = loss_sum_ / double(loss_count_);
  Attributes record = {{"step", step}, {"epoch", epoch}, {"loss", loss}};
  for (const ReportedTerm& term : plans_.terms()) record.emplace_back(term.name, term.value);
  record.insert(record.end(), {{"learning_rate", rate},
                               {"grad_norm", plans_.grad_norm()},
                               {"images_per_second", speed_},
                               {"seconds", seconds()},
                               {"rss_mib", peak_rss_mib()}});
  metrics_.record(record);
  if (!is_terminal(STDERR_FILENO)) {
    logging::info(fmt::format("step {}/{}: loss {:.4f} {}, {:.0f} pictures/s", step, total_steps_,
                              loss, plans_.unit(), speed_));
  }
  loss_sum_ = 0;
  loss_count_ = images_ = 0;
  last_record_ = Clock::now();
  progress(step);
}

void Reports::progress(std::int64_t step) {
  if (!is_terminal(STDERR_FILENO) || logging::level() < logging::Level::warning) return;
  if (std::chrono::duration<double>(Clock::now() - last_progress_).count() < 0.1) return;
  last_progress_ = Clock::now();
  double per_step = seconds() / double(std::max<std::int64_t>(1, step - first_step_));
  logging::status_line(fmt::format("step {}/{}  loss {:.4f} {}  {:.0f} pictures/s  {} left", step,
                                   total_steps_, plans_.loss(), plans_.unit(), speed_,
                                   format_seconds(per_step * double(total_steps_ - step))));
}

void Reports::validation(std::int64_t step, std::int64_t epoch,
                         const std::vector<ReportedTerm>& terms) {
  Attributes record = {{"step", step}, {"epoch", epoch}}, plain;
  std::string line;
  for (const ReportedTerm& term : terms) {
    record.emplace_back("val_" + term.name, term.value);
    plain.emplace_back(term.name, term.value);
    line +=
        fmt::format("{}{} {:.4f} {}", line.empty() ? "" : ", ", term.name, term.value, term.unit);
  }
  record.emplace_back("seconds", seconds());
  metrics_.record(record);
  logging::status_line("");
  logging::note(fmt::format("step {}: held out: {}", step, line));
  remark(step, plain);
}

void Reports::remark(std::int64_t step, const Attributes& validation) {
  // An untrained model loses against every baseline: that is no news.
  if (!task_.judge || 2 * step < total_steps_) return;
  Judgement judgement = task_.judge(validation);
  if (!judged_ && !judgement.baselines.empty()) {
    judgement.baselines.insert(judgement.baselines.begin(), {"step", step});
    metrics_.record(judgement.baselines);
  }
  judged_ = true;
  for (const Remark& r : judgement.remarks) {
    if (std::find(remarked_.begin(), remarked_.end(), r.key) != remarked_.end()) continue;
    remarked_.push_back(r.key);
    logging::note("remark: " + r.text);
    metrics_.record({{"step", step}, {"remark", r.key}, {"text", r.text}});
  }
}

void Reports::summary(std::int64_t step, const std::string& saved) {
  if (!saved.empty()) {
    logging::note(fmt::format("stopped at step {} of {}; {} holds the state: go on with {}", step,
                              total_steps_, saved,
                              config_.run_dir.empty() ? "--resume=" + saved : "--resume"));
  } else if (total_steps_ > 0) {
    logging::note(
        fmt::format("{} steps, seed {}, {}", step, config_.seed, format_seconds(seconds())));
  }
  metrics_.record({{"step", step},
                   {"images_per_second", speed_},
                   {"seconds", seconds()},
                   {"rss_mib", peak_rss_mib()},
                   {"done", step >= total_steps_}});
}

}  // namespace atelier
