// The kernel table: everything an executor step can run, by level, on raw pointers.
//
// A kernel is called once for every phase on every thread of the team, with a barrier after each
// phase: run(args, phase, thread, threads). It does not allocate or throw. Its result does not
// depend on `threads` (parts are cut by shape, never by thread count), and is the same bits at
// avx2 and avx512: products accumulate in K order by fma, sums use 16 fixed lanes and fixed
// strips, no approximate instructions, no contraction that is not written as fma.
// Tensors are dense and row-major unless strides are given; strides count elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace atelier {

enum class KernelId : std::uint8_t {
  tile,
  reduce,
  copy,
  fill,
  iota,
  take,
  put_add,
  dyn_slice,
  dyn_update,
  random,
  normal,
  pack,
  matmul,
  conv,
  conv_dx,
  conv_dw,
  softmax,
  layer_norm,
  layer_norm_grad,
  group_norm,
  group_norm_grad,
  batch_norm,
  batch_norm_grad,
  cross_entropy,
  attention,
  attention_grad,
  adam,
  count_
};
inline constexpr int kNumKernels = int(KernelId::count_);

// ---- elementwise: a tile program over chunks of the flattened output
inline constexpr int kTileChunk = 256;     // elements a chunk (machines.md 5: right for all hosts)
inline constexpr int kTileRegisters = 16;  // f32[256] each, in L1
inline constexpr int kMaxTileOperands = 16;

// Opcodes. Beyond these come the functions listed in tile.cc, which are found by name.
enum class TileOp : std::uint8_t {
  load,
  store,      // a = register, b = operand
  constant,   // dst = immediate
  select,     // "where": c ? a : b; masks are 0 or 1 (a NaN chooses b)
  fma,        // a * b + c
  functions,  // the first of them
};
std::optional<TileOp> tile_op(std::string_view name);  // absent: there is none of that name
std::string_view name(TileOp op);
int num_tile_ops();
// What an opcode promises: the most its result may be off in units in the last place, of the result
// or, near the zeros of a function that repeats, of `least`. 0.5 is correctly rounded, 0 exact.
struct TileFacts {
  int operands;
  double ulp, least;
};
TileFacts facts(TileOp op);
struct TileInsn {
  TileOp op;
  std::uint8_t dst, a, b;
  std::uint32_t c_or_immediate;  // a register, or the bits of an f32 immediate
};
struct TileOperand {
  void* data;
  DType dtype;                    // i32 operands are loaded as their bits
  std::int64_t stride[kMaxRank];  // per axis of the space; 0 = broadcast
};
struct TileArgs {
  const TileInsn* code;
  std::int32_t num_insns, num_operands, rank;
  std::int64_t extent[kMaxRank];  // the iteration space, row-major
  TileOperand operand[kMaxTileOperands];
};

// ---- reductions over the middle axis of [outer, reduce, inner]
enum class ReduceOp : std::uint8_t { sum, top, argtop };
struct ReduceArgs {
  const float* in;
  void* out;  // f32, or i32 for argtop; [outer, inner]
  void* scratch;
  std::int64_t outer, reduce, inner;
  ReduceOp op;
  float scale;  // multiplies a sum at the end (a mean: 1/n); else 1
};

