// What a training reads.
#include "train/train_sets.h"

#include <fmt/format.h>

#include <numeric>

#include "base/error.h"
#include "base/log.h"
#include "io/checkpoint.h"
#include "io/latents.h"
#include "train/run_directory.h"

namespace atelier {
namespace {

void hold_out_file(const std::string& path, const ReadOptions& reading, TrainSets& sets) {
  std::vector<std::string> source{path};
  sets.held_out = read_dataset(source, reading);
  const Dataset &ours = sets.train, &theirs = sets.held_out;
  if (theirs.height != ours.height || theirs.width != ours.width ||
      theirs.channels != ours.channels || theirs.dtype != ours.dtype || theirs.real != ours.real ||
      theirs.latents != ours.latents) {
    throw Error(fmt::format("{}: its {} are {}x{}x{} {}, but the {} trained on are {}x{}x{} {}",
                            path, theirs.noun(), theirs.height, theirs.width, theirs.channels,
                            name(theirs.dtype), ours.noun(), ours.height, ours.width, ours.channels,
                            name(ours.dtype)));
  }
  if (ours.latents)
    require_same_space(path, {theirs.scaling_factor, theirs.vae}, ours.source,
                       {ours.scaling_factor, ours.vae});
  sets.data.validation = &sets.held_out;
  sets.data.validation_indices.resize(std::size_t(theirs.size));
  std::iota(sets.data.validation_indices.begin(), sets.data.validation_indices.end(), 0);
}

}  // namespace

void read_train_sets(const std::vector<std::string>& sources, const ReadOptions& reading,
                     const TrainConfig& config, TrainSets& sets) {
  if (!config.val_data.empty() && config.val_split > 0)
    throw UsageError("--val-data and --val-split exclude each other");
  sets.train = read_dataset(sources, reading);
  sets.data.train = sets.data.validation = &sets.train;
  Split split = split_dataset(sets.train, config.val_split, config.split_by);
  sets.data.train_indices = split.train;
  sets.data.validation_indices = split.held_out;
  if (split.train.empty() && !split.held_out.empty()) {
    throw Error(fmt::format("{}: --val-split {} holds out all of its {} pictures",
                            sets.train.source, config.val_split, sets.train.size));
  }
  if (split.held_out.empty() && config.val_split > 0) {
    logging::warning(fmt::format("--val-split {}: holds out none of {} {}", config.val_split,
                                 sets.train.size, sets.train.noun()));
  }
  std::int64_t duplicates = split.duplicates;
  if (!config.val_data.empty()) {
    hold_out_file(config.val_data, reading, sets);
    duplicates = count_duplicates(sets.held_out, sets.data.validation_indices, sets.train,
                                  sets.data.train_indices);
  }
  if (duplicates == 0) return;
  logging::warning(
      fmt::format("{} held-out {} are also among those trained on", duplicates, sets.train.noun()));
}

void require_labels(const TrainSets& sets, const std::string& option) {
  for (const Dataset* data : {&sets.train, &sets.held_out}) {
    if (data->size > 0 && data->labels.empty())
      throw Error(fmt::format("{}: expected labels ({}), found none", data->source, option));
  }
  if (sets.held_out.size == 0) return;
  if (sets.held_out.label_names != sets.train.label_names) {
    throw Error(fmt::format("{}: its classes are not those of {}", sets.held_out.source,
                            sets.train.source));
  }
  if (sets.held_out.num_classes() > sets.train.num_classes()) {
    throw Error(
        fmt::format("{}: has labels that {} lacks", sets.held_out.source, sets.train.source));
  }
}

Fields CaptionConfig::fields() {
  return {bind(caption_drop, {"caption_drop",
                              "probability that a caption loses some of its clauses, so that short "
                              "texts are understood too",
                              "",
                              {},
                              0,
                              1})};
}

std::optional<Tokenizer> stored_tokenizer(const TrainConfig& config) {
  auto read = [](const std::string& path) -> std::optional<Tokenizer> {
    Hdf5Reader file{std::filesystem::path(path)};
    Checkpoint checkpoint = read_checkpoint_attributes(file);
    if (checkpoint.tokenizer.empty()) return {};
    return Tokenizer(checkpoint.tokenizer, path);
  };
  if (config.resume == "-" || config.init == "-") {
    throw UsageError(fmt::format("{}=-: a model that reads text is taken from a file",
                                 config.resume == "-" ? "--resume" : "--init"));
  }
  if (!config.resume.empty() && config.resume != "auto") return read(config.resume);
  if (config.resume == "auto" && !config.run_dir.empty() && !config.dry_run) {
    for (const auto& path : states_in(config.run_dir)) {
      try {
        return read(path.string());
      } catch (const Error&) {  // passed over when the run is resumed, with a warning
      }
    }
  }
  if (config.init.empty()) return {};
  return read(config.init);
}

void read_train_captions(const CaptionConfig& captions, std::int64_t vocab_size,
                         std::int64_t context_length, const std::string& on_error,
                         const TrainConfig& config, TrainSets& sets) {
  bool apart = sets.data.validation == &sets.held_out, skip = on_error == "skip";
  sets.train.skipped += require_captions(sets.train, sets.data.train_indices, skip);
  if (!sets.data.validation_indices.empty()) {
    Dataset& set = apart ? sets.held_out : sets.train;
    set.skipped += require_captions(set, sets.data.validation_indices, skip);
  }
  std::optional<Tokenizer> tokenizer = stored_tokenizer(config);
  if (!tokenizer) {
    std::vector<std::string> texts;
    for (std::int64_t index : sets.data.train_indices)
      texts.push_back(sets.train.captions[std::size_t(index)]);
    tokenizer = Tokenizer::train(texts, vocab_size);
    logging::info(
        fmt::format("{} tokens learned from {} captions", tokenizer->vocab_size(), texts.size()));
  }
  CaptionReaderOptions options{
      .context_length = context_length, .caption_drop = captions.caption_drop, .seed = config.seed};
  sets.captions.emplace(sets.train, *tokenizer, options);
  sets.data.captions = &*sets.captions;
  if (sets.data.validation_indices.empty()) return;
  options.caption_drop = 0;
  sets.held_out_captions =
      apart ? CaptionReader(sets.held_out, *tokenizer, options) : sets.captions->whole();
  sets.data.validation_captions = &*sets.held_out_captions;
}

}  // namespace atelier
