// What the generator of random graphs does one operation at a time.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "run/random_graphs.h"

namespace atelier::testing {

class Maker {
 public:
  Maker(std::uint64_t seed, bool large);
  void apply();  // one operation on values made so far
  RandomGraph finish();

 private:
  struct Entry {
    Expr e;        // f32
    double bound;  // of its magnitude
    bool exact;    // the same number in f32 and f64
  };

  std::int64_t pick(std::int64_t n);  // 0 .. n-1
  bool chance();
  Shape some_shape(int rank);
  Expr leaf(const Shape& shape, bool slot);
  Expr integers(const Shape& shape, std::int64_t low, std::int64_t high);
  Expr clock();
  const Entry& entry(bool exact);
  Expr any();
  Expr any(const Shape& shape);    // a value made to fit
  Expr exact(const Shape& shape);  // one that both arithmetics hold exactly
  Expr fit(Expr e, const Shape& shape);
  void push(Expr e, double bound, bool is_exact = false);

  // random_operations.cc
  void elementwise();
  void arithmetic();
  void integer();
  void comparison();
  void conversion();
  void shaping();
  void cutting();
  void indexing();
  void windows();
  void reduction();
  void product();
  void convolution();
  void noise();
  void control();
  void normalisation();
  void classification();
  void attending();
  void optimizing();
  void differentiation();
  void differentiate(Expr loss, const std::vector<Expr>& wrt);
  void recomputation();

  RandomStream random_;
  bool large_;
  int serial_ = 0;
  std::unique_ptr<Graph> graph_;
  std::vector<Entry> pool_;
  std::vector<Expr> leaves_, gradients_;
  std::vector<std::pair<std::string, Expr>> slots_;
  Expr graph_clock_;
  RandomGraph result_;
};

}  // namespace atelier::testing
