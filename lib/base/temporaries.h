// The temporary files that this process has open, where a signal handler can find them.
#pragma once

#include <functional>
#include <string_view>

namespace atelier {

// Calls create(), which makes the file `path` and tells whether it could, and registers the file if
// so: no signal comes between. More files than the table holds are created all the same, but do not
// go when a signal ends the process.
void register_temporary(std::string_view path, const std::function<bool()>& create);
void forget_temporary(std::string_view path);  // nothing if it is not registered
// All that are registered, from a handler that ends the process.
void unlink_temporaries();

}  // namespace atelier
