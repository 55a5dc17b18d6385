// What a model's text tower says of texts, batch by batch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/tokenizer.h"
#include "infer/infer.h"

namespace atelier {

struct TextEncoderOptions {
  // What is said of a text, as "a photo of {}"; none: the text itself. Of several the vector is the
  // mean of the vectors, each first brought to length 1 (Radford et al. 2021, 3.1.4).
  std::vector<std::string> templates = {};
  bool normalize = false;  // rows of length 1
  std::int64_t batch_size = 64;
};

// The tokenizer that a checkpoint holds. Error("vae.h5: ..") if it holds none.
Tokenizer tokenizer_of(const Loaded& model);

// Of one model; rows do not depend on the batch that they are in. The model must outlive it.
class TextEncoder {
 public:
  // Error("vae.h5: this model does not read text"), or of a tokenizer with more tokens than the
  // model has room for; UsageError for a template without {}.
  TextEncoder(const Loaded& model, Tokenizer tokenizer, TextEncoderOptions options = {});
  std::int64_t dim() const { return dim_; }
  // [texts, dim], row by row. Error naming a text whose vector cannot be normalized.
  std::vector<float> encode(std::span<const std::string> texts);
  // How many texts so far, templates filled in, did not fit into the model's context and were cut.
  std::int64_t cut() const { return cut_; }
  std::int64_t context_length() const { return length_; }

 private:
  void make_plan(std::int64_t rows);
  void run(std::span<const std::string> prompts, std::vector<float>& into);
  const Loaded& model_;
  Tokenizer tokenizer_;
  TextEncoderOptions options_;
  std::int64_t length_ = 0, dim_ = 0, rows_ = 0, cut_ = 0;
  std::optional<Plan> plan_;
};

}  // namespace atelier
