// Writing one HDF5 image: contiguous, checksummed, without clocks; visible only when whole.
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"
#include "io/hdf5_driver.h"
#include "io/hdf5_types.h"

namespace atelier {

struct Hdf5Writer::Impl {
  std::string name;
  std::unique_ptr<AtomicFile> atomic;  // a file
  Descriptor spool;                    // standard output
  DriverFile driver;
  Handle access, file;

  void check() {
    bool spooled = !atomic || atomic->temporary().empty();
    if (driver.error) throw_errno(spooled ? in_spool(name) : name, driver.operation, driver.error);
  }
};

namespace {

[[noreturn]] void refuse(const std::string& file, std::string_view object, const char* what) {
  throw Error(fmt::format("{}: {}: {}", file, object, what));
}

Handle properties(hid_t kind) {
  Handle p(H5Pcreate(kind));
  H5Pset_obj_track_times(p, false);
  // Attributes read back in the order in which they were written.
  H5Pset_attr_creation_order(p, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
  return p;
}

std::string leading_slash(std::string_view path) {
  return path.starts_with('/') ? std::string(path) : "/" + std::string(path);
}

// Creates the groups above a path.
void make_parents(hid_t file, const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != path.npos;
       slash = path.find('/', slash + 1)) {
    std::string group = path.substr(0, slash);
    if (H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) continue;
    Handle p = properties(H5P_GROUP_CREATE);
    Handle made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, p, H5P_DEFAULT));
  }
}

