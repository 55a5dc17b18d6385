// The functions of the tile interpreter, in ulp against long double, at every level.
#include <array>
#include <limits>

#include "kernels/support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

// Runs load, op, store over n values.
void run_unary(TileOp op, Level level, const float* x, float* y, std::int64_t n, int threads) {
  TileInsn code[] = {{TileOp::load, 0, 0, 0, 0}, {op, 1, 0, 0, 0}, {TileOp::store, 1, 1, 1, 0}};
  TileArgs args{};
  args.code = code;
  args.num_insns = 3;
  args.num_operands = 2;
  args.rank = 1;
  args.extent[0] = n;
  args.operand[0] = {const_cast<float*>(x), DType::f32, {1}};
  args.operand[1] = {y, DType::f32, {1}};
  run(level, KernelId::tile, args, threads);
}

struct Function {
  const char* name;
  TileOp op;
  long double (*exact)(long double);
  float low, high;
  double ulp;    // bound
  double least;  // ulp are those of at least this: near zeros of a function that repeats
};

long double sigmoid_of(long double x) { return 1 / (1 + std::exp(-x)); }
long double softplus_of(long double x) {
  return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x)));
}
long double exp_of(long double x) { return std::exp(x); }
long double log_of(long double x) { return std::log(x); }
long double tanh_of(long double x) { return std::tanh(x); }
long double erf_of(long double x) { return std::erf(x); }
long double sin_of(long double x) { return std::sin(x); }
long double cos_of(long double x) { return std::cos(x); }

const Function kFunctions[] = {
    {"exp", *tile_op("exp"), exp_of, -87, 88, 2, 0},
    {"log", *tile_op("log"), log_of, 1e-37f, 3e38f, 2, 0},
    {"tanh", *tile_op("tanh"), tanh_of, -12, 12, 4, 0},
    {"sigmoid", *tile_op("sigmoid"), sigmoid_of, -80, 80, 4, 0},
    {"softplus", *tile_op("softplus"), softplus_of, -80, 80, 4, 0},
    {"erf", *tile_op("erf"), erf_of, -6, 6, 4, 0},
    {"sin", *tile_op("sin"), sin_of, -1e5f, 1e5f, 2, 0.5},
    {"cos", *tile_op("cos"), cos_of, -1e5f, 1e5f, 2, 0.5},
};

double ulp_of(long double exact) {
  float near = float(exact);
  float next = std::nextafter(std::fabs(near), std::numeric_limits<float>::infinity());
  return std::max(double(next) - double(std::fabs(near)),
                  double(std::numeric_limits<float>::min()) * 1.2e-7);
}

// Both signs, all magnitudes: half evenly spaced, half by exponent.
std::vector<float> arguments(const Function& f, std::size_t n) {
  std::vector<float> x(n);
  RandomStream stream(5, stream_of(f.name));
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 2 == 0) {
      x[i] = float(double(f.low) + (double(f.high) - double(f.low)) * stream.uniform());
    } else {
      double magnitude = std::exp2(-30 + 47 * stream.uniform());
      x[i] = float(stream.uniform() < 0.5 && f.low < 0 ? -magnitude : magnitude);
      x[i] = std::min(std::max(x[i], f.low), f.high);
    }
  }
  return x;
}

}  // namespace

TEST_CASE("functions stay within their stated error at every level, teams and levels agree") {
  constexpr std::size_t n = 200003;
  for (const Function& f : kFunctions) {
    Ledger worst(fmt::format("tile {}", f.name), kUlp);
    const std::vector<float> x = arguments(f, n);
    std::vector<float> reference;
    for (Level level : levels()) {
      for (int threads : {1, 2, 3}) {
        const std::size_t misalign = threads == 2 ? 1 : 0;
        GuardedBuffer<float> in(n, misalign), out(n, misalign);
        std::copy(x.begin(), x.end(), in.data());
        run_unary(f.op, level, in.data(), out.data(), n, threads);
        if (reference.empty()) reference.assign(out.data(), out.data() + n);
        CHECK(same_bytes(reference, out.span()));
        for (std::size_t i = 0; threads == 1 && i < n; ++i) {
          const long double exact = f.exact(x[i]);
          if (std::fabs(double(exact)) < double(std::numeric_limits<float>::min()))
            continue;  // flushed
          INFO(std::string(f.name), " at ", x[i]);
          worst[level].check(double(out[i]), double(exact),
                             ulp_of(std::max(std::fabs(exact), (long double)f.least)), f.ulp);
        }
      }
    }
  }
}

