// One operation after another on bounded values.
#include "run/random_operations.h"

#include <algorithm>
#include <cmath>

#include "run/support.h"

namespace atelier::testing {

void Maker::apply() {
  using Operation = void (Maker::*)();
  constexpr Operation kOperations[] = {
      &Maker::elementwise,     &Maker::elementwise,    &Maker::elementwise,  &Maker::arithmetic,
      &Maker::arithmetic,      &Maker::integer,        &Maker::comparison,   &Maker::conversion,
      &Maker::shaping,         &Maker::shaping,        &Maker::cutting,      &Maker::cutting,
      &Maker::indexing,        &Maker::windows,        &Maker::reduction,    &Maker::reduction,
      &Maker::product,         &Maker::convolution,    &Maker::noise,        &Maker::control,
      &Maker::normalisation,   &Maker::classification, &Maker::attending,    &Maker::optimizing,
      &Maker::differentiation, &Maker::recomputation,  &Maker::normalisation};
  (this->*kOperations[pick(std::int64_t(std::size(kOperations)))])();
}

namespace {

// The largest magnitude of a function on a range.
double largest(Op op, double low, double high) {
  constexpr std::int64_t kPoints = 65;
  Type type{DType::f64, {kPoints}};
  Dense x{type, {}}, y{type, std::vector<double>(std::size_t(kPoints))};
  for (std::int64_t i = 0; i < kPoints; ++i)
    x.v.push_back(low + (high - low) * double(i) / double(kPoints - 1));
  row(op).oracle({op, {&type, 1}, {}, {&type, 1}}, {&x, 1}, {&y, 1});
  double most = 0;
  for (double v : y.v) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

// Any function of one float, on values brought into the range of its samples, since it need not be
// defined or bounded elsewhere.
void Maker::elementwise() {
  Entry from = entry(false);
  std::vector<Op> functions = functions_of_one_float();
  Op op = functions[std::size_t(pick(std::int64_t(functions.size())))];
  Sample sample = row(op).samples()[0];
  Expr x = from.e;
  if (-from.bound < sample.low || from.bound > sample.high) {
    double half = (sample.high - sample.low) / 2;
    x = x * (half / from.bound) + (sample.low + half);
  }
  push(unary(op, x, Where::here()), largest(op, sample.low, sample.high));
}

void Maker::arithmetic() {
  const Entry& from = entry(false);
  Expr x = from.e;
  double b = from.bound;
  // The other operand has the same shape, or axes of extent 1, or fewer axes.
  Shape shape = x.shape();
  if (chance()) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (pick(3) == 0) shape = shape.with(i, 1);
    }
    while (shape.rank() > 0 && pick(4) == 0) shape = shape.drop(0);
  }
  const Entry& second = entry(false);
  double c = second.bound;
  Expr y = fit(second.e, shape);
  switch (pick(7)) {
    case 0:
      return push(x + y, b + c);
    case 1:
      return push(x - y, b + c);
    case 2:
      return push(x * y, b * c);
    case 3:
      return push(x / (square(y) + 0.5), 2 * b);
    case 4:
      return push(max(x, y), std::max(b, c));
    case 5:
      return push(x * (0.25 + double(pick(8)) / 4), 2 * b);
    default: {
      Expr operands[] = {x, fit(second.e, x.shape()), any(x.shape())};
      return push(graph_->put(Op::fma, operands, {}), b * c + 8);
    }
  }
}

void Maker::integer() {
  Shape shape = some_shape(1 + int(pick(3)));
  std::vector<int> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    if (chance()) axes.push_back(i);
  }
  Expr a = integers(shape, -20, 20), b = iota(*graph_, shape, axes.empty() ? std::vector{0} : axes);
  Expr made[] = {a + b, a - b, a * 3 - b, max(a, b), b};
  Expr x = made[pick(5)];
  if (pick(3) == 0) {
    Expr mask = chance() ? less(a, x) : equal(a, x);
    x = where(mask, x, a);
  }
  push(cast(x, DType::f32) / 1024.0, 3);
}

