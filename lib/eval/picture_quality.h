// How near pictures are to others, one by one: squared error, PSNR, SSIM (Wang et al. 2004,
// doi:10.1109/TIP.2003.819861).
#pragma once

#include <cstdint>
#include <span>

namespace atelier {

struct PictureShape {
  std::int64_t height = 0, width = 0, channels = 0;
};

// Mean squared difference of numbers in 0..1.
double squared_error(std::span<const float> a, std::span<const float> b);

// -10 log10 of a mean squared error of numbers in 0..1, in dB; infinite for 0.
double psnr(double squared_error);

// Structural similarity of two pictures [H,W,C] in 0..1: the mean over channels and over the places
// where the window (11x11, Gaussian of sigma 1.5, K1 0.01, K2 0.03) lies inside; 1 for equal
// pictures. Sides below 11 take the largest odd window that fits.
double ssim(std::span<const float> a, std::span<const float> b, const PictureShape& shape);

}  // namespace atelier
