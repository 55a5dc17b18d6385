// The tile interpreter: every opcode with operands that lie in every way, at every length up to 130
// and beyond a chunk, at every level, against double precision.
#include <map>
#include <optional>

#include "kernels/tile_support.h"

namespace atelier {
namespace {
using namespace test;

constexpr double kLeast = std::numeric_limits<float>::min();

// Denormals are zeros to arithmetic.
double flushed(double v) { return std::abs(v) < kLeast ? std::copysign(0.0, v) : v; }
float as_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::int32_t as_int(std::uint32_t bits) { return std::int32_t(bits); }

// ---- arithmetic on floats: the exact value
using Real = double (*)(double a, double b, double c);
struct RealRow {
  const char* name;
  Real exact;
};
double softplus_of(double a, double, double) {
  return std::isinf(a) ? std::max(a, 0.0) : std::max(a, 0.0) + std::log1p(std::exp(-std::abs(a)));
}
const RealRow kReal[] = {
    {"exp", [](double a, double, double) { return std::exp(a); }},
    {"log", [](double a, double, double) { return std::log(a); }},
    {"sqrt", [](double a, double, double) { return std::sqrt(a); }},
    {"tanh", [](double a, double, double) { return std::tanh(a); }},
    {"sigmoid", [](double a, double, double) { return 1 / (1 + std::exp(-a)); }},
    {"softplus", softplus_of},
    {"erf", [](double a, double, double) { return std::erf(a); }},
    {"sin", [](double a, double, double) { return std::sin(a); }},
    {"cos", [](double a, double, double) { return std::cos(a); }},
    {"add", [](double a, double b, double) { return a + b; }},
    {"sub", [](double a, double b, double) { return a - b; }},
    {"mul", [](double a, double b, double) { return a * b; }},
    {"div", [](double a, double b, double) { return a / b; }},
    // One rounding of the exact value: in double there would be two.
    {"fma",
     [](double a, double b, double c) { return double(std::fma(float(a), float(b), float(c))); }},
};

// ---- operations on bits: the result itself
using Bits = std::uint32_t (*)(std::uint32_t a, std::uint32_t b, std::uint32_t c);
struct BitsRow {
  const char* name;
  DType type;
  Bits result;
};
std::uint32_t one_if(bool v) { return v ? std::bit_cast<std::uint32_t>(1.0f) : 0; }
bool below(std::uint32_t a, std::uint32_t b) {
  return flushed(double(as_float(a))) < flushed(double(as_float(b)));
}
// Nearest bf16, ties to even, by arithmetic; bf16 has 8 significant bits.
std::uint32_t nearest_bf16(std::uint32_t bits) {
  const double v = double(as_float(bits));
  if (std::isnan(v) || std::isinf(v) || v == 0) return bits;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(v), -126) - 7);
  return std::bit_cast<std::uint32_t>(float(std::nearbyint(v / unit) * unit));
}
std::uint32_t saturated(double v, double low, double high) {
  return std::uint32_t(
      std::int32_t(std::isnan(v) ? 0 : std::nearbyint(std::min(std::max(v, low), high))));
}
const BitsRow kBits[] = {
    {"max", DType::f32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return below(a, b) ? b : a; }},
    {"less", DType::f32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return one_if(below(a, b)); }},
    {"equal", DType::f32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) {
       return one_if(flushed(double(as_float(a))) == flushed(double(as_float(b))));
     }},
    {"where", DType::f32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
       const double mask = flushed(double(as_float(c)));
       return mask < 0 || mask > 0 ? a : b;  // a NaN is no mask: it chooses b
     }},
    {"i32_add", DType::i32, [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return a + b; }},
    {"i32_sub", DType::i32, [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return a - b; }},
    {"i32_mul", DType::i32, [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return a * b; }},
    {"i32_max", DType::i32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return as_int(a) < as_int(b) ? b : a; }},
    {"i32_less", DType::i32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return one_if(as_int(a) < as_int(b)); }},
    {"i32_equal", DType::i32,
     [](std::uint32_t a, std::uint32_t b, std::uint32_t) { return one_if(a == b); }},
    {"i32_to_f32", DType::i32,
     [](std::uint32_t a, std::uint32_t, std::uint32_t) {
       return std::bit_cast<std::uint32_t>(float(as_int(a)));
     }},
    {"round_bf16", DType::f32,
     [](std::uint32_t a, std::uint32_t, std::uint32_t) { return nearest_bf16(a); }},
    {"to_i32", DType::f32,
     [](std::uint32_t a, std::uint32_t, std::uint32_t) {
       return saturated(double(as_float(a)), -2147483648.0, 2147483647.0);
     }},
    {"to_u8", DType::f32,
     [](std::uint32_t a, std::uint32_t, std::uint32_t) {
       return std::bit_cast<std::uint32_t>(float(saturated(double(as_float(a)), 0, 255)));
     }},
};

