// Rows of plans as pictures and back; private to this floor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "run/plan.h"

namespace atelier {

// Identities of the rows, where the plan draws noise.
void write_noise(Plan& plan, std::span<const std::int32_t> ids);
// Pictures to the input "image", at most as many as it has rows; the rest is filled with the first.
// `places`: what the noise of each is drawn by, that of `how` too.
void write_pictures(Plan& plan, std::span<const Item> items, std::span<const std::int64_t> places,
                    Binarize how);
std::vector<std::uint8_t> as_pixels(std::span<const float> values);  // 0..1 to 0..255, rounded

}  // namespace atelier
