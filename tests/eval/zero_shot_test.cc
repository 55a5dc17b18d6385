// Zero-shot accuracy on vectors whose answers are known by construction.
#include "eval/zero_shot.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

constexpr std::int64_t kClasses = 7, kDim = 8;

JudgedSet set_of(const std::string& source, Vectors vectors) {
  JudgedSet set;
  set.source = source;
  set.of_vectors = true;
  set.vectors = std::move(vectors);
  set.vectors.dim = kDim;
  set.vectors.model = "toy";
  return set;
}

// Texts along the axes, longer the higher the class: only the direction may count.
JudgedSet axes() {
  Vectors v;
  for (std::int64_t c = 0; c < kClasses; ++c) {
    for (std::int64_t j = 0; j < kDim; ++j) v.values.push_back(j == c ? float(c + 1) : 0.0F);
    v.ids.push_back("class " + std::to_string(c));
  }
  return set_of("texts.h5", std::move(v));
}

// Ten rows a class; `places[k % size]` classes are nearer to row k than its own.
JudgedSet rows_with(const std::vector<std::int64_t>& places) {
  Vectors v;
  for (std::int64_t k = 0; k < 10 * kClasses; ++k) {
    std::int64_t label = k / 10, before = places[std::size_t(k) % places.size()];
    std::vector<float> row(kDim, 0.0F);
    row[std::size_t(label)] = 0.5F;
    for (std::int64_t i = 1; i <= before; ++i) row[std::size_t((label + i) % kClasses)] = 0.75F;
    row.back() = 0.3F;
    v.values.insert(v.values.end(), row.begin(), row.end());
    v.labels.push_back(std::int32_t(label));
  }
  return set_of("pictures.h5", std::move(v));
}

double value(const Comparison& comparison, std::string_view key) {
  for (const Figure& figure : comparison.figures) {
    if (figure.key == key) return std::get<double>(figure.value);
  }
  FAIL("no figure " << key);
  return 0;
}

}  // namespace

TEST_CASE("zero-shot accuracy counts the rows whose own text is nearest") {
  JudgedSet texts = axes(), rows = rows_with({0, 1, 4, 5, 0});
  Comparison found = zero_shot(rows, {"toy", {}}, texts);
  CHECK(value(found, "zero_shot_accuracy") == testing::near(0.4));
  CHECK(value(found, "zero_shot_class_accuracy") == testing::near(0.4));
  CHECK(value(found, "zero_shot_top_5") == testing::near(0.8));
  CHECK(value(found, "majority_accuracy") == testing::near(1.0 / kClasses));
  CHECK(found.remarks.empty());
}

TEST_CASE("classes that occur rarely weigh as much in the mean over classes") {
  JudgedSet rows = rows_with({0});
  for (std::size_t i = 0; i < rows.vectors.labels.size(); ++i)
    rows.vectors.labels[i] = i < 10 ? 0 : i < 69 ? -1 : 3;  // one row of class 6 is called 3
  Comparison found = zero_shot(rows, {"toy", {}}, axes());
  CHECK(value(found, "zero_shot_accuracy") == testing::near(10.0 / 11));
  CHECK(value(found, "zero_shot_class_accuracy") == testing::near(0.5));
}

TEST_CASE("a row as near to another text as to its own is not right") {
  JudgedSet rows = rows_with({0});
  rows.vectors.values.assign(rows.vectors.values.size(), 1.0F);
  CHECK(value(zero_shot(rows, {"toy", {}}, axes()), "zero_shot_accuracy") == 0);
}

TEST_CASE("texts are matched to classes by name, or else in their order with a remark") {
  JudgedSet rows = rows_with({0});
  rows.vectors.label_names.resize(kClasses);
  for (std::size_t c = 0; c < kClasses; ++c)  // class c is called by the name of text 6 - c
    rows.vectors.label_names[c] = "class " + std::to_string(kClasses - 1 - std::int64_t(c));
  Comparison by_name = zero_shot(rows, {"toy", {}}, axes());
  CHECK(value(by_name, "zero_shot_accuracy") == testing::near(1.0 / kClasses));  // the middle one
  CHECK(by_name.remarks.empty());
  for (std::string& name : rows.vectors.label_names) name.replace(0, 6, "Class-");
  CHECK(value(zero_shot(rows, {"toy", {}}, axes()), "zero_shot_accuracy") ==
        testing::near(1.0 / kClasses));
  for (std::string& name : rows.vectors.label_names) name.replace(0, 6, "class ");
  rows.vectors.label_names[2] = "another";
  CHECK_THROWS_WITH_AS(zero_shot(rows, {"toy", {}}, axes()),
                       "texts.h5: a text is called 'class 0', as a class of pictures.h5, but none "
                       "is called 'another'",
                       Error);
  for (std::string& name : rows.vectors.label_names) name = "the " + name;
  Comparison by_order = zero_shot(rows, {"toy", {}}, axes());
  CHECK(value(by_order, "zero_shot_accuracy") == 1);
  REQUIRE(by_order.remarks.size() == 1);
  CHECK(by_order.remarks[0] ==
        "texts.h5: texts are taken in the order of the classes: 'class 0' is class 'the class 6'");
}