void Maker::comparison() {
  Shape shape = any().shape();
  Expr mask = less(exact(shape), exact(shape));
  if (pick(4) == 0) {
    Expr i = integers(shape, 0, 3);
    mask = equal(i, integers(shape, 0, 3));
  }
  if (pick(3) == 0) return push(cast(mask, DType::f32), 1, true);
  push(where(mask, any(shape), any(shape)), 8);
}

void Maker::conversion() {
  Shape shape = any().shape();
  Expr x = exact(shape);
  switch (pick(3)) {
    case 0:
      return push(cast(cast(x, DType::bf16), DType::f32), 8, true);
    case 1:
      return push(cast(cast(x, DType::i32), DType::f32), 8, true);
    default:
      return push(cast(cast(x, DType::u8), DType::f32), 8, true);
  }
}

void Maker::shaping() {
  Entry from = entry(false);
  Expr x = from.e;
  int rank = x.shape().rank();
  switch (pick(4)) {
    case 0: {
      std::vector<int> order(static_cast<std::size_t>(rank));
      for (int i = 0; i < rank; ++i) order[std::size_t(i)] = i;
      for (int i = rank; i-- > 1;)
        std::swap(order[std::size_t(i)], order[std::size_t(pick(i + 1))]);
      return push(transpose(x, order), from.bound, from.exact);
    }
    case 1:
      if (chance() || rank == kMaxRank) return push(reshape(x, {-1}), from.bound, from.exact);
      return push(reshape(x, x.shape().insert(int(pick(rank + 1)), 1)), from.bound, from.exact);
    case 2: {
      Shape shape = x.shape();
      if (rank < kMaxRank && shape.count() < 3000) shape = shape.insert(0, 1 + pick(3));
      for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] == 1 && shape.count() < 1500) shape = shape.with(i, 1 + pick(5));
      }
      return push(broadcast(x, shape), from.bound, from.exact);
    }
    default: {
      std::vector<int> axes;
      for (int i = 0; i < rank; ++i) {
        if (chance()) axes.push_back(i);
      }
      return axes.empty() ? shaping() : push(reverse(x, axes), from.bound, from.exact);
    }
  }
}

void Maker::cutting() {
  Entry from = entry(false);
  Expr x = from.e;
  if (x.shape().rank() == 0) return;
  int axis = int(pick(x.shape().rank()));
  std::int64_t extent = x.shape()[axis];
  switch (pick(3)) {
    case 0: {
      std::int64_t lo = pick(extent), hi = lo + 1 + pick(extent - lo);
      return push(slice(x, axis, lo, hi, 1 + pick(3)), from.bound, from.exact);
    }
    case 1:
      if (x.shape().count() > 5000) return;
      return push(pad(x, axis, pick(4), pick(4), pick(3)), from.bound, from.exact);
    default: {
      if (x.shape().count() > 5000) return;
      std::vector<Expr> pieces{x};
      for (std::int64_t more = 1 + pick(2); more > 0; --more)
        pieces.push_back(any(x.shape().with(axis, 1 + pick(5))));
      return push(concat(pieces, axis), 8);
    }
  }
}

void Maker::indexing() {
  std::int64_t rows = 1 + pick(40), width = 1 + pick(20), count = 1 + pick(50);
  if (chance()) {
    Shape index = chance() ? Shape{count} : Shape{1 + pick(5), 1 + pick(9)};
    return push(take(any({rows, width}), integers(index, 0, rows)), 8);
  }
  Expr added = put_add(any({count, width}), integers({count}, 0, rows), rows);
  push(added * (1.0 / double(count)), 8);
}

void Maker::windows() {
  int rank = 1 + int(pick(3));
  Shape full = some_shape(rank), window = full;
  for (int i = 0; i < rank; ++i) window = window.with(i, 1 + pick(full[i]));
  // Starts that do not fit are moved back.
  Expr start = integers({rank}, -3, 20);
  if (chance()) return push(dyn_slice(any(full), start, window), 8);
  push(dyn_update(any(full), any(window), start), 8);
}

