// The interface of the tokenizer module, which the library opens at the first tokenizer.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

// A loaded model; constant functions may be called from several threads.
class TokenizerBackend {
 public:
  virtual ~TokenizerBackend() = default;
  virtual int size() const = 0;  // pieces
  virtual bool is_word(int id) const = 0;
  virtual bool encode(std::string_view text, std::vector<int>& ids) const = 0;
  virtual bool decode(const std::vector<int>& ids, std::string& text) const = 0;
};

struct TokenizerModule {
  // The bytes of a model of at most `size` pieces; false and the reason if it cannot be.
  bool (*train)(std::span<const std::string> texts, int size, std::string& model,
                std::string& reason);
  std::unique_ptr<TokenizerBackend> (*load)(std::string_view model);  // null: no model
};

}  // namespace atelier

using TokenizerModuleFunction = void (*)(atelier::TokenizerModule*);
extern "C" void atelier_tokenizer(atelier::TokenizerModule* module);
