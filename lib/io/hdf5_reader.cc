// Opening and walking HDF5: our own check of the superblock first, features that reach outside
// refused by name, sizes checked before memory is taken.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "io/hdf5_reader_impl.h"
#include "io/hdf5_superblock.h"

namespace atelier {

namespace {

constexpr std::uint64_t kMaxChunk = 16u << 20;

std::string refused_storage(hid_t set) {
  Handle p(H5Dget_create_plist(set));
  if (H5Pget_external_count(p) > 0) return "its data lie in another file, which is not followed";
  if (H5Pget_layout(p) == H5D_VIRTUAL) return "it is a virtual dataset, which is not followed";
  if (H5Pget_layout(p) != H5D_CHUNKED) return "";
  for (int i = 0; i < H5Pget_nfilters(p); ++i) {
    unsigned flags = 0, config = 0;
    size_t parameters = 0;
    char label[64] = "";
    H5Z_filter_t filter =
        H5Pget_filter2(p, unsigned(i), &flags, &parameters, nullptr, sizeof label, label, &config);
    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
        filter != H5Z_FILTER_FLETCHER32) {
      return fmt::format("filter {} ({}) is not supported; deflate, shuffle and fletcher32 are",
                         int(filter), label);
    }
  }
  hsize_t chunk[32];
  int rank = H5Pget_chunk(p, 32, chunk);
  Handle type(H5Dget_type(set));
  std::uint64_t bytes = H5Tget_size(type);
  for (int i = 0; i < rank; ++i) {
    if (chunk[i] && bytes > kMaxChunk / chunk[i]) return "its chunks are larger than 16 MiB";
    bytes *= chunk[i];
  }
  hsize_t chunks = 0;
  if (H5Pget_nfilters(p) == 0) return "";
  Handle space(H5Dget_space(set));
  if (H5Dget_num_chunks(set, space, &chunks) < 0) return "its chunk index cannot be read";
  for (hsize_t i = 0; i < chunks; ++i) {
    hsize_t offset[32], stored = 0;
    unsigned mask = 0;
    haddr_t address = 0;
    if (H5Dget_chunk_info(set, space, i, offset, &mask, &address, &stored) < 0)
      return "its chunk index cannot be read";
    if (stored > bytes + bytes / 1000 + 64) return "a stored chunk is larger than its contents";
  }
  return "";
}

}  // namespace

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  impl_->name = path.string();
  impl_->descriptor = open_read(path);
  impl_->open();
}
Hdf5Reader::Hdf5Reader(Descriptor descriptor, std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->descriptor = std::move(descriptor);
  impl_->open();
}
Hdf5Reader::Hdf5Reader(Hdf5Reader&&) noexcept = default;
Hdf5Reader& Hdf5Reader::operator=(Hdf5Reader&&) noexcept = default;
Hdf5Reader::~Hdf5Reader() {
  if (!impl_) return;
  impl_->file.close();
  impl_->access.close();
}

void Hdf5Reader::Impl::open() {
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) throw_errno(name, "cannot read", errno);
  if (!S_ISREG(status.st_mode)) throw Error(fmt::format("{}: expected a regular file", name));
  driver.fd = descriptor.get();
  driver.size = status.st_size;
  check_superblock(descriptor.get(), std::uint64_t(status.st_size), name);
  access = Handle(driver_access(driver));
  H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);  // files of others
  file = Handle(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access));
  check();
  if (!file) throw Error(fmt::format("{}: damaged HDF5 file (its metadata do not open)", name));
}

const std::string& Hdf5Reader::name() const { return impl_->name; }
int Hdf5Reader::descriptor() const { return impl_->descriptor.get(); }

std::string Hdf5Reader::kind() const {
  Attributes root = attributes("/");
  const Scalar* format = find(root, "format");
  if (!format || *format != Scalar(std::string("atelier"))) return "";
  Handle object(H5Oopen(impl_->file, "/", H5P_DEFAULT)),
      attribute(H5Aopen(object, "format_version", H5P_DEFAULT));
  std::uint32_t version[2] = {0, 0};
  Handle space(attribute ? H5Aget_space(attribute) : -1);
  if (!attribute || H5Sget_simple_extent_npoints(space) != 2 ||
      H5Aread(attribute, H5T_NATIVE_UINT32, version) < 0) {
    impl_->fail("/", "has no readable format_version");
  }
  if (version[0] != std::uint32_t(kFormatMajor)) {
    throw Error(fmt::format("{}: file format {}.{}, but this version reads {}.x", impl_->name,
                            version[0], version[1], kFormatMajor));
  }
  if (version[1] > std::uint32_t(kFormatMinor)) {
    logging::warning(
        fmt::format("{}: file format {}.{} is newer than {}.{}; what is unknown is ignored",
                    impl_->name, version[0], version[1], kFormatMajor, kFormatMinor));
  }
  const Scalar* kind = find(root, "kind");
  return kind ? to_text(*kind) : "";
}

