// Parts of the library that are opened when they are first needed, so that no tool pays for what
// they stand on at start.
#pragma once

#include <string>

namespace atelier {

// The address of `symbol` in the module `file`, which lies beside the library or, installed, in the
// folder atelier beside it. It stays open. Error("the decoder .. cannot be opened: ..") with
// `what`.
void* open_module(const std::string& file, const char* symbol, const std::string& what);

}  // namespace atelier
