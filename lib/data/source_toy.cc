// The points of a toy as a source; labels are their modes.
#include <fmt/format.h>

#include "data/source.h"
#include "data/toy.h"

namespace atelier {
namespace {

class ToySource final : public CheckedSource {
 public:
  explicit ToySource(const ReadOptions& options)
      : CheckedSource("synthetic", options), toy_(make_toy(options)) {}
  std::int64_t expected() const override { return options().synthetic_count; }

 protected:
  bool advance(Item& item) override {
    if (index_ == options().synthetic_count) return false;
    ToyPoint point = draw_point(toy_, index_);
    item.name = fmt::format("{}/{:06}", toy_.name, index_);
    item.values.assign(point.values.begin(), point.values.end());
    item.picture = {.height = 1, .width = 1, .channels = 2, .pixels = {}};
    item.label = point.mode;
    item.data_channels = item.real = true;
    ++index_;
    return true;
  }
  void load(Item&) override {}
  bool own_labels() const override { return toy_.modes() > 0; }
  std::vector<std::string> own_label_names() const override {
    std::vector<std::string> names;
    for (std::int64_t mode = 0; mode < toy_.modes(); ++mode)
      names.push_back(fmt::format("{}", mode));
    return names;
  }

 private:
  Toy toy_;
  std::int64_t index_ = 0;
};

}  // namespace

std::unique_ptr<CheckedSource> open_toy(const ReadOptions& options) {
  return std::make_unique<ToySource>(options);
}

}  // namespace atelier