// ---- movement
struct CopyArgs {  // dst[i] = src[i] over `extent`, any strides
  void* dst;
  const void* src;
  std::int32_t element_bytes, rank;
  std::int64_t extent[kMaxRank], dst_stride[kMaxRank], src_stride[kMaxRank];
};
struct FillArgs {
  void* dst;
  std::int64_t bytes;
  std::uint64_t pattern;  // repeated every element_bytes
  std::int32_t element_bytes;
};
struct IotaArgs {
  std::int32_t* dst;
  std::int32_t rank;
  std::int64_t extent[kMaxRank], weight[kMaxRank];  // value = sum of index * weight
};
struct TakeArgs {  // out[i] = in[index[i]]; an index out of range gives NaN (0)
  void* out;
  const void* in;
  const std::int32_t* index;
  std::int64_t count, rows, row_bytes;
};
struct PutAddArgs {  // out = 0; out[index[i]] += in[i] in order of i
  float* out;
  const float* in;
  const std::int32_t* index;
  std::int64_t count, rows, row;  // row: elements
};
struct DynArgs {  // window <-> full at a run-time start, clamped to fit
  void* out;
  const void* in;  // dyn_slice: the full tensor; dyn_update: the window
  const std::int32_t* start;
  std::int32_t element_bytes, rank;
  std::int64_t full[kMaxRank], window[kMaxRank];
  const void* base;  // dyn_update: copied to out first unless equal to out
};
struct RandomArgs {  // also normal
  float* out;
  const std::int32_t* ids;
  const std::int32_t* clock;  // seed low, seed high, step
  std::int64_t rows, row;     // out is [rows, row]
  std::uint64_t stream;       // normal: radius from `stream`, angle from stream + 1
};

// ---- products. B operands are packed in panels of 32 columns: [ceil(n/32)][k][32] words of four
// bytes, padded with zeros; one panel format serves every level. A word is one f32, or two bf16
// that follow each other in k, the first in the low half, the last of an odd number beside 0: two
// elements of k (matmul), two channels of one tap (conv), two outputs of one tap (conv_dx), two
// images at one pixel (conv_dw). The products of this file read words of f32.
inline constexpr std::int64_t kPanel = 32;
constexpr std::int64_t panels(std::int64_t n) { return (n + kPanel - 1) / kPanel; }

struct ConvGeometry {
  std::int64_t batch, height, width, channels;       // x [N,H,W,C]
  std::int64_t out_height, out_width, out_channels;  // y [N,Ho,Wo,O]
  std::int64_t kernel[2], stride[2], pad[4], dilation[2], groups;
};

enum class PackFormat : std::uint8_t { matmul, conv, conv_dx, conv_dw };
enum class PackWord : std::uint8_t { f32, bf16x2 };
struct PackArgs {
  void* dst;  // words
  const float* src;
  PackFormat format;
  PackWord word;
  std::int64_t batch, k, n;  // matmul: B [batch][k][n] through the strides below
  std::int64_t batch_stride, k_stride, n_stride;
  ConvGeometry conv;  // others: src is w (conv, conv_dx) or y (conv_dw)
};
struct Epilogue {     // what follows a product while the tile is at hand
  const float* bias;  // [n], or null
  std::int32_t relu;  // max(x, 0) after the bias
};
struct MatmulArgs {  // c [batch][m][n] = a * b (+ epilogue)
  float* c;
  const float* a;
  const float* b;  // packed
  std::int64_t batch, m, n, k;
  std::int64_t a_batch_stride, a_row_stride, a_k_stride;  // ta: row stride 1, k stride = m
  std::int64_t b_batch_stride;                            // in packed elements; 0: one b for all
  Epilogue epilogue;
};
struct ConvArgs {
  float* out;           // conv: y, conv_dx: x, conv_dw: w
  const float* in;      // conv: x, conv_dx: y, conv_dw: x
  const float* packed;  // conv, conv_dx: weights; conv_dw: y
  float* scratch;
  ConvGeometry conv;
  Epilogue epilogue;  // conv and conv_dx
};
std::int64_t packed_count(const PackArgs&);  // words of dst

