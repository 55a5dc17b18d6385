// SentencePiece behind the interface of the module; the only file that knows it.
#include "data/tokenizer_module/tokenizer_module.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <unordered_map>

// Exported, but declared in a header that is not installed.
namespace sentencepiece::logging {
void SetMinLogLevel(int level);
}

namespace atelier {
namespace {

// Its messages would go to standard error under its own name; statuses say the same.
void silence() {
  constexpr int kFatal = 3;
  sentencepiece::logging::SetMinLogLevel(kFatal);
}

// Its trainer counts the characters of a word in 16 bits, and does not check; folding makes 18 of
// 3 bytes at most.
constexpr std::size_t kWordBytes = 4096;

// The text with the first kWordBytes of each word, in whole characters.
std::string with_short_words(const std::string& text) {
  std::string kept;
  std::size_t word = 0;  // bytes of it so far
  bool cut = false;
  for (char c : text) {
    bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    bool begins = (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // a character of UTF-8
    word = space ? 0 : word + 1;
    constexpr std::size_t kCharacter = 4;
    cut = !space && (cut || (begins && word + kCharacter > kWordBytes));
    if (!cut) kept += c;
  }
  return kept;
}

class Texts : public sentencepiece::SentenceIterator {
 public:
  explicit Texts(std::span<const std::string> texts) : texts_(texts) { take(); }
  bool done() const override { return at_ >= texts_.size(); }
  void Next() override {
    ++at_;
    take();
  }
  const std::string& value() const override { return text_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void take() {
    if (!done()) text_ = with_short_words(texts_[at_]);
  }

  std::span<const std::string> texts_;
  std::size_t at_ = 0;
  std::string text_;
};

class Backend : public TokenizerBackend {
 public:
  bool load(std::string_view model) {
    return processor_.LoadFromSerializedProto({model.data(), model.size()}).ok();
  }
  int size() const override { return processor_.GetPieceSize(); }
  bool is_word(int id) const override {
    return !processor_.IsUnknown(id) && !processor_.IsControl(id);
  }
  bool encode(std::string_view text, std::vector<int>& ids) const override {
    return processor_.Encode({text.data(), text.size()}, &ids).ok();
  }
  bool decode(const std::vector<int>& ids, std::string& text) const override {
    return processor_.Decode(ids, &text).ok();
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

// One thread: the bytes must depend on the texts alone.
bool train(std::span<const std::string> texts, int size, std::string& model, std::string& reason) {
  silence();
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(size)},
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
  auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  if (!status.ok()) reason = status.ToString();
  return status.ok();
}

std::unique_ptr<TokenizerBackend> load(std::string_view model) {
  silence();
  auto backend = std::make_unique<Backend>();
  if (model.empty() || !backend->load(model) || backend->size() == 0) return nullptr;
  return backend;
}

}  // namespace
}  // namespace atelier

extern "C" void atelier_tokenizer(atelier::TokenizerModule* module) {
  *module = {atelier::train, atelier::load};
}
