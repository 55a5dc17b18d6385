// Attention distance against depth as a drawing.
#pragma once

#include <string>

#include "infer/attention.h"

namespace atelier {

// SVG: a dot for each head, a line through the means of the layers; the scales begin at layer 1 and
// at 0 pixels. As figure 7 of Dosovitskiy et al. 2020 (arXiv:2010.11929).
std::string attention_plot(const AttentionMeter& meter);

}  // namespace atelier
