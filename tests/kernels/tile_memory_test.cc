// The tile interpreter and memory: every type read and written, spaces of every rank, and results
// that take the place of an operand.
#include <algorithm>

#include "kernels/tile_support.h"

namespace atelier {
namespace {
using namespace test;

// ---- conversions, as the compiler writes them
std::vector<TileInsn> conversion(DType from, DType to) {
  std::vector<TileInsn> code = {{TileOp::load, 0, 0, 0, 0}};
  const auto then = [&code](const char* op) { code.push_back({*tile_op(op), 0, 0, 0, 0}); };
  if (from == DType::i32 && to != DType::i32) then("i32_to_f32");
  if (to == DType::bf16) then("round_bf16");
  if (to == DType::i32 && from != DType::i32) then("to_i32");
  if (to == DType::u8) then("to_u8");
  code.push_back({TileOp::store, 0, 0, 1, 0});
  return code;
}

// The nearest value of a type, ties to even, saturated; NaN gives an integer 0.
double nearest_integer(double v, double low, double high) {
  return std::isnan(v) ? 0 : std::nearbyint(std::min(std::max(v, low), high));
}
double nearest_bf16(double v) {
  if (std::isnan(v) || std::isinf(v) || v == 0) return v;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(v), -126) - 7);
  const double near = std::nearbyint(v / unit) * unit;
  return std::abs(near) > 3.3961e38 ? std::copysign(double(INFINITY), v) : near;
}

double meaning(DType type, std::uint32_t bits) {
  return type == DType::i32 ? double(std::int32_t(bits)) : double(std::bit_cast<float>(bits));
}
double converted(double v, DType to) {
  switch (to) {
    case DType::i32:
      return nearest_integer(v, -2147483648.0, 2147483647.0);
    case DType::u8:
      return nearest_integer(v, 0, 255);
    case DType::bf16:
      return nearest_bf16(double(float(v)));  // through f32, the type of arithmetic
    default:
      return double(float(v));
  }
}
double stored(DType type, const std::byte* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, size_of(type));
  if (type == DType::u8) return double(word);
  return meaning(type, type == DType::bf16 ? word << 16 : word);
}

bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::i32, DType::u8};

void check_conversion(DType from, DType to, Arena& in_arena, Arena& out_arena, Level level,
                      Worst& exact) {
  const std::vector<TileInsn> code = conversion(from, to);
  for (std::int64_t columns = 1; columns <= 130; ++columns) {
    const Space space{3, columns};
    const auto lie = Lie(columns % kLies);
    const Operand in(in_arena, lie, from, space, std::uint64_t(columns));
    const std::size_t width = size_of(to), count = std::size_t(space.count());
    auto* out = static_cast<std::byte*>(out_arena.place(count * width, columns / 2 % 2 * 4));
    const TileOperand operands[] = {in.operand(), {out, to, {columns, 1}}};
    run_program(level, code, operands, space, 1);
    const bool intact = out_arena.intact();
    CHECK(intact);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < space.count(); ++i) {
      const double v = meaning(from, in.value(i / columns, i % columns));
      const double got = stored(to, out + std::size_t(i) * width), want = converted(v, to);
      if (!same_number(got, want) && wrong++ == 0) {
        const std::string what =
            fmt::format("{} {} to {}: got {}, expected {}", name(from), v, name(to), got, want);
        FAIL_CHECK(what);
      }
    }
    exact.exact(wrong, space.count());
  }
}

TEST_CASE("every type is read, converted and written exactly, at any length and level") {
  Ledger exact("tile conversions", kExact);
  Arena in, out;
  for (Level level : levels()) {
    for (DType from : kTypes) {
      for (DType to : kTypes) check_conversion(from, to, in, out, level, exact[level]);
    }
  }
}

// ---- spaces of every rank
struct Walk {
  TileArgs args{};
  std::vector<std::int64_t> at;  // element of the operand for each of the space
};

// A space of odd extents whose operand has its axes in another order, some of them repeated.
Walk walk_of(int rank, std::uint64_t seed, std::int64_t& memory) {
  Walk w;
  w.args.rank = rank;
  int order[kMaxRank];
  for (int axis = 0; axis < rank; ++axis) {
    w.args.extent[axis] = 1 + std::int64_t(mix64(seed + std::uint64_t(axis)) % (rank < 3 ? 40 : 5));
    order[axis] = axis;
  }
  for (int axis = rank - 1; axis > 0; --axis)
    std::swap(order[axis], order[mix64(seed * 31 + std::uint64_t(axis)) % unsigned(axis + 1)]);
  std::int64_t step = 1, dense = 1;
  for (int k = rank - 1; k >= 0; --k) {
    const int axis = order[k];
    const bool repeated = mix64(seed * 57 + std::uint64_t(k)) % 4 == 0;
    w.args.operand[0].stride[axis] = repeated ? 0 : step;
    if (!repeated) step *= w.args.extent[axis];
  }
  for (int axis = rank - 1; axis >= 0; --axis) {
    w.args.operand[1].stride[axis] = dense;
    dense *= w.args.extent[axis];
  }
  memory = step;
  for (std::int64_t i = 0; i < dense; ++i) {
    std::int64_t rest = i, at = 0;
    for (int axis = rank - 1; axis >= 0; --axis) {
      at += rest % w.args.extent[axis] * w.args.operand[0].stride[axis];
      rest /= w.args.extent[axis];
    }
    w.at.push_back(at);
  }
  return w;
}

