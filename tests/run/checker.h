// A checker of programs that shares nothing with the planner: it walks the finished steps over an
// abstract memory and knows only what a step's arguments say and what its kernel may do.
#pragma once

#include <string>
#include <vector>

#include "compile/program.h"

namespace atelier::testing {

// Everything wrong with a program that layout() has placed, one line a fault, such as
// "lifetime: step 12 (matmul) reads tensor 7, but its memory holds tensor 9". Empty: nothing.
//   lifetime   a value is read before it is written, or after its memory was given to another
//   alias      a step overwrites an operand that its kernel still reads
//   barrier    two steps touch the same memory, one of them writing, without the team meeting
//   stride     a pointer leaves its tensor
//   update     a slot does not end with the value that it should hold, or is written without need
std::vector<std::string> check_program(const Program& program);

}  // namespace atelier::testing