void Maker::reduction() {
  Entry from = entry(false);
  Expr x = from.e;
  std::vector<int> axes;
  std::int64_t count = 1;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (pick(3) == 0) continue;
    axes.push_back(i);
    count *= x.shape()[i];
  }
  if (axes.empty()) count = x.shape().count();
  switch (pick(5)) {
    case 0:
      return push(top(x, axes), from.bound);
    case 1: {
      // Ties go to the first, so that exact values decide alike.
      Expr e = entry(true).e;
      return push(cast(argtop(e), DType::f32) * (1.0 / double(e.shape().count())), 1);
    }
    case 2:
      return push(mean(x, axes), from.bound);
    case 3:
      if (x.shape().rank() == 0) return;
      return push(logsumexp(x, int(pick(x.shape().rank()))), from.bound + 9);
    default:
      return push(sum(x, axes) * (1 / std::sqrt(double(count))),
                  from.bound * std::sqrt(double(count)));
  }
}

void Maker::product() {
  std::int64_t m = 1 + pick(large_ ? 90 : 20), k = 1 + pick(40), n = 1 + pick(50), b = 1 + pick(3);
  bool ta = chance(), tb = chance(), batched = pick(3) == 0;
  Shape left = ta ? Shape{k, m} : Shape{m, k}, right = tb ? Shape{n, k} : Shape{k, n};
  if (batched) {
    left = left.insert(0, b);
    right = right.insert(0, b);
  }
  push(matmul(any(left), any(right), ta, tb) * (1 / std::sqrt(double(k))), 16);
}

void Maker::convolution() {
  ConvArgs2d args;
  args.groups = pick(4) == 0 ? 2 : 1;
  std::int64_t kh = 1 + pick(4), kw = 1 + pick(4);
  std::int64_t n = 1 + pick(3), c = args.groups * (1 + pick(6)), o = args.groups * (1 + pick(9));
  for (int i = 0; i < 2; ++i) args.stride[i] = 1 + pick(3);
  for (int i = 0; i < 2; ++i) args.dilation[i] = 1 + pick(2);
  for (int i = 0; i < 4; ++i) args.pad[i] = pick(3);
  std::int64_t h = (kh - 1) * args.dilation[0] + 1 + pick(7);
  std::int64_t w = (kw - 1) * args.dilation[1] + 1 + pick(9);
  auto out = [&](std::int64_t extent, int i, std::int64_t kernel) {
    std::int64_t room = extent + args.pad[2 * i] + args.pad[2 * i + 1];
    return (room - ((kernel - 1) * args.dilation[i] + 1)) / args.stride[i] + 1;
  };
  std::int64_t ho = out(h, 0, kh), wo = out(w, 1, kw);
  Shape x{n, h, w, c}, kernel{kh, kw, c / args.groups, o}, y{n, ho, wo, o};
  double scale = 1 / std::sqrt(double(kh * kw * c));
  switch (pick(3)) {
    case 0:
      return push(conv(any(x), any(kernel), args) * scale, 16);
    case 1:
      return push(conv_dx(any(y), any(kernel), h, w, args) * (1 / std::sqrt(double(kh * kw * o))),
                  16);
    default:
      return push(conv_dw(any(x), any(y), kh, kw, args) * (1 / std::sqrt(double(n * ho * wo))), 16);
  }
}

void Maker::noise() {
  std::int64_t rows = 1 + pick(20), row = 1 + pick(large_ ? 300 : 30);
  Expr ids = integers({rows}, 0, 100000);
  std::uint64_t stream = stream_of("noise") + std::uint64_t(serial_);
  if (chance()) return push(random(ids, clock(), {rows, row}, stream), 1);
  push(normal(ids, clock(), {rows, row}, stream), 6);
}

void Maker::control() {
  Entry from = entry(false);
  switch (pick(3)) {
    case 0:
      return push(stop_gradient(from.e), from.bound, from.exact);
    case 1:
      return push(after(from.e, any()), from.bound, from.exact);
    default:
      return push(all_reduce(from.e), from.bound, from.exact);
  }
}

