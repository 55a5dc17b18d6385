// Records of a training as JSON Lines, notes for people on standard error.
#include "train/reports.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/parse.h"

namespace atelier {
namespace {

std::string listed(std::span<const ReportedTerm> terms) {
  std::string line;
  for (const ReportedTerm& term : terms) {
    line +=
        fmt::format("{}{} {:.4f} {}", line.empty() ? "" : ", ", term.name, term.value, term.unit);
  }
  return line;
}

// What people follow: the losses of all that are trained, and how far apart critics say that they
// still are.
std::string headline(std::span<const ReportedTerm> terms) {
  std::vector<ReportedTerm> told;
  for (const ReportedTerm& term : terms) {
    if (term.role == TermRole::loss || term.role == TermRole::distance) told.push_back(term);
  }
  return listed(told);
}

}  // namespace

double peak_rss_mib() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) / 1024;
}

double Reports::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Reports::start(std::int64_t step, std::int64_t total_steps) {
  start_ = last_record_ = Clock::now();
  first_step_ = step;
  total_steps_ = total_steps;
  if (!task_.baselines.empty()) logging::note("to compare with: " + listed(task_.baselines));
}

void Reports::open(const std::string& file) {
  if (file.empty()) return;
  if (file != "-") remove_records_after(file, first_step_);
  metrics_ = MetricsWriter(file);
  metrics_.record({{"program", task_.program},
                   {"threads", std::int64_t(num_threads())},
                   {"level", std::string(name(host_level()))},
                   {"cpu", cpu_model()},
                   {"seed", config_.seed},
                   {"parameters", turns_.parameters()}});
  record_baselines({}, task_.baselines);
}

// A unit is told once, before the first record that needs it.
void Reports::write_units(const std::string& prefix, std::span<const ReportedTerm> terms) {
  Attributes units;
  for (const ReportedTerm& term : terms) {
    std::string key = "unit." + prefix + term.name;
    if (known_units_.insert(key).second) units.emplace_back(key, term.unit);
  }
  if (!units.empty()) metrics_.record(units);
}

void Reports::record_baselines(Attributes record, std::span<const ReportedTerm> baselines) {
  if (baselines.empty()) return;
  write_units("", baselines);
  for (const ReportedTerm& term : baselines) record.emplace_back(term.name, term.value);
  metrics_.record(record);
}

void Reports::Sums::add(const Turns& turns) {
  if (terms.empty()) {
    terms.push_back({"loss", turns.unit(), 0, TermRole::loss});
    terms.insert(terms.end(), turns.terms().begin(), turns.terms().end());
    for (ReportedTerm& term : terms) term.value = term.weight = 0;
  }
  terms[0].value += turns.loss();
  terms[0].weight += 1;
  for (std::size_t i = 1; i < terms.size(); ++i) {
    terms[i].value += turns.terms()[i - 1].value;
    terms[i].weight += turns.terms()[i - 1].weight;
  }
  ++updates;
}

std::vector<ReportedTerm> Reports::Sums::means() const {
  std::vector<ReportedTerm> result;
  for (ReportedTerm term : terms) {
    if (term.weight == 0) continue;
    term.value /= term.weight;
    result.push_back(term);
  }
  return result;
}

void Reports::measure() {
  Interval now{images_, std::chrono::duration<double>(Clock::now() - last_record_).count()};
  // A few updates say little: they count together with the ones before.
  bool brief = recent_.updates < config_.log_every && intervals_ > 0;
  speed_ = (brief ? last_ + now : now).speed();
  (intervals_ == 0 ? first_ : steady_) = (intervals_ == 0 ? first_ : steady_) + now;
  last_ = now;
  ++intervals_;
}

