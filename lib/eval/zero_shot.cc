// Ranks of the right class: how many other texts are as near as its own.
#include "eval/zero_shot.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "eval/distances.h"
#include "eval/neighbors.h"
#include "eval/retrieval.h"

namespace atelier {
namespace {

// As people write the names of folders and say them: "big-smile" and "Big smile" are one.
std::string folded(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
    if (c == '-' || c == '_') c = ' ';
  }
  return name;
}

// The text that has the name of a class: exactly, or else the only one that is as people say it;
// without one, the number of texts. Throws Error if several are.
std::int64_t text_called(const std::string& name, const JudgedSet& set, const JudgedSet& texts) {
  const std::vector<std::string>& ids = texts.vectors.ids;
  auto exact = std::ranges::find(ids, name);
  if (exact != ids.end()) return exact - ids.begin();
  auto alike = [&](const std::string& id) { return folded(id) == folded(name); };
  auto found = std::ranges::find_if(ids, alike);
  if (found == ids.end()) return std::int64_t(ids.size());
  auto other = std::find_if(found + 1, ids.end(),
                            [&](const std::string& id) { return id != *found && alike(id); });
  if (other == ids.end()) return found - ids.begin();
  throw Error(fmt::format("{}: the class '{}' of {} may be the text '{}' or '{}'", texts.source,
                          name, set.source, *found, *other));
}

// Two classes of one text would lose every tie.
void require_texts_of_their_own(const std::vector<std::int64_t>& rows, const JudgedSet& set,
                                const JudgedSet& texts) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto other = std::find(rows.begin() + std::ptrdiff_t(i) + 1, rows.end(), rows[i]);
    if (other == rows.end()) continue;
    throw Error(fmt::format("{}: the classes '{}' and '{}' of {} have one text, '{}'", texts.source,
                            set.label_names()[i],
                            set.label_names()[std::size_t(other - rows.begin())], set.source,
                            texts.vectors.ids[std::size_t(rows[i])]));
  }
}

// The row of the text of each class.
std::vector<std::int64_t> text_of_class(const JudgedSet& set, const JudgedSet& texts,
                                        std::vector<std::string>& remarks) {
  const std::vector<std::string>& names = set.label_names();
  const std::vector<std::string>& ids = texts.vectors.ids;
  std::vector<std::int64_t> rows;
  std::string named, unnamed;  // a class that a text has the name of, and one that none has
  for (const std::string& name : names) {
    rows.push_back(text_called(name, set, texts));
    (rows.back() == std::int64_t(ids.size()) ? unnamed : named) = name;
  }
  if (!names.empty() && unnamed.empty()) {
    require_texts_of_their_own(rows, set, texts);
    return rows;
  }
  if (!named.empty()) {
    throw Error(fmt::format("{}: a text is called '{}', as a class of {}, but none is called '{}'",
                            texts.source, named, set.source, unnamed));
  }
  auto classes = std::int64_t(names.size());
  if (names.empty()) classes = std::int64_t(*std::ranges::max_element(set.labels())) + 1;
  bool fit = names.empty() ? classes <= texts.size() : classes == texts.size();
  if (!fit) {
    throw Error(fmt::format("{}: {} texts for the {} classes of {}", texts.source, texts.size(),
                            classes, set.source));
  }
  if (!names.empty() && !ids.empty()) {
    remarks.push_back(
        fmt::format("{}: texts are taken in the order of the classes: '{}' is class '{}'",
                    texts.source, texts.vectors.ids[0], names[0]));
  }
  rows.clear();
  for (std::int64_t i = 0; i < texts.size(); ++i) rows.push_back(i);
  return rows;
}

// For each row with a class, how many other texts are at least as near to it as its own.
struct Placed {
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> ranks;
};

// `classes`: unit rows [count, dim], in the order of the labels.
Placed place(const Table& pictures, std::span<const std::int32_t> labels,
             std::span<const float> classes) {
  Placed placed;
  auto dim = std::size_t(pictures.columns), count = classes.size() / dim;
  for_each_piece(pictures, [&](std::int64_t start, std::int64_t rows, std::span<float> values) {
    for (std::int64_t i = 0; i < rows; ++i) {
      std::int32_t label = labels[std::size_t(start + i)];
      if (label < 0) continue;
      auto distance = [&](std::size_t c) {
        return squared_distance(values.subspan(std::size_t(i) * dim, dim),
                                classes.subspan(c * dim, dim));
      };
      double own = distance(std::size_t(label));
      std::int64_t before = 0;
      for (std::size_t c = 0; c < count; ++c)
        before += c != std::size_t(label) && distance(c) <= own;
      placed.labels.push_back(label);
      placed.ranks.push_back(before);
    }
  });
  return placed;
}

}  // namespace

Comparison zero_shot(const JudgedSet& set, const FeatureSpace& space, const JudgedSet& texts) {
  if (set.labels().empty()) {
    throw Error(set.source + ": zero-shot accuracy needs labels, there are none");
  }
  require_alike(set, texts, space, /*by_direction=*/true);
  if (!set.of_vectors && maker_of(texts.vectors) != space.name) {
    throw Error(fmt::format("{}: vectors of '{}', but pictures are seen by '{}'", texts.source,
                            maker_of(texts.vectors), space.name));
  }
  Comparison result;
  std::vector<std::int64_t> own = text_of_class(set, texts, result.remarks);
  Table pictures = unit_rows(rows_of(set, space)), said = unit_rows(rows_of(texts, {}));
  if (pictures.columns != said.columns) {
    throw Error(fmt::format("{}: vectors of {} numbers, but those of {} have {}", texts.source,
                            said.columns, set.source, pictures.columns));
  }
  auto dim = std::size_t(said.columns);
  std::vector<float> classes(own.size() * dim);
  for (std::size_t c = 0; c < own.size(); ++c)
    said.read(own[c], 1, std::span(classes).subspan(c * dim, dim));
  Placed placed = place(pictures, set.labels(), classes);
  if (placed.ranks.empty()) throw Error(set.source + ": no row has a class");

  std::vector<std::int64_t> all(own.size(), 0), right(own.size(), 0);
  for (std::size_t i = 0; i < placed.ranks.size(); ++i) {
    ++all[std::size_t(placed.labels[i])];
    right[std::size_t(placed.labels[i])] += placed.ranks[i] == 0;
  }
  double share = 0, occurring = 0;
  for (std::size_t c = 0; c < own.size(); ++c) {
    if (all[c] == 0) continue;
    ++occurring;
    share += double(right[c]) / double(all[c]);
  }
  auto rows = std::int64_t(placed.ranks.size());
  const std::string& name = space.name;
  result.figures = {{"features", name},
                    {"rows", rows},
                    {"classes", std::int64_t(own.size())},
                    {"majority_accuracy", double(*std::ranges::max_element(all)) / double(rows)},
                    {"zero_shot_accuracy", recall_at(placed.ranks, 1), name},
                    {"zero_shot_class_accuracy", share / occurring, name}};
  if (own.size() > 5)
    result.figures.push_back({"zero_shot_top_5", recall_at(placed.ranks, 5), name});
  return result;
}

}  // namespace atelier
