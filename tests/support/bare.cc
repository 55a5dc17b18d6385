// A program that does nothing but need libhdf5 and fmt: what any tool of ours costs at least to
// start.
#include <fmt/format.h>
#include <hdf5.h>

int main() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  fmt::print("{}.{}.{}\n", major, minor, release);
}
