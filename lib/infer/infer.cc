// Running trained models: plans of one batch size, batches padded to it.
#include "infer/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "data/pixels.h"
#include "data/prepare.h"
#include "infer/classes.h"
#include "infer/diffuse.h"
#include "infer/rows.h"
#include "infer/score.h"
#include "nn/optimizers.h"

namespace atelier {

struct Loaded::Impl {
  std::string name;  // for messages
  Checkpoint checkpoint;
  std::unique_ptr<Store> owned;
  Store* store = nullptr;
  std::string store_prefix;
  Model model;

  Graph graph_of(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const;
  Plan plan_of(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const {
    return Plan(graph_of(rows, build), *store);
  }
  Binarize binarize() const;
};

namespace {

std::string average_prefix(const Store& store, const std::string& average, const std::string& name,
                           bool trained_with_average) {
  int count = count_emas(store);
  if (average == "none") return "";
  if (average == "auto") {
    if (count == 0 && trained_with_average)
      throw Error(name +
                  ": no average, though it was trained with --ema-decay; --average none "
                  "takes the last weights");
    return count > 0 ? ema_prefix(0) : "";
  }
  int index = -1;
  auto [end, error] = std::from_chars(average.data(), average.data() + average.size(), index);
  if (error != std::errc() || end != average.data() + average.size() || index < 0) {
    throw UsageError(fmt::format("--average '{}': expected auto, none or a number", average));
  }
  if (index >= count) {
    throw Error(count == 0 ? fmt::format("{}: no average {}: it holds none", name, index)
                           : fmt::format("{}: no average {}: it holds those from 0 to {}", name,
                                         index, count - 1));
  }
  return ema_prefix(index);
}

Attributes without_model(const Attributes& config) {
  Attributes fields = config;
  std::erase_if(fields, [](const auto& entry) { return entry.first == "model"; });
  return fields;
}

// "vectors of 2", "pictures of 28x28x1", "latents of 4x4x4"; of equal kinds of data without the
// first words.
std::string shape_text(const DataShape& shape, bool named = true) {
  if (shape.vectors()) return fmt::format("{}{}", named ? "vectors of " : "", shape.channels);
  std::string_view name = !named ? "" : shape.real ? "latents of " : "pictures of ";
  return fmt::format("{}{}x{}x{}", name, shape.height, shape.width, shape.channels);
}

void require_pictures_made(const Loaded& model) {
  if (!model.data_shape().real) return;
  throw Error(fmt::format("{}: this model makes {}, which are no pictures", model.name(),
                          model.latent_space() ? "latents" : "vectors"));
}

}  // namespace

// A graph with the output "y". Building it must not invent tensors: those that a checkpoint
// lacks would be random.
Graph Loaded::Impl::graph_of(std::int64_t rows,
                             const std::function<Expr(const Scope&)>& build) const {
  Graph graph;
  Scope scope(graph, *store, Mode::eval, noise_inputs(graph, rows));
  std::size_t before = store->names().size();
  auto is_table = [](const std::string& tensor) { return tensor.starts_with(kTablePrefix); };
  try {
    graph.output("y", build(store_prefix.empty() ? scope : scope.reading(store_prefix)));
  } catch (const std::invalid_argument& error) {  // shapes and axes that cannot be
    if (!owned) throw;
    throw Error(fmt::format("{}: {}", name, error.what()));
  }
  std::vector<std::string> names = store->names();
  auto invented = std::find_if_not(names.begin() + std::ptrdiff_t(before), names.end(), is_table);
  if (owned && invented != names.end())
    throw Error(fmt::format("{}: no tensor '{}'", name, *invented));
  return graph;
}

Binarize Loaded::Impl::binarize() const {
  const Scalar* binarize = find(checkpoint.preprocess, "binarize");
  if (!binarize) binarize = find(checkpoint.training, "binarize");
  return binarize ? parse_binarize(to_text(*binarize)) : Binarize::none;
}

Loaded::Loaded(const std::string& input, const std::string& average)
    : impl_(std::make_unique<Impl>()) {
  Impl& self = *impl_;
  Hdf5Reader file = open_hdf5(input);
  self.name = file.name();
  self.owned = std::make_unique<Store>();
  self.store = self.owned.get();
  self.checkpoint = read_checkpoint(file, *self.store, [](std::string_view tensor) {
    return tensor.find('/') == std::string_view::npos || tensor.starts_with("ema");
  });
  try {
    self.model = make_model(self.checkpoint.model());
    from_attributes(self.model.fields, without_model(self.checkpoint.config));
    if (self.model.fit) self.model.fit(self.model.data_shape());
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", self.name, error.what()));
  }
  const Scalar* decay = find(self.checkpoint.training, "ema_decay");
  self.store_prefix =
      average_prefix(*self.store, average, self.name, decay && !to_text(*decay).empty());
}

Loaded::Loaded(Model model, Store& store, std::string store_prefix)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = model.name;
  impl_->model = std::move(model);
  impl_->store = &store;
  impl_->store_prefix = std::move(store_prefix);
}
Loaded::Loaded(Loaded&&) noexcept = default;
Loaded::~Loaded() = default;

const Model& Loaded::model() const { return impl_->model; }
const Checkpoint& Loaded::checkpoint() const { return impl_->checkpoint; }
DataShape Loaded::data_shape() const { return impl_->model.data_shape(); }
const std::string& Loaded::name() const { return impl_->name; }
Plan Loaded::plan(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const {
  return impl_->plan_of(rows, build);
}
Shape Loaded::shape(std::int64_t rows, const std::function<Expr(const Scope&)>& build) const {
  Graph graph = impl_->graph_of(rows, build);
  auto y = std::ranges::find(graph.outputs(), "y", &NamedValue::name);
  return graph.type(y->value).shape;
}
Binarize Loaded::binarize() const { return impl_->binarize(); }
std::string Loaded::digest() const {
  const Store& store = *impl_->store;
  std::vector<std::string> names;
  for (const std::string& name : store.names()) {
    if (name.find('/') == name.npos) names.push_back(name);
  }
  std::ranges::sort(names);  // whatever the order in which the file was read
  std::uint64_t digest = 0;
  for (const std::string& name : names) {
    std::string averaged = impl_->store_prefix + name;
    const StoredTensor& tensor = store.at(store.has(averaged) ? averaged : name);
    digest = xxh3(std::as_bytes(std::span(name)), digest);
    digest = xxh3({tensor.data(), tensor.bytes()}, digest);
  }
  return fmt::format("{:016x}", digest);
}
std::optional<LatentSpace> Loaded::latent_space() const {
  DataShape shape = data_shape();
  const Scalar* vae = find(checkpoint().preprocess, "vae");
  // A flat one is told from a vector by that.
  if (!shape.real || (shape.vectors() && !vae)) return {};
  return LatentSpace{.scaling_factor = shape.scaling_factor, .vae = vae ? to_text(*vae) : ""};
}
void Loaded::require_shape(const std::string& source, std::int64_t height, std::int64_t width,
                           std::int64_t channels, bool real) const {
  DataShape shape = data_shape();
  DataShape found{.height = height, .width = width, .channels = channels, .real = real};
  if (height == shape.height && width == shape.width && channels == shape.channels &&
      real == shape.real) {
    return;
  }
  throw Error(
      fmt::format("{}: {}, but {} takes {}", source, shape_text(found), name(),
                  shape_text(shape, real != shape.real || found.vectors() != shape.vectors())));
}
void Loaded::require_fit(const Dataset& data) const {
  require_shape(data.source, data.height, data.width, data.channels, data.real);
  std::optional<LatentSpace> space = latent_space();
  if (data.latents && space)
    require_same_space(data.source, {data.scaling_factor, data.vae}, name(), *space);
}
void Loaded::for_each_row(
    const Dataset& data, std::span<const std::int64_t> indices, std::int64_t batch_size,
    const std::function<Expr(const Scope&, const Batch&)>& build,
    const std::function<void(std::int64_t index, std::span<const float> row)>& give,
    std::int64_t seed) const {
  require_fit(data);
  std::int64_t rows = std::min<std::int64_t>(batch_size, std::int64_t(indices.size()));
  if (rows < 1) return;
  PixelReader reader(data, binarize());
  Plan made = plan(rows, [&](const Scope& scope) {
    Graph& graph = scope.graph();
    Batch batch;
    batch.image = graph.input("image", DType::f32, {rows, data.height, data.width, data.channels});
    if (data.num_classes() > 0) batch.label = graph.input("label", DType::i32, {rows});
    return build(scope, batch);
  });
  std::vector<std::int32_t> known;
  if (made.has_input("label")) known = labels_for(*this, data);
  for (std::size_t first = 0; first < indices.size(); first += std::size_t(rows)) {
    std::size_t count = std::min(std::size_t(rows), indices.size() - first);
    std::vector<std::int64_t> batch(std::size_t(rows), indices[first]);
    std::copy_n(indices.begin() + std::ptrdiff_t(first), count, batch.begin());
    reader.read(batch, made.input("image"));
    if (made.has_input("label")) {
      auto labels = made.input<std::int32_t>("label");
      for (std::size_t i = 0; i < batch.size(); ++i) labels[i] = known[std::size_t(batch[i])];
    }
    std::vector<std::int32_t> ids(batch.begin(), batch.end());
    write_noise(made, ids, seed);
    made.run();
    std::span<const float> y = made.output("y");
    std::size_t row = y.size() / std::size_t(rows);
    for (std::size_t i = 0; i < count; ++i) give(std::int64_t(first + i), y.subspan(i * row, row));
  }
}
Store& Loaded::store() const { return *impl_->store; }
const std::string& Loaded::store_prefix() const { return impl_->store_prefix; }

void Loaded::prepare(ReadOptions& reading,
                     const std::function<bool(std::string_view flag)>& given) const {
  // What was asked for is refused as such, before what the file says.
  [[maybe_unused]] Preparer asked(reading);
  DataShape shape = data_shape();
  if (shape.real) return;
  bool sized = given("--image-size") || given("--image-height") || given("--image-width");
  if (!sized) {
    reading.image_height = shape.height;
    reading.image_width = shape.width;
  }
  if (!given("--image-channels")) reading.channels = shape.channels;
  Attributes stated;
  for (const BoundField& field : reading.fields()) {
    bool about_pictures = field.name == "crop" || field.name == "filter" ||
                          field.name == "background" || field.name == "value_range";
    if (!about_pictures) continue;
    const Scalar* stored = find(impl_->checkpoint.preprocess, field.name);
    if (stored && !given(field.flag())) stated.emplace_back(field.name, *stored);
  }
  try {
    from_attributes(reading.fields(), stated);
    [[maybe_unused]] Preparer recorded(reading);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: /preprocess: {}", impl_->name, error.what()));
  }
}

bool Loaded::sample(
    std::span<const std::int32_t> seeds,
    const std::function<void(std::int64_t index, std::span<const std::uint8_t>)>& give,
    const SampleArgs& args, const std::function<bool()>& stop) {
  require_pictures_made(*this);
  auto pixels = [&](std::int64_t index, std::span<const float> row) {
    give(index, picture_of(*this, row));
  };
  return sample_values(seeds, pixels, args, stop);
}

bool Loaded::sample_values(
    std::span<const std::int32_t> seeds,
    const std::function<void(std::int64_t index, std::span<const float>)>& give,
    const SampleArgs& args, const std::function<bool()>& stop) {
  Impl& self = *impl_;
  if (self.model.denoise) return diffuse(*this, seeds, give, args, stop);
  std::string reason = !self.model.draw      ? "this model cannot draw samples"
                       : self.model.no_prior ? self.model.no_prior()
                                             : "";
  if (!reason.empty()) throw Error(fmt::format("{}: {}", self.name, reason));
  if (args.truncation != 1 && !self.model.prior)
    throw UsageError(
        fmt::format("--truncation {}: pictures of this model have no one latent", args.truncation));
  std::int64_t rows = std::min<std::int64_t>(args.batch_size, std::int64_t(seeds.size()));
  if (rows < 1) return true;
  class_of(*this, args.label, 0);  // refuses what the model does not have
  Plan plan = self.plan_of(rows, [&](const Scope& scope) {
    DrawArgs draw{.rows = rows, .label = {}, .truncation = args.truncation};
    if (draws_classes(*this)) draw.label = scope.graph().input("label", DType::i32, {rows});
    return self.model.draw(scope, draw);
  });
  for (std::size_t first = 0; first < seeds.size(); first += std::size_t(rows)) {
    if (stop && stop()) return false;
    std::size_t count = std::min(std::size_t(rows), seeds.size() - first);
    std::vector<std::int32_t> ids(std::size_t(rows), seeds[first]);
    std::copy_n(seeds.begin() + std::ptrdiff_t(first), count, ids.begin());
    write_noise(plan, ids);
    if (plan.has_input("label")) {
      auto labels = plan.input<std::int32_t>("label");
      for (std::size_t i = 0; i < ids.size(); ++i) labels[i] = class_of(*this, args.label, ids[i]);
    }
    plan.run();
    std::span<const float> y = plan.output("y");
    std::size_t row = y.size() / std::size_t(rows);
    for (std::size_t i = 0; i < count; ++i) give(std::int64_t(first + i), y.subspan(i * row, row));
  }
  return true;
}

void Loaded::reconstruct(
    const Dataset& data, std::span<const std::int64_t> indices,
    const std::function<void(std::int64_t, std::span<const std::uint8_t>)>& give,
    std::int64_t batch_size) {
  const Model& model = impl_->model;
  if (!model.encode || !model.decode)
    throw Error(fmt::format("{}: this model cannot reconstruct pictures", impl_->name));
  require_pictures_made(*this);
  for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) {
        return model.decode(scope, model.encode(scope, batch.image, {}), batch.label);
      },
      [&](std::int64_t index, std::span<const float> row) { give(index, picture_of(*this, row)); });
}

std::vector<float> Loaded::encode(const Dataset& data, std::span<const std::int64_t> indices,
                                  std::int64_t batch_size) {
  const Model& model = impl_->model;
  if (!model.encode) throw Error(fmt::format("{}: this model has no encoder", impl_->name));
  std::vector<float> latents;
  for_each_row(
      data, indices, batch_size,
      [&](const Scope& scope, const Batch& batch) { return model.encode(scope, batch.image, {}); },
      [&](std::int64_t, std::span<const float> row) {
        latents.insert(latents.end(), row.begin(), row.end());
      });
  return latents;
}

}  // namespace atelier
