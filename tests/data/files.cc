// Making folders, archives, idx files and pipes.
#include "files.h"

#include <archive.h>
#include <archive_entry.h>
#include <signal.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace atelier::test {

namespace fs = std::filesystem;

Folder::Folder() {
  std::string pattern = (fs::temp_directory_path() / "atelier-data-XXXXXX").string();
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
  fs::path full = root_ / name;
  fs::create_directories(full.parent_path());
  std::ofstream file(full, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + full.string());
  return full.string();
}
std::string Folder::write(std::string_view name, std::string_view text) const {
  return write(name, std::as_bytes(std::span(text)));
}
std::string Folder::png(std::string_view name, const Picture& picture) const {
  return write(name, encode_png(picture));
}

Picture make_picture(std::int64_t height, std::int64_t width, std::int64_t channels, int seed) {
  Picture picture{.height = height, .width = width, .channels = channels, .pixels = {}};
  std::uint32_t state = std::uint32_t(seed) * 2654435761u + 12345;
  for (std::int64_t i = 0; i < height * width * channels; ++i) {
    state = state * 1664525u + 1013904223u;
    picture.pixels.push_back(std::uint8_t(state >> 24));
  }
  return picture;
}

Picture plain(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> colour) {
  Picture picture{
      .height = height, .width = width, .channels = std::int64_t(colour.size()), .pixels = {}};
  for (std::int64_t i = 0; i < height * width; ++i) {
    picture.pixels.insert(picture.pixels.end(), colour.begin(), colour.end());
  }
  return picture;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write_tar(const std::string& path, const Members& members, const std::string& filter) {
  archive* out = archive_write_new();
  archive_write_set_format_gnutar(out);
  if (filter == "gzip") archive_write_add_filter_gzip(out);
  if (filter == "zstd") archive_write_add_filter_zstd(out);
  if (filter == "xz") archive_write_add_filter_xz(out);
  if (archive_write_open_filename(out, path.c_str()) != ARCHIVE_OK) {
    throw std::runtime_error("cannot write " + path);
  }
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, la_int64_t(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  int status = archive_write_free(out);
  if (status != ARCHIVE_OK) throw std::runtime_error("cannot finish " + path);
}

void write_idx(const std::string& path, std::vector<std::int64_t> dims,
               std::span<const std::uint8_t> values, std::uint8_t type) {
  gzFile file = gzopen(path.c_str(), path.ends_with(".gz") ? "wb" : "wbT");
  std::vector<std::uint8_t> head = {0, 0, type, std::uint8_t(dims.size())};
  for (std::int64_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) head.push_back(std::uint8_t(dim >> shift));
  }
  gzwrite(file, head.data(), unsigned(head.size()));
  if (!values.empty()) gzwrite(file, values.data(), unsigned(values.size()));
  if (gzclose(file) != Z_OK) throw std::runtime_error("cannot write " + path);
}

std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return bytes_of(text);
}

PipedInput::PipedInput(std::vector<std::byte> bytes) : saved_(::dup(STDIN_FILENO)) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  ::dup2(ends[0], STDIN_FILENO);
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);  // a reader that stops early is no reason to die
  writer_ = std::thread([fd = ends[1], bytes = std::move(bytes)] {
    std::size_t done = 0;
    while (done < bytes.size()) {
      ssize_t wrote = ::write(fd, bytes.data() + done, bytes.size() - done);
      if (wrote <= 0) break;
      done += std::size_t(wrote);
    }
    ::close(fd);
  });
}
PipedInput::~PipedInput() {
  ::dup2(saved_, STDIN_FILENO);
  ::close(saved_);
  writer_.join();
}

std::vector<Item> read_items(const std::string& source, const ReadOptions& options,
                             std::int64_t* skipped) {
  std::unique_ptr<ItemSource> reader = open_source(source, options);
  std::vector<Item> items;
  Item item;
  while (reader->next(item)) items.push_back(item);
  if (skipped) *skipped = reader->skipped;
  return items;
}

Dataset read(const std::string& source, const ReadOptions& options) {
  return read_dataset(std::span(&source, 1), options);
}

std::vector<std::byte> turned_jpeg() {
  constexpr std::string_view kHex =
      "ffd8ffe100224578696600004d4d002a00000008000101120003000000010006000000000000ffdb0043000302"
      "020302020303030304030304050805050404050a070706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b101610"
      "1113141515150c0f171816141812141514ffc0000b080008001001011100ffc400150001010000000000000000"
      "000000000000090affc40014100100000000000000000000000000000000ffda0008010100003f002a9550ffd9";
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(std::byte(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

}  // namespace atelier::test
