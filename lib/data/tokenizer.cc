// The tokenizer, on what the module makes of models.
#include "data/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/module.h"
#include "data/tokenizer_module/tokenizer_module.h"

namespace atelier {
namespace {

constexpr std::int64_t kMarks = 2;                     // start and end of text, which are ours
constexpr std::int64_t kLeastSize = 256 + 1 + kMarks;  // bytes and the padding

const TokenizerModule& opened() {
  static const TokenizerModule kModule = [] {
    TokenizerModule module{};
    reinterpret_cast<TokenizerModuleFunction>(
        open_module("atelier-tokenize.so", "atelier_tokenizer", "the tokenizer"))(&module);
    return module;
  }();
  return kModule;
}

}  // namespace

struct Tokenizer::Impl {
  std::vector<std::byte> bytes;
  std::unique_ptr<TokenizerBackend> model;
};

Tokenizer Tokenizer::train(std::span<const std::string> texts, std::int64_t vocab_size) {
  auto is_text = [](const std::string& text) {
    return text.find_first_not_of(" \t\r\n") != std::string::npos;
  };
  if (!std::ranges::any_of(texts, is_text)) throw Error("no captions to learn a tokenizer from");
  if (vocab_size < kLeastSize) {
    throw UsageError(fmt::format("--vocab-size {}: expected at least {} and one for each character",
                                 vocab_size, kLeastSize));
  }
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  std::string model, reason;
  if (!opened().train(texts, int(std::min(vocab_size - kMarks, kMost)), model, reason)) {
    if (reason.find("required_chars") != std::string::npos) {
      throw UsageError(fmt::format(
          "--vocab-size {}: too small: {} and one for each character of the captions must fit",
          vocab_size, kLeastSize));
    }
    throw Error("learning a tokenizer: " + reason);
  }
  return Tokenizer(std::as_bytes(std::span(model)), "a new tokenizer");
}

Tokenizer::Tokenizer(std::span<const std::byte> bytes, const std::string& name) {
  auto impl = std::make_shared<Impl>();
  impl->bytes.assign(bytes.begin(), bytes.end());
  impl->model = opened().load({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!impl->model) throw Error(name + ": holds no tokenizer of SentencePiece");
  if (impl->model->is_word(0))
    throw Error(name + ": token 0 of its tokenizer is a word, expected it to be left for padding");
  impl_ = std::move(impl);
}

std::span<const std::byte> Tokenizer::bytes() const { return impl_->bytes; }

std::int64_t Tokenizer::vocab_size() const { return impl_->model->size() + kMarks; }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  if (!impl_->model->encode(text, ids)) throw Error("tokenizer: a text cannot be encoded");
  return {ids.begin(), ids.end()};
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::vector<int> words;
  std::ranges::copy_if(ids, std::back_inserter(words),
                       [this](std::int32_t id) { return id > 0 && id < start(); });
  std::string text;
  if (!impl_->model->decode(words, text)) throw Error("tokenizer: tokens cannot be decoded");
  return text;
}

bool Tokenizer::write(std::string_view text, std::span<std::int32_t> row) const {
  std::vector<std::int32_t> ids = encode(text);
  std::size_t room = row.size() - std::size_t(kMarks), kept = std::min(ids.size(), room);
  std::ranges::fill(row, 0);
  row[0] = start();
  std::copy_n(ids.begin(), kept, row.begin() + 1);
  row[kept + 1] = end();
  return kept == ids.size();
}

}  // namespace atelier
