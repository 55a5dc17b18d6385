// txt2vec: vectors of texts by a model that reads them.
#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/tool.h"
#include "data/text_reader.h"
#include "infer/encode_text.h"
#include "io/vector_sink.h"

using namespace atelier;

namespace {

struct Options {
  std::string model, average = "auto", dtype = "f32";
  TextSources sources;
  TextEncoderOptions encoding;
  VectorSinkOptions sink;
};

// Refuses what cannot be meant, before the model is read.
void check(const Options& o) {
  const TextSources& from = o.sources;
  format_of(o.sink, o.dtype);
  std::vector<std::string> inputs{o.model};
  for (const auto* files : {&from.lines, &from.captions})
    inputs.insert(inputs.end(), files->begin(), files->end());
  refuse_overwriting(o.sink.output, inputs);
  require_one_stdin(inputs);
}

// Without any source, lines of standard input.
void settle(Options& o) {
  TextSources& from = o.sources;
  if (o.model.empty()) throw UsageError("--model is missing");
  if (std::ranges::count(from.texts, "-") > 0)
    throw UsageError("TEXT '-': texts of standard input are those of --lines -");
  if (from.texts.empty() && from.lines.empty() && from.captions.empty()) from.lines = {"-"};
  check(o);
}

Vectors about(const Options& o, const Loaded& loaded, std::int64_t dim) {
  Vectors vectors;
  vectors.dim = dim;
  vectors.dtype = o.dtype;
  vectors.normalized = o.encoding.normalize;
  vectors.model = loaded.model().name;
  vectors.metric = o.encoding.normalize ? "cosine" : "l2";  // as img2vec has it
  vectors.config = {{"program", std::string("txt2vec")},
                    {"average", o.average},
                    {"normalize", o.encoding.normalize}};
  vectors.inputs = {{"model", loaded.digest()}};
  std::string templates;
  for (const std::string& pattern : o.encoding.templates)
    templates += (templates.empty() ? "" : "\n") + pattern;
  if (!templates.empty()) vectors.config.emplace_back("templates", templates);
  return vectors;
}

// Returns how many texts were skipped.
std::int64_t encode(const Options& o) {
  Loaded loaded(o.model, o.average);
  TextEncoder encoder(loaded, tokenizer_of(loaded), o.encoding);
  Vectors head = about(o, loaded, encoder.dim());
  VectorSink sink(o.sink, head, /*labelled=*/false);
  TextReader reader(o.sources);
  std::vector<std::string> texts;
  std::vector<VectorRow> rows;
  std::int64_t count = 0;
  std::string text;
  for (bool more = true; more;) {
    texts.clear();
    while (std::int64_t(texts.size()) < o.encoding.batch_size && (more = reader.next(text)))
      texts.push_back(text);
    std::vector<float> vectors = encoder.encode(texts);
    rows.clear();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::size_t dim = std::size_t(head.dim);
      rows.push_back({.values = std::span(vectors).subspan(i * dim, dim), .id = texts[i]});
    }
    sink.add(rows);
    count += std::int64_t(texts.size());
  }
  if (count == 0) throw Error("no texts were given");
  if (encoder.cut() > 0) {
    bool one = encoder.cut() == 1;
    logging::warning(std::to_string(encoder.cut()) + (one ? " text does" : " texts do") +
                     " not fit into the " + std::to_string(encoder.context_length()) +
                     " tokens of the model and " + (one ? "is" : "are") + " cut");
  }
  sink.finish(head);
  return reader.skipped();
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  Tool tool("txt2vec", "Vectors of texts by a model that reads them.");
  tool.operands("TEXT", o.sources.texts, "texts; without any source, lines of standard input",
                false);
  tool.option("-m,--model", o.model, "FILE", "checkpoint, - for standard input");
  tool.option("--lines", o.sources.lines, "FILE",
              "texts of a file, one a line, - for standard input; repeatable");
  tool.option("--captions", o.sources.captions, "DATA",
              "captions of a data set, one vector a picture; repeatable");
  tool.option(
      "--template", o.encoding.templates, "TEXT",
      "what is said of each text, as 'a photo of {}'; repeatable: the mean of unit vectors");
  tool.flag("--normalize", o.encoding.normalize, "vectors of length 1");
  tool.option("-o,--output", o.sink.output, "FILE", "file to write, - for standard output");
  tool.choice("--format", o.sink.format, {"hdf5", "npy", "fvecs", "csv", "jsonl"},
              "of the output; by the suffix, hdf5 for standard output");
  tool.choice("--layout", o.sink.layout, {"atelier", "ann-benchmarks"},
              "hdf5: under which names the vectors are found");
  tool.choice("--dtype", o.dtype, {"f32", "f16"}, "type of the numbers; fvecs holds f32 alone");
  tool.choice("--on-error", o.sources.on_error, {"fail", "skip"},
              "empty texts and such: fail, or skip and end with status 3");
  tool.option("--average", o.average, "NAME",
              "weights: auto (the first average if there is one), none, or its number");
  tool.option("--batch-size", o.encoding.batch_size, "N",
              "texts at once; does not change their vectors");
  tool.flag("--force", o.sink.force, "write binary to a terminal all the same");
  tool.config_file();

  return tool.run(argc, argv, [&] {
    settle(o);
    return encode(o) > 0 ? kExitSkipped : kExitDone;
  });
}
