// Runs a kernel at every level, for teams of 1 to 3, in buffers that end at a guard page and in
// misaligned ones, and requires one result of all.
#pragma once

#include <deque>
#include <utility>

#include "kernels/support.h"

namespace atelier::test {

using Floats = std::vector<float>;

// Integers as the floats of the same bits, for operands of kernels that mix both.
inline Floats bits_of(const std::vector<std::int32_t>& values) {
  Floats bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}
inline std::int32_t* ints(float* p) { return reinterpret_cast<std::int32_t*>(p); }
inline const std::int32_t* ints(const float* p) { return reinterpret_cast<const std::int32_t*>(p); }

// `count` values in [-1, 1) * scale + offset.
inline Floats values(std::int64_t count, std::uint64_t stream, float scale = 1, float offset = 0) {
  Floats v(static_cast<std::size_t>(count));
  fill(v, stream);
  for (float& x : v) x = x * scale + offset;
  return v;
}

// bind(inputs, outputs) gives the arguments, check(level, outputs) is called once for each level.
// Team and place change together, so that three runs a level see every one of each; odd sizes start
// at no multiple of a vector.
template <class Bind, class Check>
void run_everywhere(KernelId id, const std::vector<Floats>& in,
                    const std::vector<std::int64_t>& out_sizes, Bind bind, Check check) {
  std::vector<Floats> reference;
  for (Level level : levels()) {
    std::vector<Floats> outs;
    for (int threads : {1, 2, 3}) {
      const std::size_t misalign = threads == 2 ? 1 : 0;
      std::deque<GuardedBuffer<>> ins, out_buffers;
      std::vector<const float*> from;
      std::vector<float*> to;
      for (const Floats& v : in) {
        from.push_back(ins.emplace_back(v.size(), misalign).data());
        if (!v.empty()) std::memcpy(ins.back().data(), v.data(), v.size() * sizeof(float));
      }
      for (std::int64_t n : out_sizes)
        to.push_back(out_buffers.emplace_back(std::size_t(n), misalign).data());
      run(level, id, bind(std::as_const(from), std::as_const(to)), threads);
      outs.clear();
      for (const GuardedBuffer<>& b : out_buffers) outs.emplace_back(b.data(), b.data() + b.size());
      if (reference.empty()) reference = outs;
      for (std::size_t k = 0; k < outs.size(); ++k) {
        const bool same = same_values(reference[k], outs[k]);
        INFO(std::string(name(id)), " ", std::string(name(level)), " threads ", threads, " out ",
             k);
        CHECK(same);
      }
    }
    check(level, outs);
  }
}

// Packs `src` at every level; check(level, {panels}) as in run_everywhere.
template <class Check>
void pack_everywhere(const PackArgs& args, const Floats& src, Check check) {
  run_everywhere(
      KernelId::pack, {src}, {packed_count(args)},
      [&](const auto& from, const auto& to) {
        PackArgs bound = args;
        bound.src = from[0];
        bound.dst = to[0];
        return bound;
      },
      check);
}

// What pack makes of `src`, at every level.
inline Floats packed_of(const PackArgs& args, const Floats& src) {
  Floats packed;
  pack_everywhere(args, src, [&](Level, const std::vector<Floats>& out) { packed = out[0]; });
  return packed;
}

}  // namespace atelier::test
