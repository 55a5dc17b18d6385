// Composites against their textbook definitions in plain loops.
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "graph/differences.h"
#include "support/near.h"

using namespace atelier;

namespace {

using List = std::vector<double>;

// Values of every output of one op applied to given operands.
struct Applied {
  std::vector<Dense> in, out;
};
Applied apply(Op op, const std::vector<Type>& types, const std::vector<std::int64_t>& attributes,
              double low = -1, double high = 1) {
  Applied a;
  a.in = testing::fill_sample({"", types, {}, low, high, {}}, 41);
  for (Dense& d : a.in) {
    if (d.type.dtype != DType::i32) continue;
    for (std::size_t i = 0; i < d.v.size(); ++i) d.v[i] = double(1 + i % 3);
  }
  Graph g;
  OracleState state;
  std::vector<Expr> x;
  for (std::size_t k = 0; k < a.in.size(); ++k) {
    std::string name = "x" + std::to_string(k);
    x.push_back(g.input(name, a.in[k].type.dtype, a.in[k].type.shape));
    state.inputs[name] = a.in[k];
  }
  NodeId node = g.put(op, x, attributes).node;
  std::vector<Value> wanted;
  for (std::uint16_t part = 0; part < g.node(node).parts; ++part) wanted.push_back({node, part});
  a.out = evaluate(g, wanted, state);
  return a;
}

void check_equal(const List& found, const List& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i] == testing::near(expected[i], 1e-12));
  }
}

Type real(Shape shape) { return {DType::f64, shape}; }
Type whole(Shape shape) { return {DType::i32, shape}; }

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const List& v) {
  Moments m;
  for (double x : v) m.mean += x / double(v.size());
  for (double x : v) m.variance += (x - m.mean) * (x - m.mean) / double(v.size());
  return m;
}

}  // namespace

TEST_CASE("softmax is exp(x) over its sum, cross-entropy minus the log of the label's share") {
  Applied s = apply(Op::softmax, {real({3, 5})}, {});
  Applied c = apply(Op::cross_entropy, {real({3, 5}), whole({3})}, {});
  List share(15), loss(3), lse(3);
  for (std::size_t r = 0; r < 3; ++r) {
    double total = 0;
    for (std::size_t i = 0; i < 5; ++i) total += std::exp(s.in[0].v[5 * r + i]);
    for (std::size_t i = 0; i < 5; ++i) share[5 * r + i] = std::exp(s.in[0].v[5 * r + i]) / total;
    lse[r] = std::log(total);
    loss[r] = -std::log(share[5 * r + std::size_t(c.in[1].v[r])]);
  }
  check_equal(s.out[0].v, share);
  check_equal(c.out[0].v, loss);
  check_equal(c.out[1].v, lse);
}

TEST_CASE("softmax and cross-entropy of huge logits stay finite") {
  Applied s = apply(Op::softmax, {real({2, 4})}, {}, -1e4, 1e4);
  Applied c = apply(Op::cross_entropy, {real({2, 4}), whole({2})}, {}, -1e4, 1e4);
  for (double v : s.out[0].v) CHECK(std::isfinite(v));
  for (double v : c.out[0].v) CHECK(std::isfinite(v));
}

TEST_CASE("layer norm has the moments of each row, batch norm those of each column") {
  const double eps = 1e-3;
  Applied l = apply(Op::layer_norm, {real({3, 7}), real({7}), real({7})}, {double_to_bits(eps)});
  Applied b = apply(Op::batch_norm, {real({3, 7}), real({7}), real({7})}, {double_to_bits(eps)});
  List y(21), mean(3), rstd(3), by(21), bmean(7), bvariance(7);
  const List &x = l.in[0].v, &scale = l.in[1].v, &shift = l.in[2].v;
  for (std::size_t r = 0; r < 3; ++r) {
    Moments m = moments(List(x.begin() + long(7 * r), x.begin() + long(7 * r + 7)));
    mean[r] = m.mean;
    rstd[r] = 1 / std::sqrt(m.variance + eps);
    for (std::size_t i = 0; i < 7; ++i) {
      y[7 * r + i] = (x[7 * r + i] - m.mean) * rstd[r] * scale[i] + shift[i];
    }
  }
  for (std::size_t i = 0; i < 7; ++i) {
    Moments m = moments({x[i], x[7 + i], x[14 + i]});
    bmean[i] = m.mean;
    bvariance[i] = m.variance;
    for (std::size_t r = 0; r < 3; ++r) {
      by[7 * r + i] = (x[7 * r + i] - m.mean) / std::sqrt(m.variance + eps) * scale[i] + shift[i];
    }
  }
  check_equal(l.out[0].v, y);
  check_equal(l.out[1].v, mean);
  check_equal(l.out[2].v, rstd);
  check_equal(b.out[0].v, by);
  check_equal(b.out[1].v, bmean);
  check_equal(b.out[2].v, bvariance);
}

