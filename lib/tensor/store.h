// Store: named tensors that outlive graphs and plans: parameters, optimizer state, averages.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "tensor/shape.h"

namespace atelier {

class StoreError : public Error {
 public:
  using Error::Error;
};

// Tensors of names that begin so are constants which graphs read, such as noise schedules: they
// follow from the configuration, and no file keeps them.
inline constexpr std::string_view kTablePrefix = "table/";

// One tensor. Its memory never moves, so plans may keep the pointer.
struct StoredTensor {
  std::string name;
  Type type;
  Buffer memory;
  std::uint64_t version = 0;  // raised by every writer; plans repack weights when it changed

  std::byte* data() const { return memory.data(); }
  std::size_t bytes() const { return std::size_t(type.bytes()); }
};

// Owns tensors by name, in order of creation. Names are dotted paths: "encoder.down0.weight".
// Not thread-safe; values may be read between runs of the plans that use them.
class Store {
 public:
  explicit Store(std::uint64_t seed = 0) : seed_(seed) {}

  std::uint64_t seed() const { return seed_; }  // of the initialisers
  bool has(std::string_view name) const;
  // Creates a zeroed tensor. Throws StoreError if the name exists.
  StoredTensor& create(std::string_view name, Type type);
  StoredTensor& at(std::string_view name);  // throws StoreError("no tensor 'x'")
  const StoredTensor& at(std::string_view name) const;
  void erase(std::string_view name);

  // Elements of a tensor; throws StoreError if T is not its type. The mutable form counts as a
  // write (raises the version).
  template <class T = float>
  std::span<T> values(std::string_view name) {
    StoredTensor& tensor = checked(name, dtype_of<T>::value);
    ++tensor.version;
    return {reinterpret_cast<T*>(tensor.data()), std::size_t(tensor.type.shape.count())};
  }
  template <class T = float>
  std::span<const T> values(std::string_view name) const {
    const StoredTensor& tensor = const_cast<Store*>(this)->checked(name, dtype_of<T>::value);
    return {reinterpret_cast<const T*>(tensor.data()), std::size_t(tensor.type.shape.count())};
  }

  std::vector<std::string> names(std::string_view prefix = "") const;  // in order of creation
  std::int64_t count(std::string_view prefix = "") const;              // elements, summed

 private:
  StoredTensor& checked(std::string_view name, DType type);
  std::uint64_t seed_;
  std::vector<std::unique_ptr<StoredTensor>> tensors_;
  std::map<std::string, StoredTensor*, std::less<>> index_;
};

}  // namespace atelier
