// The clauses of a caption: what it is of, and what is said of it.
//
//   pixel art avatar | with long hair | , light skin | and red clothes | on a pink background
//
// The head comes first. A clause begins after a comma and a space, after "and", and before one of
// the words with, without, wearing, holding, on, in, at, under, near, behind. Each such word begins
// a group, whose clauses are listed with commas and, where the caption has it, "and" before the
// last.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace atelier {

class Clauses {
 public:
  explicit Clauses(std::string_view caption);
  std::size_t size() const { return clauses_.size(); }  // the head included; 0 of an empty caption
  // The caption of those that `keep` [size()] names, put together anew: commas and "and" as they
  // would stand if the others had never been there.
  std::string text(const std::vector<bool>& keep) const;

 private:
  struct Clause {
    std::string text;
    std::size_t group;
  };
  struct Group {
    std::string word;     // "with"; empty: of the head
    bool joined = false;  // with "and" before the last
  };
  std::vector<Clause> clauses_;
  std::vector<Group> groups_;
};

// With `probability` some clauses are left out of the caption, never the head: how many of the
// others stay is drawn evenly from 0 to all but one, then which. Short captions are thus as
// frequent as long ones, and the shortest, the head alone, is the most frequent single one.
// Otherwise the caption stays as it is.
std::string drop_clauses(std::string_view caption, double probability, RandomStream& random);

}  // namespace atelier
