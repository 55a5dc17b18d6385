// pack and matmul against sums in double precision.
#include "kernels/everywhere.h"

namespace atelier {
namespace {
using namespace test;

// A matrix [batch][rows][columns] as the graph's views have them: any strides, also 0 and negative.
struct View {
  std::int64_t batch, rows, columns;
  std::int64_t batch_stride, row_stride, column_stride;

  // Element (0, 0, 0) of the least memory that holds the view, and its size.
  std::int64_t first() const {
    return below(batch, batch_stride) + below(rows, row_stride) + below(columns, column_stride);
  }
  std::int64_t size() const {
    if (batch * rows * columns == 0) return 0;
    return 1 + (batch - 1) * std::abs(batch_stride) + (rows - 1) * std::abs(row_stride) +
           (columns - 1) * std::abs(column_stride);
  }
  std::int64_t at(std::int64_t b, std::int64_t row, std::int64_t column) const {
    return first() + b * batch_stride + row * row_stride + column * column_stride;
  }
  static std::int64_t below(std::int64_t extent, std::int64_t stride) {
    return extent > 0 && stride < 0 ? (1 - extent) * stride : 0;
  }
};

View dense(std::int64_t batch, std::int64_t rows, std::int64_t columns, bool transposed) {
  return {batch, rows, columns, rows * columns, transposed ? 1 : columns, transposed ? rows : 1};
}

struct Case {
  View a, b;  // [batch][m][k], [batch][k][n]
  bool bias, relu;
};

// Dense operands, each as it is or transposed; `one_b` serves the whole batch.
Case dense_case(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, bool ta,
                bool tb, bool one_b, bool bias, bool relu) {
  return {dense(batch, m, k, ta), dense(one_b ? 1 : batch, k, n, tb), bias, relu};
}

PackArgs pack_of(const View& b) {
  PackArgs p{};
  p.format = PackFormat::matmul;
  p.batch = b.batch;
  p.k = b.rows;
  p.n = b.columns;
  p.batch_stride = b.batch_stride;
  p.k_stride = b.row_stride;
  p.n_stride = b.column_stride;
  return p;
}

MatmulArgs matmul_of(const Case& c, float* out, const float* a, const float* packed,
                     const float* bias) {
  MatmulArgs args{};
  args.c = out;
  args.a = a + c.a.first();
  args.b = packed;
  args.batch = c.a.batch;
  args.m = c.a.rows;
  args.n = c.b.columns;
  args.k = c.a.columns;
  args.a_batch_stride = c.a.batch_stride;
  args.a_row_stride = c.a.row_stride;
  args.a_k_stride = c.a.column_stride;
  args.b_batch_stride = c.b.batch == 1 ? 0 : panels(c.b.columns) * c.b.rows * kPanel;
  args.epilogue = {c.bias ? bias : nullptr, c.relu};
  return args;
}

void compare(const Case& c, const Floats& a, const Floats& b, const Floats& bias, const Floats& out,
             Worst& worst) {
  const std::int64_t m = c.a.rows, n = c.b.columns;
  for (std::int64_t i = 0; i < c.a.batch * m * n; ++i) {
    const std::int64_t batch = i / (m * n), row = i / n % m, column = i % n;
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < c.a.columns; ++k) {
      const double p = double(a[std::size_t(c.a.at(batch, row, k))]) *
                       double(b[std::size_t(c.b.at(c.b.batch == 1 ? 0 : batch, k, column))]);
      sum += p;
      magnitude += std::abs(p);
    }
    if (c.bias) {
      sum += double(bias[std::size_t(column)]);
      magnitude += std::abs(double(bias[std::size_t(column)]));
    }
    if (c.relu) sum = std::max(sum, 0.0);
    worst.check(double(out[std::size_t(i)]), sum, magnitude, 1e-6);
  }
}

void check_case(const Case& c) {
  INFO("batch ", c.a.batch, " m ", c.a.rows, " n ", c.b.columns, " k ", c.a.columns, " a strides ",
       c.a.batch_stride, " ", c.a.row_stride, " ", c.a.column_stride, " b strides ",
       c.b.batch_stride, " ", c.b.row_stride, " ", c.b.column_stride);
  Ledger worst("matmul", kOfProducts);
  const Floats a = values(c.a.size(), 1), b = values(c.b.size(), 2), bias = values(c.b.columns, 3);
  PackArgs pack = pack_of(c.b);
  // Packing starts at element (0, 0): the view's first.
  Floats packed;
  run_everywhere(
      KernelId::pack, {b}, {packed_count(pack)},
      [&](const auto& from, const auto& to) {
        pack.src = from[0] + c.b.first();
        pack.dst = to[0];
        return pack;
      },
      [&](Level, const std::vector<Floats>& out) { packed = out[0]; });
  run_everywhere(
      KernelId::matmul, {a, packed, bias}, {c.a.batch * c.a.rows * c.b.columns},
      [&](const auto& from, const auto& to) {
        return matmul_of(c, to[0], from[0], from[1], from[2]);
      },
      [&](Level level, const std::vector<Floats>& out) {
        compare(c, a, b, bias, out[0], worst[level]);
      });
}

TEST_CASE("matmul is the sequential sum for every shape, orientation and epilogue") {
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      for (bool epilogue : {false, true}) {
        check_case(dense_case(1, 1, 1, 1, ta, tb, false, epilogue, epilogue));
        check_case(dense_case(1, 1, 100, 37, ta, tb, false, epilogue, false));
        check_case(dense_case(1, 7, 33, 5, ta, tb, false, epilogue, epilogue));
        check_case(dense_case(1, 13, 65, 130, ta, tb, false, false, epilogue));
        check_case(dense_case(3, 9, 31, 17, ta, tb, false, epilogue, epilogue));
        check_case(dense_case(5, 3, 8, 6, ta, tb, true, epilogue, epilogue));
        check_case(dense_case(1, 50, 17, 600, ta, tb, false, epilogue, epilogue));
      }
    }
  }
}

