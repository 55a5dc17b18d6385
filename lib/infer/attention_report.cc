// The table, the plot and the picture.
#include "infer/attention_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/file.h"
#include "infer/attention.h"
#include "infer/attention_plot.h"
#include "infer/rows.h"
#include "io/picture_sink.h"

namespace atelier {
namespace {

std::string table_of(const AttentionMeter& meter) {
  std::string text = "layer\tdistance";
  for (std::int64_t head = 1; head <= meter.heads(); ++head)
    fmt::format_to(std::back_inserter(text), "\thead{}", head);
  text += '\n';
  for (std::int64_t layer = 0; layer < meter.layers(); ++layer) {
    fmt::format_to(std::back_inserter(text), "{}\t{:.4f}", layer + 1, meter.distance(layer));
    for (std::int64_t head = 0; head < meter.heads(); ++head)
      fmt::format_to(std::back_inserter(text), "\t{:.4f}", meter.distance(layer, head));
    text += '\n';
  }
  return text;
}

}  // namespace

struct AttentionReport::Impl {
  const Loaded& model;
  AttentionMeter meter;
  std::string table, maps;
  std::int64_t shown = 0;
  std::optional<PictureSink> sink;

  void show(const Item& item, std::span<const float> drawn);
};

AttentionReport::AttentionReport(const Loaded& model, std::string table, std::string maps)
    : impl_(new Impl{model, AttentionMeter(model), std::move(table), std::move(maps), 0, {}}) {}
AttentionReport::~AttentionReport() = default;

// The picture, then its maps, each patch as a square of its size. A second or fourth channel is
// transparency to pictures, so that maps are opaque there.
void AttentionReport::Impl::show(const Item& item, std::span<const float> drawn) {
  DataShape shape = model.data_shape();
  const TokenGrid& grid = meter.grid();
  if (!sink) {
    std::string cells = fmt::format("{}x{}", meter.layers() + 1, kPicturesShown);
    sink.emplace(
        SinkOptions{.output = maps, .format = "png", .grid = cells, .text = {}, .provenance = {}},
        shape.height, shape.width, shape.channels);
  }
  sink->add(item.values.empty() ? item.picture.pixels : as_pixels(item.values), shown);
  std::size_t patches = std::size_t(grid.rows * grid.columns);
  std::vector<std::uint8_t> picture(std::size_t(shape.height * shape.width * shape.channels));
  for (std::size_t layer = 0; layer < drawn.size() / patches; ++layer) {
    std::vector<std::uint8_t> map = as_pixels(drawn.subspan(layer * patches, patches));
    std::size_t at = 0;
    for (std::int64_t y = 0; y < shape.height; ++y) {
      for (std::int64_t x = 0; x < shape.width; ++x) {
        std::int64_t patch = y / grid.patch_size * grid.columns + x / grid.patch_size;
        for (std::int64_t c = 0; c < shape.channels; ++c) {
          bool alpha = c == shape.channels - 1 && (shape.channels == 2 || shape.channels == 4);
          picture[at++] = alpha ? 255 : map[std::size_t(patch)];
        }
      }
    }
    sink->add(picture, shown);
  }
  ++shown;
}

void AttentionReport::add(std::span<const Item> items, std::span<const std::int64_t> places) {
  Impl& r = *impl_;
  std::size_t drawn = r.maps.empty() ? 0 : std::size_t(kPicturesShown - r.shown);
  drawn = std::min(drawn, items.size());
  if (drawn > 0) {
    r.meter.add(items.first(drawn), places.first(drawn),
                [&](std::size_t i, std::span<const float> maps) { r.show(items[i], maps); });
  }
  r.meter.add(items.subspan(drawn), places.subspan(drawn));
}

void AttentionReport::finish() {
  Impl& r = *impl_;
  if (r.sink) r.sink->finish();
  if (r.table.empty()) return;
  if (r.table == "-") return write_all(STDOUT_FILENO, table_of(r.meter), "standard output");
  AtomicFile file(r.table);
  file.write(r.table.ends_with(".svg") ? attention_plot(r.meter) : table_of(r.meter));
  file.commit();
}

std::string AttentionReport::summary() const {
  const AttentionMeter& meter = impl_->meter;
  return fmt::format(
      "attention: {:.1f} pixels in layer 1, {:.1f} in layer {}, rank correlation with depth {:.2f}",
      meter.distance(0), meter.distance(meter.layers() - 1), meter.layers(),
      rank_correlation_with_depth(meter));
}

}  // namespace atelier
