// HDF5 files and streams: the only floor that touches libhdf5. RAII, our own virtual file driver,
// checksums, and the refusal of what could reach outside the file. Schema: atelier-hdf5(5).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/file.h"
#include "base/mapping.h"
#include "tensor/shape.h"

namespace atelier {

inline constexpr int kFormatMajor = 1, kFormatMinor = 0;

enum class FileType : std::uint8_t {
  f16,
  bf16,
  f32,
  f64,
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  u64,
  i64,
  text,
  other
};
std::string_view name(FileType type);
std::size_t size_of(FileType type);

struct DatasetInfo {
  std::string path;  // "/images"
  FileType type;
  std::vector<std::int64_t> dims;
  bool contiguous = false;       // can be mapped at `offset`
  std::uint64_t offset = 0;      // from the start of the HDF5 image
  std::uint64_t text_bytes = 0;  // fixed length of a text element
  std::string checksum;          // attribute xxh3, or empty
  bool boolean = false;          // FALSE and TRUE of other programs, in numbers of `type`
  std::int64_t count() const;
};

// An open HDF5 image: a file, or one member of a stream. Errors are Error("x.h5: ..."): missing,
// empty, truncated, not HDF5, newer format, damaged, refused features by name.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::filesystem::path& path);
  // The image at the start of an open, seekable descriptor (a spool); `name` for messages.
  Hdf5Reader(Descriptor descriptor, std::string name);
  Hdf5Reader(Hdf5Reader&&) noexcept;
  Hdf5Reader& operator=(Hdf5Reader&&) noexcept;
  ~Hdf5Reader();

  const std::string& name() const;  // for messages
  int descriptor() const;           // for mapping
  // Root attribute `kind` of our own files; empty for foreign ones. Throws for a newer major
  // version of our format; a newer minor is a warning.
  std::string kind() const;
  void require_kind(std::string_view kind) const;  // "x.h5: a checkpoint is needed, this is images"

  bool has(std::string_view path) const;
  std::vector<std::string> children(std::string_view group) const;  // names in byte order
  // Paths of all datasets below a group, those of its groups in the order of their names. A group
  // that lies below itself is not entered again there.
  std::vector<std::string> datasets(std::string_view below) const;
  bool is_group(std::string_view path) const;
  bool is_link(std::string_view path) const;  // soft or external somewhere: never followed
  DatasetInfo info(std::string_view dataset) const;
  Attributes attributes(std::string_view object) const;

  // Reads the whole dataset, or rows [first, first + count) of the first axis, converted to T
  // (exactly, or Error). `into` must have the right number of elements.
  template <class T>
  void read(std::string_view dataset, std::span<T> into) const {
    read_raw(dataset, 0, -1, native_type<T>(), into.data(), into.size());
  }
  template <class T>
  void read_rows(std::string_view dataset, std::int64_t first, std::int64_t count,
                 std::span<T> into) const {
    read_raw(dataset, first, count, native_type<T>(), into.data(), into.size());
  }
  std::vector<std::string> read_strings(std::string_view dataset) const;
  // Ragged text (group with data and offsets).
  std::vector<std::string> read_ragged_strings(std::string_view group) const;
  // Maps a contiguous dataset. Throws if it is not contiguous.
  Mapping map(std::string_view dataset) const;
  // Compares the stored checksum with the bytes: Error("x.h5: /model/w is damaged (checksum)").
  void verify(std::string_view dataset) const;
  // All of them. Returns how many datasets have none, as in the files of others.
  std::int64_t verify_all() const;

 private:
  template <class T>
  static FileType native_type();
  void read_raw(std::string_view dataset, std::int64_t first, std::int64_t count, FileType type,
                void* into, std::size_t elements) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Writes one HDF5 image: to a file (atomically replaced by commit()), or through an unlinked spool
// to a descriptor. Contiguous little-endian datasets with xxh3; libver V18; no time stamps.
class Hdf5Writer {
 public:
  // "-" is standard output. A terminal there is refused unless `force`.
  static Hdf5Writer create(const std::string& output, std::string_view kind, bool force = false);
  Hdf5Writer(Hdf5Writer&&) noexcept;
  Hdf5Writer& operator=(Hdf5Writer&&) noexcept;
  ~Hdf5Writer();  // without commit(): nothing is left behind

