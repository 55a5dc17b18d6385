// Files of other programs: what of HDF5 is read, and what is refused by its name.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <numeric>

#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

constexpr hsize_t kRows = 7, kColumns = 5;

std::vector<std::int32_t> numbers() {
  std::vector<std::int32_t> values(kRows * kColumns);
  std::iota(values.begin(), values.end(), -3);
  return values;
}

// A file by libhdf5's own means; closes what it makes.
class Foreign {
 public:
  explicit Foreign(const std::string& path, H5F_libver_t low = H5F_LIBVER_EARLIEST,
                   H5F_libver_t high = H5F_LIBVER_LATEST, hsize_t user_block = 0) {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_libver_bounds(access, low, high);
    H5Pset_userblock(creation, user_block);
    file_ = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
    REQUIRE(file_ >= 0);
    H5Pclose(access);
    H5Pclose(creation);
  }
  ~Foreign() { H5Fclose(file_); }
  hid_t id() const { return file_; }

  // Rows of i32 in `stored` type; `prepare` changes how they are laid out.
  void add(const char* name, const std::function<void(hid_t list)>& prepare = {},
           hid_t stored = H5T_STD_I32LE) {
    hsize_t dims[] = {kRows, kColumns};
    hid_t space = H5Screate_simple(2, dims, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
    if (prepare) prepare(list);
    hid_t set = H5Dcreate2(file_, name, stored, space, H5P_DEFAULT, list, H5P_DEFAULT);
    REQUIRE(set >= 0);
    H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers().data());
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
  }
  void chunked(const char* name, const std::function<void(hid_t list)>& filters = {}) {
    add(name, [&](hid_t list) {
      const hsize_t chunk[] = {3, 2};  // does not divide the shape
      H5Pset_chunk(list, 2, chunk);
      if (filters) filters(list);
    });
  }

 private:
  hid_t file_ = -1;
};

Hdf5Reader opened(const std::string& path) { return Hdf5Reader(std::filesystem::path(path)); }

void check_numbers(const Hdf5Reader& file, const std::string& dataset) {
  CAPTURE(dataset);
  std::vector<std::int32_t> all(kRows * kColumns), rows(2 * kColumns);
  file.read<std::int32_t>(dataset, all);
  CHECK(all == numbers());
  file.read_rows<std::int32_t>(dataset, 3, 2, rows);
  CHECK(std::equal(rows.begin(), rows.end(), numbers().begin() + 3 * kColumns));
}

std::string refusal(const std::string& path, const std::string& dataset = "x") {
  return message_of([&] {
    Hdf5Reader file = opened(path);
    std::vector<std::int32_t> values(kRows * kColumns);
    file.read<std::int32_t>(dataset, values);
  });
}

// A filter that stands for those of plug-ins; it changes nothing.
size_t keep(unsigned, size_t, const unsigned*, size_t bytes, size_t*, void**) { return bytes; }
void register_foreign_filter() {
  H5Z_class2_t filter{};
  filter.version = H5Z_CLASS_T_VERS;
  filter.id = 32001;
  filter.encoder_present = filter.decoder_present = 1;
  filter.name = "blosc";
  filter.filter = keep;
  REQUIRE(H5Zregister(&filter) >= 0);
}

// As H5Lcreate_external() does it, whose link class the reader takes out of the library.
void add_external_link(hid_t file, const char* name, const std::string& to, const char* object) {
  H5L_class_t kind{};
  kind.version = H5L_LINK_CLASS_T_VERS;
  kind.id = H5L_TYPE_EXTERNAL;
  kind.comment = "external";
  kind.trav_func = [](const char*, hid_t, const void*, size_t, hid_t, hid_t) { return hid_t(-1); };
  REQUIRE(H5Lregister(&kind) >= 0);
  std::string packed = std::string(1, '\0') + to + '\0' + object + '\0';
  REQUIRE(H5Lcreate_ud(file, name, H5L_TYPE_EXTERNAL, packed.data(), packed.size(), H5P_DEFAULT,
                       H5P_DEFAULT) >= 0);
  H5Lunregister(H5L_TYPE_EXTERNAL);
}

}  // namespace

TEST_CASE("files of each superblock version are read") {
  Folder folder;
  const std::tuple<H5F_libver_t, H5F_libver_t, int> cases[] = {
      {H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, 0},
      {H5F_LIBVER_V18, H5F_LIBVER_V18, 2},
      {H5F_LIBVER_LATEST, H5F_LIBVER_LATEST, 3}};
  for (auto [low, high, number] : cases) {
    const int version = number;
    CAPTURE(version);
    {
      Foreign file(folder.path("f.h5"), low, high);
      file.add("x");
      file.chunked("chunked", [](hid_t list) { H5Pset_deflate(list, 6); });
    }
    Bytes bytes = read_bytes(folder.path("f.h5"));
    REQUIRE(int(bytes[8]) == version);
    Hdf5Reader file = opened(folder.path("f.h5"));
    CHECK(file.kind().empty());
    CHECK(contains(message_of([&] { file.require_kind("checkpoint"); }),
                   "expected kind checkpoint, found an HDF5 file of another program"));
    CHECK(file.children("/") == std::vector<std::string>{"chunked", "x"});
    check_numbers(file, "x");
    check_numbers(file, "/chunked");
    CHECK(file.info("x").checksum.empty());
    file.verify_all();
    // Cut anywhere, it does not open, or what is gone does not read.
    for (std::size_t length = 0; length < bytes.size(); length += 41) {
      std::string path = folder.write("cut.h5", std::span(bytes).first(length));
      if (refusal(path).empty()) FAIL_CHECK("version " << version << " cut to " << length);
    }
  }
}