// ---- normalisation; rows are contiguous
struct SoftmaxArgs {
  float* y;
  const float* x;
  std::int64_t rows, width;
};
struct LayerNormArgs {  // rows x width
  float *y, *mean, *rstd;
  const float *x, *scale, *shift;
  std::int64_t rows, width;
  float eps;
};
struct LayerNormGradArgs {
  float *dx, *dscale, *dshift;
  const float *x, *scale, *mean, *rstd, *dy;
  float* scratch;
  std::int64_t rows, width;
};
struct GroupNormArgs {  // x [batch][pixels][channels]
  float *y, *mean, *rstd;
  const float *x, *scale, *shift;
  float* scratch;
  std::int64_t batch, pixels, channels, groups;
  float eps;
};
struct GroupNormGradArgs {
  float *dx, *dscale, *dshift;
  const float *x, *scale, *mean, *rstd, *dy;
  float* scratch;
  std::int64_t batch, pixels, channels, groups;
};
struct BatchNormArgs {  // x [rows][channels]
  float *y, *mean, *variance;
  const float *x, *scale, *shift;
  float* scratch;
  std::int64_t rows, channels;
  float eps;
};
struct BatchNormGradArgs {
  float *dx, *dscale, *dshift;
  const float *x, *scale, *mean, *variance, *dy;
  float* scratch;
  std::int64_t rows, channels;
  float eps;
};
struct CrossEntropyArgs {  // rows x classes; a label outside gives NaN
  float *loss, *lse;
  const float* logits;
  const std::int32_t* labels;
  std::int64_t rows, classes;
};

// ---- attention over q [B,T,heads,D], k and v [B,S,heads,D]
struct AttentionKernelArgs {
  float *out, *lse;  // lse [B,heads,T]
  const float *q, *k, *v;
  const float* bias;          // [heads,T,S] or null
  const std::int32_t* valid;  // [B] or null
  float* scratch;
  std::int64_t batch, queries, keys, heads, head_dim;
  float scale;
  std::int32_t causal;
};
struct AttentionGradArgs {
  float *dq, *dk, *dv;
  const float *q, *k, *v, *out, *lse, *dout, *bias;
  const std::int32_t* valid;
  float* scratch;
  std::int64_t batch, queries, keys, heads, head_dim;
  float scale;
  std::int32_t causal;
};

// ---- optimizer
inline constexpr int kMaxAverages = 4;
struct AdamKernelArgs {  // in place when p == p_in and so on
  float *p, *m, *v;
  const float *p_in, *m_in, *v_in, *g;
  const float *rate, *c1, *c2, *scale;  // scalars
  float* average[kMaxAverages];
  const float* average_in[kMaxAverages];
  const float* keep[kMaxAverages];  // scalars
  std::int64_t count;
  std::int32_t num_averages;
  float beta1, beta2, eps, weight_decay;
};

using Kernel = void (*)(const void* args, int phase, int thread, int threads) noexcept;

struct KernelEntry {
  Kernel run = nullptr;
  // Phases of these arguments (>= 1) and bytes of args.scratch for a team of `threads`; the size
  // may grow with the team, the result may not change with it. Null: one phase, no scratch.
  int (*phases)(const void* args) = nullptr;
  std::size_t (*scratch_bytes)(const void* args, int threads) = nullptr;
};

struct KernelTable {
  Level level;
  KernelEntry entry[kNumKernels];
  const KernelEntry& operator[](KernelId id) const { return entry[int(id)]; }
};

// The table of any level exists on any host (to compile and explain plans for it); running it needs
// a CPU of that level.
const KernelTable& kernel_table(Level level);

std::string_view name(KernelId id);

// Pairs of argument pointers (byte offsets in the args struct) that may be equal: the output may
// overwrite that input. Every pair is run both ways by a test.
struct AliasPair {
  std::uint16_t output, input;
};
std::span<const AliasPair> alias_pairs(KernelId id);

// ---- helpers outside the graph
// Antialiased separable resampling with Pillow's rules: u8 in, u8 out, [H,W,C] (data loading). The
// same bytes at every level; without one, the host's.
enum class Filter : std::uint8_t { nearest, box, bilinear, bicubic, lanczos };
void resample(std::uint8_t* out, std::int64_t out_height, std::int64_t out_width,
              const std::uint8_t* in, std::int64_t height, std::int64_t width,
              std::int64_t channels, Filter filter);
void resample(Level level, std::uint8_t* out, std::int64_t out_height, std::int64_t out_width,
              const std::uint8_t* in, std::int64_t height, std::int64_t width,
              std::int64_t channels, Filter filter);

}  // namespace atelier
