// Plan: a graph compiled to a flat list of steps over one arena, bound to a Store, ready to run.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "compile/precision.h"
#include "graph/graph.h"
#include "tensor/store.h"

namespace atelier {

// A plan could not be made (a slot that the store lacks or holds with another type, values that
// have no kernel) or was asked for an input, output or guard that it does not have.
class PlanError : public Error {
 public:
  using Error::Error;
};

// Memory that plans which never run at the same time may share: its size is the largest wish, not
// the sum. Growing it re-aims the plans that use it; spans of inputs and outputs taken before a
// later Plan is constructed on the same workspace are void.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  std::size_t bytes() const;

 private:
  friend class Plan;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct PlanOptions {
  Level level = host_level();
  Precision precision = Precision::f32;
  bool decompose_composites = false;  // run every composite as primitives (tests)
  bool fuse = true;        // chains of elementwise nodes in one step; no result may change
  bool verify = false;     // run the oracle beside every step; the first that differs throws
  bool poison = false;     // fill every buffer with NaN when it dies; no result may change
  std::string guard = {};  // output that run_guarded() looks at before any stored tensor is written
  bool check_finite = false;  // remember the first step whose result is not finite (non_finite())
};

class Plan {
 public:
  // Compiles `graph` and binds the slots it names to tensors of `store`, which must be there with
  // these types. The graph may be destroyed at once; the store must outlive the plan.
  Plan(const Graph& graph, Store& store, const PlanOptions& options = {},
       std::shared_ptr<Workspace> workspace = nullptr);
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;
  ~Plan();

  // Spans into the arena, valid until the next run() on the workspace (inputs: write, then run).
  // A name that the graph lacks or another element type throws PlanError.
  template <class T = float>
  std::span<T> input(std::string_view name) {
    Raw raw = input_raw(name, dtype_of<T>::value);
    return {static_cast<T*>(raw.data), std::size_t(raw.count)};
  }
  template <class T = float>
  std::span<const T> output(std::string_view name) const {
    Raw raw = output_raw(name, dtype_of<T>::value);
    return {static_cast<const T*>(raw.data), std::size_t(raw.count)};
  }
  float scalar(std::string_view name) const { return output<float>(name)[0]; }
  bool has_input(std::string_view name) const;
  bool has_output(std::string_view name) const;
  Type input_type(std::string_view name) const;

  // Runs all steps on the thread team: no allocation, no exceptions from kernels. Updates are
  // committed at its end.
  void run();

  // As run(), but if the output PlanOptions::guard is not finite, no stored tensor is written and
  // the answer is false; non_finite() then names the first step.
  bool run_guarded();

  // "step 12 (tile: div): f32[64,400] of vae.loss (vae.cc:88)" after a run with check_finite, or a
  // guarded one, in which a value was not finite; empty otherwise.
  std::string non_finite() const;

  std::string explain() const;  // table of steps: kernel, sites, shapes, bytes, flops
  std::size_t arena_bytes() const;
  std::size_t packed_bytes() const;  // packed weights, kept beside the arena
  double flops() const;              // of one run, 2 x multiply-accumulate
  std::size_t steps() const;

 private:
  struct Raw {
    void* data;
    std::int64_t count;
  };
  Raw input_raw(std::string_view name, DType type);
  Raw output_raw(std::string_view name, DType type) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atelier
