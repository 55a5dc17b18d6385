// Damage that libjpeg works around: OpenCV drops the warnings and libjpeg prints them. This module
// comes before libjpeg in the search for symbols, so OpenCV's call of jpeg_std_error() ends here.
#include "io/decode/jpeg_warnings.h"

#include <dlfcn.h>

#include <cstdio>
// After <cstdio>, which it needs.
#include <jpeglib.h>
// After <jpeglib.h>.
#include <jerror.h>

#include <cstring>

namespace {

thread_local char g_damage[JMSG_LENGTH_MAX] = "";

bool tells_of_damage(int code) {
  switch (code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_TOO_MUCH_DATA:
      return true;
    default:
      return false;
  }
}

void on_message(j_common_ptr picture, int level) {
  if (level >= 0) return;  // a trace
  ++picture->err->num_warnings;
  if (g_damage[0] == '\0' && tells_of_damage(picture->err->msg_code))
    picture->err->format_message(picture, g_damage);
}
void say_nothing(j_common_ptr) {}

}  // namespace

void clear_jpeg_damage() { g_damage[0] = '\0'; }
const char* jpeg_damage() { return g_damage[0] ? g_damage : nullptr; }

extern "C" __attribute__((visibility("default"))) jpeg_error_mgr* jpeg_std_error(
    jpeg_error_mgr* manager) {
  static auto original =
      reinterpret_cast<decltype(&jpeg_std_error)>(dlsym(RTLD_NEXT, "jpeg_std_error"));
  original(manager);
  manager->emit_message = on_message;
  manager->output_message = say_nothing;
  return manager;
}
