// Whole jobs: what is said of good, noised, mode-dropped and copied sets; probes, retrieval, stats.
#include "eval/judge.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "base/error.h"
#include "eval/support.h"
#include "support/near.h"

using namespace atelier;

namespace {

using Values = std::map<std::string, double>;

Values values_of(const Comparison& comparison) {
  Values values;
  for (const Figure& f : comparison.figures) {
    if (auto* number = std::get_if<double>(&f.value)) values[f.key] = *number;
    if (auto* whole = std::get_if<std::int64_t>(&f.value)) values[f.key] = double(*whole);
  }
  return values;
}

JudgedSet set_of(Dataset data, const std::string& source) {
  JudgedSet set;
  set.source = data.source = source;
  set.pictures = std::move(data);
  return set;
}

// Fashion-MNIST rows that `wanted` accepts, `noise` added.
JudgedSet changed(const Dataset& data, const std::string& source, double noise,
                  const std::function<bool(std::int64_t)>& wanted) {
  std::vector<float> rows = rows_of(data), kept;
  RandomStream random(1, stream_of(source));
  for (std::int64_t i = 0; i < data.size; ++i) {
    if (!wanted(i)) continue;
    for (std::int64_t j = 0; j < 784; ++j)
      kept.push_back(rows[std::size_t(i * 784 + j)] + float(noise * random.normal()));
  }
  return set_of(pictures_of(kept, data, source), source);
}

// Vectors of three classes; the second half of the numbers is the first one, noised.
Vectors vectors_of(std::int64_t count, std::uint64_t seed, double noise) {
  Vectors v;
  v.dim = 16;
  v.metric = "cosine";
  v.model = "toy@0000000000000001";
  v.values = normal_rows(count, v.dim, 7);
  std::vector<float> more = normal_rows(count, v.dim, seed, noise);
  for (std::size_t i = 0; i < more.size(); ++i) v.values[i] += more[i];
  for (std::int64_t i = 0; i < count; ++i) {
    v.labels.push_back(std::int32_t(i % 3));
    v.values[std::size_t(i * v.dim + i % 3)] += 4;
  }
  v.label_names = {"a", "b", "c"};
  return v;
}

JudgedSet set_of(Vectors vectors, const std::string& source) {
  JudgedSet set;
  set.source = source;
  set.of_vectors = true;
  set.vectors = std::move(vectors);
  return set;
}

}  // namespace

TEST_CASE("each figure moves as it must on Fashion-MNIST, and the copy is caught") {
  if (!has_fashion("judging changed copies of Fashion-MNIST")) return;
  Dataset train = read_fashion("train", 1000), test = read_fashion("t10k", 1000);
  auto any = [](std::int64_t) { return true; };
  JudgedSet real = set_of(train, "train");
  auto reference = make_reference(real, make_space(real, "pca:24"));
  JudgeArgs args{.bootstrap = 0};
  Values good = values_of(judge(set_of(test, "test"), *reference, {}, args));
  Values noised = values_of(judge(changed(test, "noised", 0.25, any), *reference, {}, args));
  Values dropped = values_of(judge(
      changed(test, "dropped", 0, [&](std::int64_t i) { return test.labels[std::size_t(i)] < 5; }),
      *reference, {}, args));
  Values copied = values_of(judge(changed(train, "copied", 0, any), *reference,
                                  set_of(test, "test"), {.bootstrap = 0, .control = true}));
  for (const auto& [what, v] : {std::pair("test", &good),
                                {"noised", &noised},
                                {"dropped", &dropped},
                                {"copied", &copied}}) {
    fmt::print(
        "summary: Fashion-MNIST {}: Frechet {:.3f}, kernel {:.4f}, precision {:.3f}, recall "
        "{:.3f}, "
        "density {:.3f}, coverage {:.3f}, copies {:.3f}, z {:.1f}\n",
        what, v->at("frechet"), v->at("kernel"), v->at("precision"), v->at("recall"),
        v->at("density"), v->at("coverage"), v->at("copies"), v->at("copying_z"));
  }
  fmt::print(
      "summary: Fashion-MNIST Gaussian control: Frechet {:.3f}, precision {:.3f}, recall {:.3f}\n",
      copied.at("control_frechet"), copied.at("control_precision"), copied.at("control_recall"));
  CHECK(noised["frechet"] > 5 * good["frechet"]);
  CHECK(noised["kernel"] > good["kernel"] + 3 * noised["kernel_standard_error"]);
  CHECK(noised["precision"] < good["precision"] - 0.1);
  CHECK(dropped["frechet"] > 5 * good["frechet"]);
  CHECK(dropped["recall"] < good["recall"] - 0.2);
  CHECK(dropped["coverage"] < good["coverage"] - 0.2);
  CHECK(dropped["precision"] > good["precision"] - 0.05);
  CHECK(copied["frechet"] < good["frechet"]);  // a copy looks better than what is real
  CHECK(copied["precision"] == 1);
  CHECK(copied["copies_exact"] == 1000);
  CHECK(copied["copies"] == 1);
  CHECK(copied["copying_z"] > 20);
  CHECK(std::abs(good["copying_z"]) < 4);
  CHECK(copied["control_precision"] < good["precision"]);
}

