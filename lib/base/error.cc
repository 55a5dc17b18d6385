// Call sites as text.
#include "base/error.h"

#include <fmt/format.h>

#include <string_view>

namespace atelier {

std::string to_string(Where where) {
  std::string_view path = where.file;
  if (auto slash = path.rfind('/'); slash != path.npos) path.remove_prefix(slash + 1);
  return fmt::format("{}{}:{}", where.adjoint ? "gradient of " : "", path, where.line);
}

}  // namespace atelier
