// Sources one after another, their labels joined.
#include "data/prepared_items.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"

namespace atelier {

PreparedItems::PreparedItems(std::vector<Input> inputs, const ReadOptions& options, ItemRange range)
    : options_(options), preparer_(options), inputs_(std::move(inputs)), range_(range) {
  bool more = leave();
  while (more && met() < range_.first) more = source_->pass() || leave();
}

void PreparedItems::enter(std::unique_ptr<CheckedSource> source) {
  std::vector<std::string> names = source->label_names();
  if (first_source_.empty()) {
    first_source_ = source->source();
    has_labels_ = source->has_labels();
    stored_preprocess_ = source->stored_preprocess();
    latents_ = source->latents();
    label_names_ = names;
    noun_ = source->noun();
  } else if (source->noun() == noun_ &&  // else its first item is refused for that
             (source->has_labels() != has_labels_ || names.empty() != label_names_.empty())) {
    throw Error(fmt::format("{}: has {}, but {} has {}", source->source(),
                            !source->has_labels() ? "no labels"
                            : names.empty()       ? "labels without names"
                                                  : "named labels",
                            first_source_,
                            !has_labels_           ? "none"
                            : label_names_.empty() ? "labels without names"
                                                   : "named labels"));
  }
  if (std::optional<LatentSpace> space = source->latents(); space && latents_)
    require_same_space(source->source(), *space, first_source_, *latents_);
  has_captions_ = has_captions_ || source->has_captions();
  relabel_.clear();
  for (const std::string& name : names) {
    auto found = std::find(label_names_.begin(), label_names_.end(), name);
    relabel_.push_back(std::int32_t(found - label_names_.begin()));
    if (found == label_names_.end()) label_names_.push_back(name);
  }
  source_ = std::move(source);
  if (range_.last >= 0) source_->end_at(range_.last - met_before_);
}

bool PreparedItems::leave() {
  if (source_) {
    // Of several sources some may hold nothing but what is skipped.
    bool empty = source_->met() == 0 || (inputs_.size() == 1 && range_.last < 0 && given_ == 0);
    if (empty) {
      throw Error(fmt::format(
          "{}: no {} found{}", source_->source(), source_->noun(),
          source_->skipped > 0 ? fmt::format(" ({} skipped)", source_->skipped) : std::string{}));
    }
    skipped_ += source_->skipped;
    met_before_ += source_->met();
    source_.reset();
  }
  for (; next_input_ < inputs_.size(); ++next_input_) {
    if (met_before_ == range_.last) return false;
    Input& input = inputs_[next_input_];
    if (input.fault.empty()) break;
    if (met_before_++ < range_.first) continue;
    logging::warning(input.fault + " (skipped)");
    ++skipped_;
  }
  if (next_input_ == inputs_.size()) {
    if (given_ == 0 && range_.last < 0 && met_before_ >= range_.first)
      throw Error(fmt::format("{}: no pictures found ({} skipped)",
                              first_source_.empty() ? inputs_[0].source : first_source_, skipped_));
    return false;
  }
  enter(open_input(std::move(inputs_[next_input_++]), options_));
  return true;
}

Attributes PreparedItems::preprocess(std::int64_t height, std::int64_t width,
                                     std::int64_t channels) const {
  Preparer preparer = preparer_;
  if (given_ == 0) preparer.adopt(height, width, channels, DType::u8, "");
  return preprocess_of(preparer);
}

Attributes PreparedItems::preprocess_of(const Preparer& preparer) const {
  if (preparer.real()) return inputs_.size() == 1 ? stored_preprocess_ : Attributes{};
  Attributes made = preparer.attributes();
  if (inputs_.size() != 1) return made;
  for (const char* name : {"image_height", "image_width", "channels"}) {
    const Scalar* stored = find(stored_preprocess_, name);
    if (!stored || *stored != *find(made, name)) return made;
  }
  return stored_preprocess_;
}

std::int64_t PreparedItems::expected() const {
  std::int64_t count = source_ ? source_->expected() : 0;
  if (count < 0 || options_.limit <= 0) return count;
  return std::min(count, options_.limit - given_);
}

std::int64_t PreparedItems::skipped() const { return skipped_ + (source_ ? source_->skipped : 0); }

void PreparedItems::count(const Item& item) {
  const Picture& picture = item.picture;
  std::int64_t shape[] = {picture.height, picture.width, picture.channels};
  digest_ = xxh3(std::as_bytes(std::span(shape)), digest_);
  digest_ = xxh3(item.bytes(), digest_);
  ++given_;
  without_caption_ += item.caption.empty();
}

bool PreparedItems::next(Item& item) {
  if (!source_ || (options_.limit > 0 && given_ == options_.limit)) return false;
  while (!source_->next(item)) {
    if (met() == range_.last || !leave()) return false;
  }
  count(item);
  preparer_.prepare(item, source_->source());
  if (!relabel_.empty() && item.label >= 0) {
    if (std::size_t(item.label) >= relabel_.size()) {
      throw Error(fmt::format("{}: label {}, but {} names {} classes",
                              place_of(source_->source(), item.name), item.label, source_->source(),
                              relabel_.size()));
    }
    item.label = relabel_[std::size_t(item.label)];
  }
  return true;
}

}  // namespace atelier