void Hdf5Reader::require_kind(std::string_view wanted) const {
  std::string found = kind();
  if (found == wanted) return;
  throw Error(fmt::format("{}: expected kind {}, found {}", impl_->name, wanted,
                          found.empty() ? "an HDF5 file of another program" : "kind " + found));
}

H5I_type_t Hdf5Reader::Impl::type_at(const std::string& path) const {
  Handle object(H5Oopen(file, path.c_str(), H5P_DEFAULT));
  check();
  if (!object) fail_damaged(path);
  return H5Iget_type(object);
}

// Every part of a path must be a hard link: soft links may lead in circles. A failure to look is
// damage, never absence: libhdf5 fails once and then shows an object without its damaged part.
bool Hdf5Reader::Impl::exists(const std::string& path, std::string* link) const {
  if (path == "/") return true;
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    std::string part = path.substr(0, slash);
    H5L_info_t info{};
    htri_t found = H5Lexists(file, part.c_str(), H5P_DEFAULT);
    if (found > 0 && H5Lget_info(file, part.c_str(), &info, H5P_DEFAULT) < 0) found = -1;
    check();
    if (found < 0) fail_damaged(part);
    if (found == 0) return false;
    if (info.type != H5L_TYPE_HARD) {
      if (link) *link = part;
      return false;
    }
    if (slash == path.npos) return true;
    if (type_at(part) != H5I_GROUP) return false;
  }
}

bool Hdf5Reader::has(std::string_view path) const { return impl_->exists(rooted(path)); }

bool Hdf5Reader::is_link(std::string_view path) const {
  std::string link;
  return !impl_->exists(rooted(path), &link) && !link.empty();
}

bool Hdf5Reader::is_group(std::string_view path) const {
  return has(path) && impl_->type_at(rooted(path)) == H5I_GROUP;
}