TEST_CASE("deflate, shuffle and Fletcher32 are read in any order, and so are plain chunks") {
  Folder folder;
  {
    Foreign file(folder.path("f.h5"));
    file.chunked("plain");
    file.chunked("deflate", [](hid_t list) { H5Pset_deflate(list, 9); });
    file.chunked("shuffle", [](hid_t list) { H5Pset_shuffle(list); });
    file.chunked("fletcher32", [](hid_t list) { H5Pset_fletcher32(list); });
    file.chunked("all", [](hid_t list) {
      H5Pset_shuffle(list);
      H5Pset_deflate(list, 1);
      H5Pset_fletcher32(list);
    });
    file.add("compact", [](hid_t list) { H5Pset_layout(list, H5D_COMPACT); });
    file.add("big", {}, H5T_STD_I32BE);
    file.add("short", {}, H5T_STD_I16LE);
    file.add("double", {}, H5T_IEEE_F64BE);
  }
  Hdf5Reader file = opened(folder.path("f.h5"));
  for (const char* name :
       {"plain", "deflate", "shuffle", "fletcher32", "all", "compact", "big", "short"})
    check_numbers(file, name);
  std::vector<double> values(kRows * kColumns);
  file.read<double>("double", values);
  CHECK(values[0] == -3);
  CHECK(!file.info("big").contiguous);  // mapping it would give numbers of the other order
  CHECK(!file.info("plain").contiguous);
  CHECK(contains(message_of([&] { file.map("plain"); }), "cannot be mapped"));
}

TEST_CASE("a damaged chunk with a Fletcher32 checksum is found") {
  Folder folder;
  {
    Foreign file(folder.path("f.h5"));
    file.chunked("x", [](hid_t list) { H5Pset_fletcher32(list); });
  }
  Bytes bytes = read_bytes(folder.path("f.h5"));
  // The number -3, little-endian, begins the first chunk.
  const Bytes first = from_hex("fdfffffffeffffff");
  auto at = std::search(bytes.begin(), bytes.end(), first.begin(), first.end());
  REQUIRE(at != bytes.end());
  *at ^= std::byte{1};
  CHECK(contains(refusal(folder.write("f.h5", bytes)), "x: cannot be read (damaged)"));
}

TEST_CASE("other filters are refused by number and name") {
  register_foreign_filter();
  Folder folder;
  {
    Foreign file(folder.path("f.h5"));
    file.chunked("x", [](hid_t list) { H5Pset_filter(list, 32001, 0, 0, nullptr); });
    file.chunked("nbit", [](hid_t list) { H5Pset_nbit(list); });
    file.chunked("scale", [](hid_t list) { H5Pset_scaleoffset(list, H5Z_SO_INT, 0); });
    // Behind one that is read.
    file.chunked("second", [](hid_t list) {
      H5Pset_deflate(list, 1);
      H5Pset_filter(list, 32001, 0, 0, nullptr);
    });
  }
  CHECK(contains(refusal(folder.path("f.h5")),
                 "f.h5: /x: filter 32001 (blosc) is not supported; deflate, shuffle and"));
  CHECK(contains(refusal(folder.path("f.h5"), "nbit"), "filter 5 (nbit) is not supported"));
  CHECK(contains(refusal(folder.path("f.h5"), "scale"), "filter 6 (scaleoffset) is not"));
  CHECK(contains(refusal(folder.path("f.h5"), "second"), "filter 32001 (blosc) is not"));
  H5Zunregister(32001);
}

