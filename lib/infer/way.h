// Ways through latents, and the pace at which frames follow one another on them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "infer/infer.h"

namespace atelier {

struct WayOptions {
  // lerp: straight lines. slerp: arcs, on which lengths change evenly in angle (Shoemake 1985,
  // doi:10.1145/325165.325242, with the lengths as they are): between draws of a Gaussian prior,
  // all nearly of one length, straight lines lead through points that it never draws (White 2016,
  // arXiv:1609.04468).
  std::string mode = "lerp";
  std::int64_t frames = 60;
  bool loop = false;       // on from the last point to the first, whose frame is not repeated
  double extrapolate = 0;  // go on beyond both ends by so many times the distance to the next point
};

// Through points in order. A place on it is counted in points: 0 the first, 1.5 half way between
// the second and the third; what lies beyond an end goes on along its line or arc.
class Way {
 public:
  // `points`: [K, dim], K at least 2. Kept by reference.
  Way(std::span<const float> points, std::int64_t dim, WayOptions options);

  std::int64_t frames() const { return options_.frames; }
  // From the first frame to the end of the way, which a loop does not repeat as a frame.
  std::int64_t steps() const { return options_.loop ? options_.frames : options_.frames - 1; }
  // Where frames, and with steps() the end, lie at an even pace from point to point.
  double place(std::int64_t frame) const;
  std::vector<double> places() const;  // of all frames
  // At whole places exactly the points.
  void write(double place, std::span<float> into) const;
  // From point to point, back to the first in a loop: the points lie at 0, 1 .. pieces().
  std::int64_t pieces() const;

 private:
  std::span<const float> points_;
  std::int64_t dim_;
  WayOptions options_;
};

// Places of all frames at a pace even in what latents decode to, in place of the latents: they
// divide the line through what is decoded into equal lengths by root mean square, of pictures as
// they are seen, within 0..1 (where the line bends frames are nearer to each other than that).
// Between two kinds of pictures data have nothing, and a model goes over in a short part of the
// way; there the frames come closer. Into the line through the points and the frames at an even
// pace more is decoded until none of its steps is longer than half of one between frames, or for
// twelve rounds; all of it stays in memory. A jump between places that f32 latents hardly tell
// apart has no length, as no frame can fall into it. The same for any batch size. Errors as
// decode_latent_values().
std::vector<double> places_of_even_steps(const Loaded& model, const Way& way,
                                         const SampleArgs& args = {});

}  // namespace atelier