TEST_CASE("matmul with few rows, few columns and K in blocks is the same sum") {
  for (std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 8}) {
    check_case(dense_case(1, m, 70, 40, false, false, false, true, false));
    check_case(dense_case(1, 40, m, 40, true, false, false, false, true));
  }
  check_case(dense_case(1, 11, 40, 3000, false, true, false, true, true));
  check_case(dense_case(1, 11, 40, 1700, true, false, false, true, true));
  check_case(dense_case(1, 500, 7, 1537, false, false, false, true, false));
}

// Where all products have one sign, none of the rounding is small against the sum of magnitudes:
// the error grows with k, as that of any sum in order does. What must hold is the order: each
// element is the f32 sum by fma, bit for bit.
TEST_CASE("matmul of operands of one sign is the sum in order of k") {
  for (const std::array<std::int64_t, 3>& shape : std::vector<std::array<std::int64_t, 3>>{
           {64, 96, 400}, {5, 33, 784}, {11, 40, 3000}, {2, 7, 65536}}) {
    const std::int64_t m = shape[0], n = shape[1], k = shape[2];
    INFO("m ", m, " n ", n, " k ", k);
    const Case c = dense_case(1, m, n, k, false, false, false, false, false);
    Floats a = values(m * k, 1), b = values(k * n, 2);
    for (Floats* operand : {&a, &b})
      for (float& value : *operand) value = std::abs(value);
    const Floats packed = packed_of(pack_of(c.b), b);
    Ledger worst("matmul of one sign", kOfProducts);
    run_everywhere(
        KernelId::matmul, {a, packed}, {m * n},
        [&](const auto& from, const auto& to) {
          return matmul_of(c, to[0], from[0], from[1], nullptr);
        },
        [&](Level level, const std::vector<Floats>& out) {
          for (std::int64_t i = 0; i < m * n; ++i) {
            float in_order = 0;
            double sum = 0;
            for (std::int64_t j = 0; j < k; ++j) {
              const float x = a[std::size_t(i / n * k + j)], y = b[std::size_t(j * n + i % n)];
              in_order = std::fma(x, y, in_order);
              sum += double(x) * double(y);
            }
            const float found = out[0][std::size_t(i)];
            CHECK(found == in_order);
            worst[level].check(double(found), sum, sum, double(k) * 0x1p-24);
          }
        });
  }
}

