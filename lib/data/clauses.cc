// Clauses found, and left out.
#include "data/clauses.h"

#include <algorithm>
#include <array>

namespace atelier {
namespace {

constexpr std::array<std::string_view, 10> kGroupWords = {
    "with", "without", "wearing", "holding", "on", "in", "at", "under", "near", "behind"};

}  // namespace

Clauses::Clauses(std::string_view caption) {
  bool fresh = true;  // the next word begins a clause
  groups_.emplace_back();
  for (std::size_t at = 0; at < caption.size();) {
    std::size_t first = caption.find_first_not_of(" \t\r\n", at);
    if (first == std::string_view::npos) break;
    at = std::min(caption.find_first_of(" \t\r\n", first), caption.size());
    std::string_view word = caption.substr(first, at - first);
    if (!clauses_.empty() && word == "and") {
      fresh = groups_.back().joined = true;
      continue;
    }
    if (!clauses_.empty() && std::ranges::find(kGroupWords, word) != kGroupWords.end()) {
      groups_.push_back({std::string(word)});
      fresh = true;
      continue;
    }
    bool last = word.ends_with(',');
    while (word.ends_with(',')) word.remove_suffix(1);
    if (!word.empty() && fresh) {
      clauses_.push_back({std::string(word), groups_.size() - 1});
    } else if (!word.empty()) {
      clauses_.back().text.append(" ").append(word);
    }
    fresh = last || (fresh && word.empty());
  }
}

std::string Clauses::text(const std::vector<bool>& keep) const {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < clauses_.size(); ++i) {
    if (keep[i]) kept.push_back(i);
  }
  std::string text;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    std::size_t group = clauses_[kept[k]].group;
    bool first = k == 0 || clauses_[kept[k - 1]].group != group;
    bool last = k + 1 == kept.size() || clauses_[kept[k + 1]].group != group;
    if (!first) {
      text += last && groups_[group].joined ? " and " : ", ";
    } else {
      if (!text.empty()) text += ' ';
      if (!groups_[group].word.empty()) text += groups_[group].word + ' ';
    }
    text += clauses_[kept[k]].text;
  }
  return text;
}

std::string drop_clauses(std::string_view caption, double probability, RandomStream& random) {
  if (!(random.uniform() < probability)) return std::string(caption);
  Clauses clauses(caption);
  if (clauses.size() < 2) return std::string(caption);
  std::size_t others = clauses.size() - 1;
  std::size_t staying = std::size_t(random.below(others));
  // Each in turn with the share of places that are left: all choices are equally likely.
  std::vector<bool> keep(clauses.size(), true);
  for (std::size_t i = 0; i < others; ++i) {
    keep[i + 1] = random.below(others - i) < staying;
    staying -= keep[i + 1];
  }
  return clauses.text(keep);
}

}  // namespace atelier