void Maker::normalisation() {
  // Large eps: a row of equal values must not be blown up.
  constexpr double kEps = 0.1;
  std::int64_t n = 1 + pick(4), pixels = 1 + pick(12), groups = 1 + pick(3);
  std::int64_t c = groups * (1 + pick(8));
  if (large_) pixels *= 30;
  Shape shape{n, pixels, c};
  Normed made;
  std::vector<Expr> in{any(shape), any({c}), any({c})};
  switch (pick(4)) {
    case 0:
      return push(softmax(any(chance() ? shape : Shape{n * pixels, c})), 1);
    case 1:
      made = layer_norm(in[0], in[1], in[2], kEps);
      break;
    case 2:
      in[0] = any({n, pixels, 1, c});
      made = group_norm(in[0], in[1], in[2], int(groups), kEps);
      break;
    default:
      made = batch_norm(in[0], in[1], in[2], kEps);
  }
  differentiate(reshape(mean(square(made.y)), {}), in);
  push(made.y * 0.1, 8);
  push(made.mean, 8);
  push(made.variance_or_rstd * 0.1, 8);
}

void Maker::classification() {
  std::int64_t rows = 1 + pick(large_ ? 150 : 20), classes = 2 + pick(30);
  push(cross_entropy(any({rows, classes}), integers({rows}, 0, classes)), 20);
}

void Maker::attending() {
  std::int64_t b = 1 + pick(2), t = 1 + pick(9), s = chance() ? t : 1 + pick(17),
               heads = 1 + pick(3), d = 1 + pick(12);
  AttentionArgs args;
  args.causal = s == t && chance();
  args.scale = pick(3) == 0 ? 0.3 : 0;
  if (pick(3) == 0) args.bias = any({heads, t, s});
  if (pick(3) == 0) args.valid_length = integers({b}, 1, s + 1);
  std::vector<Expr> in{any({b, t, heads, d}), any({b, s, heads, d}), any({b, s, heads, d})};
  Expr made = attention(in[0], in[1], in[2], args);
  push(made, 8);
  if (chance()) differentiate(reshape(mean(square(made)), {}), in);
}

void Maker::optimizing() {
  Shape shape = any().shape();
  std::vector<Expr> averages, keeps;
  for (std::int64_t i = pick(3); i > 0; --i) {
    averages.push_back(any(shape));
    keeps.push_back(graph_->constant(0.5 + 0.1 * double(i)));
  }
  Expr variance = square(any(shape)) + 0.05;
  AdamResult next = adam(any(shape), any(shape), variance, any(shape), graph_->constant(0.01),
                         graph_->constant(0.3), graph_->constant(0.4), graph_->constant(0.7),
                         averages, keeps, {.eps = 1e-3, .weight_decay = chance() ? 0.1 : 0});
  push(next.p, 10);
  push(next.m, 8);
  push(next.v * 0.1, 8);
  for (Expr average : next.averages) push(average, 10);
}

// Of a mean of squares in one or two leaves, or of the gradient's own square.
void Maker::differentiation() {
  Expr loss = reshape(mean(square(any())), {});
  std::vector<Expr> wrt{leaves_[std::size_t(pick(std::int64_t(leaves_.size())))]};
  if (chance()) wrt.push_back(leaves_[std::size_t(pick(std::int64_t(leaves_.size())))]);
  differentiate(loss, wrt);
  if (pick(4) > 0) return;
  Expr second = reshape(sum(square(gradients_.back())), {});
  differentiate(second, {wrt.back()});
}

void Maker::differentiate(Expr loss, const std::vector<Expr>& wrt) {
  std::vector<Expr> grads = gradient(loss, wrt);
  gradients_.insert(gradients_.end(), grads.begin(), grads.end());
}

void Maker::recomputation() {
  Shape shape = some_shape(2);
  std::int64_t width = 1 + pick(20);
  std::vector<Expr> inputs{any(shape), any({shape[1], width})};
  auto made = checkpoint(
      [&](std::span<const Expr> in) {
        Expr hidden = tanh(matmul(in[0], in[1]) * 0.2);
        return std::vector<Expr>{hidden * sigmoid(hidden)};
      },
      inputs);
  push(made[0], 1);
  differentiation();
}

}  // namespace atelier::testing