TEST_CASE("nothing leads out of a file") {
  Folder folder;
  folder.write("secret.bin", Bytes(kRows * kColumns * 4, std::byte{7}));
  { Foreign(folder.path("other.h5")).add("x"); }
  {
    Foreign file(folder.path("f.h5"));
    file.add("external", [&](hid_t list) {
      H5Pset_external(list, folder.path("secret.bin").c_str(), 0, kRows * kColumns * 4);
    });
    file.add("inside");
    add_external_link(file.id(), "link", folder.path("other.h5"), "/x");
    H5Lcreate_soft("/inside", file.id(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/ring", file.id(), "ring", H5P_DEFAULT, H5P_DEFAULT);
    hsize_t dims[] = {kRows, kColumns};
    hid_t space = H5Screate_simple(2, dims, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(list, space, folder.path("other.h5").c_str(), "/x", space);
    hid_t set =
        H5Dcreate2(file.id(), "virtual", H5T_STD_I32LE, space, H5P_DEFAULT, list, H5P_DEFAULT);
    REQUIRE(set >= 0);
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
  }
  const std::string path = folder.path("f.h5");
  CHECK(contains(refusal(path, "external"), "external: its data lie in another file"));
  CHECK(contains(refusal(path, "virtual"), "virtual: it is a virtual dataset"));
  CHECK(contains(refusal(path, "link"), "/link: it is a link, which is not followed"));
  CHECK(contains(refusal(path, "link/x"), "/link: it is a link, which is not followed"));
  CHECK(contains(refusal(path, "soft"), "/soft: it is a link, which is not followed"));
  CHECK(contains(refusal(path, "ring"), "/ring: it is a link, which is not followed"));
  CHECK(contains(refusal(path, "inside/x"), "no dataset /inside/x"));
  CHECK(refusal(path, "inside").empty());
  CHECK(opened(path).children("/") == std::vector<std::string>{"external", "inside", "virtual"});
}

TEST_CASE("texts of fixed and of variable length are read, padded in any way") {
  Folder folder;
  const std::vector<std::string> texts = {"one", "", "\xc3\xa9t\xc3\xa9"};
  {
    Foreign file(folder.path("f.h5"));
    hsize_t count = texts.size();
    hid_t space = H5Screate_simple(1, &count, nullptr), scalar = H5Screate(H5S_SCALAR);
    hid_t variable = H5Tcopy(H5T_C_S1), fixed = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    H5Tset_cset(variable, H5T_CSET_UTF8);
    H5Tset_size(fixed, 8);  // ends with a zero, ASCII
    const char* pointers[] = {texts[0].c_str(), texts[1].c_str(), texts[2].c_str()};
    char padded[3][8] = {};
    for (int i = 0; i < 3; ++i) std::copy(texts[i].begin(), texts[i].end(), padded[i]);
    hid_t set =
        H5Dcreate2(file.id(), "variable", variable, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, variable, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers);
    hid_t attribute = H5Acreate2(set, "said", variable, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, variable, &pointers[2]);
    H5Aclose(attribute);
    H5Dclose(set);
    set = H5Dcreate2(file.id(), "fixed", fixed, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(set, fixed, H5S_ALL, H5S_ALL, H5P_DEFAULT, padded);
    H5Dclose(set);
    for (hid_t id : {variable, fixed}) H5Tclose(id);
    for (hid_t id : {space, scalar}) H5Sclose(id);
  }
  Hdf5Reader file = opened(folder.path("f.h5"));
  CHECK(file.read_strings("variable") == texts);
  CHECK(file.read_strings("fixed") == texts);
  CHECK(file.attributes("variable") == Attributes{{"said", texts[2]}});
}

TEST_CASE("types and shapes of strangers that are not numbers are named") {
  Folder folder;
  {
    Foreign file(folder.path("f.h5"));
    hsize_t dims[] = {kRows, kColumns};
    hid_t pair = H5Tcreate(H5T_COMPOUND, 8), space = H5Screate_simple(2, dims, nullptr);
    H5Tinsert(pair, "re", 0, H5T_IEEE_F32LE);
    H5Tinsert(pair, "im", 4, H5T_IEEE_F32LE);
    H5Dclose(H5Dcreate2(file.id(), "x", pair, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    hid_t nothing = H5Screate(H5S_NULL);
    H5Dclose(H5Dcreate2(file.id(), "null", H5T_STD_I32LE, nothing, H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT));
    H5Tclose(pair);
    H5Sclose(space);
    H5Sclose(nothing);
    // A shape of 2^60 numbers of which no chunk was ever written.
    hsize_t huge[] = {hsize_t{1} << 30, hsize_t{1} << 32}, chunk[] = {1024, 1024};
    hid_t wide = H5Screate_simple(2, huge, nullptr), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 2, chunk);
    H5Dclose(H5Dcreate2(file.id(), "huge", H5T_STD_I32LE, wide, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(wide);
  }
  CHECK(contains(refusal(folder.path("f.h5")), "x: expected numbers, found another type"));
  CHECK(contains(refusal(folder.path("f.h5"), "null"), "do not fit"));
  CHECK(contains(refusal(folder.path("f.h5"), "huge"), "huge: "));
}

TEST_CASE("a file behind a user block is refused with that reason") {
  Folder folder;
  for (hsize_t block : {512u, 1024u, 2048u}) {
    {
      Foreign file(folder.path("f.h5"), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST, block);
      file.add("x");
    }
    CHECK(contains(refusal(folder.path("f.h5")),
                   "f.h5: expected an HDF5 file, found one behind "
                   "a user block, which is not read"));
  }
}
