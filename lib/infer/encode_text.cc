// Encoding texts.
#include "infer/encode_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "infer/rows.h"

namespace atelier {
namespace {

constexpr std::string_view kPlace = "{}";  // of the text in a template

std::string filled(std::string_view pattern, std::string_view text) {
  std::string prompt;
  for (std::size_t at = 0;;) {
    std::size_t place = pattern.find(kPlace, at);
    prompt += pattern.substr(at, place - at);
    if (place == pattern.npos) return prompt;
    prompt += text;
    at = place + kPlace.size();
  }
}

void require_length(double square, const std::string& model, const std::string& text) {
  if (square > 0 && std::isfinite(square)) return;
  throw Error(fmt::format("{}: the vector of '{}' has no length that could be 1", model, text));
}

}  // namespace

Tokenizer tokenizer_of(const Loaded& model) {
  const std::vector<std::byte>& bytes = model.checkpoint().tokenizer;
  if (!bytes.empty()) return Tokenizer(bytes, model.name() + ": /tokenizer");
  throw Error(fmt::format("{}: {}", model.name(),
                          model.model().encode_text ? "holds no tokenizer, which texts need"
                                                    : "this model does not read text"));
}

TextEncoder::TextEncoder(const Loaded& model, Tokenizer tokenizer, TextEncoderOptions options)
    : model_(model), tokenizer_(std::move(tokenizer)), options_(std::move(options)) {
  const Model& net = model.model();
  if (!net.encode_text || !net.context_length)
    throw Error(model.name() + ": this model does not read text");
  for (const std::string& pattern : options_.templates) {
    if (pattern.find(kPlace) == pattern.npos) {
      throw UsageError(
          fmt::format("--template '{}': expected {} where the text belongs", pattern, kPlace));
    }
  }
  if (options_.batch_size < 1) throw UsageError("--batch-size: expected at least 1");
  if (net.fit) {
    DataShape shape = model.data_shape();
    shape.vocab_size = tokenizer_.vocab_size();
    try {
      net.fit(shape);
    } catch (const UsageError& error) {
      throw Error(fmt::format("{}: {}", model.name(), error.what()));
    }
  }
  length_ = net.context_length();
  make_plan(1);
}

void TextEncoder::make_plan(std::int64_t rows) {
  plan_.emplace(model_.plan(rows, [&](const Scope& scope) {
    Expr tokens = scope.graph().input("tokens", DType::i32, {rows, length_});
    Expr vectors = model_.model().encode_text(scope, tokens);
    return reshape(vectors, {rows, vectors.shape().count() / rows});
  }));
  rows_ = rows;
  dim_ = std::int64_t(plan_->output("y").size()) / rows;
}

// Rows that are left over say nothing.
void TextEncoder::run(std::span<const std::string> prompts, std::vector<float>& into) {
  std::int64_t rows = std::min(options_.batch_size, std::int64_t(prompts.size()));
  if (rows > rows_) make_plan(rows);
  for (std::size_t first = 0; first < prompts.size(); first += std::size_t(rows_)) {
    std::size_t count = std::min(std::size_t(rows_), prompts.size() - first);
    std::span<std::int32_t> tokens = plan_->input<std::int32_t>("tokens");
    std::size_t length = std::size_t(length_);
    for (std::size_t i = 0; i < std::size_t(rows_); ++i) {
      std::span<std::int32_t> row = tokens.subspan(i * length, length);
      bool whole = tokenizer_.write(i < count ? prompts[first + i] : std::string(), row);
      cut_ += whole ? 0 : 1;
    }
    plan_->run();
    std::span<const float> vectors = plan_->output("y");
    into.insert(into.end(), vectors.begin(), vectors.begin() + std::ptrdiff_t(count) * dim_);
  }
}

std::vector<float> TextEncoder::encode(std::span<const std::string> texts) {
  std::size_t patterns = options_.templates.size(), dim = std::size_t(dim_);
  std::vector<std::string> prompts;
  for (const std::string& text : texts) {
    for (const std::string& pattern : options_.templates) prompts.push_back(filled(pattern, text));
  }
  std::vector<float> said, vectors;
  run(patterns > 0 ? std::span<const std::string>(prompts) : texts, said);
  if (patterns <= 1) {
    vectors = std::move(said);
  } else {
    vectors.resize(texts.size() * dim);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<double> sum(dim);
      for (std::size_t p = 0; p < patterns; ++p) {
        std::span<float> row = std::span(said).subspan((i * patterns + p) * dim, dim);
        require_length(normalize(row), model_.name(), prompts[i * patterns + p]);
        for (std::size_t k = 0; k < dim; ++k) sum[k] += double(row[k]);
      }
      for (std::size_t k = 0; k < dim; ++k) vectors[i * dim + k] = float(sum[k] / double(patterns));
    }
  }
  if (!options_.normalize) return vectors;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::span<float> row = std::span(vectors).subspan(i * dim, dim);
    require_length(normalize(row), model_.name(), texts[i]);
  }
  return vectors;
}

}  // namespace atelier
