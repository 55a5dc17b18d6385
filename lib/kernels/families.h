// The kernel families: each file group fills its entries of a table; kernel_table() calls them all.
#pragma once

#include "kernels/kernels.h"

namespace atelier {

inline KernelEntry& entry_of(KernelTable& table, KernelId id) { return table.entry[int(id)]; }

// avx512bf16 and amx have no f32 kernels of their own.
constexpr bool uses_avx512(Level level) { return level != Level::avx2; }

void add_pack(Level level, KernelTable& table);            // pack
void add_matmul(Level level, KernelTable& table);          // matmul
void add_products(Level level, KernelTable& table);        // both of these
void add_conv_dx(Level level, KernelTable& table);         // conv_dx
void add_conv_dw(Level level, KernelTable& table);         // conv_dw
void add_convolutions(Level level, KernelTable& table);    // they and conv
void add_attention_grad(Level level, KernelTable& table);  // attention_grad
void add_attention(Level level, KernelTable& table);       // it and attention
void add_tile(Level level, KernelTable& table);            // tile
void add_reductions(Level level, KernelTable& table);      // reduce
void add_movement(Level level, KernelTable& table);        // copy .. dyn_update
void add_random(Level level, KernelTable& table);          // random, normal
void add_norms(Level level, KernelTable& table);           // softmax, layer, group and batch norm
void add_losses(Level level, KernelTable& table);          // cross_entropy
void add_optimizers(Level level, KernelTable& table);      // adam

}  // namespace atelier