TEST_CASE("matmul takes operands of any strides") {
  // Few and many rows, also more than two tiles; K in one block and in several.
  for (const auto& [batch, m, n, k] : std::vector<std::array<std::int64_t, 4>>{
           {1, 1, 5, 1}, {2, 5, 33, 7}, {3, 17, 8, 45}, {1, 29, 40, 800}, {2, 6, 3, 1600}}) {
    const View dense_b = dense(batch, k, n, false);
    for (const View& a : {
             View{batch, m, k, m * (k + 5), k + 5, 1},      // padded rows
             View{batch, m, k, k * (m + 3) + 1, 1, m + 3},  // transposed and padded
             View{batch, m, k, 2 * m * k, 2 * k, 2},        // every second k
             View{batch, m, k, 3 * m * k, 3, 3 * m},        // every third row, transposed
             View{batch, m, k, 2 * m * (3 * k + 1), 2 * (3 * k + 1), 3},
             View{batch, m, k, m * k, -k, 1},    // rows from the last to the first
             View{batch, m, k, m * k, k, -1},    // and k
             View{batch, m, k, -m * k, -1, -m},  // everything
             View{batch, m, k, 0, k, 1},         // one a for the batch
             View{batch, m, k, 0, 1, m},         //
             View{batch, m, k, k, 0, 1},         // one row for all
             View{batch, m, k, m, 1, 0},         // one column for all
             View{batch, m, k, 1, 0, 0},
         }) {
      check_case({a, dense_b, true, false});
    }
    const View dense_a = dense(batch, m, k, false);
    for (const View& b :
         {View{batch, k, n, k * (n + 5), n + 5, 1}, View{batch, k, n, n * (k + 2), 1, k + 2},
          View{batch, k, n, 3 * k * n, 3 * n, 3}, View{batch, k, n, k * n, -n, 1},
          View{batch, k, n, -k * n, n, -1}, View{batch, k, n, 0, n, 1}, View{batch, k, n, n, 0, 1},
          View{batch, k, n, k, 1, 0}}) {
      check_case({dense_a, b, false, true});
    }
  }
}

TEST_CASE("matmul without any k gives the bias, and without rows nothing") {
  check_case(dense_case(1, 4, 40, 0, false, false, false, true, true));
  check_case(dense_case(1, 4, 40, 0, true, false, false, false, false));
  check_case(dense_case(3, 20, 1, 0, true, true, false, true, false));
  check_case(dense_case(1, 0, 40, 3, false, false, false, true, true));
  check_case(dense_case(2, 4, 0, 3, false, false, false, true, true));
  check_case(dense_case(0, 4, 5, 3, false, false, false, true, true));
}

TEST_CASE("relu at the store keeps NaN") {
  const Case c = dense_case(1, 2, 1, 1, false, false, false, false, true);
  const Floats a{NAN, -1}, packed = packed_of(pack_of(c.b), {1});
  run_everywhere(
      KernelId::matmul, {a, packed}, {2},
      [&](const auto& from, const auto& to) {
        return matmul_of(c, to[0], from[0], from[1], nullptr);
      },
      [](Level, const std::vector<Floats>& out) {
        CHECK(std::isnan(out[0][0]));
        CHECK(out[0][1] == 0);
      });
}

TEST_CASE("panels hold 32 columns, k by k, padded with zeros") {
  const Floats b = values(99, 4), packed = packed_of(pack_of(dense(1, 3, 33, true)), b);
  REQUIRE(packed.size() == 2 * 3 * 32);
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t n = 0; n < 64; ++n) {
      CHECK(packed[(n / 32 * 3 + k) * 32 + n % 32] == (n < 33 ? b[n * 3 + k] : 0.0f));
    }
  }
}

}  // namespace
}  // namespace atelier
