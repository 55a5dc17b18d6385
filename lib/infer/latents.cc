// Seeds to latents, latents to pictures.
#include "infer/latents.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "infer/classes.h"
#include "infer/diffuse.h"
#include "infer/rows.h"

namespace atelier {
namespace {

void require_decoder(const Loaded& model) {
  if (latents_are_noise(model)) return;
  if (model.model().decode && model.model().latent_shape) return;
  throw Error(fmt::format("{}: this model has no decoder", model.name()));
}

}  // namespace

bool latents_are_noise(const Loaded& model) { return bool(model.model().denoise); }

std::int64_t latent_size(const Loaded& model) {
  require_decoder(model);
  if (latents_are_noise(model)) {
    DataShape data = model.data_shape();
    return data.height * data.width * data.channels;
  }
  return model.model().latent_shape(1).count();
}

std::vector<float> latents_of_seeds(const Loaded& model, std::span<const std::int32_t> seeds) {
  if (latents_are_noise(model)) return start_noise(model, seeds);
  const Model& m = model.model();
  std::string reason = !m.draw && !m.prior ? "this model cannot draw samples"
                       : m.no_prior        ? m.no_prior()
                                           : "";
  if (reason.empty() && !m.prior) reason = "pictures that this model draws have no one latent";
  if (!reason.empty()) throw Error(fmt::format("{}: {}", model.name(), reason));
  std::vector<float> latents;
  if (seeds.empty()) return latents;
  Plan plan = model.plan(1, [&](const Scope& scope) { return m.prior(scope, 1); });
  for (std::int32_t seed : seeds) {
    write_noise(plan, {&seed, 1});
    plan.run();
    std::span<const float> y = plan.output("y");
    latents.insert(latents.end(), y.begin(), y.end());
  }
  return latents;
}

void decode_latents(const Loaded& model, std::int64_t count, const WriteLatent& write,
                    const std::function<void(std::span<const std::uint8_t> picture)>& give,
                    const SampleArgs& args) {
  if (model.data_shape().real)
    throw Error(fmt::format("{}: this model makes {}, which are no pictures", model.name(),
                            model.latent_space() ? "latents" : "vectors"));
  decode_latent_values(
      model, count, write, [&](std::span<const float> row) { give(picture_of(model, row)); }, args);
}

void decode_latent_values(const Loaded& model, std::int64_t count, const WriteLatent& write,
                          const std::function<void(std::span<const float> row)>& give,
                          const SampleArgs& args) {
  require_decoder(model);
  if (latents_are_noise(model)) {
    require_deterministic(args);
    // The noise is given: all seeds say is the class.
    const std::vector<std::int32_t> seeds(std::size_t(count), 0);
    diffuse(model, seeds, [&](std::int64_t, std::span<const float> row) { give(row); }, args, {},
            {.start = write});
    return;
  }
  std::int64_t rows = std::min(args.batch_size, count);
  if (rows < 1) return;
  Plan plan = model.plan(rows, [&](const Scope& scope) {
    Shape shape = model.model().latent_shape(rows);
    Graph& graph = scope.graph();
    Expr label = draws_classes(model) ? graph.input("label", DType::i32, {rows}) : Expr{};
    return model.model().decode(scope, graph.input("latent", DType::f32, shape), label);
  });
  if (plan.has_input("label"))
    std::ranges::fill(plan.input<std::int32_t>("label"), class_of(model, args.label, 0));
  // Whatever noise a decoder adds is one for all, so that frames do not flicker.
  const std::vector<std::int32_t> ids(std::size_t(rows), 0);
  for (std::int64_t first = 0; first < count; first += rows) {
    std::span<float> latents = plan.input("latent");
    std::size_t row = latents.size() / std::size_t(rows);
    std::int64_t wanted = std::min(rows, count - first);
    for (std::int64_t i = 0; i < rows; ++i) {
      // A batch that is not full repeats its first row.
      std::int64_t index = i < wanted ? first + i : first;
      write(index, latents.subspan(std::size_t(i) * row, row));
    }
    write_noise(plan, ids);
    plan.run();
    std::span<const float> y = plan.output("y");
    std::size_t made = y.size() / std::size_t(rows);
    for (std::int64_t i = 0; i < wanted; ++i) give(y.subspan(std::size_t(i) * made, made));
  }
}

}  // namespace atelier
