// Modules beside this library.
#include "base/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "base/error.h"

namespace atelier {
namespace {

void anchor() {}  // an address inside this library

}  // namespace

void* open_module(const std::string& file, const char* symbol, const std::string& what) {
  std::vector<std::string> places;
  Dl_info self{};
  if (dladdr(reinterpret_cast<void*>(&anchor), &self) && self.dli_fname) {
    std::filesystem::path directory = std::filesystem::path(self.dli_fname).parent_path();
    places.push_back((directory / file).string());
    places.push_back((directory / "atelier" / file).string());
  }
  std::string reason = "not found";
  for (const std::string& place : places) {
    if (void* module = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      if (void* address = dlsym(module, symbol)) return address;
    }
    if (const char* said = dlerror()) reason = said;
  }
  throw Error(fmt::format("{} cannot be opened: {}", what, reason));
}

}  // namespace atelier
