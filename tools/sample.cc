// sample: pictures from a trained model.
#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/parse.h"
#include "cli/tool.h"
#include "data/dataset.h"
#include "infer/infer.h"
#include "io/latents.h"
#include "io/picture_sink.h"
#include "io/vector_sink.h"

using namespace atelier;

namespace {

struct Options {
  std::string model = "-", output, format, grid, seeds, reconstruct, average = "auto",
              split_by = "name";
  std::int64_t num = -1, batch_size = 64, label = -1;
  double held_out = 0, truncation = 1;
  SampleArgs diffusion;
  bool force = false;
  ReadOptions reading;
};

SinkOptions sink_options(const Options& o, const std::string& name) {
  return {.output = o.output.empty() ? "-" : o.output,
          .format = o.format,
          .grid = o.grid,
          .pairs = !o.reconstruct.empty(),
          .force = o.force,
          .text = {{"Software", version_line("sample")}, {"Model", name}},
          .provenance = {{"model", name}}};
}

// Refuses more pictures than any grid holds, or the cells of one that was asked for.
void require_cells(const Options& o, std::int64_t pictures) {
  if (format_of(sink_options(o, "")) == "png") require_grid(pictures);
  GridShape grid = parse_grid(o.grid);
  std::int64_t cells = grid.columns * grid.rows;
  if (cells == 0 || pictures <= cells) return;
  throw UsageError("--grid " + o.grid + ": has " + std::to_string(cells) + " cells for " +
                   std::to_string(pictures) + " pictures");
}

std::vector<std::int32_t> listed_seeds(const Options& o) {
  if (!o.seeds.empty()) {
    if (o.num >= 0) throw UsageError("-n and --seeds exclude each other");
    try {
      return parse_seed_list(o.seeds);
    } catch (const UsageError& error) {
      throw UsageError(std::string("--seeds ") + error.what());
    }
  }
  GridShape grid = parse_grid(o.grid);
  std::int64_t count = o.num >= 0 ? o.num : grid.columns > 0 ? grid.columns * grid.rows : 64;
  if (count > std::numeric_limits<std::int32_t>::max())
    throw UsageError("--num " + std::to_string(count) + ": there are 2147483647 seeds");
  std::vector<std::int32_t> seeds(std::size_t(count), 0);
  std::iota(seeds.begin(), seeds.end(), 0);
  return seeds;
}

std::vector<std::int32_t> seeds_of(const Options& o) {
  std::vector<std::int32_t> seeds = listed_seeds(o);
  require_cells(o, std::int64_t(seeds.size()));
  return seeds;
}

VectorSinkOptions vector_sink_options(const Options& o) {
  return {.output = o.output.empty() ? "-" : o.output, .format = o.format, .force = o.force};
}

SampleArgs sample_args(const Options& o) {
  SampleArgs args = o.diffusion;
  args.batch_size = o.batch_size;
  args.label = o.label;
  args.truncation = o.truncation;
  return args;
}

// Rows whose ids are the seeds, given to a sink's add().
void draw_rows(Loaded& loaded, const Options& o, std::span<const std::int32_t> seeds,
               const std::function<void(const VectorRow&)>& add) {
  bool classes = draws_classes(loaded);
  loaded.sample_values(
      seeds,
      [&](std::int64_t i, std::span<const float> values) {
        std::int32_t seed = seeds[std::size_t(i)];
        std::string id = std::to_string(seed);
        add({.values = values, .id = id, .label = classes ? class_of(loaded, o.label, seed) : -1});
      },
      sample_args(o));
}

void draw_vectors(Loaded& loaded, const Options& o) {
  std::vector<std::int32_t> seeds = listed_seeds(o);
  Vectors about;
  about.dim = loaded.data_shape().channels;
  about.metric = "l2";
  about.model = loaded.model().name;
  about.config = {{"model", loaded.model().name}};
  VectorSink sink(vector_sink_options(o), about, draws_classes(loaded));
  draw_rows(loaded, o, seeds, [&](const VectorRow& row) { sink.add({&row, 1}); });
  sink.finish(about);
}

bool to_hdf5(const Options& o) {
  try {
    return format_of(vector_sink_options(o)) == "hdf5";
  } catch (const UsageError&) {  // a format or suffix of pictures
    return false;
  }
}

void draw_latents(Loaded& loaded, const Options& o, const LatentSpace& space) {
  if (!to_hdf5(o)) {
    throw Error(loaded.name() + ": this model makes latents, which are no pictures: expected hdf5");
  }
  std::vector<std::int32_t> seeds = listed_seeds(o);
  DataShape shape = loaded.data_shape();
  Latents about{.height = shape.height,
                .width = shape.width,
                .channels = shape.channels,
                .space = space,
                .label_names = {},
                .config = {{"model", loaded.model().name}},
                .preprocess = {},
                .inputs = {}};
  LatentSink sink(vector_sink_options(o).output, about, draws_classes(loaded), o.force);
  draw_rows(loaded, o, seeds, [&](const VectorRow& row) { sink.add(row); });
  sink.finish(about);
}

void draw(Loaded& loaded, const Options& o) {
  if (auto space = loaded.latent_space()) return draw_latents(loaded, o, *space);
  if (loaded.data_shape().real) return draw_vectors(loaded, o);
  std::vector<std::int32_t> seeds = seeds_of(o);
  DataShape shape = loaded.data_shape();
  PictureSink sink(sink_options(o, loaded.model().name), shape.height, shape.width, shape.channels);
  loaded.sample(
      seeds,
      [&](std::int64_t i, std::span<const std::uint8_t> picture) {
        sink.add(picture, seeds[std::size_t(i)]);
      },
      sample_args(o));
  sink.finish();
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

// Whether the model draws pictures or vectors is not known yet.
void require_format(const Options& o) {
  try {
    format_of(sink_options(o, ""));
  } catch (const UsageError&) {
    try {
      format_of(vector_sink_options(o));
      return;
    } catch (const UsageError&) {
    }
    throw;
  }
}

// Refuses what cannot be meant, before the model is read.
void check(const Options& o, const Tool& tool) {
  if (o.batch_size < 1) throw UsageError("--batch-size '0': expected at least 1");
  if (o.num == 0) throw UsageError("--num 0: expected at least 1");
  if (!(o.held_out >= 0 && o.held_out <= 0.9))
    throw UsageError("--held-out: expected a share from 0 to 0.9, as --val-split has it");
  parse_grid(o.grid);
  require_format(o);
  const std::string inputs[] = {o.model, o.reconstruct};
  refuse_overwriting(o.output, inputs);
  if (tool.typed("split-by") && o.held_out == 0)
    throw UsageError("--split-by goes with --held-out");
  if (!o.reconstruct.empty()) {
    if (!o.seeds.empty()) throw UsageError("--reconstruct and --seeds exclude each other");
    for (const char* flag : {"class", "truncation"}) {
      if (tool.typed(flag))
        throw UsageError(std::string("--reconstruct and --") + flag + " exclude each other");
    }
    if (o.reconstruct == "-" && o.model == "-")
      throw UsageError("MODEL and --reconstruct - both want standard input");
    return;
  }
  if (o.held_out > 0) throw UsageError("--held-out goes with --reconstruct");
  for (const BoundField& field : ReadOptions().fields()) {
    if (tool.typed(field.flag())) throw UsageError(field.flag() + " goes with --reconstruct");
  }
  if (tool.typed("class") && o.label < 0)
    throw UsageError("--class " + std::to_string(o.label) + ": expected a class, from 0");
  listed_seeds(o);
}

// Of diffusion models alone.
Fields diffusion_fields(SampleArgs& args) {
  return {
      bind(args.sampler, {"sampler",
                          "ancestral, DDIM, DPM-Solver++ 2M, or Heun, which evaluates twice a step",
                          "Song et al. 2021",
                          {"ddpm", "ddim", "dpm2m", "heun"}}),
      bind(args.sample_steps,
           {.name = "sample_steps", .help = "timesteps that are visited; 0: all", .low = 0}),
      bind(args.timestep_spacing, {"timestep_spacing",
                                   "which ones: from the clean end, both ends, or the noisy end",
                                   "Lin et al. 2023",
                                   {"leading", "linspace", "trailing"}}),
      bind(args.eta, {.name = "eta",
                      .help = "ddim: share of ddpm's noise that is added in each step",
                      .low = 0,
                      .high = 1}),
      bind(args.guidance_scale,
           {.name = "guidance_scale",
            .help = "how far predictions are moved on from no class through the class; 1: not",
            .origin = "Ho and Salimans 2022, whose w is this less 1"}),
      bind(args.clip, {"clip_x0", "clipping predicted pictures to the range of pixels"}),
      bind(args.threshold_quantile,
           {.name = "threshold_quantile",
            .help = "dynamic thresholding at this quantile of each prediction; 0: none",
            .origin = "Saharia et al. 2022 have 0.995",
            .low = 0,
            .high = 1}),
  };
}

// Options that would have no effect.
void refuse_diffusion(const Tool& tool, const Loaded& loaded, Options& o) {
  if (loaded.model().diffusion && o.reconstruct.empty()) return;
  for (const BoundField& field : diffusion_fields(o.diffusion)) {
    if (tool.typed(field.flag()))
      throw UsageError(field.flag() + " is about samples of diffusion models, " + loaded.name() +
                       " is none or is not drawn from");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("sample", "Draw pictures from a trained model, or reconstruct given ones.");
  tool.operand("MODEL", o.model, "checkpoint, - for standard input", false);
  tool.option("-n,--num", o.num, "N", "how many; 64, or as many as the grid holds");
  tool.option("--seeds", o.seeds, "LIST",
              "seeds of the pictures, as 0,3-6; seed i is the same picture in any batch");
  tool.option("--class", o.label, "K", "class of all pictures, from 0; else the classes go round");
  tool.option("--truncation", o.truncation, "X",
              "factor of the latents; below 1: nearer to the middle, and more alike");
  tool.option("-o,--output", o.output, "FILE",
              "file to write, - for standard output (also if not given)");
  tool.choice("--format", o.format, {"png", "ppm", "hdf5", "tar", "npy", "fvecs", "csv", "jsonl"},
              "png: one grid, ppm: one after another; vectors: hdf5, npy and on; by the suffix");
  tool.option("--grid", o.grid, "WxH", "columns and rows of a png grid; nearly square");
  tool.option("--reconstruct", o.reconstruct, "DATA",
              "pairs of these pictures and what the model makes of them");
  tool.option("--held-out", o.held_out, "X",
              "with --reconstruct: only the share that --val-split X holds out");
  tool.choice("--split-by", o.split_by, {"name", "caption"},
              "with --held-out: what is hashed, as in training");
  tool.option("--average", o.average, "NAME",
              "weights: auto (the first average if there is one), none, or its number");
  tool.option("--batch-size", o.batch_size, "N", "pictures at once; does not change them");
  tool.flag("--force", o.force, "write to a terminal all the same");
  Fields diffusion;
  for (const BoundField& field : diffusion_fields(o.diffusion)) diffusion.push_back(field);
  tool.fields(diffusion, "Diffusion");
  tool.fields(o.reading.fields(), "Reading");
  tool.config_file();

  return tool.run(argc, argv, [&] {
    check(o, tool);
    Loaded loaded(o.model, o.average);
    loaded.prepare(o.reading, [&](std::string_view flag) { return tool.given(flag); });
    refuse_diffusion(tool, loaded, o);
    if (!o.reconstruct.empty()) return reconstruct(loaded, o) > 0 ? kExitSkipped : kExitDone;
    draw(loaded, o);
    return kExitDone;
  });
}
