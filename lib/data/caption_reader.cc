// Token rows of captions.
#include "data/caption_reader.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "data/clauses.h"
#include "io/hdf5.h"

namespace atelier {
namespace {

constexpr std::uint64_t kDropStream = stream_of("loader.caption_drop");

void warn_of_cuts(const Dataset& dataset, const Tokenizer& tokenizer, std::int64_t length) {
  std::int64_t cut = 0, first = 0;
  std::vector<std::int32_t> row(static_cast<std::size_t>(length));
  for (std::int64_t i = 0; i < std::int64_t(dataset.captions.size()); ++i) {
    if (tokenizer.write(dataset.captions[std::size_t(i)], row)) continue;
    if (cut++ == 0) first = i;
  }
  if (cut == 0) return;
  logging::warning(
      fmt::format("{}: {} of {} captions {} not fit into {} tokens and {} cut, such as that of {}",
                  dataset.source, cut, dataset.captions.size(), cut == 1 ? "does" : "do", length,
                  cut == 1 ? "is" : "are", dataset.name_of(first)));
}

}  // namespace

CaptionReader::CaptionReader(const Dataset& dataset, Tokenizer tokenizer,
                             CaptionReaderOptions options)
    : dataset_(&dataset), tokenizer_(std::move(tokenizer)), options_(options) {
  constexpr std::int64_t kLeastLength = 3;  // start, a token, end
  if (options.context_length < kLeastLength) {
    throw UsageError(fmt::format("--context-length {}: expected at least {}",
                                 options.context_length, kLeastLength));
  }
  if (!(options.caption_drop >= 0 && options.caption_drop <= 1)) {
    throw UsageError(
        fmt::format("--caption-drop {}: expected a probability", options.caption_drop));
  }
  if (dataset.captions.empty()) throw Error(dataset.source + ": its pictures have no captions");
  warn_of_cuts(dataset, tokenizer_, options.context_length);
}

CaptionReader CaptionReader::whole() const {
  CaptionReader reader = *this;
  reader.options_.caption_drop = 0;
  return reader;
}

std::string CaptionReader::text(std::int64_t example, std::int64_t epoch) const {
  const std::string& caption = dataset_->captions[std::size_t(example)];
  if (options_.caption_drop == 0) return caption;
  RandomStream random(std::uint64_t(options_.seed), kDropStream, std::uint64_t(epoch),
                      std::uint32_t(example));
  return drop_clauses(caption, options_.caption_drop, random);
}

void CaptionReader::write(std::int64_t example, std::int64_t epoch,
                          std::span<std::int32_t> row) const {
  tokenizer_.write(text(example, epoch), row);
}

bool has_caption(const Dataset& dataset, std::int64_t index) {
  return std::size_t(index) < dataset.captions.size() &&
         dataset.captions[std::size_t(index)].find_first_not_of(" \t\r\n") != std::string::npos;
}

std::int64_t require_captions(const Dataset& dataset, std::vector<std::int64_t>& indices,
                              bool skip) {
  std::vector<std::int64_t> with;
  std::int64_t first = -1;
  for (std::int64_t index : indices) {
    if (has_caption(dataset, index)) {
      with.push_back(index);
    } else if (first < 0) {
      first = index;
    }
  }
  std::size_t without = indices.size() - with.size();
  if (without == 0) return 0;
  if (with.empty()) throw Error(dataset.source + ": its pictures have no captions");
  std::string message =
      fmt::format("{}: no caption for {} of the {} pictures, such as {}", dataset.source, without,
                  indices.size(), dataset.name_of(first));
  if (!skip) throw Error(message);
  logging::warning(message + "; left out");
  indices = std::move(with);
  return std::int64_t(without);
}

std::string caption_digest(const Dataset& dataset) {
  std::uint64_t digest = 0;
  for (const std::string& caption : dataset.captions)
    digest = xxh3(std::as_bytes(std::span(caption)), digest);
  return fmt::format("{:016x}", digest);
}

}  // namespace atelier
