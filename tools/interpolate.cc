// interpolate: pictures between pictures, vectors or seeds.
#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/tool.h"
#include "diffusion_options.h"
#include "infer/classes.h"
#include "infer/latents.h"
#include "infer/points.h"
#include "infer/way.h"
#include "io/picture_sink.h"
#include "row_output.h"

using namespace atelier;

namespace {

struct Options : DrawnOutput {
  std::string model = "-", from, to, through, seeds, mode, label, pace = "latents";
  std::int64_t from_index = 0, to_index = 0, frames = -1;
  double extrapolate = 0;
  bool strip = false, loop = false;
  SampleArgs diffusion;
  ReadOptions reading;
};

// As many as a grid holds; of a strip few enough to look at; of a film two or three seconds.
std::int64_t frames_of(const Options& o) {
  GridShape grid = parse_grid(o.grid);
  if (o.frames >= 0) return o.frames;
  return grid.columns > 0 ? grid.columns * grid.rows : o.strip ? 9 : 60;
}

std::vector<std::int32_t> seeds_of(const Options& o) { return parse_seed_list(o.seeds, "--seeds"); }

// The class of all frames: a way from one to another would leave what the model has seen. Of seeds
// that of the first, as sample draws it.
std::int64_t class_of_frames(const Loaded& loaded, const Options& o) {
  std::int64_t label = class_named(loaded, o.label);
  if (label != -1 || !draws_classes(loaded)) return label;
  if (!o.seeds.empty()) return class_of(loaded, -1, seeds_of(o).front());
  if (draws_without_class(loaded)) return kNoClass;
  throw UsageError(loaded.name() + ": draws no pictures without a class; expected --class");
}

// The points of the way, [K, latent_size], K at least 2.
std::vector<float> points_of(const Loaded& loaded, const Options& o, const ReadOptions& reading,
                             const SampleArgs& args) {
  if (!o.seeds.empty()) return latents_of_seeds(loaded, seeds_of(o));
  if (!o.through.empty()) {
    std::vector<float> points = latents_of_vectors(loaded, o.through);
    if (std::int64_t(points.size()) < 2 * latent_size(loaded))
      throw Error(o.through + ": expected at least two vectors to go between");
    return points;
  }
  std::vector<float> points = latent_of_file(loaded, o.from, o.from_index, reading, args);
  std::vector<float> end = latent_of_file(loaded, o.to, o.to_index, reading, args);
  points.insert(points.end(), end.begin(), end.end());
  return points;
}

// The way to the noise and back is not the same with guidance: each prediction is moved on from
// where it was made.
void warn_of_guidance(const Options& o, const Loaded& loaded) {
  bool found = latents_are_noise(loaded) && !o.from.empty();
  if (!found || o.diffusion.guidance_scale == 1) return;
  logging::warning(
      "--guidance-scale: the ends are found by going to the noise and back, which "
      "with guidance do not meet; expected 1");
}

int draw(const Options& o, const Tool& tool) {
  Loaded loaded(o.model, o.average);
  std::int64_t size = latent_size(loaded);
  SampleArgs args = o.diffusion;
  refuse_diffusion(tool, loaded, args.deterministic_fields());
  args.batch_size = o.batch_size;
  args.label = class_of_frames(loaded, o);
  ReadOptions reading = o.reading;
  loaded.prepare(reading, [&](std::string_view flag) { return tool.given(flag); });
  warn_of_guidance(o, loaded);
  std::vector<float> points = points_of(loaded, o, reading, args);
  // Draws of a prior lie on a shell; what encoders give may lie anywhere.
  bool on_shell = !o.seeds.empty() || latents_are_noise(loaded);
  std::string mode = !o.mode.empty() ? o.mode : on_shell ? "slerp" : "lerp";
  std::int64_t frames = frames_of(o);
  Way way(points, size,
          {.mode = mode, .frames = frames, .loop = o.loop, .extrapolate = o.extrapolate});
  std::vector<double> places = way.places();
  // When the output is known to take them: it may take minutes.
  auto find_places = [&] {
    if (o.pace == "pictures") places = places_of_even_steps(loaded, way, args);
  };
  auto write = [&](std::int64_t index, std::span<float> latent) {
    way.write(places[std::size_t(index)], latent);
  };
  std::int64_t frame = 0;
  DataShape shape = loaded.data_shape();
  if (shape.real) {
    if (o.strip || !o.grid.empty())
      throw UsageError(std::string(o.strip ? "--strip: " : "--grid: ") + loaded.name() +
                       " makes no pictures");
    write_rows(loaded, o.vectors(), false, [&](const AddRow& add) {
      find_places();
      auto give = [&](std::span<const float> row) {
        std::string id = std::to_string(frame++);
        add({.values = row, .id = id, .label = -1});
      };
      decode_latent_values(loaded, frames, write, give, args);
    });
    return kExitDone;
  }
  SinkOptions pictures = o.pictures("interpolate", loaded.model().name);
  if (o.strip) pictures.grid = std::to_string(frames) + "x1";
  PictureSink sink(pictures, shape.height, shape.width, shape.channels);
  auto give = [&](std::span<const std::uint8_t> picture) { sink.add(picture, frame++); };
  find_places();
  decode_latents(loaded, frames, write, give, args);
  sink.finish();
  return kExitDone;
}

void check_ends(const Options& o, const Tool& tool) {
  bool files = !o.from.empty() || !o.to.empty();
  if (files + !o.through.empty() + !o.seeds.empty() != 1)
    throw UsageError("expected --from and --to, --vectors, or --seeds, and only one of these");
  if (files && (o.from.empty() || o.to.empty())) throw UsageError("--from and --to: expected both");
  if (!o.seeds.empty() && seeds_of(o).size() < 2)
    throw UsageError("--seeds " + o.seeds + ": expected at least two to go between");
  require_one_stdin(paths_of(o.model, o.from, o.to, o.through));
  if (files) return;
  for (const char* flag : {"--from-index", "--to-index"}) {
    if (tool.typed(flag)) throw UsageError(std::string(flag) + " goes with --from and --to");
  }
  for (const BoundField& field : ReadOptions().fields()) {
    if (tool.typed(field.flag())) throw UsageError(field.flag() + " goes with --from and --to");
  }
}

// Refuses what cannot be meant, before the model is read.
void check(const Options& o, const Tool& tool) {
  if (o.batch_size < 1) throw UsageError("--batch-size '0': expected at least 1");
  if (o.frames == 0) throw UsageError("--frames 0: expected at least 1");
  if (!(o.extrapolate >= 0 && o.extrapolate <= 1000))
    throw UsageError("--extrapolate: expected a factor from 0 to 1000");
  if (o.extrapolate > 0 && o.loop) throw UsageError("--extrapolate and --loop exclude each other");
  if (o.strip && !o.grid.empty()) throw UsageError("--strip and --grid exclude each other");
  SinkOptions pictures = o.pictures("", "");
  VectorSinkOptions vectors = o.vectors();
  std::string format =
      of_vectors_alone(pictures, vectors) ? format_of(vectors) : format_of(pictures);
  if (o.strip && format != "png") throw UsageError("--strip goes with png, not with " + format);
  std::int64_t frames = frames_of(o);
  GridShape grid = parse_grid(o.grid);
  if (format == "png") require_grid(frames);
  if (o.strip) parse_grid(std::to_string(frames) + "x1", "--frames of a --strip");
  if (grid.columns > 0 && frames > grid.columns * grid.rows) {
    throw UsageError("--grid " + o.grid + ": has " + std::to_string(grid.columns * grid.rows) +
                     " cells for " + std::to_string(frames) + " frames");
  }
  check_ends(o, tool);
  refuse_overwriting(o.output, paths_of(o.model, o.from, o.to, o.through));
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("interpolate", "Draw the pictures between pictures, vectors or seeds.");
  tool.operand("MODEL", o.model, "checkpoint, - for standard input", false);
  tool.option("--from", o.from, "FILE", "picture, or vectors of img2vec, to begin with");
  tool.option("--to", o.to, "FILE", "the same to end with");
  tool.option("--from-index", o.from_index, "N", "which picture or vector of it, from 0");
  tool.option("--to-index", o.to_index, "N", "the same of --to");
  tool.option("--vectors", o.through, "FILE", "go through all vectors of a file, - for stdin");
  tool.option("--seeds", o.seeds, "LIST", "go through the pictures of these seeds, as 1,7,9");
  tool.choice("--mode", o.mode, {"lerp", "slerp"},
              "straight or in arcs; slerp between seeds and noises, lerp between others");
  tool.choice("--pace", o.pace, {"latents", "pictures"},
              "what changes by even steps; pictures take several times as long to find");
  tool.option("--class", o.label, "NAME",
              "class of all frames: its name, its number from 0, or none; of the first seed");
  tool.option("--frames", o.frames, "N", "how many; 60, 9 of a strip, as many as a grid holds");
  tool.flag("--loop", o.loop, "come back to the beginning, which is not repeated");
  tool.option("--extrapolate", o.extrapolate, "X",
              "go on beyond both ends by so many times the distance");
  tool.flag("--strip", o.strip, "png: all frames in one row");
  o.declare(tool);
  declare_diffusion(tool, o.diffusion, o.diffusion.deterministic_fields());
  tool.fields(except(o.reading.fields(), {"on_error"}), "Reading");  // an end is not skipped
  tool.config_file();

  return tool.run(argc, argv, [&] {
    check(o, tool);
    return draw(o, tool);
  });
}