TEST_CASE("names that are one to people are told apart if a text has each, or refused") {
  JudgedSet texts = axes(), rows = rows_with({0});
  rows.vectors.label_names = texts.vectors.ids;
  rows.vectors.label_names[0] = texts.vectors.ids[0] = "a-b";
  rows.vectors.label_names[1] = texts.vectors.ids[1] = "a_b";
  CHECK(value(zero_shot(rows, {"toy", {}}, texts), "zero_shot_accuracy") == 1);
  JudgedSet said = texts;
  said.vectors.ids[0] = "a b", said.vectors.ids[1] = "c";
  CHECK_THROWS_WITH_AS(zero_shot(rows, {"toy", {}}, said),
                       "texts.h5: the classes 'a-b' and 'a_b' of pictures.h5 have one text, 'a b'",
                       Error);
  rows.vectors.label_names[1] = "A b";
  CHECK_THROWS_WITH_AS(zero_shot(rows, {"toy", {}}, texts),
                       "texts.h5: the class 'A b' of pictures.h5 may be the text 'a-b' or 'a_b'",
                       Error);
}

TEST_CASE("what cannot be judged by texts is refused") {
  JudgedSet texts = axes(), rows = rows_with({0});
  auto refused = [&](const JudgedSet& set) {
    try {
      zero_shot(set, {.name = "toy", .rows = {}, .pool = "auto"}, texts);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing is refused");
  };
  JudgedSet none = rows;
  none.vectors.labels.clear();
  CHECK(refused(none) == "pictures.h5: zero-shot accuracy needs labels, there are none");
  JudgedSet high = rows;
  high.vectors.labels[3] = 7;
  CHECK(refused(high) == "texts.h5: 7 texts for the 8 classes of pictures.h5");
  high.vectors.labels[3] = 2147483647;
  CHECK(refused(high) == "texts.h5: 7 texts for the 2147483648 classes of pictures.h5");
  JudgedSet named = rows;
  named.vectors.label_names = {"a", "b"};
  CHECK(refused(named) == "texts.h5: 7 texts for the 2 classes of pictures.h5");
  JudgedSet foreign = rows;
  foreign.vectors.model = "other";
  CHECK(refused(foreign) == "pictures.h5: vectors [8] of 'other', but texts.h5 has [8] of 'toy'");
  // Tokens are not in the space that pictures and texts share.
  JudgedSet pooled = rows;
  pooled.vectors.config = {{"pool", std::string("mean")}, {"layer", std::int64_t{-1}}};
  texts.vectors.config = {{"program", std::string("txt2vec")}};
  CHECK(refused(pooled) == "pictures.h5: vectors of pool mean, but those of texts.h5 are of auto");
  JudgedSet pictures;
  pictures.source = "pictures.h5";
  pictures.pictures.labels = {0};
  texts.vectors.config = {{"pool", std::string("mean")}};
  CHECK(refused(pictures) ==
        "pictures.h5: vectors of pool auto, but those of texts.h5 are of mean");
  texts.vectors.config.clear();
  JudgedSet unlabelled = rows;
  unlabelled.vectors.labels.assign(unlabelled.vectors.labels.size(), -1);
  CHECK(refused(unlabelled).find("no row has a class") != std::string::npos);
  rows.vectors.inputs = {{"model", std::string("0000000000000001")}};
  texts.vectors.inputs = {{"model", std::string("0000000000000002")}};
  CHECK(refused(rows) ==
        "pictures.h5: vectors [8] of 'toy@0000000000000001', but texts.h5 has [8] of "
        "'toy@0000000000000002'");
}
