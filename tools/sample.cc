// sample: pictures from a trained model.
#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/tool.h"
#include "data/dataset.h"
#include "diffusion_options.h"
#include "infer/classes.h"
#include "infer/infer.h"
#include "infer/inpaint.h"
#include "io/picture_sink.h"
#include "row_output.h"

using namespace atelier;

namespace {

struct Options : DrawnOutput {
  std::string model = "-", seeds, label, reconstruct, inpaint, mask, split_by = "name";
  std::int64_t num = -1, inpaint_repeats = 1;
  double held_out = 0, truncation = 1;
  SampleArgs diffusion;
  ReadOptions reading;
};

// What each seed gives, in order, as PictureSink names it.
std::vector<std::string> parts_of(const Options& o, const std::string& format) {
  if (!o.reconstruct.empty()) return {"", "-reconstruction"};
  std::vector<std::string> parts;
  // Holes are for people to look at; other programs want what was drawn.
  if (!o.inpaint.empty() && format == "png") parts.push_back("-kept");
  for (std::int64_t i = 1; i < o.diffusion.trajectory; ++i)
    parts.push_back("-" + std::to_string(i));
  parts.emplace_back();
  return parts;
}

SinkOptions sink_options(const Options& o, const std::string& name) {
  SinkOptions options = o.pictures("sample", name);
  options.parts = parts_of(o, format_of(options));
  return options;
}

// Refuses more pictures than any grid holds, or the cells of one that was asked for.
void require_cells(const Options& o, std::int64_t pictures) {
  if (format_of(sink_options(o, "")) != "png") return;
  require_grid(pictures);
  GridShape grid = parse_grid(o.grid);
  std::int64_t cells = grid.columns * grid.rows;
  if (cells == 0 || pictures <= cells) return;
  throw UsageError("--grid " + o.grid + ": has " + std::to_string(cells) + " cells for " +
                   std::to_string(pictures) + " pictures");
}

// `usual`: how many, if nothing else says so.
std::vector<std::int32_t> listed_seeds(const Options& o, std::int64_t usual = 64) {
  if (!o.seeds.empty()) return parse_seed_list(o.seeds, "--seeds");
  GridShape grid = parse_grid(o.grid);
  auto parts = std::int64_t(parts_of(o, "png").size());
  std::int64_t cells = grid.columns * grid.rows / parts;
  std::int64_t count = o.num >= 0 ? o.num : cells > 0 ? cells : usual;
  if (count > std::numeric_limits<std::int32_t>::max())
    throw UsageError("--num " + std::to_string(count) + ": there are 2147483647 seeds");
  std::vector<std::int32_t> seeds(std::size_t(count), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  return seeds;
}

std::vector<std::int32_t> seeds_of(const Options& o, std::int64_t usual) {
  std::vector<std::int32_t> seeds = listed_seeds(o, usual);
  require_cells(o, std::int64_t(seeds.size() * sink_options(o, "").parts.size()));
  return seeds;
}

SampleArgs sample_args(const Options& o) {
  SampleArgs args = o.diffusion;
  args.batch_size = o.batch_size;
  args.truncation = o.truncation;
  return args;
}

// Whether what is drawn is of classes, `label` being that of all or -1, so that files say which.
bool labelled(const Loaded& loaded, const Options& o, std::int64_t label) {
  return draws_classes(loaded) && label != kNoClass && o.diffusion.guidance_scale != 0;
}

// Rows whose ids are the seeds, given to a sink's add().
void draw_rows(Loaded& loaded, const Options& o, std::span<const std::int32_t> seeds,
               const AddRow& add) {
  SampleArgs args = sample_args(o);
  bool classes = labelled(loaded, o, args.label);
  loaded.sample_values(
      seeds,
      [&](std::int64_t i, std::span<const float> values) {
        std::int32_t seed = seeds[std::size_t(i)];
        std::string id = std::to_string(seed);
        add({.values = values,
             .id = id,
             .label = classes ? class_of(loaded, args.label, seed) : -1});
      },
      args);
}

// A sink for what is drawn, whose labels are in it where the model has classes. Trajectories are a
// row each.
PictureSink sink_of(const Loaded& loaded, const Options& o, std::size_t seeds, bool with_labels) {
  DataShape shape = loaded.data_shape();
  SinkOptions options = sink_options(o, loaded.model().name);
  options.labelled = with_labels;
  options.label_names = loaded.checkpoint().label_names;
  if (o.diffusion.trajectory > 0 && format_of(options) == "png")
    options.grid = std::to_string(options.parts.size()) + "x" + std::to_string(seeds);
  return PictureSink(options, shape.height, shape.width, shape.channels);
}

// One picture, or those of a trajectory.
void add_pictures(PictureSink& sink, const Loaded& loaded, std::span<const std::uint8_t> row,
                  std::int32_t seed, std::int32_t label) {
  DataShape shape = loaded.data_shape();
  auto size = std::size_t(shape.height * shape.width * shape.channels);
  for (std::size_t at = 0; at < row.size(); at += size)
    sink.add(row.subspan(at, size), seed, label);
}

void draw(Loaded& loaded, const Options& o) {
  if (loaded.data_shape().real) {
    if (!o.grid.empty()) throw UsageError("--grid: " + loaded.name() + " makes no pictures");
    if (o.diffusion.trajectory > 0)
      throw UsageError("--trajectory: " + loaded.name() + " draws " +
                       (loaded.latent_space() ? "latents" : "vectors") + ", which are no pictures");
    std::vector<std::int32_t> seeds = listed_seeds(o);
    return write_rows(loaded, o.vectors(), labelled(loaded, o, o.diffusion.label),
                      [&](const AddRow& add) { draw_rows(loaded, o, seeds, add); });
  }
  // Trajectories are rows of a picture to look at.
  std::vector<std::int32_t> seeds = seeds_of(o, o.diffusion.trajectory > 0 ? 8 : 64);
  SampleArgs args = sample_args(o);
  PictureSink sink = sink_of(loaded, o, seeds.size(), labelled(loaded, o, args.label));
  loaded.sample(
      seeds,
      [&](std::int64_t i, std::span<const std::uint8_t> row) {
        std::int32_t seed = seeds[std::size_t(i)];
        add_pictures(sink, loaded, row, seed, class_of(loaded, args.label, seed));
      },
      args);
  sink.finish();
}

// Returns how many of the given pictures were skipped.
std::int64_t fill_holes(const Loaded& loaded, const Options& o) {
  Inpainting given = read_inpainting(loaded, o.inpaint, o.mask, o.reading);
  std::vector<std::int32_t> seeds = seeds_of(o, given.pictures.size);
  std::int64_t label = label_of_pictures(loaded, given.pictures, o.diffusion.label);
  PictureSink sink = sink_of(loaded, o, seeds.size(), labelled(loaded, o, label));
  bool kept = format_of(sink_options(o, "")) == "png";
  inpaint(
      loaded, given, o.inpaint_repeats, seeds,
      [&](std::int64_t i, std::int32_t of_class, std::span<const std::uint8_t> row) {
        std::int32_t seed = seeds[std::size_t(i)];
        if (kept) sink.add(given.kept_of(given.place_of(seed)), seed);
        add_pictures(sink, loaded, row, seed, of_class);
      },
      sample_args(o));
  sink.finish();
  return given.pictures.skipped;
}

// Pairs: each picture and the model's reconstruction beside it. Returns how many were skipped.
std::int64_t reconstruct(Loaded& loaded, const Options& o) {
  std::vector<std::string> source{o.reconstruct};
  Dataset data = read_dataset(source, o.reading);
  std::vector<std::int64_t> indices;
  if (o.held_out > 0) {
    indices = split_dataset(data, o.held_out, o.split_by).held_out;
    if (indices.empty()) {
      throw Error(data.source + ": nothing is held out: --held-out " + to_text(o.held_out) +
                  " of " + std::to_string(data.size) + " pictures");
    }
  } else {
    indices.resize(std::size_t(data.size));
    std::iota(indices.begin(), indices.end(), 0);
  }
  GridShape grid = parse_grid(o.grid);
  std::int64_t most = o.num >= 0 ? o.num : grid.columns * grid.rows / 2;
  if (o.num > std::int64_t(indices.size())) {
    logging::warning(data.source + ": " + std::to_string(indices.size()) + " pictures, not " +
                     std::to_string(o.num));
  }
  if (most > 0) indices.resize(std::min(indices.size(), std::size_t(most)));
  require_cells(o, 2 * std::int64_t(indices.size()));
  DataShape shape = loaded.data_shape();
  PictureSink sink(sink_options(o, loaded.model().name), shape.height, shape.width, shape.channels);
  loaded.reconstruct(
      data, indices,
      [&](std::int64_t i, std::span<const std::uint8_t> picture) {
        sink.add(data.picture(indices[std::size_t(i)]), indices[std::size_t(i)]);
        sink.add(picture, indices[std::size_t(i)]);
      },
      o.batch_size);
  sink.finish();
  return data.skipped;
}

// How many, or which: what is said nearer to the call holds, as a variable or a file serves
// several.
void settle_seeds(Options& o, const Tool& tool) {
  if (o.num < 0 || o.seeds.empty()) return;
  OptionSource number = tool.source("num"), list = tool.source("seeds");
  if (number == list) throw UsageError("-n and --seeds exclude each other");
  if (number > list) {
    o.seeds.clear();
  } else {
    o.num = -1;
  }
}

// Refuses what cannot be meant, before the model is read.
void check(const Options& o, const Tool& tool) {
  if (o.batch_size < 1) throw UsageError("--batch-size '0': expected at least 1");
  if (o.num == 0) throw UsageError("--num 0: expected at least 1");
  if (!(o.truncation >= 0 && o.truncation <= 100))
    throw UsageError("--truncation " + to_text(o.truncation) + ": expected 0 to 100");
  if (!(o.held_out >= 0 && o.held_out <= 0.9))
    throw UsageError("--held-out: expected a share from 0 to 0.9, as --val-split has it");
  parse_grid(o.grid);
  of_vectors_alone(o.pictures("", ""), o.vectors());
  refuse_overwriting(o.output, paths_of(o.model, o.reconstruct, o.inpaint, o.mask));
  if (tool.typed("split-by") && o.held_out == 0)
    throw UsageError("--split-by goes with --held-out");
  require_one_stdin(paths_of(o.model, o.reconstruct, o.inpaint, o.mask));
  if (o.inpaint.empty() != o.mask.empty()) throw UsageError("--inpaint and --mask: expected both");
  if (tool.typed("inpaint-repeats") && o.inpaint.empty())
    throw UsageError("--inpaint-repeats goes with --inpaint");
  if (o.inpaint_repeats < 1 || o.inpaint_repeats > 1000)
    throw UsageError("--inpaint-repeats " + std::to_string(o.inpaint_repeats) +
                     ": expected 1 to 1000");
  if (!o.reconstruct.empty()) {
    if (!o.seeds.empty()) throw UsageError("--reconstruct and --seeds exclude each other");
    for (const char* flag : {"class", "truncation", "inpaint"}) {
      if (tool.typed(flag))
        throw UsageError(std::string("--reconstruct and --") + flag + " exclude each other");
    }
    return;
  }
  if (o.held_out > 0) throw UsageError("--held-out goes with --reconstruct");
  if (tool.typed("trajectory-of") && o.diffusion.trajectory == 0)
    throw UsageError("--trajectory-of goes with --trajectory");
  if (tool.typed("trajectory") && tool.typed("grid"))
    throw UsageError("--trajectory and --grid exclude each other");
  listed_seeds(o);
  if (!o.inpaint.empty()) return;
  for (const BoundField& field : ReadOptions().fields()) {
    if (tool.typed(field.flag()))
      throw UsageError(field.flag() + " goes with --reconstruct and --inpaint");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("sample", "Draw pictures from a trained model, or reconstruct given ones.");
  tool.operand("MODEL", o.model, "checkpoint, - for standard input", false);
  tool.option("-n,--num", o.num, "N",
              "how many; 64, 8 with --trajectory, or as many as the grid holds");
  tool.option("--seeds", o.seeds, "LIST",
              "seeds of the pictures, as 0,3-6; seed i is the same picture in any batch");
  tool.option("--class", o.label, "NAME",
              "class of all pictures: its name, its number from 0, or none; else they go round");
  tool.option("--truncation", o.truncation, "X",
              "factor of the latents; below 1: nearer to the middle, and more alike");
  o.declare(tool);
  tool.option("--reconstruct", o.reconstruct, "DATA",
              "pairs of these pictures and what the model makes of them");
  tool.option("--inpaint", o.inpaint, "DATA",
              "diffusion models: these pictures with holes drawn anew, one a seed, over and over");
  tool.option("--mask", o.mask, "FILE",
              "with --inpaint: grey picture, or one each, white where a picture is drawn");
  tool.option(
      "--inpaint-repeats", o.inpaint_repeats, "N",
      "with --inpaint: how many times each step is done, so that holes suit what is around");
  tool.option("--held-out", o.held_out, "X",
              "with --reconstruct: only the share that --val-split X holds out");
  tool.choice("--split-by", o.split_by, {"name", "caption"},
              "with --held-out: what is hashed, as in training");
  tool.settle([&] { settle_seeds(o, tool); });
  declare_diffusion(tool, o.diffusion, o.diffusion.diffusion_fields());
  tool.fields(o.reading.fields(), "Reading");
  tool.config_file();

  return tool.run(argc, argv, [&] {
    check(o, tool);
    Loaded loaded(o.model, o.average);
    loaded.prepare(o.reading, [&](std::string_view flag) { return tool.given(flag); });
    bool reconstructs = !o.reconstruct.empty();
    refuse_diffusion(tool, loaded, o.diffusion.diffusion_fields(), !reconstructs);
    // A variable may be meant for another call.
    if (!loaded.model().diffusion) o.diffusion = {};
    if (reconstructs) return reconstruct(loaded, o) > 0 ? kExitSkipped : kExitDone;
    o.diffusion.label = class_named(loaded, o.label);
    if (!o.inpaint.empty()) return fill_holes(loaded, o) > 0 ? kExitSkipped : kExitDone;
    draw(loaded, o);
    return kExitDone;
  });
}
