// A vector keeps the order, a map finds names.
#include "tensor/store.h"

#include <fmt/format.h>

#include <algorithm>

namespace atelier {

bool Store::has(std::string_view name) const { return index_.find(name) != index_.end(); }

StoredTensor& Store::create(std::string_view name, Type type) {
  if (has(name)) throw StoreError(fmt::format("tensor '{}' exists already", name));
  auto tensor = std::make_unique<StoredTensor>();
  tensor->name = name;
  tensor->type = type;
  try {
    tensor->memory = Buffer(std::size_t(std::max<std::int64_t>(type.bytes(), 1)));
  } catch (const Error& error) {
    throw Error(fmt::format("tensor '{}' {}: {}", name, to_string(type), error.what()));
  }
  StoredTensor& result = *tensor;
  index_.emplace(std::string(name), tensor.get());
  tensors_.push_back(std::move(tensor));
  return result;
}

StoredTensor& Store::at(std::string_view name) {
  auto found = index_.find(name);
  if (found == index_.end()) throw StoreError(fmt::format("no tensor '{}'", name));
  return *found->second;
}

const StoredTensor& Store::at(std::string_view name) const {
  return const_cast<Store*>(this)->at(name);
}

void Store::erase(std::string_view name) {
  auto found = index_.find(name);
  if (found == index_.end()) throw StoreError(fmt::format("no tensor '{}'", name));
  std::erase_if(tensors_, [&](const auto& t) { return t.get() == found->second; });
  index_.erase(found);
}

StoredTensor& Store::checked(std::string_view name, DType type) {
  StoredTensor& tensor = at(name);
  if (tensor.type.dtype != type) {
    throw StoreError(fmt::format("tensor '{}' is {}, not {}", name, to_string(tensor.type),
                                 atelier::name(type)));
  }
  return tensor;
}

std::vector<std::string> Store::names(std::string_view prefix) const {
  std::vector<std::string> result;
  for (const auto& tensor : tensors_) {
    if (tensor->name.starts_with(prefix)) result.push_back(tensor->name);
  }
  return result;
}

std::int64_t Store::count(std::string_view prefix) const {
  std::int64_t total = 0;
  for (const auto& tensor : tensors_) {
    if (tensor->name.starts_with(prefix)) total += tensor->type.shape.count();
  }
  return total;
}

}  // namespace atelier
