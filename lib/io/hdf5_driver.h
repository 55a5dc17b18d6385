// A virtual file driver of ours: libhdf5 reads and writes through it by descriptor, never by path.
// It handles EINTR and short transfers, latches the first error and answers success, because
// libhdf5 1.10 crashes when a write fails while a file is being closed.
#pragma once

#include <hdf5.h>

#include <cstdint>

namespace atelier {

// Lives outside libhdf5 while a file is open through it.
struct DriverFile {
  int fd = -1;
  std::int64_t size = 0;  // bytes that exist
  int error = 0;          // errno of the first failure; 0: none
  const char* operation = "";
  std::int64_t written_end = 0;
};

// File access properties that open through `file`. The caller closes them.
hid_t driver_access(DriverFile& file);

// Once a process, before any other call: error printing, plug-ins, external links and the
// environment variables that libhdf5 obeys are switched off.
void prepare_hdf5();

}  // namespace atelier
