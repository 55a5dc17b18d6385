// Rows of plans as pictures and back, and whether they are finite.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"
#include "infer/infer.h"
#include "run/plan.h"

namespace atelier {

// Identities of the rows, where the plan draws noise; seed 0 is that of samples.
void write_noise(Plan& plan, std::span<const std::int32_t> ids, std::int64_t seed = 0);
// Brings a row to length 1, in double, and returns its squared length before; a row whose length is
// zero or not finite stays as it is.
double normalize(std::span<float> row);
// Pictures to the input "image", at most as many as it has rows; the rest is filled with the first.
// `places`: what the noise of each is drawn by, that of `how` too.
void write_pictures(Plan& plan, std::span<const Item> items, std::span<const std::int64_t> places,
                    Binarize how);
bool all_finite(std::span<const float> values);
std::vector<std::uint8_t> as_pixels(std::span<const float> values);  // 0..1 to 0..255, rounded
// The same of what a model made; Error("x.h5: makes pictures that are not finite") if so.
std::vector<std::uint8_t> picture_of(const Loaded& model, std::span<const float> values);

}  // namespace atelier
