// Timesteps to vectors.
#include "nn/timestep_embedding.h"

#include <fmt/format.h>

#include <cmath>

#include "graph/builders.h"
#include "nn/layers.h"

namespace atelier {

TimestepEncoding parse_timestep_encoding(std::string_view text) {
  return chosen(kTimestepEncodings, "--time-embedding", text);
}

Expr timestep_encoding(Expr timestep, std::int64_t width, TimestepEncoding encoding, Where where) {
  Graph& graph = builders::graph_of("timestep_encoding", {timestep}, where);
  if (timestep.shape().rank() != 1 || width < 2) {
    graph.refuse("timestep_encoding",
                 fmt::format("expected timesteps [N] and a width of at least 2, found {}", width),
                 {&timestep, 1}, where);
  }
  At at(graph, where);
  std::int64_t rows = timestep.shape()[0], half = width / 2;
  bool ddpm = encoding == TimestepEncoding::ddpm;
  double last = ddpm ? double(std::max<std::int64_t>(1, half - 1)) : double(half);
  Expr place = cast(iota(graph, {1, half}, {1}), DType::f32);
  Expr angle = reshape(timestep, {rows, 1}) * exp(place * (-std::log(10000.0) / last));
  Expr waves[] = {ddpm ? sin(angle) : cos(angle), ddpm ? cos(angle) : sin(angle)};
  Expr both = concat(waves, 1);
  return width % 2 == 0 ? both : pad(both, 1, 0, 1);
}

Expr timestep_mlp(const Scope& scope, Expr encoding, std::int64_t outputs, const Init& init,
                  Where where) {
  Within within(scope, where);
  LinearArgs args{.weight_init = init, .bias_init = init ? zeros() : Init{}};
  Expr hidden = silu(linear(scope / "linear0", encoding, outputs, args, where), where);
  return linear(scope / "linear1", hidden, outputs, args, where);
}

}  // namespace atelier
