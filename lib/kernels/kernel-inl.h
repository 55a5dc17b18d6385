// Included by every kernel file before hwy/foreach_target.h: which levels a file is compiled for.
//
// A kernel file is compiled twice, as namespaces N_AVX2 and N_AVX3 of HWY_NAMESPACE; the tables
// pick one of them by name, never by Highway's chooser, so that any level's table exists on any
// host. No guard by target is needed here: only macros of one meaning.
#ifndef ATELIER_KERNELS_KERNEL_INL_H_
#define ATELIER_KERNELS_KERNEL_INL_H_

#define HWY_BASELINE_TARGETS (HWY_AVX2)
#define HWY_DISABLED_TARGETS (~(HWY_AVX2 | HWY_AVX3))

// Loops over register arrays must be unrolled whole, else the arrays stay in memory.
#if defined(__clang__)
#define ATELIER_UNROLL _Pragma("unroll")
#else
#define ATELIER_UNROLL _Pragma("GCC unroll 16")
#endif

#endif  // ATELIER_KERNELS_KERNEL_INL_H_
