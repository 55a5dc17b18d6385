// Pictures in a tar archive, plain or compressed by gzip, zstd, xz or bzip2, in archive order.
//
// A first pass over the names finds classes (folders, or numbers in .cls members) and captions,
// which may stand behind their pictures; a second one reads the pictures, so memory stays flat.
#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "base/error.h"
#include "data/captions.h"
#include "data/source.h"

namespace atelier {
namespace {

constexpr std::size_t kBlock = 64 << 10;
constexpr std::int64_t kMaxTableBytes = std::int64_t{1} << 32;

// The name without its parts "", "." and "..": nothing lies above an archive.
std::string below_root(std::string_view path) {
  std::string name;
  while (!path.empty()) {
    std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (part.empty() || part == "." || part == "..") continue;
    if (!name.empty()) name += '/';
    name += part;
  }
  return name;
}

class Tar {
 public:
  // Reads from the present offset of `fd`.
  Tar(int fd, std::string name) : name_(std::move(name)), archive_(archive_read_new()) {
    archive_read_support_format_tar(archive_);
    archive_read_support_filter_gzip(archive_);
    archive_read_support_filter_zstd(archive_);
    archive_read_support_filter_xz(archive_);
    archive_read_support_filter_bzip2(archive_);
    archive_read_set_option(archive_, "tar", "read_concatenated_archives", "1");
    if (archive_read_open_fd(archive_, fd, kBlock) != ARCHIVE_OK) {
      std::string reason = why();
      archive_read_free(archive_);
      throw Error(fmt::format("{}: cannot be read as tar ({})", name_, reason));
    }
  }
  ~Tar() { archive_read_free(archive_); }
  Tar(const Tar&) = delete;
  Tar& operator=(const Tar&) = delete;

  // Goes to the next file or link; false at the end.
  bool next() {
    for (;;) {
      int status = archive_read_next_header(archive_, &entry_);
      if (status == ARCHIVE_EOF) return false;
      if (status < ARCHIVE_WARN) throw Error(fmt::format("{}: is damaged ({})", name_, why()));
      // Names are bytes; where the locale cannot carry a pax name, its UTF-8 form is there.
      const char* path = archive_entry_pathname(entry_);
      if (!path) path = archive_entry_pathname_utf8(entry_);
      if (!path) throw Error(name_ + ": is damaged (an entry without a name)");
      path_ = below_root(path);
      bool is_file = archive_entry_filetype(entry_) == AE_IFREG || is_link();
      if (is_file && !is_hidden(path_)) return true;
    }
  }
  const std::string& path() const { return path_; }
  bool is_link() const {
    return archive_entry_filetype(entry_) == AE_IFLNK || archive_entry_hardlink(entry_);
  }
  std::int64_t size() const { return archive_entry_size(entry_); }

  // The contents of the present entry.
  void read(std::vector<std::byte>& into) {
    into.clear();
    for (;;) {
      std::size_t held = into.size();
      into.resize(held + kBlock);
      la_ssize_t got = archive_read_data(archive_, into.data() + held, kBlock);
      if (got < 0) throw Error(fmt::format("{}: is damaged ({})", name_, why()));
      into.resize(held + std::size_t(got));
      if (got == 0) return;
    }
  }

 private:
  std::string why() const {
    const char* text = archive_error_string(archive_);
    return text ? text : "unknown reason";
  }
  std::string name_;
  archive* archive_;
  archive_entry* entry_ = nullptr;
  std::string path_;
};

class TarSource final : public CheckedSource {
 public:
  TarSource(Descriptor file, std::string source, const ReadOptions& options)
      : CheckedSource(source, options), file_(file ? std::move(file) : open_read(source)) {
    off_t start = ::lseek(file_.get(), 0, SEEK_CUR);
    if (start < 0) throw_errno(source, "cannot seek", errno);
    survey();
    if (::lseek(file_.get(), start, SEEK_SET) < 0) throw_errno(source, "cannot seek", errno);
    tar_ = std::make_unique<Tar>(file_.get(), this->source());
  }
  bool has_captions() const override { return !captions_.empty(); }
  std::int64_t expected() const override { return count_; }

 protected:
  bool advance(Item& item) override {
    do {
      if (!tar_->next()) {
        captions_.warn_unused(source());
        return false;
      }
    } while (!has_picture_suffix(tar_->path()));
    item.name = tar_->path();
    item.label = numbers_.empty() ? classes_.label_of(item.name) : number_of(item.name);
    item.caption = captions_.find(item.name);
    too_large_ = tar_->size() > options().limits.max_bytes;
    if (!too_large_) tar_->read(bytes_);  // a damaged archive is no bad picture
    return true;
  }
  void load(Item& item) override {
    if (tar_->is_link()) {
      throw Error("is a link; tar follows links with --dereference --hard-dereference");
    }
    if (too_large_) {
      throw Error(
          fmt::format("has {} bytes, at most {}", tar_->size(), options().limits.max_bytes));
    }
    item.picture = decode_picture(bytes_, options().limits);
  }
  bool own_labels() const override { return !numbers_.empty() || !classes_.names().empty(); }
  std::vector<std::string> own_label_names() const override {
    return numbers_.empty() ? classes_.names() : std::vector<std::string>{};
  }

 private:
  void survey() {
    Tar tar(file_.get(), source());
    std::set<std::string, std::less<>> directories;
    std::vector<std::byte> bytes;
    while (tar.next()) {
      const std::string& path = tar.path();
      bool is_table = file_name_of(path) == "captions.tsv" && tar.size() <= kMaxTableBytes;
      bool is_text = path.ends_with(".txt") && tar.size() <= std::int64_t(kMaxCaptionBytes);
      bool is_class = path.ends_with(".cls") && tar.size() <= std::int64_t(kMaxCaptionBytes);
      if (has_picture_suffix(path)) {
        ++count_;
        if (!directories.contains(parent_of(path))) directories.emplace(parent_of(path));
      } else if (is_table || is_text || is_class) {
        tar.read(bytes);
        std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (is_table)
          skipped += captions_.add_tsv(text, parent_of(path), source() + "/" + path,
                                       options().on_error == "skip");
        if (is_text) captions_.add_text(path, text, source() + "/" + path);
        if (is_class) numbers_.add_text(path, text, source() + "/" + path);
      }
    }
    classes_ = FolderClasses({directories.begin(), directories.end()});
  }

  // WebDataset: the class of a.png is the number in a.cls.
  std::int32_t number_of(const std::string& path) const {
    std::string_view text = numbers_.find(path);
    std::int32_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size() && number >= 0) return number;
    throw Error(text.empty()
                    ? fmt::format("{}: has no .cls member beside it, as other pictures have",
                                  place_of(source(), path))
                    : fmt::format("{}.cls: expected the number of a class, found '{}'",
                                  place_of(source(), without_suffix(path)), text.substr(0, 20)));
  }

  Descriptor file_;
  std::unique_ptr<Tar> tar_;
  FolderClasses classes_;
  CaptionTable captions_, numbers_;
  std::vector<std::byte> bytes_;
  std::int64_t count_ = 0;
  bool too_large_ = false;
};

}  // namespace

std::unique_ptr<CheckedSource> open_tar(Descriptor file, std::string source,
                                        const ReadOptions& options) {
  return std::make_unique<TarSource>(std::move(file), std::move(source), options);
}

}  // namespace atelier
