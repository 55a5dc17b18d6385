// The sixteen element types of the schema.
#include "io/hdf5_types.h"

namespace atelier {
namespace {

Handle half(std::size_t exponent_bits, std::size_t mantissa_bits, std::size_t bias) {
  Handle type(H5Tcopy(H5T_IEEE_F32LE));
  H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
  H5Tset_precision(type, 16);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, bias);
  return type;
}

hid_t standard(FileType type) {
  switch (type) {
    case FileType::f32:
      return H5T_IEEE_F32LE;
    case FileType::f64:
      return H5T_IEEE_F64LE;
    case FileType::u8:
      return H5T_STD_U8LE;
    case FileType::i8:
      return H5T_STD_I8LE;
    case FileType::u16:
      return H5T_STD_U16LE;
    case FileType::i16:
      return H5T_STD_I16LE;
    case FileType::u32:
      return H5T_STD_U32LE;
    case FileType::i32:
      return H5T_STD_I32LE;
    case FileType::u64:
      return H5T_STD_U64LE;
    case FileType::i64:
      return H5T_STD_I64LE;
    default:
      return -1;
  }
}

}  // namespace

std::string_view name(FileType type) {
  constexpr std::string_view names[] = {"f16", "bf16", "f32", "f64", "u8",  "i8",   "u16",
                                        "i16", "u32",  "i32", "u64", "i64", "text", "another type"};
  return names[std::size_t(type)];
}

std::size_t size_of(FileType type) {
  constexpr std::size_t sizes[] = {2, 2, 4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 0, 0};
  return sizes[std::size_t(type)];
}

Handle type_of(FileType type) {
  if (type == FileType::f16) return half(5, 10, 15);
  if (type == FileType::bf16) return half(8, 7, 127);
  return Handle(H5Tcopy(standard(type)));
}

FileType file_type(hid_t type) {
  H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING) return FileType::text;
  std::size_t size = H5Tget_size(type);
  if (kind == H5T_INTEGER || kind == H5T_ENUM) {
    hid_t base = kind == H5T_ENUM ? H5Tget_super(type) : H5Tcopy(type);
    bool negative = H5Tget_sign(base) == H5T_SGN_2;
    H5Tclose(base);
    switch (size) {
      case 1:
        return negative ? FileType::i8 : FileType::u8;
      case 2:
        return negative ? FileType::i16 : FileType::u16;
      case 4:
        return negative ? FileType::i32 : FileType::u32;
      case 8:
        return negative ? FileType::i64 : FileType::u64;
      default:
        return FileType::other;
    }
  }
  if (kind != H5T_FLOAT) return FileType::other;
  if (size == 4) return FileType::f32;
  if (size == 8) return FileType::f64;
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits);
  if (size == 2 && exponent_bits == 5) return FileType::f16;
  if (size == 2 && exponent_bits == 8) return FileType::bf16;
  return FileType::other;
}

bool is_boolean(hid_t type) {
  if (H5Tget_class(type) != H5T_ENUM || H5Tget_size(type) != 1) return false;
  if (H5Tget_nmembers(type) != 2) return false;
  for (const char* name : {"FALSE", "TRUE"}) {
    char value = 0;
    int member = H5Tget_member_index(type, name);
    if (member < 0 || H5Tget_member_value(type, unsigned(member), &value) < 0) return false;
    if (value != (std::string_view(name) == "TRUE")) return false;
  }
  return true;
}

Handle text_type(std::size_t bytes) {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type, bytes ? bytes : 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace atelier