void Reports::update(std::int64_t step, std::int64_t epoch, std::int64_t rows, double rate) {
  recent_.add(turns_);
  if (2 * step > total_steps_) late_.add(turns_);
  images_ += rows;
  if (step % config_.log_every != 0 && step != total_steps_) return progress(step);
  measure();
  std::vector<ReportedTerm> means = recent_.means();
  write_units("", means);
  Attributes record = {{"step", step}, {"epoch", epoch}, {"updates", recent_.updates}};
  for (const ReportedTerm& term : means) record.emplace_back(term.name, term.value);
  record.insert(record.end(), {{"learning_rate", rate},
                               {"grad_norm", turns_.grad_norm()},
                               {"images_per_second", speed_},
                               {"seconds", seconds()},
                               {"rss_mib", peak_rss_mib()}});
  metrics_.record(record);
  if (!is_terminal(STDERR_FILENO)) {
    logging::note(fmt::format("step {}/{}: {}, {:.0f} {}/s", step, total_steps_, headline(means),
                              speed_, noun_));
  }
  recent_ = {};
  images_ = 0;
  last_record_ = Clock::now();
  progress(step);
}

void Reports::progress(std::int64_t step) {
  if (!is_terminal(STDERR_FILENO) || logging::level() < logging::Level::warning) return;
  if (std::chrono::duration<double>(Clock::now() - last_progress_).count() < 0.1) return;
  last_progress_ = Clock::now();
  double per_step = seconds() / double(std::max<std::int64_t>(1, step - first_step_));
  Sums now;
  now.add(turns_);
  logging::status_line(
      fmt::format("step {}/{}  {:.0f} {}/s  {} left  {}", step, total_steps_, speed_, noun_,
                  format_seconds(per_step * double(total_steps_ - step)), headline(now.means())));
}

void Reports::validation(std::int64_t step, std::int64_t epoch,
                         const std::vector<ReportedTerm>& terms) {
  write_units("val_", terms);
  Attributes record = {{"step", step}, {"epoch", epoch}};
  for (const ReportedTerm& term : terms) record.emplace_back("val_" + term.name, term.value);
  record.emplace_back("seconds", seconds());
  metrics_.record(record);
  logging::status_line("");
  const char* what = task_.assess ? "samples" : "held out";
  logging::note(fmt::format("step {}: {}: {}", step, what, listed(terms)));
  // An untrained model loses against every baseline: that is no news.
  if (2 * step >= total_steps_) judge(step, terms);
}

void Reports::judge(std::int64_t step, std::span<const ReportedTerm> terms) {
  if (!task_.judge || !judges_) return;
  Judgement judgement;
  try {
    judgement = task_.judge(terms);
  } catch (const std::exception& error) {  // also of memory: a remark is never worth the run
    judges_ = false;
    return logging::warning(fmt::format("no remarks on this run: {}", error.what()));
  }
  if (!judged_) record_baselines({{"step", step}}, judgement.baselines);
  judged_ = true;
  for (const Remark& r : judgement.remarks) remark(step, r);
}

void Reports::remark(std::int64_t step, const Remark& remark) {
  if (std::find(remarked_.begin(), remarked_.end(), remark.key) != remarked_.end()) return;
  remarked_.push_back(remark.key);
  logging::note("remark: " + remark.text);
  metrics_.record({{"step", step}, {"remark", remark.key}, {"text", remark.text}});
}

void Reports::summary(std::int64_t step, bool done) {
  // Nothing was held out: the training terms must do.
  if (done && !judged_ && late_.updates > 0) judge(step, late_.means());
  if (done && total_steps_ > 0) {
    logging::note(
        fmt::format("{} steps, seed {}, {}", step, config_.seed, format_seconds(seconds())));
  }
  // A last interval that is short says less than the first one.
  Interval whole = 2 * steady_.images < first_.images ? first_ + steady_ : steady_;
  metrics_.record({{"step", step},
                   {"images_per_second", whole.speed()},
                   {"seconds", seconds()},
                   {"rss_mib", peak_rss_mib()},
                   {"done", done}});
}

}  // namespace atelier
