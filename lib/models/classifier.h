// Classifiers: an image tower and one linear layer, trained by cross-entropy against labels. The
// vision transformer trained this way is the supervised ViT (Dosovitskiy et al. 2020,
// arXiv:2010.11929).
#pragma once

#include "models/image_tower.h"

namespace atelier {

struct ClassifierConfig {
  ImageTower tower;
  double label_smoothing = 0;
  std::int64_t num_classes = 0;  // from the data

  Fields fields();
  void check() const;  // UsageError
};

// image f32 [N,H,W,C], 0..1 -> logits [N, num_classes].
Expr classifier_logits(const ClassifierConfig& config, const Scope& scope, Expr image);

// -log p(label) a row, [N], in nats; with smoothing s the target is 1 - s on the label and s spread
// over all classes (Szegedy et al. 2015, arXiv:1512.00567).
Expr smoothed_cross_entropy(Expr logits, Expr label, double smoothing);

Model make_classifier();

}  // namespace atelier
