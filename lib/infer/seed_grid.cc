// A grid of the pictures of seeds 0, 1, 2, ..
#include "infer/seed_grid.h"

#include <numeric>
#include <vector>

#include "io/picture_sink.h"

namespace atelier {

bool draw_seed_grid(Loaded model, const std::string& shape, const std::string& path,
                    const std::function<bool()>& stop) {
  GridShape grid = parse_grid(shape);
  DataShape picture = model.data_shape();
  PictureSink sink({.output = path,
                    .format = "png",
                    .grid = shape,
                    .first_channels = true,
                    .text = {},
                    .provenance = {}},
                   picture.height, picture.width, picture.channels);
  std::vector<std::int32_t> seeds(std::size_t(grid.columns * grid.rows), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  auto give = [&](std::int64_t, std::span<const std::uint8_t> pixels) { sink.add(pixels, 0); };
  if (!model.sample(seeds, give, {}, stop)) return false;
  sink.finish();
  return true;
}

}  // namespace atelier