// ---- programs
// Loads of the operands into registers 0, 1, 2, the operation, a store to the last operand.
std::vector<TileInsn> program_of(TileOp op, int operands) {
  std::vector<TileInsn> code;
  for (int k = 0; k < operands; ++k)
    code.push_back({TileOp::load, std::uint8_t(k), 0, std::uint8_t(k), 0});
  code.push_back({op, 5, 0, 1, 2});
  code.push_back({TileOp::store, 5, 5, std::uint8_t(operands), 0});
  return code;
}

struct Arenas {
  Arena in[3], out;
};

// The worst error of each opcode, as one line when the test ends.
class Figures {
 public:
  explicit Figures(Level level) : level_(level) {}
  Figures(Figures&&) = default;
  ~Figures() {
    if (worst_.empty()) return;
    std::string line;
    for (const auto& [op, ulp] : worst_) line += fmt::format(" {} {:.2f}", op, ulp);
    fmt::print("summary: tile {}: worst error in ulp:{}; {} elements\n", name(level_), line,
               count_);
  }
  void add(const char* op, double ulp) {
    double& worst = worst_[op];
    worst = std::max(worst, ulp);
    ++count_;
  }

 private:
  Level level_;
  std::map<std::string, double> worst_;
  long count_ = 0;
};

double unit_of(double exact) {
  const float near = std::abs(float(exact));
  if (near >= std::numeric_limits<float>::max()) return 0x1p104;
  return std::max(
      double(std::nextafter(near, std::numeric_limits<float>::infinity())) - double(near),
      kLeast * 0x1p-23);
}

// The error of `got` in ulp; absent where the result is wrong whatever the distance.
std::optional<double> error_of(const TileFacts& promise, double exact, float got) {
  if (std::isnan(exact)) return std::isnan(got) ? std::optional(0.0) : std::nullopt;
  if (std::isnan(got)) return std::nullopt;
  // Flushed when tiny before or after rounding.
  if (std::abs(exact) <= kLeast * 1.000001) {
    if (std::abs(double(got)) > kLeast * 1.000001) return std::nullopt;
    const bool sign_kept = promise.ulp > 0.5 || std::signbit(got) == std::signbit(exact);
    return sign_kept ? std::optional(0.0) : std::nullopt;
  }
  if (std::isinf(got)) {
    const bool overflows = float(exact) == got || std::abs(exact) > 3.40282e38;
    return overflows && (got > 0) == (exact > 0) ? std::optional(0.0) : std::nullopt;
  }
  return std::abs(double(got) - exact) / unit_of(std::max(std::abs(exact), promise.least));
}

void check_real(const RealRow& row, const std::vector<Operand>& in, const Space& space,
                const float* out, Figures& figures) {
  const TileFacts promise = facts(*tile_op(row.name));
  for (std::int64_t i = 0; i < space.count(); ++i) {
    double v[3] = {};
    for (std::size_t k = 0; k < in.size(); ++k)
      v[k] = flushed(double(as_float(in[k].value(i / space.columns, i % space.columns))));
    const double exact = row.exact(v[0], v[1], v[2]);
    const std::optional<double> ulp = error_of(promise, exact, out[i]);
    if (!ulp || !(*ulp <= promise.ulp)) {
      const std::string what = fmt::format("{} of {} {} {}: got {}, expected {}", row.name, v[0],
                                           v[1], v[2], out[i], exact);
      FAIL_CHECK(what);
      return;
    }
    figures.add(row.name, *ulp);
  }
}

void check_bits(const BitsRow& row, const std::vector<Operand>& in, const Space& space,
                const float* out, Figures& figures) {
  for (std::int64_t i = 0; i < space.count(); ++i) {
    std::uint32_t v[3] = {};
    for (std::size_t k = 0; k < in.size(); ++k)
      v[k] = in[k].value(i / space.columns, i % space.columns);
    const std::uint32_t got = std::bit_cast<std::uint32_t>(out[i]),
                        want = row.result(v[0], v[1], v[2]);
    // A compiler may make one instruction of a maximum, which flushes what it hands on.
    const auto tiny = std::bit_cast<std::uint32_t>(float(flushed(double(as_float(want)))));
    if (got != want && !(std::string_view(row.name) == "max" && got == tiny)) {
      const std::string what = fmt::format("{} of {:#x} {:#x} {:#x}: got {:#x}, expected {:#x}",
                                           row.name, v[0], v[1], v[2], got, want);
      FAIL_CHECK(what);
      return;
    }
    figures.add(row.name, 0);
  }
}

