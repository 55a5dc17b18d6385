// Kernel levels: which instruction sets the kernels are compiled for and which one is used.
#pragma once

#include <string>
#include <string_view>

namespace atelier {

// Ordered; each level includes the ones before it. f32 kernels exist for avx2 and avx512; the two
// higher levels use the avx512 ones for f32 and add bf16 products.
enum class Level { avx2, avx512, avx512bf16, amx };

std::string_view name(Level level);
Level parse_level(std::string_view text);  // throws UsageError naming the four levels

bool cpu_has(Level level);

// The level in use: ATELIER_ISA if set (an error if this CPU lacks it), else the best this CPU has.
// Throws Error below AVX2: "this CPU lacks AVX2 and FMA, which atelier needs".
Level host_level();

std::string cpu_model();  // as the kernel names it, for reports

}  // namespace atelier
