// Folders, bytes, a small file with everything in it.
#include "support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace atelier::test {

namespace fs = std::filesystem;

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "atelier-io-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
  root_ = pattern;
}
Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}
std::string Folder::path(std::string_view name) const {
  return name.empty() ? root_.string() : (root_ / name).string();
}
std::string Folder::write(std::string_view name, std::span<const std::byte> bytes) const {
  std::ofstream file(path(name), std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path(name));
  return path(name);
}
std::size_t Folder::entries() const {
  return std::size_t(std::distance(fs::directory_iterator(root_), fs::directory_iterator{}));
}

Bytes bytes_of(std::string_view text) {
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return bytes_of(std::string((std::istreambuf_iterator<char>(file)), {}));
}

Bytes from_hex(std::string_view digits) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(std::byte(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void write_small(const std::string& path) {
  Hdf5Writer file = Hdf5Writer::create(path, "checkpoint");
  file.attributes("/config", {{"model", std::string("vae")},
                              {"latent_dim", std::int64_t{8}},
                              {"beta", 0.25},
                              {"variational", true},
                              {"empty", std::string()}});
  std::vector<float> weights(48);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.1f * float(i) - 2;
  file.dataset<float>("/model/encoder.0.weight", Dims{6, 8}, weights);
  file.dataset<float>("/ema0/encoder.0.weight", Dims{6, 8}, weights);
  std::vector<std::int64_t> step{123456789012};
  file.dataset<std::int64_t>("/optimizer/step", Dims{}, step);
  std::vector<std::string> names{"cat", "", "\xc3\xa9t\xc3\xa9 indien"};
  file.strings("/meta/label_names", names);
  file.ragged_strings("/captions", names);
  // More members than a group keeps in its header (8), so that an index of names is made.
  for (std::uint8_t i = 0; i < 12; ++i) {
    std::vector<std::uint8_t> few{i, std::uint8_t(i + 1)};
    file.dataset<std::uint8_t>(fmt::format("/model/many.{}", i), Dims{2}, few);
  }
  file.commit();
}

namespace {

std::string attributes_text(const Hdf5Reader& file, const std::string& path) {
  std::string text;
  for (const auto& [name, value] : file.attributes(path))
    text += fmt::format(" @{}:{}={}", name, value.index(), to_text(value));
  return text;
}

std::string dataset_text(const Hdf5Reader& file, const std::string& path) {
  DatasetInfo info = file.info(path);
  std::string text =
      fmt::format(" {}*{} [{}]", name(info.type), info.text_bytes, fmt::join(info.dims, ","));
  if (!info.contiguous) return text;
  return text + " " + xxh3_hex(file.map(path).bytes());
}

void collect(const Hdf5Reader& file, const std::string& group, std::string& text) {
  for (const std::string& child : file.children(group)) {
    std::string path = (group == "/" ? "/" : group + "/") + child;
    text += path + attributes_text(file, path);
    if (!file.is_group(path)) text += dataset_text(file, path);
    text += '\n';
    if (file.is_group(path)) collect(file, path, text);
  }
}

}  // namespace

std::string contents(const Hdf5Reader& file) {
  std::string text = "/" + attributes_text(file, "/") + "\n";
  collect(file, "/", text);
  return text;
}

std::string verified_contents(const std::string& path) {
  Hdf5Reader file{fs::path(path)};
  file.verify_all();
  return contents(file);
}

}  // namespace atelier::test