TEST_CASE("vectors are probed and find their partners; others are refused") {
  JudgedSet train = set_of(vectors_of(600, 1, 0.5), "train.h5");
  JudgedSet test = set_of(vectors_of(300, 2, 0.5), "test.h5");
  FeatureSpace space = make_space(train, "");
  Values probed = values_of(probe(train, test, space, {}));
  CHECK(probed["majority_accuracy"] == testing::near(1.0 / 3));
  for (const char* key : {"knn_accuracy", "ridge_accuracy", "logistic_accuracy"}) {
    CHECK_MESSAGE(probed[key] > 0.95, key);
  }
  // Classes of any number take no room of their own.
  JudgedSet far_train = train, far_test = test;
  for (JudgedSet* set : {&far_train, &far_test}) {
    set->vectors.label_names.clear();
    for (std::int32_t& label : set->vectors.labels) label = label == 1 ? 2147483647 : label * 1000;
  }
  CHECK(values_of(probe(far_train, far_test, space, {}))["logistic_accuracy"] ==
        values_of(probe(train, test, space, {}))["logistic_accuracy"]);
  Values found = values_of(
      retrieve(set_of(vectors_of(300, 3, 0.1), "a.h5"), set_of(vectors_of(300, 4, 0.1), "b.h5")));
  CHECK(found["forward_at_1"] > 0.9);
  CHECK(found["backward_at_10"] > 0.99);
  JudgedSet foreign = test;
  foreign.vectors.model = "other";
  CHECK_THROWS_WITH_AS(
      probe(train, foreign, space, {}),
      "test.h5: vectors [16] of 'other', but train.h5 has [16] of 'toy@0000000000000001'", Error);
  foreign = test;
  foreign.vectors.normalized = true;
  CHECK_THROWS_WITH_AS(probe(train, foreign, space, {}),
                       "test.h5: vectors are normalized, but those of train.h5 are not", Error);
  foreign = test;
  foreign.vectors.label_names = {"a", "c", "b"};
  CHECK_THROWS_WITH_AS(probe(train, foreign, space, {}),
                       "test.h5: classes have other names than those of train.h5", Error);
  foreign.vectors.labels.clear();
  foreign.vectors.label_names.clear();
  CHECK_THROWS_WITH_AS(probe(train, foreign, space, {}),
                       "test.h5: a probe needs labels, there are none", Error);
  CHECK_THROWS_WITH_AS(retrieve(test, train),
                       "test.h5: 300 rows have no partners in the 600 of train.h5", Error);
  JudgedSet one = set_of(vectors_of(1, 1, 0), "one.h5");
  CHECK_THROWS_WITH_AS(make_reference(one, space),
                       "one.h5: a reference needs at least 2 rows, found 1", Error);
  // For the script that tests the tool: no tool writes vectors yet.
  if (const char* folder = std::getenv("ATELIER_WRITE_VECTORS")) {
    auto path = [&](const char* name) { return fmt::format("{}/{}", folder, name); };
    write_vectors(path("train.h5"), train.vectors);
    write_vectors(path("test.h5"), test.vectors);
    write_vectors(path("one.h5"), one.vectors);
    foreign.vectors.model = "other@0000000000000002";
    write_vectors(path("other.h5"), foreign.vectors);
  }
}

TEST_CASE("stats from a file stand for the set that they are of") {
  std::vector<float> a = normal_rows(300, 48, 1, 0.1, 0.5), b = normal_rows(200, 48, 2, 0.1, 0.5);
  Dataset shape;
  shape.height = 4;
  shape.width = 4;
  shape.channels = 3;
  JudgedSet real = set_of(pictures_of(a, shape, "real"), "real");
  JudgedSet made = set_of(pictures_of(b, shape, "made"), "made");
  auto reference = make_reference(real, make_space(real, "pca:5"));
  Values direct = values_of(judge(made, *reference, {}, {.bootstrap = 0}));
  std::string path =
      fmt::format("{}/judge_test.{}.h5", std::filesystem::temp_directory_path().string(), getpid());
  write_stats(path, stats_of(reference->frechet.moments, reference->space, real.pictures));
  auto read = read_reference(Hdf5Reader(std::filesystem::path(path)), made, {});
  CHECK(read->space.name == reference->space.name);
  CHECK(values_of(judge(made, *read, {}, {.bootstrap = 0}))["frechet"] == direct["frechet"]);
  FeatureSpace pixels = make_space(real, "pixels");
  auto whole = make_reference(real, pixels);
  write_stats(path, stats_of(whole->frechet.moments, whole->space, real.pictures));
  CHECK(read_reference(Hdf5Reader(std::filesystem::path(path)), made, pixels)->space.name ==
        pixels.name);
  CHECK_THROWS_AS(
      read_reference(Hdf5Reader(std::filesystem::path(path)), made, {"vae@1", pixels.rows}), Error);
  std::filesystem::remove(path);
  shape.height = 2;
  shape.width = 8;
  JudgedSet wide = set_of(pictures_of(b, shape, "wide"), "wide");
  CHECK_THROWS_WITH_AS(rows_of(wide, pixels),
                       "wide: pictures of 2x8x3, but the reference has 4x4x3", Error);
  // Principal components are of pictures, not of so many numbers: those of the file as well, unless
  // it does not say their shape.
  CHECK_THROWS_WITH_AS(rows_of(wide, reference->space),
                       "wide: pictures of 2x8x3, but the reference has 4x4x3", Error);
  Stats stats = stats_of(reference->frechet.moments, reference->space, real.pictures);
  CHECK(features_of(stats, "x.h5").rows(wide.pictures).columns == 5);
  stats.preprocess = {{"channels", std::int64_t{3}},
                      {"image_height", std::int64_t{4}},
                      {"image_width", std::int64_t{4}}};
  CHECK_THROWS_WITH_AS(features_of(stats, "x.h5").rows(wide.pictures),
                       "wide: pictures of 2x8x3, but the reference has 4x4x3", Error);
  CHECK(features_of(stats, "x.h5").rows(made.pictures).columns == 5);
  CHECK_THROWS_WITH_AS(make_space(real, "pca:none"),
                       "--features 'pca:none': expected pixels, pca:K or a checkpoint", UsageError);
}
