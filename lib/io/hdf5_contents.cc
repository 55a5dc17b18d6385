// Reading what datasets hold: numbers converted exactly, texts, maps, and checksums compared.
#include <xxhash.h>

#include <algorithm>
#include <memory>

#include "io/hdf5_reader_impl.h"

namespace atelier {
namespace {

constexpr std::size_t kPiece = 4 << 20;

hid_t native(FileType type) {
  switch (type) {
    case FileType::f32:
      return H5T_NATIVE_FLOAT;
    case FileType::f64:
      return H5T_NATIVE_DOUBLE;
    case FileType::u8:
      return H5T_NATIVE_UINT8;
    case FileType::i32:
      return H5T_NATIVE_INT32;
    case FileType::u64:
      return H5T_NATIVE_UINT64;
    default:
      return H5T_NATIVE_INT64;
  }
}

// Stops at the first number that the wanted type cannot hold; infinities pass.
H5T_conv_ret_t stop_out_of_range(H5T_conv_except_t kind, hid_t, hid_t, void*, void*, void* seen) {
  if (kind != H5T_CONV_EXCEPT_RANGE_HI && kind != H5T_CONV_EXCEPT_RANGE_LOW)
    return H5T_CONV_UNHANDLED;
  *static_cast<bool*>(seen) = true;
  return H5T_CONV_ABORT;
}

}  // namespace

void Hdf5Reader::read_raw(std::string_view path, std::int64_t first, std::int64_t count,
                          FileType type, void* into, std::size_t elements) const {
  DatasetInfo about = info(path);
  if (about.type == FileType::text || about.type == FileType::other) {
    impl_->fail(path, fmt::format("expected numbers, found {}", atelier::name(about.type)));
  }
  if (is_whole_number(type) && !is_whole_number(about.type)) {
    impl_->fail(path, fmt::format("expected whole numbers, found {}", atelier::name(about.type)));
  }
  std::int64_t rows = about.dims.empty() ? 1 : about.dims[0];
  if (count < 0) count = rows;
  std::int64_t row = rows > 0 ? about.count() / rows : 0;
  if (first < 0 || first + count > rows || std::size_t(count * row) != elements) {
    impl_->fail(path, fmt::format("rows {} to {} with {} elements do not fit [{}]", first,
                                  first + count, elements, fmt::join(about.dims, ",")));
  }
  if (elements == 0) return;
  Handle set = impl_->dataset(path), space(H5Dget_space(set)), memory(H5S_ALL);
  if (first != 0 || count != rows) {
    std::vector<hsize_t> start(about.dims.size(), 0), extent(about.dims.begin(), about.dims.end());
    start[0] = hsize_t(first);
    extent[0] = hsize_t(count);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
    memory = Handle(H5Screate_simple(int(extent.size()), extent.data(), nullptr));
  }
  hid_t memory_space = memory ? hid_t(memory) : H5S_ALL;
  bool out_of_range = false;
  Handle transfer(H5Pcreate(H5P_DATASET_XFER));
  H5Pset_type_conv_cb(transfer, stop_out_of_range, &out_of_range);
  herr_t status = H5Dread(set, native(type), memory_space, space, transfer, into);
  impl_->check();
  if (out_of_range)
    impl_->fail(path, fmt::format("holds numbers that do not fit into {}", atelier::name(type)));
  if (status < 0) impl_->fail(path, "cannot be read (damaged)");
}

std::vector<std::string> Hdf5Reader::read_strings(std::string_view path) const {
  DatasetInfo about = info(path);
  if (about.type != FileType::text || about.dims.size() != 1)
    impl_->fail(path, "expected a list of texts");
  Handle set = impl_->dataset(path);
  std::vector<std::string> result;
  if (about.text_bytes > 0) {
    if (about.count() * std::int64_t(about.text_bytes) > (std::int64_t{1} << 32))
      impl_->fail(path, "is larger than 4 GiB");
    std::string all(std::size_t(about.count()) * about.text_bytes, '\0');
    Handle stored(H5Dget_type(set)), memory = text_type(about.text_bytes);
    H5Tset_cset(memory, H5Tget_cset(stored));
    if (!all.empty() && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, all.data()) < 0)
      impl_->fail(path, "cannot be read");
    for (std::int64_t i = 0; i < about.count(); ++i) {
      std::string text = all.substr(std::size_t(i) * about.text_bytes, about.text_bytes);
      result.push_back(text.substr(0, text.find('\0')));
    }
    return result;
  }
  std::vector<char*> pointers(std::size_t(about.count()), nullptr);
  Handle stored(H5Dget_type(set)), space(H5Dget_space(set)), memory(H5Tcopy(H5T_C_S1));
  H5Tset_size(memory, H5T_VARIABLE);
  H5Tset_cset(memory, H5Tget_cset(stored));
  if (!pointers.empty() && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()) < 0)
    impl_->fail(path, "cannot be read");
  for (char* text : pointers) result.emplace_back(text ? text : "");
  H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data());
  return result;
}

std::vector<std::string> Hdf5Reader::read_ragged_strings(std::string_view group) const {
  std::string where = rooted(group);
  DatasetInfo about = info(where + "/data"), ends = info(where + "/offsets");
  std::vector<std::uint8_t> bytes(std::size_t(about.count()));
  std::vector<std::int64_t> offsets(std::size_t(ends.count()));
  read<std::uint8_t>(where + "/data", bytes);
  read<std::int64_t>(where + "/offsets", offsets);
  std::vector<std::string> result;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i] < 0 || offsets[i + 1] < offsets[i] ||
        offsets[i + 1] > std::int64_t(bytes.size()))
      impl_->fail(group, "has offsets out of order");
    result.emplace_back(reinterpret_cast<const char*>(bytes.data()) + offsets[i],
                        std::size_t(offsets[i + 1] - offsets[i]));
  }
  return result;
}

Mapping Hdf5Reader::map(std::string_view path) const {
  DatasetInfo about = info(path);
  if (!about.contiguous) impl_->fail(path, "is not contiguous and cannot be mapped");
  std::size_t element = about.type == FileType::text ? about.text_bytes : size_of(about.type);
  return Mapping(descriptor(), about.offset, std::uint64_t(about.count()) * element, impl_->name);
}

void Hdf5Reader::verify(std::string_view path) const {
  DatasetInfo about = info(path);
  if (about.checksum.empty() || !about.contiguous) return;
  Mapping mapping = map(path);
  std::span<const std::byte> bytes = mapping.bytes();
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  // In pieces that are given back, so that a dataset larger than memory takes none.
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    std::size_t count = std::min(kPiece, bytes.size() - at);
    XXH3_64bits_update(hash.get(), bytes.data() + at, count);
    mapping.drop(at, count);
  }
  if (fmt::format("{:016x}", XXH3_64bits_digest(hash.get())) != about.checksum) {
    throw Error(fmt::format("{}: {} is damaged (its checksum differs)", impl_->name, about.path));
  }
}

std::int64_t Hdf5Reader::verify_all() const {
  std::int64_t without = 0;
  for (const std::string& path : datasets("/")) {
    verify(path);
    without += info(path).checksum.empty() ? 1 : 0;
  }
  return without;
}

}  // namespace atelier