// Spaces of 3 x 1 to 3 x 130, some beyond a chunk, and one for teams.
std::vector<Space> spaces() {
  std::vector<Space> all;
  for (std::int64_t columns = 1; columns <= 130; ++columns) all.push_back({3, columns});
  for (std::int64_t columns : {255, 256, 257, 511, 515}) all.push_back({1 + columns % 3, columns});
  return all;
}

// Runs an opcode over all spaces; each of its operands lies in every way, with the others lying in
// ways that change from space to space. check(in, space, out, level).
template <class Check>
void for_operands(TileOp op, DType type, Arenas& arenas, Check check) {
  const int operands = facts(op).operands;
  const std::vector<TileInsn> code = program_of(op, operands);
  std::uint64_t turn = 0;
  for (const Space& space : spaces()) {
    for (int first = 0; first < kLies; ++first, ++turn) {
      std::vector<Operand> in;
      for (int k = 0; k < operands; ++k) {
        const int lie = k == 0 ? first : int((turn / kLies * std::uint64_t(k) + turn) % kLies);
        in.emplace_back(arenas.in[k], Lie(lie), type, space, turn * 4 + std::uint64_t(k));
      }
      std::vector<float> reference;
      for (Level level : levels()) {
        const std::size_t count = std::size_t(space.count());
        auto* out = static_cast<float*>(arenas.out.place(count * 4, turn % 2 * 4));
        std::vector<TileOperand> all;
        for (const Operand& operand : in) all.push_back(operand.operand());
        all.push_back({out, DType::f32, {space.columns, 1}});
        run_program(level, code, all, space, space.count() > 3 * kTileChunk ? 3 : 1);
        const bool intact = arenas.out.intact();
        CHECK(intact);
        if (reference.empty()) reference.assign(out, out + count);
        check(in, space, out, level);
        const bool same = same_values(reference, {out, count});
        CHECK(same);
      }
    }
  }
}

TEST_CASE("every opcode is right for operands that lie in any way, at any length and level") {
  Arenas arenas;
  std::map<Level, Figures> figures;
  for (Level level : levels()) figures.emplace(level, level);
  for (const RealRow& row : kReal) {
    INFO(std::string(row.name));
    for_operands(*tile_op(row.name), DType::f32, arenas,
                 [&](const std::vector<Operand>& in, const Space& space, const float* out,
                     Level level) { check_real(row, in, space, out, figures.at(level)); });
  }
  for (const BitsRow& row : kBits) {
    INFO(std::string(row.name));
    for_operands(*tile_op(row.name), row.type, arenas,
                 [&](const std::vector<Operand>& in, const Space& space, const float* out,
                     Level level) { check_bits(row, in, space, out, figures.at(level)); });
  }
}

// The opcode on the operand's values one after the other, at the first level.
std::vector<float> in_a_row(TileOp op, const Operand& in, const Space& space) {
  std::vector<std::uint32_t> values;
  for (std::int64_t i = 0; i < space.count(); ++i)
    values.push_back(in.value(i / space.columns, i % space.columns));
  std::vector<float> out(values.size());
  const TileOperand operands[] = {{values.data(), DType::f32, {space.columns, 1}},
                                  {out.data(), DType::f32, {space.columns, 1}}};
  run_program(levels()[0], program_of(op, 1), operands, space, 1);
  return out;
}

TEST_CASE("an opcode of one operand gives an element the same result wherever it lies") {
  Arenas arenas;
  long checked = 0;
  for (int i = int(TileOp::functions); i < num_tile_ops(); ++i) {
    const TileOp op = TileOp(i);
    if (facts(op).operands != 1) continue;
    INFO(std::string(name(op)));
    for_operands(op, DType::f32, arenas,
                 [&](const std::vector<Operand>& in, const Space& space, const float* out, Level) {
                   const bool same =
                       same_values(in_a_row(op, in[0], space), {out, std::size_t(space.count())});
                   CHECK(same);
                   checked += long(space.count());
                 });
  }
  fmt::print("summary: tile opcodes of one operand: {} elements alike wherever they lie\n",
             checked);
}

// The values of a function without a row are those of an op, which tests/run compares with the op's
// oracle over the range of its samples.
TEST_CASE("every opcode has one row, a function of one operand at most one") {
  std::map<std::string, int> seen{{"load", 1}, {"store", 1}, {"constant", 1}};
  for (const RealRow& row : kReal) ++seen[row.name];
  for (const BitsRow& row : kBits) ++seen[row.name];
  for (int op = 0; op < num_tile_ops(); ++op) {
    const std::string opcode(name(TileOp(op)));
    INFO(opcode);
    CHECK(seen[opcode] <= 1);
    if (facts(TileOp(op)).operands != 1) CHECK(seen[opcode] == 1);
  }
}

}  // namespace
}  // namespace atelier