  void group(std::string_view path);
  void attribute(std::string_view object, std::string_view name, const Scalar& value);
  void attributes(std::string_view object, const Attributes& values);
  template <class T>
  void dataset(std::string_view path, std::span<const std::int64_t> dims,
               std::span<const T> values) {
    write_raw(path, dims, native_type<T>(), values.data(), values.size());
  }
  void dataset(std::string_view path, FileType type, std::span<const std::int64_t> dims,
               std::span<const std::byte> bytes);
  // A dataset whose rows arrive one after another; `rows` may be unknown (-1) until finish():
  // rows go to a spool first and are laid out contiguously when it ends, so memory stays flat.
  class Rows {
   public:
    void append(std::span<const std::byte> rows);
    void finish();  // writes dims[0] = rows appended, and the checksum
    ~Rows();
    Rows(Rows&&) noexcept;

   private:
    friend class Hdf5Writer;
    Rows();
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  Rows rows(std::string_view path, FileType type, std::span<const std::int64_t> row_dims);
  void strings(std::string_view path, std::span<const std::string> values);  // fixed length, padded
  void link(std::string_view path, std::string_view object);  // a second name of an object
  void ragged_strings(std::string_view group, std::span<const std::string> values);
  // Flushes, closes, and makes the result visible. Throws with the first error of any write.
  void commit();

 private:
  Hdf5Writer();
  template <class T>
  static FileType native_type();
  void write_raw(std::string_view path, std::span<const std::int64_t> dims, FileType type,
                 const void* values, std::size_t elements);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// An atelier stream: HDF5 images back to back on a pipe (or one regular file on standard input).
class Hdf5Stream {
 public:
  Hdf5Stream(int fd, std::string name);
  // The next image, spooled; nothing at the end. A short image or other bytes: Error.
  std::optional<Hdf5Reader> next();
  bool ended();  // waits for the next byte

 private:
  int fd_;
  std::string name_;
  std::int64_t index_ = 0;
  std::vector<std::byte> pending_;
};

// The image of an open file or pipe, from where it stands, which must hold it and nothing else.
Hdf5Reader only_image(int file, const std::string& name);
// The same of "-" (standard input) or a path, which may be that of a pipe.
Hdf5Reader open_hdf5(const std::string& input);

std::string hdf5_version();  // of libhdf5, as "1.10.8"

// XXH3-64 of bytes as 16 hex digits.
std::string xxh3_hex(std::span<const std::byte> bytes);
std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed = 0);

template <>
FileType inline Hdf5Reader::native_type<float>() {
  return FileType::f32;
}
template <>
FileType inline Hdf5Reader::native_type<double>() {
  return FileType::f64;
}
template <>
FileType inline Hdf5Reader::native_type<std::uint8_t>() {
  return FileType::u8;
}
template <>
FileType inline Hdf5Reader::native_type<std::int32_t>() {
  return FileType::i32;
}
template <>
FileType inline Hdf5Reader::native_type<std::int64_t>() {
  return FileType::i64;
}
template <>
FileType inline Hdf5Reader::native_type<std::uint64_t>() {
  return FileType::u64;
}
template <>
FileType inline Hdf5Writer::native_type<float>() {
  return FileType::f32;
}
template <>
FileType inline Hdf5Writer::native_type<double>() {
  return FileType::f64;
}
template <>
FileType inline Hdf5Writer::native_type<std::uint8_t>() {
  return FileType::u8;
}
template <>
FileType inline Hdf5Writer::native_type<std::int32_t>() {
  return FileType::i32;
}
template <>
FileType inline Hdf5Writer::native_type<std::int64_t>() {
  return FileType::i64;
}
template <>
FileType inline Hdf5Writer::native_type<std::uint64_t>() {
  return FileType::u64;
}

}  // namespace atelier
