// Weights that are not finite are neither written nor read.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "io/checkpoint.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInf = std::numeric_limits<double>::infinity();

// The bits of a number in a type, little-endian.
Bytes bits_of(DType type, double value) {
  Bytes bytes(size_of(type));
  float narrow = float(value);
  if (type == DType::f64) std::memcpy(bytes.data(), &value, 8);
  if (type == DType::f32) std::memcpy(bytes.data(), &narrow, 4);
  if (type == DType::bf16)
    std::memcpy(bytes.data(), reinterpret_cast<const char*>(&narrow) + 2, 2);  // cut
  return bytes;
}

FileType stored(DType type) {
  return type == DType::f64 ? FileType::f64 : type == DType::f32 ? FileType::f32 : FileType::bf16;
}

// `count` largest finite numbers of both signs, with `value` at `at`.
Bytes numbers(DType type, std::size_t count, double value, std::size_t at) {
  double most = type == DType::f64 ? std::numeric_limits<double>::max() : 3.38e38;
  Bytes all;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes one = bits_of(type, i == at ? value : i % 2 ? most : -most);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

// Past the checks of write_checkpoint.
void write_raw(const std::string& path, const char* tensor, DType type, const Bytes& bytes) {
  Hdf5Writer file = Hdf5Writer::create(path, "checkpoint");
  file.attributes("/config", {{"model", std::string("vae")}});
  file.dataset(tensor, stored(type), Dims{std::int64_t(bytes.size() / size_of(type))}, bytes);
  file.commit();
}

std::string read_message(const std::string& path) {
  return message_of([&] {
    Store store;
    read_checkpoint(Hdf5Reader(std::filesystem::path(path)), store);
  });
}

}  // namespace

TEST_CASE("a weight that is not finite is found by the reader wherever it lies") {
  Folder folder;
  const std::string path = folder.path("c.h5");
  const std::size_t none = std::size_t(-1);
  int cases = 0;
  for (DType type : {DType::f32, DType::bf16, DType::f64}) {
    for (double value : {kNan, -kNan, kInf, -kInf}) {
      std::string want = std::isnan(value) ? "nan" : "inf";
      for (std::size_t count : {1, 7, 1024, 2600}) {
        write_raw(path, "/model/x", type, numbers(type, count, value, none));
        CHECK(read_message(path) == "");
        for (std::size_t at : {std::size_t(0), count / 2, count - 1}) {
          for (const char* tensor : {"/model/x", "/ema0/deep.x"}) {
            write_raw(path, tensor, type, numbers(type, count, value, at));
            std::string message = read_message(path);
            CHECK(message ==
                  fmt::format("{}: {} holds {}; values must be finite", path, tensor, want));
            ++cases;
          }
        }
      }
    }
  }
  // The smallest NaN, a signalling one, and one of the last bit only.
  for (std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fc00000u, 0xffffffffu}) {
    Bytes one(4);
    std::memcpy(one.data(), &bits, 4);
    write_raw(path, "/model/x", DType::f32, one);
    CHECK(contains(read_message(path), "holds nan"));
  }
  write_raw(path, "/optimizer/exp_avg_sq/x", DType::f32, numbers(DType::f32, 7, kInf, 3));
  CHECK(read_message(path) == "");
  fmt::print("summary: files: {} weights that are not finite, each named\n", cases);
}

TEST_CASE("a weight that is not finite is never written, and the old file stays") {
  Folder folder;
  const Checkpoint checkpoint{.config = {{"model", std::string("vae")}},
                              .preprocess = {},
                              .training = {},
                              .state = {},
                              .inputs = {}};
  for (const char* name : {"encoder.weight", "ema1/encoder.weight"}) {
    Store store;
    StoredTensor& tensor = store.create(name, Type{DType::f32, Shape{3, 5}});
    store.create("integers", Type{DType::i32, Shape{1}}).data()[3] = std::byte{0x7f};
    const std::string path = folder.write("c.h5", bytes_of("old"));
    reinterpret_cast<float*>(tensor.data())[11] = float(kNan);
    std::string where = std::string(name).find('/') == std::string::npos ? "/model/" : "/";
    CHECK(message_of([&] { write_checkpoint(path, checkpoint, store); }) ==
          path + ": " + where + name + " holds nan; values must be finite");
    CHECK(read_bytes(path) == bytes_of("old"));
    CHECK(folder.entries() == 1);
    // What is not asked for is nobody's business.
    write_checkpoint(path, checkpoint, store,
                     [&](std::string_view tensor) { return tensor != name; });
    reinterpret_cast<float*>(tensor.data())[11] = 1;
    write_checkpoint(path, checkpoint, store);
    CHECK(read_message(path) == "");
  }
}
