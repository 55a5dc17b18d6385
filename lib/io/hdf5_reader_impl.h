// What the parts of the reader share; inside io only.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "io/hdf5.h"
#include "io/hdf5_driver.h"
#include "io/hdf5_types.h"

namespace atelier {

struct Hdf5Reader::Impl {
  std::string name;
  Descriptor descriptor;
  DriverFile driver;
  Handle access, file;

  [[noreturn]] void fail(std::string_view object, std::string_view what) const {
    throw Error(fmt::format("{}: {}: {}", name, object, what));
  }
  void check() const {
    if (driver.error) throw_errno(name, driver.operation, driver.error);
  }
  [[noreturn]] void fail_damaged(std::string_view object) const {
    fail(object, "cannot be read (damaged)");
  }
  void open();
  // Whether hard links lead there; a link of another kind on the way is named in `link`.
  bool exists(const std::string& path, std::string* link = nullptr) const;
  H5I_type_t type_at(const std::string& path) const;
  Handle dataset(std::string_view path) const;
};

// "images" and "/images" are one path.
inline std::string rooted(std::string_view path) {
  return path.starts_with('/') ? std::string(path) : "/" + std::string(path);
}

inline constexpr std::int64_t kMaxObjects = 100000;  // that a group is read with

inline bool is_whole_number(FileType type) { return type >= FileType::u8 && type <= FileType::i64; }

}  // namespace atelier
