// Ranks of the right class: how many other texts are as near as its own.
#include "eval/zero_shot.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "eval/distances.h"
#include "eval/neighbors.h"

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

// The row of the text of each class.
std::vector<std::int64_t> text_of_class(const JudgedSet& set, const JudgedSet& texts,
                                        std::vector<std::string>& remarks) {
  const std::vector<std::string>& names = set.label_names();
  std::vector<std::string> ids = texts.vectors.ids;
  for (std::string& id : ids) id = folded(id);
  std::vector<std::int64_t> rows;
  std::string named, unnamed;  // a class that a text has the name of, and one that none has
  for (const std::string& name : names) {
    auto found = std::ranges::find(ids, folded(name));
    (found == ids.end() ? unnamed : named) = name;
    rows.push_back(found - ids.begin());
  }
  if (!names.empty() && unnamed.empty()) return rows;
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

}  // namespace

Comparison zero_shot(const JudgedSet& set, const FeatureSpace& space, const JudgedSet& texts) {
  if (set.labels().empty()) {
    throw Error(set.source + ": zero-shot accuracy needs labels, there are none");
  }
  require_alike(set, texts, /*by_direction=*/true);
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
  std::vector<float> classes(own.size() * std::size_t(said.columns));
  for (std::size_t c = 0; c < own.size(); ++c) {
    said.read(own[c], 1,
              std::span(classes).subspan(c * std::size_t(said.columns), std::size_t(said.columns)));
  }
  std::vector<std::int64_t> first(own.size(), 0), among_five(own.size(), 0), all(own.size(), 0);
  std::int64_t row = 0;
  for_each_piece(pictures, [&](std::int64_t, std::int64_t count, std::span<float> values) {
    for (std::int64_t i = 0; i < count; ++i, ++row) {
      std::int32_t label = set.labels()[std::size_t(row)];
      if (label < 0) continue;
      auto dim = std::size_t(said.columns);
      std::span<const float> picture = values.subspan(std::size_t(i) * dim, dim);
      auto distance = [&](std::size_t c) {
        return squared_distance(picture, std::span(classes).subspan(c * dim, dim));
      };
      auto right = std::size_t(label);
      double bar = distance(right);
      std::int64_t before = 0;
      for (std::size_t c = 0; c < own.size(); ++c) before += c != right && distance(c) <= bar;
      ++all[right];
      first[right] += before == 0;
      among_five[right] += before < 5;
    }
  });
  std::int64_t judged = 0, right = 0, near = 0, occurring = 0;
  double share = 0;
  for (std::size_t c = 0; c < own.size(); ++c) {
    judged += all[c], right += first[c], near += among_five[c];
    if (all[c] == 0) continue;
    ++occurring;
    share += double(first[c]) / double(all[c]);
  }
  if (judged == 0) throw Error(set.source + ": no row has a class");
  const std::string& name = space.name;
  double rows = double(judged);
  result.figures = {{"features", name},
                    {"rows", judged},
                    {"classes", std::int64_t(own.size())},
                    {"majority_accuracy", double(*std::ranges::max_element(all)) / rows},
                    {"zero_shot_accuracy", double(right) / rows, name},
                    {"zero_shot_class_accuracy", share / double(occurring), name}};
  if (own.size() > 5) result.figures.push_back({"zero_shot_top_5", double(near) / rows, name});
  return result;
}

}  // namespace atelier
