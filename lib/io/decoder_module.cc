// Opens the decoder module at the first picture that needs it, so that no tool pays for its many
// libraries at start.
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "io/decode/decode.h"
#include "io/picture_formats.h"

namespace atelier {
namespace {

void anchor() {}  // an address inside this library

DecodeFunction open_module() {
  std::vector<std::string> places;
  Dl_info self{};
  if (dladdr(reinterpret_cast<void*>(&anchor), &self) && self.dli_fname) {
    std::filesystem::path directory = std::filesystem::path(self.dli_fname).parent_path();
    places.push_back((directory / "atelier-decode.so").string());
    places.push_back((directory / "atelier" / "atelier-decode.so").string());
  }
  std::string reason = "not found";
  for (const std::string& place : places) {
    if (void* module = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      if (void* function = dlsym(module, "atelier_decode"))
        return reinterpret_cast<DecodeFunction>(function);
    }
    if (const char* said = dlerror()) reason = said;
  }
  throw Error(fmt::format("the decoder of JPEG, WebP and BMP cannot be opened: {}", reason));
}

}  // namespace

Picture decode_by_module(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  static const DecodeFunction decode = open_module();
  DecodedPicture decoded{};
  char reason[256] = "";
  int status =
      decode(bytes.data(), bytes.size(), limits.max_pixels, &decoded, reason, sizeof reason);
  if (status != 0) throw Error(fmt::format("broken picture: {}", reason));
  Picture picture{decoded.height, decoded.width, decoded.channels, {}};
  picture.pixels.assign(decoded.pixels,
                        decoded.pixels + picture.height * picture.width * picture.channels);
  decoded.release(decoded.pixels);
  return picture;
}

}  // namespace atelier
