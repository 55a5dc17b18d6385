// Checkpoints of a training, written and resumed.
#include "train/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace atelier {
namespace {

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool has_text(const std::filesystem::path& path) {
  std::error_code error;
  auto bytes = std::filesystem::file_size(path, error);
  return !error && bytes > 0;
}

// The first line of what runs write of their options: a file without it is somebody's own.
constexpr std::string_view kOfRun = "# The options of the run in this directory.\n";
bool is_own_config(const std::filesystem::path& path) {
  return has_text(path) && !read_text(path).starts_with(kOfRun);
}

}  // namespace

std::string beside_output(const std::string& output, const char* kind) {
  std::filesystem::path path = output;
  std::error_code error;
  bool file =
      !std::filesystem::exists(path, error) ||
      std::filesystem::is_regular_file(path, error);  // beside a device nothing is asked for
  if (output.empty() || output == "-" || !file) return "";
  constexpr std::size_t kLongest = 255;
  std::string end = fmt::format(".{}.h5", kind), stem = path.stem().string();
  stem.resize(std::min(stem.size(), kLongest - end.size()));
  return path.replace_filename(stem + end).string();
}

Checkpoints::Checkpoints(const Task& task, const TrainConfig& config, const TrainData& data,
                         Store& store)
    : task_(task), config_(config), data_(data), store_(store) {
  if (config.dry_run) return;
  if (!config.run_dir.empty()) run_ = std::make_unique<RunDirectory>(config.run_dir);
  // The run directory sees to its own.
  if (config.output.empty() || config.output == "-") return;
  remove_stale_temporaries_of(config.output);
  std::string state = beside_output(config.output, "state");
  if (!state.empty()) remove_stale_temporaries_of(state);
}

void Checkpoints::start_anew() {
  if (!run_) return spare_state_beside();
  std::string held;
  if (!states_in(run_->path()).empty()) {
    held = "holds a run already; give --resume to go on or --force to replace it";
  } else if (config_.resume.empty() && has_text(in_run("metrics.jsonl"))) {
    // With --resume they are of a job that was killed before its first checkpoint, and grow.
    held =
        "holds the records of a run that left no checkpoint; give --resume to begin it anew or "
        "--force to replace it";
  } else if (is_own_config(in_run("config.toml"))) {
    held =
        "holds a config.toml that no run wrote and this one's would replace; give another "
        "directory, or --force";
  }
  if (held.empty()) return;
  if (!config_.force) throw UsageError(fmt::format("--run-dir {}: {}", config_.run_dir, held));
  removes_from_ = 0;
}

// A stopped training's, which this one would replace as soon as it is stopped itself.
void Checkpoints::spare_state_beside() const {
  std::string state = beside_output(config_.output, "state");
  if (config_.dry_run || config_.force || state.empty() || !is_there(state)) return;
  throw UsageError(fmt::format(
      "-o {}: {} holds the state of a stopped training; give --resume={} to go on or --force to "
      "replace it",
      config_.output, state, state));
}

// `path`: the checkpoint that the run goes on from.
void Checkpoints::make_way(const std::string& path, std::int64_t step) {
  if (!run_) return;
  std::error_code error;
  auto folder = std::filesystem::absolute(path, error).parent_path();
  bool inside = path != "-" && std::filesystem::equivalent(folder, run_->path(), error);
  if (!inside) return start_anew();
  // What "auto" passed over is no newer state, whoever names a file goes back by intention.
  auto steps = run_->steps();
  if (config_.resume == "auto" || steps.empty() || steps.back() <= step) return;
  if (!config_.force) {
    throw UsageError(
        fmt::format("--resume={}: {} holds later checkpoints; give --force to remove them", path,
                    config_.run_dir));
  }
  removes_from_ = step + 1;
}

void Checkpoints::begin() {
  if (!run_) return;
  if (replaces_run()) {
    logging::note(fmt::format("{}: what a former run left is removed", config_.run_dir));
    run_->clear();
  } else if (removes_from_) {
    logging::note(fmt::format("{}: the checkpoints after step {} are removed", config_.run_dir,
                              *removes_from_ - 1));
    run_->remove_after(*removes_from_ - 1);
  }
  removes_from_.reset();
  if (task_.resolved_toml.empty()) return;
  for (std::size_t at = 0; at < task_.resolved_toml.size();) {
    std::size_t end = std::min(task_.resolved_toml.find('\n', at), task_.resolved_toml.size());
    std::string line = task_.resolved_toml.substr(at, end - at);
    if (line.starts_with("# "))
      logging::warning(fmt::format("{}: {}", in_run("config.toml").string(), line.substr(2)));
    at = end + 1;
  }
  AtomicFile file(in_run("config.toml"));
  file.write(kOfRun);
  file.write(task_.resolved_toml);
  file.commit();
}

// ---- going on

