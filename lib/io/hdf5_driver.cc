// The driver's callbacks: all of them answer success; the error is told after the file is closed.
#include "io/hdf5_driver.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/log.h"

namespace atelier {
namespace {

struct Open {
  H5FD_t base;  // must come first
  DriverFile* file;
  haddr_t end_of_address = 0;
};

struct Access {
  DriverFile* file;
};

hid_t driver_id();

H5FD_t* open_file(const char*, unsigned, hid_t access, haddr_t) {
  auto* info = static_cast<const Access*>(H5Pget_driver_info(access));
  if (!info) return nullptr;
  auto* open = static_cast<Open*>(std::calloc(1, sizeof(Open)));
  if (open) open->file = info->file;
  return reinterpret_cast<H5FD_t*>(open);
}
herr_t close_file(H5FD_t* file) {
  std::free(file);
  return 0;
}
herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}
haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) {
  return reinterpret_cast<const Open*>(file)->end_of_address;
}
herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  reinterpret_cast<Open*>(file)->end_of_address = address;
  return 0;
}
haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) {
  return haddr_t(reinterpret_cast<const Open*>(file)->file->size);
}

void latch(DriverFile& file, int error, const char* operation) {
  if (file.error) return;
  file.error = error;
  file.operation = operation;
}

// Bytes beyond the end of the file are zeros, as libhdf5 expects.
herr_t read_bytes(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, size_t bytes, void* into) {
  DriverFile& file = *reinterpret_cast<Open*>(base)->file;
  char* to = static_cast<char*>(into);
  while (bytes > 0) {
    ssize_t n = ::pread(file.fd, to, bytes, off_t(address));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) latch(file, errno, "cannot read");
    if (n <= 0) {
      std::memset(to, 0, bytes);
      return 0;
    }
    to += n;
    address += haddr_t(n);
    bytes -= size_t(n);
  }
  return 0;
}

herr_t write_bytes(H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, size_t bytes,
                   const void* from) {
  DriverFile& file = *reinterpret_cast<Open*>(base)->file;
  file.size = std::max(file.size, std::int64_t(address + bytes));
  const char* at = static_cast<const char*>(from);
  while (bytes > 0 && !file.error) {
    ssize_t n = ::pwrite(file.fd, at, bytes, off_t(address));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      latch(file, n < 0 ? errno : ENOSPC, "cannot write");
      return 0;
    }
    at += n;
    address += haddr_t(n);
    bytes -= size_t(n);
  }
  return 0;
}

herr_t truncate_file(H5FD_t* base, hid_t, hbool_t) {
  auto* open = reinterpret_cast<Open*>(base);
  DriverFile& file = *open->file;
  if (file.size == std::int64_t(open->end_of_address)) return 0;
  while (::ftruncate(file.fd, off_t(open->end_of_address)) != 0) {
    if (errno == EINTR) continue;
    latch(file, errno, "cannot write");
    break;
  }
  file.size = std::int64_t(open->end_of_address);
  return 0;
}

herr_t flush(H5FD_t*, hid_t, hbool_t) { return 0; }

hid_t driver_id() {
  static const hid_t id = [] {
    static H5FD_class_t driver = [] {
      H5FD_class_t d{};
      d.name = "atelier";
      d.maxaddr = (haddr_t{1} << 62) - 1;
      d.fc_degree = H5F_CLOSE_STRONG;
      d.fapl_size = sizeof(Access);
      d.open = open_file;
      d.close = close_file;
      d.query = query;
      d.get_eoa = get_eoa;
      d.set_eoa = set_eoa;
      d.get_eof = get_eof;
      d.read = read_bytes;
      d.write = write_bytes;
      d.flush = flush;
      d.truncate = truncate_file;
      const H5FD_mem_t types[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
      std::copy(std::begin(types), std::end(types), std::begin(d.fl_map));
      return d;
    }();
    return H5FDregister(&driver);
  }();
  return id;
}

}  // namespace

void prepare_hdf5() {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const char* variable :
         {"HDF5_PLUGIN_PATH", "HDF5_PLUGIN_PRELOAD", "HDF5_EXTFILE_PREFIX", "HDF5_EXT_PREFIX",
          "HDF5_VDS_PREFIX", "HDF5_DRIVER", "HDF5_DEBUG", "HDF5_DISABLE_VERSION_CHECK"}) {
      ::unsetenv(variable);
    }
    ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
    H5open();
    if (logging::level() < logging::Level::debug) H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5PLset_loading_state(0);
    H5Lunregister(H5L_TYPE_EXTERNAL);
  });
}

hid_t driver_access(DriverFile& file) {
  prepare_hdf5();
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  Access info{&file};
  H5Pset_driver(access, driver_id(), &info);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  return access;
}

}  // namespace atelier