TEST_CASE("group norm has the moments of each group of neighbouring channels") {
  const double eps = 1e-3;
  const std::size_t n = 2, pixels = 6, c = 4, groups = 2, width = c / groups;
  Applied a =
      apply(Op::group_norm, {real({2, 3, 2, 4}), real({4}), real({4})}, {2, double_to_bits(eps)});
  List y(n * pixels * c), mean(n * groups), rstd(n * groups);
  for (std::size_t i = 0; i < n * groups; ++i) {
    auto at = [&](std::size_t p, std::size_t j) {
      return (i / groups * pixels + p) * c + i % groups * width + j;
    };
    List members;
    for (std::size_t k = 0; k < pixels * width; ++k) {
      members.push_back(a.in[0].v[at(k / width, k % width)]);
    }
    Moments m = moments(members);
    mean[i] = m.mean;
    rstd[i] = 1 / std::sqrt(m.variance + eps);
    for (std::size_t k = 0; k < pixels * width; ++k) {
      std::size_t channel = i % groups * width + k % width;
      y[at(k / width, k % width)] =
          (members[k] - m.mean) * rstd[i] * a.in[1].v[channel] + a.in[2].v[channel];
    }
  }
  check_equal(a.out[0].v, y);
  check_equal(a.out[1].v, mean);
  check_equal(a.out[2].v, rstd);
}

TEST_CASE("attention weighs the values of the keys that a query may see") {
  const std::size_t b = 2, t = 3, s = 4, h = 2, d = 3;
  const double scale = 0.7;
  Type q = real({b, t, h, d}), k = real({b, s, h, d});
  Applied a = apply(Op::attention, {q, k, k, real({h, t, s}), whole({b})},
                    {1, double_to_bits(scale), 1, 1});
  const List &bias = a.in[3].v, &valid = a.in[4].v;
  List out(b * t * h * d, 0), lse(b * h * t);
  for (std::size_t i = 0; i < b * h * t; ++i) {
    std::size_t batch = i / (h * t), head = i / t % h, query = i % t;
    auto query_at = [&](std::size_t e) { return ((batch * t + query) * h + head) * d + e; };
    auto key_at = [&](std::size_t key, std::size_t e) {
      return ((batch * s + key) * h + head) * d + e;
    };
    List weight(s, 0);
    double total = 0;
    for (std::size_t key = 0; key < s; ++key) {
      if (key > query + s - t || double(key) >= valid[batch]) continue;
      double dot = 0;
      for (std::size_t e = 0; e < d; ++e) dot += a.in[0].v[query_at(e)] * a.in[1].v[key_at(key, e)];
      weight[key] = std::exp(dot * scale + bias[(head * t + query) * s + key]);
      total += weight[key];
    }
    lse[i] = std::log(total);
    for (std::size_t key = 0; key < s; ++key) {
      for (std::size_t e = 0; e < d; ++e) {
        out[query_at(e)] += weight[key] / total * a.in[2].v[key_at(key, e)];
      }
    }
  }
  check_equal(a.out[0].v, out);
  check_equal(a.out[1].v, lse);
}

TEST_CASE("adam is the published update with decoupled decay, and averages follow the result") {
  const double beta1 = 0.8, beta2 = 0.9, eps = 1e-3, decay = 0.1;
  Type p = real({5}), s = real({});
  Applied a = apply(
      Op::adam, {p, p, p, p, s, s, s, s, p, p, s, s},
      {double_to_bits(beta1), double_to_bits(beta2), double_to_bits(eps), double_to_bits(decay), 2},
      0.2, 0.9);
  auto scalar = [&](std::size_t k) { return a.in[k].v[0]; };
  std::vector<List> expected(5, List(5));
  for (std::size_t i = 0; i < 5; ++i) {
    double g = a.in[3].v[i] * scalar(7);
    double m = beta1 * a.in[1].v[i] + (1 - beta1) * g;
    double v = beta2 * a.in[2].v[i] + (1 - beta2) * g * g;
    double next = a.in[0].v[i] - scalar(4) * (m / scalar(5)) / (std::sqrt(v / scalar(6)) + eps) -
                  scalar(4) * decay * a.in[0].v[i];
    expected[0][i] = next;
    expected[1][i] = m;
    expected[2][i] = v;
    for (std::size_t k = 0; k < 2; ++k) {
      double average = a.in[8 + k].v[i];
      expected[3 + k][i] = average + (1 - scalar(10 + k)) * (next - average);
    }
  }
  for (std::size_t part = 0; part < 5; ++part) check_equal(a.out[part].v, expected[part]);
}

TEST_CASE("normal is Box-Muller on two streams of the counter generator") {
  const std::uint64_t stream = 77;
  const double kTwoPi = double(float(2 * std::numbers::pi));  // a constant of an f32 graph
  Applied a = apply(Op::normal, {whole({2}), whole({3})}, {std::int64_t(stream), 2, 5});
  const List &ids = a.in[0].v, &clock = a.in[1].v;
  std::uint64_t seed = std::uint64_t(clock[0]) | std::uint64_t(clock[1]) << 32;
  List expected(10);
  for (std::uint32_t r = 0; r < 2; ++r) {
    for (std::uint32_t j = 0; j < 5; ++j) {
      auto draw = [&](std::uint64_t from) {
        return double(
            uniform_of(random_word(seed, from, std::uint64_t(clock[2]), std::uint32_t(ids[r]), j)));
      };
      expected[5 * r + j] =
          std::sqrt(-2 * std::log(1 - draw(stream))) * std::cos(kTwoPi * draw(stream + 1));
    }
  }
  check_equal(a.out[0].v, expected);
}