std::string Checkpoints::resume_source() const {
  if (config_.resume.empty()) return "";
  if (config_.resume != "auto") {
    std::error_code unknown;
    if (!std::filesystem::exists(config_.resume, unknown) && !unknown) {
      throw Error(
          fmt::format("{}: cannot open: No such file or directory; --resume is auto, or goes on "
                      "from a checkpoint",
                      config_.resume));
    }
    return config_.resume;
  }
  if (!run_) return "";
  std::vector<std::string> broken;
  auto states = states_in(run_->path());
  for (const auto& state : states) {
    const std::string path = state.string();
    try {
      Hdf5Reader file{std::filesystem::path(path)};
      read_checkpoint_attributes(file);
      file.verify_all();
      for (const std::string& what : broken) logging::warning(what + " (passed over)");
      return path;
    } catch (const Error& error) {
      broken.push_back(error.what());
    }
  }
  if (broken.empty() || config_.force) return "";
  std::string best = in_run("best.h5").string(), way_out = "; --force replaces it";
  if (states.front() != best && is_there(best))
    way_out =
        fmt::format("; go on from the best one with --resume={}, or replace them by --force", best);
  throw Error(fmt::format("{}: no good checkpoint; the newest is {}{}", config_.run_dir,
                          broken.front(), way_out));
}

void Checkpoints::compare(const std::string& path, const Attributes& stored, const Attributes& now,
                          const char* what) const {
  for (const auto& [key, value] : now) {
    const Scalar* before = find(stored, key);
    if (before && to_text(*before) == to_text(value)) continue;
    std::string was = before ? to_text(*before) : "absent";
    if (key == "level" && config_.allow_level_change) {
      logging::warning(fmt::format("{}: level changes from {} to {}; bits may differ", path, was,
                                   to_text(value)));
      continue;
    }
    std::string way_out;
    if (key == "level") {
      way_out = "; --allow-level-change goes on, with other bits perhaps";
    } else if (key.ends_with("digest") || key.ends_with("examples")) {
      way_out = "; it goes on only with the same data";
    } else if (key == "model") {
      way_out = "; it is the training of another program";
    } else {
      way_out = fmt::format("; to train on with other options: --init={}{}", path,
                            run_ ? " and another --run-dir" : "");
    }
    throw Error(
        fmt::format("{}: {} '{}' was {}, is {}{}", path, what, key, was, to_text(value), way_out));
  }
}

Progress Checkpoints::resume(const std::string& path) {
  Hdf5Reader file = open_hdf5(path);
  Checkpoint c = read_checkpoint(file, store_);
  auto names = store_.names();
  resumed_ = {names.begin(), names.end()};
  if (c.state.empty()) {
    throw Error(
        fmt::format("{}: holds a finished model, not the state of a training; --init takes its "
                    "weights",
                    path));
  }
  if (const Scalar* began = find(c.inputs, "init_digest")) init_digest_ = to_text(*began);
  Checkpoint now = describe();
  compare(path, c.config, now.config, "model option");
  compare(path, c.training, now.training, "training option");
  compare(path, c.inputs, now.inputs, "input");
  if (c.tokenizer != now.tokenizer) throw Error(path + ": its tokenizer is another one");
  compare(path, c.state, {{"level", std::string(name(host_level()))}}, "kernel");
  auto value = [&]<class T>(const char* key, T) {
    const Scalar* found = find(c.state, key);
    if (!found || !std::holds_alternative<T>(*found))
      throw Error(fmt::format("{}: /state has no {}", path, key));
    return std::get<T>(*found);
  };
  Progress p;
  p.step = value("step", std::int64_t{});
  p.position = {value("epoch", std::int64_t{}), value("epoch_index", std::int64_t{})};
  p.best_loss = value("best_loss", double{});
  p.best_step = value("best_step", std::int64_t{});
  const std::pair<const char*, std::int64_t> counts[] = {
      {"step", p.step}, {"epoch", p.position.epoch}, {"epoch_index", p.position.index}};
  for (const auto& [key, found] : counts) {
    if (found < 0)
      throw Error(fmt::format("{}: /state has {} {}, expected at least 0", path, key, found));
  }
  p.owed = value("validation_owed", bool{});
  if (find(c.state, "best_coverage")) {  // of generators
    p.best_coverage = value("best_coverage", double{});
    p.best_coverage_step = value("best_coverage_step", std::int64_t{});
  }
  make_way(path, p.step);
  std::error_code error;
  if (run_ && std::filesystem::equivalent(path, run_->checkpoint(p.step), error)) saved_ = p;
  return p;
}

void Checkpoints::require_whole(const std::string& path) const {
  for (const std::string& name : store_.names()) {
    if (!resumed_.contains(name) && !name.starts_with(kTablePrefix))
      throw Error(
          fmt::format("{}: no tensor '{}', without which the training cannot go on", path, name));
  }
}

void Checkpoints::take_weights() {
  if (config_.init.empty()) return;
  Hdf5Reader file = open_hdf5(config_.init);
  read_checkpoint(file, store_, [](std::string_view name) { return name.find('/') == name.npos; });
  taken_ = store_.names();
}

