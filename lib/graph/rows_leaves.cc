// Leaves: values that come from outside or from nothing.
#include "base/random.h"
#include "graph/builders.h"
#include "graph/rows.h"

namespace atelier {
using namespace rows;
namespace {

// input and slot are typed by Graph itself; put() never makes them.
std::vector<Type> untyped(const NodeView&) { refuse("is made by Graph::input or Graph::slot"); }

std::vector<Type> constant_types(const NodeView& n) {
  double number = bits_to_double(n.attributes[0]);
  DType type = DType(n.attributes[1]);
  require(builders::keeps(type, number), builders::not_kept(type, number));
  return {{type, {}}};
}
void constant_oracle(const NodeView& n, Ins, Outs out) {
  double value = bits_to_double(n.attributes[0]);
  out[0].v[0] = n.results[0].dtype == DType::f32 ? double(float(value)) : value;
}

std::vector<Type> iota_types(const NodeView& n) {
  return {{DType::i32, Shape(n.attributes.subspan(1))}};
}
void iota_oracle(const NodeView& n, Ins, Outs out) {
  const Shape& shape = n.results[0].shape;
  for_each_index(shape, [&](const auto& index, std::int64_t linear) {
    double position = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (mask_of(shape, n.attributes[0], axis))
        position = position * double(shape[axis]) + double(index[std::size_t(axis)]);
    }
    out[0].v[std::size_t(linear)] = position;
  });
}

// {stream, shape...}; operands ids i32 [N], clock i32 [3].
std::vector<Type> random_types(const NodeView& n) {
  Shape shape(n.attributes.subspan(1));
  require(n.operands[0].dtype == DType::i32 && n.operands[0].shape.rank() == 1,
          "ids must be i32 [N]");
  require(n.operands[1] == Type{DType::i32, {3}}, "clock must be i32 [3]");
  require(shape.rank() >= 1 && shape[0] == n.operands[0].shape[0],
          "the first axis must be that of ids");
  return {{DType::f32, shape}};
}
void random_oracle(const NodeView& n, Ins in, Outs out) {
  std::uint64_t seed = std::uint32_t(std::int32_t(in[1].v[0])) |
                       std::uint64_t(std::uint32_t(std::int32_t(in[1].v[1]))) << 32;
  std::uint64_t step = std::uint32_t(std::int32_t(in[1].v[2]));
  std::size_t rows = in[0].v.size(), row = rows ? out[0].v.size() / rows : 0;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < row; ++j) {
      out[0].v[r * row + j] =
          uniform_of(random_word(seed, std::uint64_t(n.attributes[0]), step,
                                 std::uint32_t(std::int32_t(in[0].v[r])), std::uint32_t(j)));
    }
  }
}

std::vector<Sample> no_samples() { return {}; }
std::vector<Sample> random_samples() {
  auto fill = [](int k, Dense& d, std::uint64_t seed) {
    fill_indices(d, seed + std::uint64_t(k), 1000);
  };
  return {{"a row of odd length", {i32({3}), i32({3})}, {77, 3, 7}, 0, 1, fill},
          {"pictures", {i32({2}), i32({3})}, {123456789, 2, 4, 5, 3}, 0, 1, fill}};
}

}  // namespace

void leaf_rows(OpRow* t) {
  OpRow leaf{.types = untyped, .cost = pass_cost<0>, .samples = no_samples};
  t[int(Op::input)] = leaf;
  t[int(Op::input)].name = "input";
  t[int(Op::slot)] = leaf;
  t[int(Op::slot)].name = "slot";
  t[int(Op::constant)] = {
      .name = "constant",
      .types = constant_types,
      .oracle = constant_oracle,
      .cost = pass_cost<0>,
      .samples = [] {
        return std::vector<Sample>{{"a third", {}, {double_to_bits(1.0 / 3), 0}}};
      }};
  t[int(Op::iota)] = {.name = "iota",
                      .types = iota_types,
                      .oracle = iota_oracle,
                      .cost = pass_cost<0>,
                      .samples = [] {
                        return std::vector<Sample>{{"the middle axis", {}, {2, 2, 5, 3}},
                                                   {"two axes", {}, {5, 2, 5, 3}}};
                      }};
  t[int(Op::random)] = {.name = "random",
                        .min_operands = 2,
                        .max_operands = 2,
                        .types = random_types,
                        .oracle = random_oracle,
                        .cost = pass_cost<10>,
                        .samples = random_samples};
}

}  // namespace atelier