TEST_CASE("operands of any rank, axes in any order, some repeated, are read where they lie") {
  const TileInsn code[] = {{TileOp::load, 3, 0, 0, 0}, {TileOp::store, 3, 3, 1, 0}};
  for (int rank = 1; rank <= kMaxRank; ++rank) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      std::int64_t memory = 0;
      Walk w = walk_of(rank, seed * 8 + std::uint64_t(rank), memory);
      w.args.code = code;
      w.args.num_insns = w.args.num_operands = 2;
      GuardedBuffer<> in(std::size_t(memory), seed % 2), out(w.at.size(), seed / 2 % 2);
      for (std::size_t i = 0; i < in.size(); ++i) in[i] = float(i);
      w.args.operand[0].data = in.data();
      w.args.operand[1].data = out.data();
      for (Level level : levels()) {
        run(level, KernelId::tile, w.args, 1 + int(seed % 3));
        const bool right = std::equal(w.at.begin(), w.at.end(), out.data(),
                                      [](std::int64_t at, float v) { return float(at) == v; });
        INFO("rank ", rank, " seed ", seed);
        CHECK(right);
      }
    }
  }
}

// ---- results in place of an operand
struct InPlace {
  TileOp op;
  DType type;
  int operands, taken;  // which operand gives its memory
  bool twice;           // that operand is also the next one
};

void check_in_place(const InPlace& c, const Space& space, int threads, Arena (&arena)[4]) {
  std::vector<TileInsn> code;
  for (int k = 0; k < c.operands; ++k)
    code.push_back({TileOp::load, std::uint8_t(k), 0, std::uint8_t(k), 0});
  code.push_back({c.op, std::uint8_t(c.taken), 0, 1, 2});  // over the operand's own register
  code.push_back({TileOp::store, 0, std::uint8_t(c.taken), std::uint8_t(c.operands), 0});
  const std::size_t bytes = std::size_t(space.count()) * 4;
  for (Level level : levels()) {
    std::vector<TileOperand> all;
    for (int k = 0; k < c.operands; ++k) {
      const auto lie = k == c.taken ? Lie::dense : Lie((space.columns + k) % kLies);
      const auto seed = std::uint64_t(space.columns * 4 + k);
      all.push_back(Operand(arena[k], lie, c.type, space, seed).operand());
    }
    if (c.twice) all[std::size_t((c.taken + 1) % c.operands)] = all[std::size_t(c.taken)];
    auto* apart = static_cast<float*>(arena[3].place(bytes, 0));
    all.push_back({apart, c.type, {space.columns, 1}});
    run_program(level, code, all, space, threads);
    auto* place = static_cast<float*>(all[std::size_t(c.taken)].data);
    all.back().data = place;
    run_program(level, code, all, space, threads);
    const bool same = std::memcmp(apart, place, bytes) == 0;
    INFO(std::string(name(c.op)), " operand ", c.taken, " columns ", space.columns, " twice ",
         c.twice);
    CHECK(same);
  }
}

int operands_of(std::string_view op) {
  if (op == "where" || op == "fma") return 3;
  for (const char* binary : {"add", "sub", "mul", "div", "max", "less", "equal"}) {
    if (op == binary || op == fmt::format("i32_{}", binary)) return 2;
  }
  return 1;
}

TEST_CASE("a result may take the place of any operand that lies as it does") {
  Arena arena[4];
  for (int op = 0; op < num_tile_ops(); ++op) {
    const std::string opcode(name(TileOp(op)));
    if (opcode == "load" || opcode == "store" || opcode == "constant") continue;
    const int operands = operands_of(opcode);
    const DType type = opcode.starts_with("i32_") ? DType::i32 : DType::f32;
    for (std::int64_t columns = 1; columns <= 131; columns += 5) {
      for (int taken = 0; taken < operands; ++taken) {
        check_in_place({TileOp(op), type, operands, taken, false}, {3, columns}, 1, arena);
        check_in_place({TileOp(op), type, operands, taken, true}, {3, columns}, 1, arena);
      }
    }
    for (int threads : {2, 3})
      check_in_place({TileOp(op), type, operands, 0, false}, {5, 303}, threads, arena);
  }
}

// Types of one size take each other's place: f32 and i32, and each type its own.
TEST_CASE("a conversion may take the place of its operand where the sizes are equal") {
  Arena in_arena, out_arena;
  for (DType from : kTypes) {
    for (DType to : kTypes) {
      if (size_of(from) != size_of(to)) continue;
      for (std::int64_t columns = 1; columns <= 130; ++columns) {
        const Space space{3, columns};
        const std::size_t bytes = std::size_t(space.count()) * size_of(to);
        const Operand in(in_arena, Lie::dense, from, space, std::uint64_t(columns));
        void* apart = out_arena.place(bytes, 0);
        TileOperand operands[] = {in.operand(), {apart, to, {columns, 1}}};
        for (Level level : levels()) {
          const Operand again(in_arena, Lie::dense, from, space, std::uint64_t(columns));
          operands[0] = again.operand();
          operands[1].data = apart;
          run_program(level, conversion(from, to), operands, space, 1);
          operands[1].data = operands[0].data;
          run_program(level, conversion(from, to), operands, space, 1);
          const bool same = std::memcmp(apart, operands[0].data, bytes) == 0;
          CHECK(same);
        }
      }
    }
  }
}

}  // namespace
}  // namespace atelier