TEST_CASE("functions give the right special values") {
  float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  float x[16] = {inf, -inf, nan, 0, -0.0f, 1e30f, -1e30f, 200, -200, 1, -1, 88.8f, -104, 3, 4, 5};
  float y[16];
  for (Level level : levels()) {
    auto special = [&](TileOp op) { run_unary(op, level, x, y, 16, 1); };
    special(*tile_op("exp"));
    CHECK(y[0] == inf);
    CHECK(y[1] == 0);
    CHECK(std::isnan(y[2]));
    CHECK(y[3] == 1);
    CHECK(y[11] == inf);
    CHECK(y[12] == 0);
    special(*tile_op("log"));
    CHECK(y[0] == inf);
    CHECK(std::isnan(y[1]));
    CHECK(std::isnan(y[2]));
    CHECK(y[3] == -inf);
    CHECK(std::isnan(y[10]));
    CHECK(y[9] == 0);
    special(*tile_op("tanh"));
    CHECK(y[0] == 1);
    CHECK(y[1] == -1);
    CHECK(std::isnan(y[2]));
    CHECK(y[3] == 0);
    special(*tile_op("sigmoid"));
    CHECK(y[0] == 1);
    CHECK(y[1] == 0);
    CHECK(y[3] == 0.5f);
    special(*tile_op("softplus"));
    CHECK(y[0] == inf);
    CHECK(y[1] == 0);
    CHECK(y[7] == 200);
    CHECK(std::isnan(y[2]));
    special(*tile_op("erf"));
    CHECK(y[0] == 1);
    CHECK(y[1] == -1);
    CHECK(y[5] == 1);
    CHECK(std::isnan(y[2]));
    special(*tile_op("sin"));
    CHECK(std::isnan(y[0]));
    CHECK(y[3] == 0);
    CHECK(std::fabs(y[5]) <= 1);
  }
}

TEST_CASE("normals have the moments of a standard normal and no infinities") {
  std::int32_t ids[] = {1}, clock[] = {3, 0, 0};
  std::vector<float> z(1 << 20);
  RandomArgs args{z.data(), ids, clock, 1, std::int64_t(z.size()), 42};
  run(levels().back(), KernelId::normal, args, 2);
  double sum = 0, squares = 0, fourth = 0, top = 0;
  for (float v : z) {
    sum += v;
    squares += double(v) * v;
    fourth += double(v) * v * v * v;
    top = std::max(top, double(std::fabs(v)));
  }
  double n = double(z.size());
  CHECK(std::fabs(sum / n) < 4 / std::sqrt(n));
  CHECK(std::fabs(squares / n - 1) < 4 * std::sqrt(2 / n));
  CHECK(std::fabs(fourth / n - 3) < 4 * std::sqrt(96 / n));
  CHECK(top < 6.5);
}

TEST_CASE("resampling keeps constants, leaves equal sizes alone and averages by halves") {
  std::vector<std::uint8_t> flat(9 * 7 * 3, 200), out(5 * 13 * 3);
  for (Filter filter :
       {Filter::nearest, Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos}) {
    resample(out.data(), 5, 13, flat.data(), 9, 7, 3, filter);
    for (std::uint8_t v : out) CHECK(v == 200);
  }
  std::vector<std::uint8_t> ramp{0, 50, 100, 250, 10, 60, 110, 240}, same(8), half(2);
  resample(same.data(), 2, 4, ramp.data(), 2, 4, 1, Filter::bicubic);
  CHECK(same == ramp);
  resample(half.data(), 1, 2, ramp.data(), 2, 4, 1, Filter::box);
  CHECK(half == std::vector<std::uint8_t>{30, 175});
}
