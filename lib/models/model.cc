// What several models say alike.
#include "models/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"

namespace atelier {

Fields picture_fields(std::int64_t& height, std::int64_t& width, std::int64_t& channels) {
  auto field = [](std::int64_t& variable, const char* name, const char* help) {
    return bind(variable, {.name = name, .help = help, .low = 0, .from_data = true});
  };
  return {field(height, "image_height", "height of the pictures"),
          field(width, "image_width", "width of the pictures"),
          field(channels, "in_channels", "channels of the pictures")};
}

void require_pictures(const DataShape& shape, std::string_view model) {
  if (!shape.real) return;
  throw Error(fmt::format("{}: holds {}, but {} is a model of pictures", shape.source,
                          shape.vectors() ? "vectors" : "latents", model));
}

void require_classes(std::int64_t num_classes) {
  constexpr std::int64_t kMost = 100000;
  if (num_classes == 0) throw UsageError("--class-conditional: the data have no labels");
  if (num_classes <= kMost) return;
  throw UsageError(
      fmt::format("--class-conditional: labels go up to {}, expected classes numbered from 0, at "
                  "most {} of them",
                  num_classes - 1, kMost));
}

void require_heads(std::int64_t num_heads, std::int64_t embed_dim) {
  if (embed_dim % num_heads == 0) return;
  throw UsageError(
      fmt::format("--num-heads {}: does not divide --embed-dim {}", num_heads, embed_dim));
}

void require_patches(std::int64_t patch_size, std::int64_t height, std::int64_t width) {
  if (patch_size <= std::max(height, width)) return;
  throw UsageError(
      fmt::format("--patch-size {}: larger than the pictures, {}x{}", patch_size, height, width));
}

void require_default(const EncodeArgs& args) {
  if (args.pool != "auto") {
    throw UsageError(fmt::format("pool '{}': this model has no tokens, only auto", args.pool));
  }
  if (args.layer != -1) {
    throw UsageError(fmt::format("layer {}: this model has no blocks, only -1", args.layer));
  }
}

std::string resolved_pool(const Model& model, const std::string& pool) {
  return pool == "auto" && model.pool ? model.pool() : pool;
}

}  // namespace atelier
