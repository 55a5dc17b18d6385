// The tokenizer; the only file that knows SentencePiece.
#include "data/tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.h"

// Exported, but declared in a header that is not installed.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

namespace atelier {
namespace {

constexpr std::int64_t kMarks = 2;                     // start and end of text, which are ours
constexpr std::int64_t kLeastSize = 256 + 1 + kMarks;  // bytes and the padding

// Its messages would go to standard error under its own name; statuses say the same.
void silence() {
  constexpr int kFatal = 3;
  sentencepiece::logging::SetMinLogLevel(kFatal);
}

class Texts : public sentencepiece::SentenceIterator {
 public:
  explicit Texts(std::span<const std::string> texts) : texts_(texts) {}
  bool done() const override { return at_ >= texts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return texts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::span<const std::string> texts_;
  std::size_t at_ = 0;
};

}  // namespace

struct Tokenizer::Impl {
  std::vector<std::byte> bytes;
  sentencepiece::SentencePieceProcessor processor;
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
  silence();
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(vocab_size - kMarks)},
      {"hard_vocab_limit", "false"},
      {"byte_fallback", "true"},
      {"normalization_rule_name", "nmt_nfkc_cf"},
      {"max_sentence_length", "1000000000"},
      {"num_threads", "1"},
      {"unk_id", "0"},
      {"bos_id", "-1"},
      {"eos_id", "-1"},
      {"pad_id", "-1"},
      {"minloglevel", "3"}};
  Texts iterator(texts);
  std::string model;
  auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  if (!status.ok()) {
    std::string reason = status.ToString();
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
  silence();
  auto impl = std::make_shared<Impl>();
  impl->bytes.assign(bytes.begin(), bytes.end());
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto status = impl->processor.LoadFromSerializedProto({text.data(), text.size()});
  if (bytes.empty() || !status.ok() || impl->processor.GetPieceSize() == 0)
    throw Error(name + ": holds no tokenizer of SentencePiece");
  if (!impl->processor.IsUnknown(0) && !impl->processor.IsControl(0))
    throw Error(name + ": token 0 of its tokenizer is a word, expected it to be left for padding");
  impl_ = std::move(impl);
}

std::span<const std::byte> Tokenizer::bytes() const { return impl_->bytes; }

std::int64_t Tokenizer::vocab_size() const { return impl_->processor.GetPieceSize() + kMarks; }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int> ids;
  auto status = impl_->processor.Encode({text.data(), text.size()}, &ids);
  if (!status.ok()) throw Error("tokenizer: " + status.ToString());
  return {ids.begin(), ids.end()};
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::vector<int> words;
  std::ranges::copy_if(ids, std::back_inserter(words),
                       [this](std::int32_t id) { return id > 0 && id < start(); });
  std::string text;
  auto status = impl_->processor.Decode(words, &text);
  if (!status.ok()) throw Error("tokenizer: " + status.ToString());
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
