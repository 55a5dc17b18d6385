// Memory that may still be taken: no more than the machine has.
#include "base/available.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace atelier;

TEST_CASE("available memory is some of the machine's") {
  std::int64_t all = std::int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  std::int64_t available = available_memory();
  MESSAGE("summary: available memory: " << available / (1 << 20) << " of " << all / (1 << 20)
                                        << " MiB");
  CHECK(available > 0);
  CHECK(available < all);
}
