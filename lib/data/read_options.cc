// The options of reading, listed once for flags, files and pages.
#include "data/dataset.h"

namespace atelier {

Fields ReadOptions::fields() {
  constexpr double kMaxSide = 16384, kNoLimit = 9e15;
  Fields fields = {
      bind(data_format, {.name = "data_format",
                         .help = "what the sources are, if not by their content",
                         .choices = {"auto", "folder", "tar", "idx", "hdf5", "synthetic"}}),
      bind(dataset,
           {.name = "dataset", .help = "name of the pictures in an HDF5 file", .filled = true}),
      bind(label_dataset,
           {.name = "label_dataset", .help = "name of the labels in an HDF5 file", .filled = true}),
      bind(image_size, {.name = "image_size",
                        .help = "side of the square pictures in pixels, 0: as they are",
                        .low = 0,
                        .high = kMaxSide}),
      bind(image_height, {.name = "image_height",
                          .help = "height of pictures that are not square",
                          .low = 0,
                          .high = kMaxSide}),
      bind(image_width, {.name = "image_width",
                         .help = "width of pictures that are not square",
                         .low = 0,
                         .high = kMaxSide}),
      bind(crop, {.name = "crop",
                  .help = "other aspect ratios: keep the middle or stretch",
                  .choices = {"center", "none"}}),
      bind(filter, {.name = "filter",
                    .help = "of resizing, antialiased",
                    .choices = {"nearest", "box", "bilinear", "bicubic", "lanczos"}}),
      bind(channels, {.name = "image_channels",
                      .help = "1 grey, 3 colour, 0: as the first picture",
                      .low = 0,
                      .high = 4096}),
      bind(background,
           {.name = "background", .help = "colour behind alpha: white, black or RRGGBB"}),
      bind(value_range,
           {.name = "value_range", .help = "LOW,HIGH of floating-point pictures, become 0 and 1"}),
      bind(on_error, {.name = "on_error",
                      .help = "pictures that cannot be read: fail, or skip and end with status 3",
                      .choices = {"fail", "skip"}}),
      bind(limit,
           {.name = "limit", .help = "take the first so many, 0: all", .low = 0, .high = kNoLimit}),
      bind(labels, {.name = "labels",
                    .help = "file of labels, idx or text with one a line",
                    .filled = true}),
      bind(synthetic,
           {.name = "synthetic",
            .help =
                real ? "draw pictures: noise, shapes; or points: ring, grid, swiss-roll, gaussians"
                     : "draw pictures instead of reading them: noise or shapes"}),
      bind(synthetic_count,
           {.name = "synthetic_count", .help = "how many to draw", .low = 1, .high = kNoLimit}),
      bind(seed, {.name = "synthetic_seed", .help = "seed of what is drawn", .low = 0}),
      bind(limits.max_pixels, {.name = "max_pixels",
                               .help = "refuse to decode larger pictures",
                               .origin = "64 megapixels: 192 MiB as RGB",
                               .low = 1,
                               .high = kNoLimit}),
      bind(
          limits.max_side,
          {.name = "max_side", .help = "refuse to decode longer sides", .low = 1, .high = 1 << 20}),
  };
  if (!real) return fields;
  constexpr double kMostModes = 10000, kFarthest = 1e6;
  fields.insert(
      fields.end(),
      {bind(synthetic_modes, {.name = "synthetic_modes",
                              .help = "points: how many Gaussians, 0: the toy's own number",
                              .low = 0,
                              .high = kMostModes}),
       bind(synthetic_radius,
            {.name = "synthetic_radius",
             .help = "points: of the ring, or the largest coordinate of a centre, 0: the toy's own",
             .low = 0,
             .high = kFarthest}),
       bind(synthetic_std, {.name = "synthetic_std",
                            .help = "points: standard deviation, 0: the toy's own",
                            .low = 0,
                            .high = kFarthest})});
  return fields;
}

}  // namespace atelier
