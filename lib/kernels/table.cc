// The kernel tables of all levels, the names of kernels and tile operations, the alias pairs.
#include <array>
#include <cstddef>

#include "kernels/families.h"

namespace atelier {
namespace {

KernelTable make_table(Level level) {
  KernelTable table{};
  table.level = level;
  add_products(level, table);
  add_convolutions(level, table);
  add_attention(level, table);
  add_tile(level, table);
  add_reductions(level, table);
  add_movement(level, table);
  add_random(level, table);
  add_norms(level, table);
  add_losses(level, table);
  add_optimizers(level, table);
  return table;
}

constexpr std::string_view kKernelNames[] = {"tile",
                                             "reduce",
                                             "copy",
                                             "fill",
                                             "iota",
                                             "take",
                                             "put_add",
                                             "dyn_slice",
                                             "dyn_update",
                                             "random",
                                             "normal",
                                             "pack",
                                             "matmul",
                                             "conv",
                                             "conv_dx",
                                             "conv_dw",
                                             "softmax",
                                             "layer_norm",
                                             "layer_norm_grad",
                                             "group_norm",
                                             "group_norm_grad",
                                             "batch_norm",
                                             "batch_norm_grad",
                                             "cross_entropy",
                                             "attention",
                                             "attention_grad",
                                             "adam"};
static_assert(std::size(kKernelNames) == kNumKernels);

constexpr AliasPair kSoftmaxAliases[] = {{offsetof(SoftmaxArgs, y), offsetof(SoftmaxArgs, x)}};
// The last pass of a norm reads and writes element by element.
constexpr AliasPair kLayerNormAliases[] = {
    {offsetof(LayerNormArgs, y), offsetof(LayerNormArgs, x)}};
constexpr AliasPair kGroupNormAliases[] = {
    {offsetof(GroupNormArgs, y), offsetof(GroupNormArgs, x)}};
constexpr AliasPair kBatchNormAliases[] = {
    {offsetof(BatchNormArgs, y), offsetof(BatchNormArgs, x)}};
constexpr AliasPair kLayerNormGradAliases[] = {
    {offsetof(LayerNormGradArgs, dx), offsetof(LayerNormGradArgs, dy)},
    {offsetof(LayerNormGradArgs, dx), offsetof(LayerNormGradArgs, x)}};
constexpr AliasPair kGroupNormGradAliases[] = {
    {offsetof(GroupNormGradArgs, dx), offsetof(GroupNormGradArgs, dy)},
    {offsetof(GroupNormGradArgs, dx), offsetof(GroupNormGradArgs, x)}};
constexpr AliasPair kBatchNormGradAliases[] = {
    {offsetof(BatchNormGradArgs, dx), offsetof(BatchNormGradArgs, dy)},
    {offsetof(BatchNormGradArgs, dx), offsetof(BatchNormGradArgs, x)}};
constexpr AliasPair kUpdateAliases[] = {{offsetof(DynArgs, out), offsetof(DynArgs, base)}};
constexpr std::uint16_t average(int i, std::size_t array) {
  return std::uint16_t(array + std::size_t(i) * sizeof(float*));
}
constexpr AliasPair average_pair(int i) {
  return {average(i, offsetof(AdamKernelArgs, average)),
          average(i, offsetof(AdamKernelArgs, average_in))};
}
constexpr AliasPair kAdamAliases[] = {{offsetof(AdamKernelArgs, p), offsetof(AdamKernelArgs, p_in)},
                                      {offsetof(AdamKernelArgs, m), offsetof(AdamKernelArgs, m_in)},
                                      {offsetof(AdamKernelArgs, v), offsetof(AdamKernelArgs, v_in)},
                                      average_pair(0),
                                      average_pair(1),
                                      average_pair(2),
                                      average_pair(3)};
static_assert(kMaxAverages == 4);

}  // namespace

const KernelTable& kernel_table(Level level) {
  static const std::array<KernelTable, 4> tables = {
      make_table(Level::avx2), make_table(Level::avx512), make_table(Level::avx512bf16),
      make_table(Level::amx)};
  return tables[std::size_t(level)];
}

std::string_view name(KernelId id) { return kKernelNames[int(id)]; }

std::span<const AliasPair> alias_pairs(KernelId id) {
  switch (id) {
    case KernelId::softmax:
      return kSoftmaxAliases;
    case KernelId::layer_norm:
      return kLayerNormAliases;
    case KernelId::layer_norm_grad:
      return kLayerNormGradAliases;
    case KernelId::group_norm:
      return kGroupNormAliases;
    case KernelId::group_norm_grad:
      return kGroupNormGradAliases;
    case KernelId::batch_norm:
      return kBatchNormAliases;
    case KernelId::batch_norm_grad:
      return kBatchNormGradAliases;
    case KernelId::dyn_update:
      return kUpdateAliases;
    case KernelId::adam:
      return kAdamAliases;
    default:
      return {};
  }
}

}  // namespace atelier
