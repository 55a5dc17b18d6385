// The state of lowering a graph, shared by the files that lower its families of nodes.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "compile/program.h"
#include "graph/op_table.h"
#include "graph/ops.h"

namespace atelier {

// A value as it lies in memory: strided over a tensor, or one scalar constant.
struct View {
  TensorId tensor = kNoTensor;
  std::int64_t offset = 0;  // elements
  Type type;
  std::array<std::int64_t, kMaxRank> stride{};  // elements; 0 = broadcast
  std::optional<double> constant;               // no tensor: this number everywhere

  bool dense() const;  // row-major without gaps
};

class Lowering {
 public:
  Lowering(const Graph& graph, const LowerOptions& options);
  Program run();

 private:
  friend class StepBuilder;
  // ---- the graph as it is being read (composites decomposed into a copy when asked)
  const Graph& g_;
  LowerOptions options_;
  Program program_;
  std::vector<std::uint32_t> uses_;  // of each node by live nodes, outputs and updates
  std::vector<bool> live_;
  std::unordered_map<std::uint64_t, View> views_;
  std::unordered_map<std::uint64_t, TensorId> dense_copies_, widened_;
  std::vector<double> flops_;  // of each node
  std::map<std::vector<std::int64_t>, TensorId> packs_;
  std::map<std::string, std::uint32_t> slot_index_;
  std::vector<bool> deferred_;  // elementwise nodes that their only reader computes

  static std::uint64_t key(Value v) { return std::uint64_t(v.node) << 16 | v.part; }
  void mark_live();
  void choose_groups();
  void node(NodeId id);
  void leaf(NodeId id);
  void complete(NodeId id);
  void completes(Value v);
  void finish();

  View view(Value v);   // any strides
  View dense(Value v);  // row-major, copied if need be
  View dense_copy(const View& from, NodeId id);
  View dense_copy(const View& from, Value whole);  // `from` is all of that value
  View define(Value v);                            // a new arena tensor for this value
  View temporary(const Type& type);
  TensorId new_tensor(std::int64_t bytes, Home home = Home::arena);
  void alias(Value v, View view) { views_[key(v)] = view; }

  // lower_tile.cc
  void elementwise(NodeId root);
  void convert(const View& to, const View& from, NodeId id);
  // lower_move.cc
  bool movement(NodeId id);
  void pad(NodeId id);
  void concat(NodeId id);
  void reduce(NodeId id);
  void indexing(NodeId id);
  void copy(const View& to, const View& from, NodeId id);
  void fill(const View& to, double value, NodeId id);
  // lower_linear.cc
  void matmul(NodeId id);
  void convolution(NodeId id);
  View widened(Value v);  // any strides, f32 if it is bf16
  View packed(const struct PackArgs& args, const View& from, NodeId id);
  // lower_composite.cc
  bool composite(NodeId id);
  void attention(NodeId id, std::span<const View> in, std::span<const View> out);
  void adam(NodeId id, std::span<const View> in, std::span<const View> out);
};

// Fills the arguments of one step: POD fields directly, pointers by field.
template <class Args>
class StepOf {
 public:
  StepOf(KernelId kernel, NodeId id) : id_(id) { step_.kernel = kernel; }
  Args args{};
  void reads(std::size_t field, const View& v) { pointer(field, v, false); }
  void writes(std::size_t field, const View& v) { pointer(field, v, true); }
  void scratch(std::size_t field) { scratch_field_ = int(field); }
  Step& step() { return step_; }

  Step finish(const Graph& g, Program& program) {
    step_.args.resize(sizeof(Args));
    std::memcpy(step_.args.data(), &args, sizeof(Args));
    step_.node = id_;
    step_.type = g.type({id_, 0});
    step_.scope = g.scope(id_);
    step_.site = g.site(id_);
    if (scratch_field_ >= 0) {
      step_.scratch = TensorId(program.tensors.size());
      step_.scratch_field = std::uint16_t(scratch_field_);
      program.tensors.push_back({});
    }
    return std::move(step_);
  }

 private:
  void pointer(std::size_t field, const View& v, bool write) {
    step_.bytes += bytes_of(v);
    step_.pointers.push_back(
        {std::uint16_t(field), write, v.tensor, v.offset * std::int64_t(size_of(v.type.dtype))});
  }
  // Memory behind a view: repeated elements count once.
  static double bytes_of(const View& v) {
    double bytes = double(size_of(v.type.dtype));
    for (int i = 0; i < v.type.shape.rank(); ++i)
      bytes *= v.stride[std::size_t(i)] == 0 ? 1.0 : double(v.type.shape[i]);
    return bytes;
  }
  Step step_;
  NodeId id_;
  int scratch_field_ = -1;
};

// Row-major strides.
std::array<std::int64_t, kMaxRank> dense_strides(const Shape& shape);

}  // namespace atelier
