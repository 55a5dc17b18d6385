// Batches of pictures through a model's encoder.
#include "infer/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/rows.h"
#include "io/hdf5.h"

namespace atelier {
namespace {

std::uint64_t digest_of(const Item& item, std::int64_t place) {
  const Picture& picture = item.picture;
  const std::int64_t about[] = {picture.height, picture.width, picture.channels, item.label, place};
  return xxh3(item.bytes(), xxh3(std::as_bytes(std::span(about))));
}

}  // namespace

Encoder::Encoder(const Loaded& model, EncodeOptions options)
    : model_(model), options_(std::move(options)) {
  if (!model.model().encode)
    throw Error(fmt::format("{}: this model has no encoder", model.name()));
  try {
    dim_ = model.shape(1, [&](const Scope& scope) { return build(scope, 1); }).count();
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", model.name(), error.what()));
  }
}

Expr Encoder::build(const Scope& scope, std::int64_t rows) const {
  DataShape shape = model_.data_shape();
  Expr image =
      scope.graph().input("image", DType::f32, {rows, shape.height, shape.width, shape.channels});
  return model_.model().encode(scope, image, options_.args);
}

std::span<const float> Encoder::encode(std::span<const Item> items,
                                       std::span<const std::int64_t> places) {
  std::int64_t count = std::int64_t(items.size());
  if (!plan_ || count > rows_) {
    rows_ = count;
    plan_.reset();  // before the next one takes its memory
    plan_.emplace(model_.plan(rows_, [&](const Scope& scope) { return build(scope, rows_); }));
  }
  write_pictures(*plan_, items, places, model_.binarize());
  plan_->run();
  std::span<const float> y = plan_->output("y").first(std::size_t(count * dim_));
  if (!options_.normalize) return y;
  values_.assign(y.begin(), y.end());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!(normalize(std::span(values_).subspan(i * std::size_t(dim_), std::size_t(dim_))) > 0))
      throw Error(fmt::format("{}: its vector is zero: it has no direction", items[i].name));
  }
  return values_;
}

std::string for_each_batch(
    const Loaded& model, PictureReader& reader, std::int64_t batch_size,
    const std::function<void(std::span<const Item>, std::span<const std::int64_t> places)>& use) {
  std::vector<Item> items;
  std::vector<std::int64_t> places;
  std::uint64_t digest = 0;
  auto flush = [&] {
    if (!items.empty()) use(items, places);
    items.clear();
    places.clear();
  };
  for (Item item; reader.next(item);) {
    const Picture& picture = item.picture;
    model.require_shape(reader.source(), picture.height, picture.width, picture.channels);
    digest += digest_of(item, reader.place());
    items.push_back(std::move(item));
    places.push_back(reader.place());
    if (std::int64_t(items.size()) == batch_size) flush();
  }
  flush();
  return fmt::format("{:016x}", digest);
}

}  // namespace atelier
