// Files of kind stats, and vectors as tools take them.
#include "io/stats.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "io/vectors.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

Stats example() {
  Stats s;
  s.features = "pca:2@0123456789abcdef";
  s.count = 7;
  s.mu = {1, 2};
  s.sigma = {2, 0.5, 0.5, 1};
  s.components = {1, 0, 0, 0, 1, 0};
  s.centre = {0.25, 0.5, 0.75};
  s.config = {{"pool", std::string("cls")}, {"normalized", true}};
  s.preprocess = {{"channels", std::int64_t{1}}};
  s.inputs = {{"data", std::string("fedcba9876543210")}};
  return s;
}

Vectors rows(std::int64_t count, const std::string& model) {
  Vectors v;
  v.dim = 2;
  v.metric = "l2";
  v.model = model;
  for (std::int64_t i = 0; i < 2 * count; ++i) v.values.push_back(float(i));
  return v;
}

}  // namespace

TEST_CASE("stats come back as they were") {
  Folder folder;
  std::string path = folder.path("s.h5");
  write_stats(path, example());
  Stats s = read_stats(Hdf5Reader(std::filesystem::path(path)));
  CHECK(s.features == example().features);
  CHECK(s.count == 7);
  CHECK(s.mu == example().mu);
  CHECK(s.sigma == example().sigma);
  CHECK(s.components == example().components);
  CHECK(s.centre == example().centre);
  CHECK(s.config == example().config);
  CHECK(s.preprocess == example().preprocess);
  CHECK(s.inputs == example().inputs);
}

TEST_CASE("stats that make no sense are refused") {
  struct Case {
    const char* message;
    void (*spoil)(Stats&);
  };
  const Case cases[] = {
      {"/sigma: expected [2,2] as /mu has 2 numbers", [](Stats& s) { s.sigma.pop_back(); }},
      {"count 1: expected at least 2", [](Stats& s) { s.count = 1; }},
      {"/components: expected [2,3]", [](Stats& s) { s.components.pop_back(); }},
      {"/mu: values must be finite", [](Stats& s) { s.mu[0] = std::nan(""); }},
      {"/sigma: variance 1 is negative", [](Stats& s) { s.sigma[3] = -1; }},
      {"/sigma: not symmetric at 1,0", [](Stats& s) { s.sigma[1] = 0.6; }},
  };
  Folder folder;
  std::string path = folder.path("x.h5");
  for (const Case& c : cases) {
    Stats s = example();
    c.spoil(s);
    std::string found = message_of([&] { write_stats(path, s); });
    CHECK_MESSAGE(found == path + ": " + c.message, found);
  }
  CHECK(folder.entries() == 0);
  write_vectors(path, rows(3, "m"));
  std::string found = message_of([&] { read_stats(Hdf5Reader(std::filesystem::path(path))); });
  CHECK(contains(found, "expected kind stats, found kind vectors"));
}

TEST_CASE("images of vectors back to back are one set") {
  Folder folder;
  std::string one = folder.path("1.h5"), two = folder.path("2.h5"), other = folder.path("3.h5");
  write_vectors(one, rows(3, "m"));
  write_vectors(two, rows(2, "m"));
  write_vectors(other, rows(2, "n"));
  auto joined = [&](const std::string& a, const std::string& b) {
    Bytes bytes = read_bytes(a), more = read_bytes(b);
    bytes.insert(bytes.end(), more.begin(), more.end());
    return folder.write("joined.h5", bytes);
  };
  Vectors v = read_all_vectors(joined(one, two));
  CHECK(v.size() == 5);
  CHECK(v.values[5] == 5);
  CHECK(v.values[6] == 0);
  CHECK(read_all_vectors(one).size() == 3);
  std::string found = message_of([&] { read_all_vectors(joined(one, other)); });
  CHECK_MESSAGE(contains(found, "(image 2): the model is 'n', but 'm' in what comes before it"),
                found);
  found = message_of([&] { read_all_vectors(folder.path()); });
  CHECK_MESSAGE(contains(found, "Is a directory"), found);
}