Handle make_dataset(hid_t file, const std::string& path, hid_t type,
                    std::span<const std::int64_t> dims, const std::string& name) {
  make_parents(file, path);
  std::vector<hsize_t> extent(dims.begin(), dims.end());
  Handle space(dims.empty() ? H5Screate(H5S_SCALAR)
                            : H5Screate_simple(int(extent.size()), extent.data(), nullptr));
  Handle p = properties(H5P_DATASET_CREATE);
  H5Pset_layout(p, H5D_CONTIGUOUS);
  H5Pset_alloc_time(p, H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(p, H5D_FILL_TIME_NEVER);
  Handle set(H5Dcreate2(file, path.c_str(), type, space, H5P_DEFAULT, p, H5P_DEFAULT));
  if (!set) refuse(name, path, "cannot create the dataset");
  return set;
}

void set_text_attribute(hid_t object, const char* label, const std::string& text) {
  Handle type = text_type(text.size()), space(H5Screate(H5S_SCALAR));
  Handle attribute(H5Acreate2(object, label, type, space, H5P_DEFAULT, H5P_DEFAULT));
  std::string padded = text.empty() ? std::string(1, '\0') : text;
  H5Awrite(attribute, type, padded.data());
}

template <class T>
void set_number(hid_t object, const char* label, FileType stored, hid_t native, const T& value) {
  Handle type = type_of(stored), space(H5Screate(H5S_SCALAR));
  Handle attribute(H5Acreate2(object, label, type, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(attribute, native, &value);
}

}  // namespace

std::string xxh3_hex(std::span<const std::byte> bytes) {
  return fmt::format("{:016x}", xxh3(bytes));
}
std::uint64_t xxh3(std::span<const std::byte> bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Hdf5Writer::Hdf5Writer() : impl_(std::make_unique<Impl>()) {}
Hdf5Writer::Hdf5Writer(Hdf5Writer&&) noexcept = default;
Hdf5Writer& Hdf5Writer::operator=(Hdf5Writer&&) noexcept = default;
Hdf5Writer::~Hdf5Writer() {
  if (!impl_) return;
  impl_->file.close();
  impl_->access.close();
}

Hdf5Writer Hdf5Writer::create(const std::string& output, std::string_view kind, bool force) {
  Hdf5Writer writer;
  Impl& w = *writer.impl_;
  if (!force) refuse_terminal(output);
  w.name = output_name(output);
  if (output == "-") {
    w.spool = open_spool();
    w.driver.fd = w.spool.get();
  } else {
    w.atomic = std::make_unique<AtomicFile>(output);
    w.driver.fd = w.atomic->fd();
  }
  w.access = Handle(driver_access(w.driver));
  Handle p = properties(H5P_FILE_CREATE);
  w.file = Handle(H5Fcreate(w.name.c_str(), H5F_ACC_TRUNC, p, w.access));
  w.check();
  if (!w.file) refuse(w.name, "file", "libhdf5 cannot create it");
  writer.attribute("/", "format", std::string("atelier"));
  std::uint32_t version[2] = {kFormatMajor, kFormatMinor};
  hsize_t two = 2;
  Handle type = type_of(FileType::u32), space(H5Screate_simple(1, &two, nullptr)),
         root(H5Oopen(w.file, "/", H5P_DEFAULT));
  Handle attribute(H5Acreate2(root, "format_version", type, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Awrite(attribute, H5T_NATIVE_UINT32, version);
  writer.attribute("/", "kind", std::string(kind));
  writer.attribute("/", "creator", std::string("atelier " ATELIER_VERSION));
  return writer;
}

void Hdf5Writer::group(std::string_view path) {
  make_parents(impl_->file, leading_slash(path) + "/");
}

void Hdf5Writer::attribute(std::string_view object, std::string_view name, const Scalar& value) {
  std::string path = leading_slash(object);
  if (path != "/" && H5Lexists(impl_->file, path.c_str(), H5P_DEFAULT) <= 0) group(path);
  Handle target(H5Oopen(impl_->file, path.c_str(), H5P_DEFAULT));
  if (!target) refuse(impl_->name, path, "no such object");
  std::string label(name);
  if (auto* text = std::get_if<std::string>(&value)) {
    set_text_attribute(target, label.c_str(), *text);
  } else if (auto* number = std::get_if<double>(&value)) {
    set_number(target, label.c_str(), FileType::f64, H5T_NATIVE_DOUBLE, *number);
  } else if (auto* flag = std::get_if<bool>(&value)) {
    set_number(target, label.c_str(), FileType::u8, H5T_NATIVE_UINT8, std::uint8_t(*flag));
  } else {
    set_number(target, label.c_str(), FileType::i64, H5T_NATIVE_INT64,
               std::get<std::int64_t>(value));
  }
  impl_->check();
}

void Hdf5Writer::attributes(std::string_view object, const Attributes& values) {
  for (const auto& [name, value] : values) attribute(object, name, value);
}

void Hdf5Writer::dataset(std::string_view path, FileType type, std::span<const std::int64_t> dims,
                         std::span<const std::byte> bytes) {
  std::string where = leading_slash(path);
  Handle stored = type_of(type);
  Handle set = make_dataset(impl_->file, where, stored, dims, impl_->name);
  std::int64_t count = 1;
  for (auto d : dims) count *= d;
  if (std::size_t(count) * size_of(type) != bytes.size())
    refuse(impl_->name, where, "shape and bytes disagree");
  if (!bytes.empty()) H5Dwrite(set, stored, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  set_text_attribute(set, "xxh3", xxh3_hex(bytes));
  impl_->check();
}

void Hdf5Writer::write_raw(std::string_view path, std::span<const std::int64_t> dims, FileType type,
                           const void* values, std::size_t elements) {
  dataset(path, type, dims, {static_cast<const std::byte*>(values), elements * size_of(type)});
}

void Hdf5Writer::strings(std::string_view path, std::span<const std::string> values) {
  std::string where = leading_slash(path);
  std::size_t width = 1;
  for (const std::string& v : values) width = std::max(width, v.size());
  std::vector<std::byte> bytes(width * values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(bytes.data() + i * width, values[i].data(), values[i].size());
  Handle type = text_type(width);
  std::int64_t count = std::int64_t(values.size());
  Handle set = make_dataset(impl_->file, where, type, {&count, 1}, impl_->name);
  if (!bytes.empty()) H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  set_text_attribute(set, "xxh3", xxh3_hex(bytes));
  impl_->check();
}

void Hdf5Writer::ragged_strings(std::string_view group, std::span<const std::string> values) {
  std::string all;
  std::vector<std::int64_t> offsets{0};
  for (const std::string& v : values) {
    all += v;
    offsets.push_back(std::int64_t(all.size()));
  }
  std::string where = leading_slash(group);
  std::int64_t bytes = std::int64_t(all.size()), count = std::int64_t(offsets.size());
  dataset(where + "/data", FileType::u8, {&bytes, 1}, std::as_bytes(std::span(all)));
  dataset<std::int64_t>(where + "/offsets", {&count, 1}, offsets);
}

void Hdf5Writer::link(std::string_view path, std::string_view object) {
  std::string where = leading_slash(path), target = leading_slash(object);
  make_parents(impl_->file, where);
  if (H5Lcreate_hard(impl_->file, target.c_str(), impl_->file, where.c_str(), H5P_DEFAULT,
                     H5P_DEFAULT) < 0)
    refuse(impl_->name, where, "cannot be made a second name");
  impl_->check();
}

// ---- rows whose number is not known beforehand
struct Hdf5Writer::Rows::Impl {
  Hdf5Writer::Impl* writer;
  std::string path;
  FileType type;
  std::vector<std::int64_t> dims;
  std::size_t row_bytes;
  Descriptor spool;
  std::string held;  // names it in messages
  std::int64_t bytes = 0;
  XXH3_state_t* hash = XXH3_createState();
  ~Impl() { XXH3_freeState(hash); }
};

Hdf5Writer::Rows::Rows() : impl_(std::make_unique<Impl>()) {}
Hdf5Writer::Rows::Rows(Rows&&) noexcept = default;
Hdf5Writer::Rows::~Rows() = default;

Hdf5Writer::Rows Hdf5Writer::rows(std::string_view path, FileType type,
                                  std::span<const std::int64_t> row_dims) {
  Rows rows;
  Rows::Impl& r = *rows.impl_;
  r.writer = impl_.get();
  r.path = leading_slash(path);
  r.type = type;
  r.dims.assign(1, 0);
  r.dims.insert(r.dims.end(), row_dims.begin(), row_dims.end());
  r.row_bytes = size_of(type);
  for (auto d : row_dims) r.row_bytes *= std::size_t(d);
  r.spool = open_spool();
  r.held = in_spool(impl_->name);
  XXH3_64bits_reset(r.hash);
  return rows;
}

void Hdf5Writer::Rows::append(std::span<const std::byte> bytes) {
  write_all(impl_->spool.get(), bytes, impl_->held);
  XXH3_64bits_update(impl_->hash, bytes.data(), bytes.size());
  impl_->bytes += std::int64_t(bytes.size());
}

void Hdf5Writer::Rows::finish() {
  Impl& r = *impl_;
  Hdf5Writer::Impl& w = *r.writer;
  if (r.row_bytes == 0 || r.bytes % std::int64_t(r.row_bytes) != 0)
    refuse(w.name, r.path, "rows of unequal length");
  r.dims[0] = r.bytes / std::int64_t(r.row_bytes);
  Handle stored = type_of(r.type);
  Handle set = make_dataset(w.file, r.path, stored, r.dims, w.name);
  set_text_attribute(set, "xxh3", fmt::format("{:016x}", XXH3_64bits_digest(r.hash)));
  haddr_t offset = r.bytes ? H5Dget_offset(set) : 0;
  if (offset == HADDR_UNDEF) refuse(w.name, r.path, "has no place in the file");
  set.close();
  H5Fflush(w.file, H5F_SCOPE_GLOBAL);
  // The bytes go straight to their place: memory stays flat however many rows there are.
  std::vector<std::byte> buffer(1 << 20);
  for (std::int64_t at = 0; at < r.bytes;) {
    ssize_t n = ::pread(r.spool.get(), buffer.data(), buffer.size(), off_t(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw_errno(r.held, "cannot read", n < 0 ? errno : EIO);
    for (ssize_t done = 0; done < n;) {
      ssize_t m = ::pwrite(w.driver.fd, buffer.data() + done, std::size_t(n - done),
                           off_t(offset) + off_t(at) + done);
      if (m < 0 && errno == EINTR) continue;
      if (m <= 0) throw_errno(w.name, "cannot write", m < 0 ? errno : ENOSPC);
      done += m;
    }
    at += n;
  }
  w.driver.size = std::max(w.driver.size, std::int64_t(offset) + r.bytes);
  w.check();
}

void Hdf5Writer::commit() {
  Impl& w = *impl_;
  w.file.close();
  w.access.close();
  w.check();
  if (w.atomic) {
    w.atomic->commit();
    return;
  }
  write_spool(w.spool.get(), STDOUT_FILENO, w.name);
}

}  // namespace atelier
