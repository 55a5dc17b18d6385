// img2vec: vectors of pictures by any model that encodes.
#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/tool.h"
#include "infer/attention_report.h"
#include "infer/encode.h"
#include "io/row_blocks.h"
#include "io/vector_merge.h"

using namespace atelier;

namespace {

struct Options {
  std::vector<std::string> sources;
  std::string model, output, format, layout = "atelier", files_from, average = "auto",
                                     pool = "auto", dtype = "f32", metric, shard = "1/1", attention,
                                     attention_maps;
  std::int64_t layer = -1, batch_size = 64;
  bool zero_ended = false, normalize = false, merge = false, force = false;
  ReadOptions reading;

  bool wants_attention() const { return !attention.empty() || !attention_maps.empty(); }
  bool wants_vectors() const { return !output.empty() || !wants_attention(); }
};

VectorSinkOptions sink_options(const Options& o) {
  return {.output = o.output.empty() ? "-" : o.output,
          .format = o.format,
          .layout = o.layout,
          .header = parse_shard(o.shard).index == 1,
          .force = o.force};
}

// What is said of all rows: also whatever decides them, so that equal runs give equal bytes.
Vectors about(const Options& o, const Loaded& loaded, const Encoder& encoder) {
  Vectors v;
  v.dim = encoder.dim();
  v.dtype = o.dtype;
  v.normalized = o.normalize;
  v.metric = !o.metric.empty() ? o.metric : o.normalize ? "cosine" : "l2";
  v.model = loaded.model().name;
  v.config = {{"program", std::string("img2vec")},
              {"average", o.average},
              {"pool", encoder.pool()},
              {"layer", o.layer},
              {"normalize", o.normalize}};
  Shard shard = parse_shard(o.shard);
  set_row_blocks(v.config, RowBlocks{shard.index, shard.index, shard.count});
  v.inputs = {{"model", loaded.digest()}};
  return v;
}

// Rows of a batch as the sink takes them.
std::vector<VectorRow> rows_of(std::span<const Item> items, std::span<const float> values,
                               const std::vector<std::string>& label_names) {
  std::vector<VectorRow> rows;
  std::size_t dim = values.size() / items.size();
  for (std::size_t i = 0; i < items.size(); ++i) {
    VectorRow row{.values = values.subspan(i * dim, dim), .id = items[i].name};
    row.label = items[i].label;
    if (row.label >= 0 && std::size_t(row.label) < label_names.size())
      row.label_name = label_names[std::size_t(row.label)];
    rows.push_back(row);
  }
  return rows;
}

int encode(const Options& o, const Tool& tool) {
  Loaded loaded(o.model, o.average);
  ReadOptions reading = o.reading;
  loaded.prepare(reading, [&](std::string_view flag) { return tool.given(flag); });
  std::optional<Encoder> encoder;
  std::optional<AttentionReport> report;
  if (o.wants_vectors())
    encoder.emplace(loaded, EncodeOptions{{.pool = o.pool, .layer = o.layer}, o.normalize});
  if (o.wants_attention()) report.emplace(loaded, o.attention, o.attention_maps);
  ItemRange range = range_of(parse_shard(o.shard), o.sources, reading);
  PictureReader reader(o.sources, reading, range);
  std::optional<VectorSink> sink;
  Vectors all;
  if (encoder) {
    all = about(o, loaded, *encoder);
    sink.emplace(sink_options(o), all, reader.has_labels());
  }
  std::string digest = for_each_batch(
      loaded, reader, o.batch_size,
      [&](std::span<const Item> items, std::span<const std::int64_t> places) {
        if (report) report->add(items, places);
        if (encoder)
          sink->add(rows_of(items, encoder->encode(items, places), reader.label_names()));
      });
  if (report) report->finish();  // before the vectors, which replace a file when they are whole
  if (sink) {
    DataShape shape = loaded.data_shape();
    all.label_names = reader.label_names();
    all.preprocess = reader.preprocess(shape.height, shape.width, shape.channels);
    all.inputs.emplace_back("data", digest);
    sink->finish(all);
    logging::note(std::to_string(reader.given()) + (reader.given() == 1 ? " vector" : " vectors") +
                  " of " + std::to_string(all.dim) + ", " + std::to_string(reader.skipped()) +
                  " skipped");
  }
  if (report) logging::note(report->summary());
  return reader.skipped() > 0 ? kExitSkipped : kExitDone;
}

void refuse_typed(const Tool& tool, std::initializer_list<const char*> flags, const char* why) {
  for (const char* flag : flags) {
    if (tool.typed(flag)) throw UsageError(std::string(flag) + why);
  }
}

// Options that would have no effect.
void check_sense(const Options& o, const Tool& tool) {
  if (o.zero_ended && o.files_from.empty()) throw UsageError("--null goes with --files-from");
  if (!o.wants_vectors()) {
    refuse_typed(
        tool, {"--format", "--pool", "--layer", "--normalize", "--dtype", "--metric", "--layout"},
        " is about vectors, which --attention writes with -o only");
  }
  if (o.wants_attention() && tool.typed("shard"))
    throw UsageError("--attention and --shard exclude each other");
  if (!o.merge) return;
  refuse_typed(
      tool,
      {"--model", "--files-from", "--pool", "--layer", "--normalize", "--dtype", "--metric",
       "--shard", "--average", "--batch-size", "--attention", "--attention-maps"},
      " goes without --merge");
  for (const BoundField& field : ReadOptions().fields())
    refuse_typed(tool, {field.flag().c_str()}, " goes without --merge");
  if (o.sources.empty()) throw UsageError("--merge: expected files of vectors");
}

void check_places(const Options& o) {
  const std::pair<const std::string&, const char*> outputs[] = {
      {o.output, "--output"}, {o.attention, "--attention"}, {o.attention_maps, "--attention-maps"}};
  std::vector<std::string> inputs =
      paths_of(files_read(o.sources, o.reading), o.model, o.files_from);
  for (const auto& [path, flag] : outputs) {
    refuse_overwriting(path, inputs, flag);
    for (const auto& [other, other_flag] : outputs) {
      if (!path.empty() && path == other && std::string_view(flag) != other_flag)
        throw UsageError(std::string(flag) + " and " + other_flag + " both want " +
                         output_name(path));
    }
  }
}

// Refuses what cannot be meant, before anything is read; completes the list of sources.
void check(Options& o, const Tool& tool) {
  if (o.batch_size < 1) throw UsageError("--batch-size '0': expected at least 1");
  parse_shard(o.shard);
  check_sense(o, tool);
  if (o.wants_vectors()) format_of(sink_options(o), o.dtype);
  require_one_stdin(paths_of(o.sources, o.files_from, o.model));
  if (!o.merge && o.model.empty()) throw UsageError("--model: expected a checkpoint");
  if (!o.files_from.empty()) {
    std::vector<std::string> names = read_names(o.files_from, o.zero_ended);
    o.sources.insert(o.sources.end(), names.begin(), names.end());
  }
  check_places(o);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("img2vec", "Turn pictures into vectors by any model that encodes.");
  tool.operands("PICTURES", o.sources, "folders, pictures, tar, idx or HDF5 files, or -", false);
  tool.option("-m,--model", o.model, "FILE", "checkpoint, - for standard input");
  tool.option("-o,--output", o.output, "FILE",
              "file to write, - for standard output (also if not given)");
  tool.choice("--format", o.format, {"hdf5", "npy", "fvecs", "csv", "jsonl"},
              "by the suffix; hdf5 on standard output");
  tool.option("--files-from", o.files_from, "FILE", "more pictures, one name a line; - for stdin");
  tool.flag("-0,--null", o.zero_ended, "names of --files-from end with a zero byte");
  tool.choice("--pool", o.pool, {"auto", "cls", "mean"},
              "auto: what the model was trained to give; of tokens: the class token or the mean");
  tool.option("--layer", o.layer, "N", "with cls or mean: after so many blocks; all if not given");
  tool.flag("--normalize", o.normalize, "divide each vector by its length");
  tool.choice("--dtype", o.dtype, {"f32", "f16"}, "numbers of hdf5 and npy files");
  tool.choice("--metric", o.metric, {"cosine", "l2", "ip"},
              "recorded: how two are compared; cosine with --normalize, else l2");
  tool.choice("--layout", o.layout, {"atelier", "ann-benchmarks"},
              "hdf5: also under the names of that suite");
  tool.option("--shard", o.shard, "K/N", "only block K of N, from 1; --merge puts them together");
  tool.flag("--merge", o.merge, "operands are vectors of such blocks: write them as one");
  tool.option("--average", o.average, "NAME",
              "weights: auto (the first average if there is one), none, or its number");
  tool.option("-b,--batch-size", o.batch_size, "N",
              "pictures at once; does not change the vectors");
  tool.flag("--force", o.force, "write to a terminal all the same");
  tool.option(
      "--attention", o.attention, "FILE",
      "mean distance in pixels that attention looks, by layer and head: TSV, or a plot as .svg",
      "Attention");
  tool.option("--attention-maps", o.attention_maps, "FILE",
              "PNG of the first pictures and what each layer looks at", "Attention");
  tool.fields(o.reading.fields(), "Reading");
  tool.config_file();

  return tool.run(argc, argv, [&] {
    check(o, tool);
    if (!o.merge) return encode(o, tool);
    merge_vectors(o.sources, sink_options(o));
    return kExitDone;
  });
}