void Checkpoints::settle_weights(const std::set<std::string>& net) {
  if (config_.init.empty()) return;
  std::vector<std::string> dropped;
  std::uint64_t digest = 0;
  for (const std::string& name : taken_) {
    if (!net.contains(name)) {
      dropped.push_back(name);
      store_.erase(name);
      continue;
    }
    const StoredTensor& tensor = store_.at(name);
    digest = xxh3({tensor.data(), std::size_t(tensor.bytes())}, digest);
  }
  init_digest_ = fmt::format("{:016x}", digest);
  std::size_t used = taken_.size() - dropped.size();
  if (used == 0) {
    throw Error(fmt::format("{}: none of its {} tensors has the name of one of this model",
                            input_name(config_.init), taken_.size()));
  }
  logging::note(fmt::format("{}: {} tensors taken, {} initialised anew{}{}", config_.init, used,
                            net.size() - used,
                            dropped.empty() ? "" : ", left out: ", fmt::join(dropped, ", ")));
}

// ---- writing

Checkpoint Checkpoints::describe() const {
  Checkpoint c;
  c.config = task_.config;
  c.preprocess = task_.preprocess;
  c.tokenizer = task_.tokenizer;
  c.label_names = task_.label_names;
  c.training = to_attributes(TrainConfig(config_).training_fields());
  c.training.insert(c.training.end(), task_.training.begin(), task_.training.end());
  c.inputs = {{"train_digest", fmt::format("{:016x}", data_.train->digest)},
              {"train_examples", std::int64_t(data_.train_indices.size())}};
  // Which they are, names or captions decide, of which the digests of the pictures know nothing.
  if (config_.val_split > 0) {
    c.inputs.emplace_back(
        "split_digest",
        fmt::format("{:016x}", xxh3(std::as_bytes(std::span(data_.train_indices)))));
  }
  if (data_.validation && !data_.validation_indices.empty()) {
    c.inputs.emplace_back("val_digest", fmt::format("{:016x}", data_.validation->digest));
    c.inputs.emplace_back("val_examples", std::int64_t(data_.validation_indices.size()));
  }
  if (data_.captions) c.inputs.emplace_back("caption_digest", caption_digest(*data_.train));
  if (data_.validation_captions)
    c.inputs.emplace_back("val_caption_digest", caption_digest(*data_.validation));
  c.inputs.emplace_back("precision", std::string("fp32"));
  if (!init_digest_.empty()) c.inputs.emplace_back("init_digest", init_digest_);
  return c;
}

Checkpoint Checkpoints::with_state(const Progress& p) const {
  Checkpoint c = describe();
  c.state = {{"step", p.step},
             {"epoch", p.position.epoch},
             {"epoch_index", p.position.index},
             {"best_loss", p.best_loss},
             {"best_step", p.best_step},
             {"validation_owed", p.owed},
             {"level", std::string(name(host_level()))}};
  if (p.best_coverage >= 0) {
    c.state.emplace_back("best_coverage", p.best_coverage);
    c.state.emplace_back("best_coverage_step", p.best_coverage_step);
  }
  return c;
}

std::string Checkpoints::save(const Progress& progress) {
  if (!run_) return save_beside(progress, "state");
  std::string path = run_->checkpoint(progress.step).string();
  if (saved_ == progress) return path;
  logging::detail(fmt::format("phase save: {}", path));
  write_checkpoint(path, with_state(progress), store_);
  saved_ = progress;
  run_->prune(config_.keep, progress.step);
  return path;
}

std::string Checkpoints::save_last_good(const Progress& progress) {
  if (run_) return replaces_run() ? "" : save(progress);
  return save_beside(progress, "last-good");
}

std::string Checkpoints::save_beside(const Progress& progress, const char* kind) {
  std::string path = beside_output(config_.output, kind);
  if (path.empty()) return "";
  logging::detail(fmt::format("phase save: {}", path));
  write_checkpoint(path, with_state(progress), store_);
  return beside_ = path;
}

void Checkpoints::save_best(const Progress& progress) const {
  if (!run_) return;
  std::string path = in_run("best.h5").string();
  logging::detail(fmt::format("phase save: {}", path));
  write_checkpoint(path, with_state(progress), store_);
}

void Checkpoints::save_output(const Progress& progress, bool resumable) const {
  logging::detail(fmt::format("phase save: {}", config_.output));
  if (resumable) return write_checkpoint(config_.output, with_state(progress), store_);
  write_checkpoint(config_.output, describe(), store_, [](std::string_view name) {
    return !name.starts_with("optimizer/") && !name.starts_with("train/");
  });
  // The model is there: nobody needs the state any more, of this job or the one that it went on
  // from.
  std::string state = beside_output(config_.output, "state");
  std::error_code error;
  bool ours = !state.empty() &&
              (state == beside_ || std::filesystem::equivalent(state, config_.resume, error));
  if (ours) std::filesystem::remove(state, error);
}

}  // namespace atelier