std::vector<std::string> Hdf5Reader::children(std::string_view group) const {
  if (!is_group(group)) return {};
  Handle object(H5Gopen2(impl_->file, rooted(group).c_str(), H5P_DEFAULT));
  H5G_info_t info{};
  if (!object || H5Gget_info(object, &info) < 0) impl_->fail(group, "cannot be listed");
  if (info.nlinks > hsize_t(kMaxObjects))
    impl_->fail(group,
                fmt::format("has {} members, at most {} are read", info.nlinks, kMaxObjects));
  std::vector<std::string> names;
  auto collect = [](hid_t, const char* name, const H5L_info_t* link, void* to) -> herr_t {
    if (link->type == H5L_TYPE_HARD) static_cast<std::vector<std::string>*>(to)->emplace_back(name);
    return 0;
  };
  hsize_t at = 0;
  if (H5Literate(object, H5_INDEX_NAME, H5_ITER_NATIVE, &at, collect, &names) < 0)
    impl_->fail(group, "cannot be listed");
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Hdf5Reader::datasets(std::string_view below) const {
  std::vector<std::string> found;
  struct Object {
    std::string path;
    std::size_t depth;
  };
  std::vector<haddr_t> above;                    // groups that the object lies in
  std::vector<Object> open{{rooted(below), 0}};  // the next is the last
  for (std::int64_t seen = 0; !open.empty(); ++seen) {
    auto [path, depth] = open.back();
    open.pop_back();
    if (seen > kMaxObjects)
      impl_->fail(below, fmt::format("has more than {} members", kMaxObjects));
    if (!is_group(path)) {
      found.push_back(path);
      continue;
    }
    H5O_info_t about{};
    if (H5Oget_info_by_name2(impl_->file, path.c_str(), &about, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
      impl_->fail(path, "cannot be read");
    above.resize(depth);
    if (std::find(above.begin(), above.end(), about.addr) != above.end()) continue;
    above.push_back(about.addr);
    auto names = children(path);
    for (auto child = names.rbegin(); child != names.rend(); ++child)
      open.push_back({(path == "/" ? "" : path) + "/" + *child, depth + 1});
  }
  return found;
}

Handle Hdf5Reader::Impl::dataset(std::string_view path) const {
  std::string where = rooted(path);
  std::string link;
  if (!exists(where, &link)) {
    if (!link.empty()) fail(link, "it is a link, which is not followed");
    throw Error(fmt::format("{}: no dataset {}", name, where));
  }
  Handle set(H5Dopen2(file, where.c_str(), H5P_DEFAULT));
  check();
  if (!set) fail(where, "is no readable dataset");
  std::string reason = refused_storage(set);
  if (!reason.empty()) fail(where, reason);
  return set;
}

DatasetInfo Hdf5Reader::info(std::string_view path) const {
  Handle set = impl_->dataset(path);
  Handle type(H5Dget_type(set)), space(H5Dget_space(set)), p(H5Dget_create_plist(set));
  DatasetInfo info;
  info.path = rooted(path);
  info.type = file_type(type);
  info.boolean = is_boolean(type);
  if (info.type == FileType::text && H5Tis_variable_str(type) <= 0)
    info.text_bytes = H5Tget_size(type);
  int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > 32) impl_->fail(path, "has no simple shape");
  std::vector<hsize_t> dims(std::size_t(rank), 0);
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  std::uint64_t total = std::max<std::uint64_t>(1, H5Tget_size(type));
  for (hsize_t d : dims) {
    if (d && total > (std::uint64_t{1} << 62) / d)
      impl_->fail(path, "its shape is larger than any memory");
    total *= std::max<hsize_t>(d, 1);
    info.dims.push_back(std::int64_t(d));
  }
  haddr_t offset = H5Pget_layout(p) == H5D_CONTIGUOUS ? H5Dget_offset(set) : HADDR_UNDEF;
  if (offset != HADDR_UNDEF) {
    info.contiguous = H5Tget_order(type) != H5T_ORDER_BE;
    info.offset = offset;
    if (offset + H5Dget_storage_size(set) > std::uint64_t(impl_->driver.size))
      impl_->fail(path, "lies beyond the end of the file");
  }
  htri_t checksummed = H5Aexists(set, "xxh3");
  if (checksummed < 0) impl_->fail_damaged(path);
  if (checksummed > 0) {
    for (const auto& [name, value] : attributes(path)) {
      if (name == "xxh3") info.checksum = to_text(value);
    }
  }
  return info;
}

std::int64_t DatasetInfo::count() const {
  std::int64_t n = 1;
  for (auto d : dims) n *= d;
  return n;
}

namespace {

Scalar read_text_attribute(hid_t attribute, hid_t type, bool& damaged) {
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    Handle memory(H5Tcopy(H5T_C_S1));
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    damaged = H5Aread(attribute, memory, &text) < 0;
    std::string copy = !damaged && text ? text : "";
    H5free_memory(text);
    return copy;
  }
  std::string text(H5Tget_size(type), '\0');
  Handle memory = text_type(text.size());
  H5Tset_cset(memory, H5Tget_cset(type));
  damaged = H5Aread(attribute, memory, text.data()) < 0;
  return text.substr(0, text.find('\0'));
}

// Nothing for types and shapes that no attribute of ours has.
std::optional<Scalar> read_attribute(hid_t attribute, bool& damaged) {
  Handle type(H5Aget_type(attribute)), space(H5Aget_space(attribute));
  damaged = !type || !space;
  if (damaged || H5Sget_simple_extent_npoints(space) != 1) return std::nullopt;
  FileType kind = file_type(type);
  if (kind == FileType::text) {
    if (H5Tget_size(type) > (1u << 20)) return std::nullopt;
    return read_text_attribute(attribute, type, damaged);
  }
  if (kind == FileType::u8) {  // our booleans
    std::uint8_t flag = 0;
    damaged = H5Aread(attribute, H5T_NATIVE_UINT8, &flag) < 0;
    return Scalar(flag != 0);
  }
  if (is_whole_number(kind)) {
    std::int64_t value = 0;
    damaged = H5Aread(attribute, H5T_NATIVE_INT64, &value) < 0;
    return value;
  }
  if (kind == FileType::other) return std::nullopt;
  double value = 0;
  damaged = H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) < 0;
  return value;
}

}  // namespace

// In order of creation where the file keeps it, else by name.
Attributes Hdf5Reader::attributes(std::string_view path) const {
  std::string where = rooted(path);
  if (!impl_->exists(where)) throw Error(fmt::format("{}: no object {}", impl_->name, where));
  Handle object(H5Oopen(impl_->file, where.c_str(), H5P_DEFAULT));
  if (!object) impl_->fail(where, "cannot be opened");
  Attributes result;
  int count = H5Aget_num_attrs(object);
  if (count < 0 || count > 10000) impl_->fail(where, "has unreadable attributes");
  for (int i = 0; i < count; ++i) {
    Handle attribute(H5Aopen_by_idx(object, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, hsize_t(i),
                                    H5P_DEFAULT, H5P_DEFAULT));
    if (!attribute) {
      attribute = Handle(H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, hsize_t(i),
                                        H5P_DEFAULT, H5P_DEFAULT));
    }
    if (!attribute) impl_->fail(where, "has an unreadable attribute");
    ssize_t length = H5Aget_name(attribute, 0, nullptr);
    std::string name(std::size_t(std::max<ssize_t>(0, length)), '\0');
    H5Aget_name(attribute, name.size() + 1, name.data());
    bool damaged = length < 0;
    std::optional<Scalar> value = read_attribute(attribute, damaged);
    if (damaged) impl_->fail(where, fmt::format("its attribute '{}' is damaged", name));
    if (value) result.emplace_back(name, *value);
  }
  impl_->check();
  return result;
}

}  // namespace atelier
