// Pictures in a folder and the folders below, each directory in byte order of its names.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/log.h"
#include "data/captions.h"
#include "data/source.h"

namespace atelier {
namespace {

struct Listing {
  std::vector<std::string> pictures;     // relative to the root
  std::vector<std::string> directories;  // those that pictures lie in; repeated
  std::vector<std::string> texts, tables;
};

// Walks a tree. A link to a folder is followed if that folder is not on the way down to it and no
// other link has led there: links that go round end. The run directory of a training, which holds a
// run.lock, is no data: its grids would be learnt when the run goes on.
class Walk {
 public:
  explicit Walk(std::string root) : root_(std::move(root)) {
    struct stat status {};
    if (::stat(root_.c_str(), &status) != 0) throw_errno(root_, "cannot open", errno);
    way_.push_back({status.st_dev, status.st_ino});
    directory("");
    if (run_.empty()) return;
    logging::note(fmt::format("{}/{}: left out, it is a run directory{}", root_, run_,
                              runs_ > 1 ? fmt::format(", as {} more are", runs_ - 1) : ""));
  }
  Listing listing;

 private:
  using Identity = std::pair<dev_t, ino_t>;

  std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entries(path, error), end;
    for (; !error && entries != end; entries.increment(error)) {
      std::string name = entries->path().filename().string();
      if (!name.starts_with('.')) names.push_back(std::move(name));
    }
    if (error) throw_errno(path, "cannot open", error.value());
    std::sort(names.begin(), names.end());
    return names;
  }

  void directory(const std::string& relative) {
    bool has_pictures = false;
    for (const std::string& name : names_in(root_ + "/" + relative)) {
      std::string path = relative.empty() ? name : relative + "/" + name;
      has_pictures |= entry(path);
    }
    if (has_pictures) listing.directories.push_back(relative);
  }

  // True for a picture.
  bool entry(const std::string& path) {
    const std::string full = root_ + "/" + path;
    struct stat link {
    }, target{};
    if (::lstat(full.c_str(), &link) != 0) throw_errno(full, "cannot open", errno);
    bool found = ::stat(full.c_str(), &target) == 0;  // a dangling link is a bad picture, if that
    if (found && S_ISDIR(target.st_mode)) {
      enter(path, {target.st_dev, target.st_ino}, S_ISLNK(link.st_mode));
      return false;
    }
    if (found && !S_ISREG(target.st_mode)) return false;
    if (has_picture_suffix(path)) {
      listing.pictures.push_back(path);
      return true;
    }
    if (!found) return false;
    if (file_name_of(path) == "captions.tsv") listing.tables.push_back(path);
    if (path.ends_with(".txt") && std::size_t(target.st_size) <= kMaxCaptionBytes) {
      listing.texts.push_back(path);
    }
    return false;
  }

  void enter(const std::string& path, Identity identity, bool is_link) {
    if (is_link) {
      bool above = std::find(way_.begin(), way_.end(), identity) != way_.end();
      if (above || !followed_.insert(identity).second) return;
    }
    struct stat lock {};
    if (::stat((root_ + "/" + path + "/run.lock").c_str(), &lock) == 0 && S_ISREG(lock.st_mode)) {
      if (runs_++ == 0) run_ = path;
      return;
    }
    way_.push_back(identity);
    directory(path);
    way_.pop_back();
  }

  std::string root_;
  std::vector<Identity> way_;
  std::set<Identity> followed_;
  std::string run_;  // the first run directory met
  std::int64_t runs_ = 0;
};

class FolderSource final : public CheckedSource {
 public:
  FolderSource(std::string root, const ReadOptions& options) : CheckedSource(root, options) {
    Walk walk(source());
    pictures_ = std::move(walk.listing.pictures);
    classes_ = FolderClasses(std::move(walk.listing.directories));
    for (const std::string& table : walk.listing.tables) {
      std::string path = source() + "/" + table;
      skipped += captions_.add_tsv(read_text(path, std::size_t{1} << 32), parent_of(table), path,
                                   options.on_error == "skip");
    }
    read_texts(std::move(walk.listing.texts));
  }
  bool has_captions() const override { return !captions_.empty(); }
  std::int64_t expected() const override { return std::int64_t(pictures_.size()); }

 protected:
  bool advance(Item& item) override {
    if (index_ == pictures_.size()) {
      captions_.warn_unused(source());
      return false;
    }
    item.name = pictures_[index_++];
    item.label = classes_.label_of(item.name);
    item.caption = captions_.find(item.name);
    return true;
  }
  void load(Item& item) override {
    std::string path = source() + "/" + item.name;
    struct stat status {};
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::fstat(fd.get(), &status) != 0) {
      throw Error(fmt::format("cannot open: {}", std::generic_category().message(errno)));
    }
    if (status.st_size > options().limits.max_bytes) {
      throw Error(
          fmt::format("has {} bytes, at most {}", status.st_size, options().limits.max_bytes));
    }
    bytes_.resize(std::size_t(status.st_size));
    std::size_t done = 0;
    while (done < bytes_.size()) {
      std::size_t got = read_some(fd.get(), std::span(bytes_).subspan(done), path);
      if (got == 0) break;
      done += got;
    }
    bytes_.resize(done);
    item.picture = decode_picture(bytes_, options().limits);
  }
  bool own_labels() const override { return !classes_.names().empty(); }
  std::vector<std::string> own_label_names() const override { return classes_.names(); }

 private:
  // Only the texts beside pictures: a README.txt is none.
  void read_texts(std::vector<std::string> texts) {
    if (texts.empty()) return;
    std::set<std::string_view> stems;
    for (const std::string& picture : pictures_) stems.insert(without_suffix(picture));
    for (const std::string& text : texts) {
      if (!stems.contains(without_suffix(text))) continue;
      const std::string name = source() + "/" + text;
      captions_.add_text(text, read_text(name, kMaxCaptionBytes), name);
    }
  }

  std::vector<std::string> pictures_;
  FolderClasses classes_;
  CaptionTable captions_;
  std::vector<std::byte> bytes_;
  std::size_t index_ = 0;
};

}  // namespace

std::unique_ptr<CheckedSource> open_folder(std::string source, const ReadOptions& options) {
  return std::make_unique<FolderSource>(std::move(source), options);
}

}  // namespace atelier
