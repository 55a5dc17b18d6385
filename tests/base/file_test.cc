// Files that are replaced, and what cannot be: links, devices, FIFOs, modes.
#include "base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "base/error.h"
#include "base/mapping.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "atelier-base-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()));
    root_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  fs::path operator/(const char* name) const { return root_ / name; }
  std::size_t entries() const {
    return std::size_t(std::distance(fs::directory_iterator(root_), fs::directory_iterator{}));
  }

 private:
  fs::path root_;
};

void put(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
std::string got(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
void replace(const fs::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}
mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode;
}
std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("of a link the file that it leads to is replaced, also where there is none yet") {
  Folder folder;
  fs::create_directory(folder / "far");
  put(folder / "far/real", "old");
  fs::create_symlink("far/real", folder / "link");
  fs::create_symlink(folder / "link", folder / "far/back");
  fs::create_symlink("far/fresh", folder / "dangling");
  for (const char* name : {"link", "far/back", "dangling"}) {
    CAPTURE(name);
    replace(folder / name, std::string("new ") + name);
    CHECK(fs::is_symlink(folder / name));
    CHECK(got(folder / name) == std::string("new ") + name);
  }
  CHECK(got(folder / "far/real") == "new far/back");
  CHECK(S_ISREG(mode_of(folder / "far/real")));
  CHECK(S_ISREG(mode_of(folder / "far/fresh")));
  CHECK(folder.entries() == 3);
  CHECK(fs::exists(folder / "far/fresh"));
  {
    AtomicFile dropped(folder / "link");
    dropped.write("never");
    // Beside the file itself: another directory may be another file system.
    CHECK(dropped.temporary().parent_path() == folder / "far");
  }
  CHECK(got(folder / "link") == "new far/back");
  fs::create_symlink("round", folder / "round");
  CHECK(message_of([&] { replace(folder / "round", "x"); }) ==
        (folder / "round").string() + ": cannot write: Too many levels of symbolic links");
}

TEST_CASE("the new file has the mode of the old, and no more people see it before") {
  Folder folder;
  mode_t before = ::umask(022);
  for (mode_t mode : {0600, 0640, 0664, 0444, 0755}) {
    put(folder / "file", "old");
    REQUIRE(::chmod((folder / "file").c_str(), mode) == 0);
    {
      AtomicFile file(folder / "file");
      CHECK((mode_of(file.temporary()) & 07777) == 0600);
      file.write("new");
      file.commit();
    }
    CHECK((mode_of(folder / "file") & 07777) == mode);
    CHECK(got(folder / "file") == "new");
    fs::remove(folder / "file");
  }
  replace(folder / "fresh", "new");
  CHECK((mode_of(folder / "fresh") & 07777) == 0644);
  ::umask(before);
}

TEST_CASE("the file of another user stays theirs when root replaces it") {
  if (::geteuid() != 0) return void(fmt::print("skipped: files of other users: not root\n"));
  Folder folder;
  put(folder / "theirs", "old");
  REQUIRE(::chown((folder / "theirs").c_str(), 65534, 65533) == 0);
  replace(folder / "theirs", "new");
  struct stat status {};
  REQUIRE(::stat((folder / "theirs").c_str(), &status) == 0);
  CHECK(status.st_uid == 65534);
  CHECK(status.st_gid == 65533);
}

TEST_CASE("a device is written to and stays a device") {
  Folder folder;
  fs::path null = folder / "null", full = folder / "full";
  if (::mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0 ||
      ::mknod(full.c_str(), S_IFCHR | 0666, makedev(1, 7)) != 0 ||
      !Descriptor(::open(null.c_str(), O_WRONLY | O_CLOEXEC)))
    return void(fmt::print("skipped: devices: mknod is not allowed here\n"));
  replace(null, "gone");
  CHECK(S_ISCHR(mode_of(null)));
  CHECK(message_of([&] { replace(full, "x"); }) ==
        full.string() + ": cannot write: No space left on device");
  CHECK(S_ISCHR(mode_of(full)));
  CHECK(folder.entries() == 2);
}

TEST_CASE("a FIFO gets the whole at the end, or nothing") {
  Folder folder;
  fs::path fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const std::string large(300'000, 'x');  // more than a pipe holds
  for (bool commit : {true, false}) {
    std::string heard;
    std::thread reader([&] { heard = got(fifo); });
    {
      AtomicFile file(fifo);
      CHECK(file.temporary().empty());
      file.write("head ");
      file.write(large);
      if (commit) file.commit();
    }
    reader.join();
    CHECK(heard == (commit ? "head " + large : ""));
    CHECK(S_ISFIFO(mode_of(fifo)));
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("a descriptor by name is written to: a pipe, and a file that has lost its name") {
  Folder folder;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  replace(fmt::format("/proc/self/fd/{}", ends[1]), "through");
  char heard[16];
  CHECK(::read(ends[0], heard, sizeof heard) == 7);
  ::close(ends[0]);
  ::close(ends[1]);
  put(folder / "file", "");
  Descriptor file(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  fs::path by_number = fmt::format("/proc/self/fd/{}", file.get());
  fs::remove(folder / "file");
  replace(by_number, "nameless");
  CHECK(::pread(file.get(), heard, sizeof heard, 0) == 8);
  CHECK(folder.entries() == 0);
}

TEST_CASE("a name may be as long as names can be") {
  Folder folder;
  // The second is of characters of two bytes, whose middle is no place to cut.
  for (std::string name : {std::string(255, 'n'), std::string(1, 'a')}) {
    std::size_t kept = name.size() == 255 ? 200 : 199;
    while (name.size() < 255) name += "\u00e9";
    fs::path path = folder / name.c_str();
    {
      AtomicFile file(path);
      std::string temporary = file.temporary().filename().string();
      CHECK(temporary.size() <= 255);
      CHECK(temporary.ends_with(".tmp"));
      CHECK(temporary.starts_with("." + name.substr(0, kept) + "."));
      file.write("long");
      file.commit();
    }
    CHECK(got(path) == "long");
    fs::remove(path);
  }
  put(folder / ("." + std::string(200, 'n') + ".1.0.tmp").c_str(), "left");
  remove_stale_temporaries(folder / "");
  CHECK(folder.entries() == 0);
}

// What a process says that reads byte 40,000 of a file of 64 KiB mapped under `name` after the file
// was cut to 100 bytes, with an output begun; it must end with status 1 and leave no temporary.
static std::string said_of_lost_page(const Folder& folder, const std::string& name, int mappings) {
  put(folder / "map", std::string(1 << 16, 'x'));
  fs::path said = folder / "said";
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    end_on_lost_pages("toy");
    AtomicFile begun(folder / "begun");
    Descriptor file(open_read(folder / "map"));
    std::vector<Mapping> maps;
    for (int i = 0; i < mappings; ++i) maps.emplace_back(file.get(), 5000, 60000, name);
    fs::resize_file(folder / "map", 100);
    ::_exit(std::to_integer<int>(maps.back().bytes()[35000]));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(folder.entries() == 2);
  return got(said);
}

TEST_CASE("a mapped file that is cut short ends the process with a line and status 1") {
  Folder folder;
  std::string path = (folder / "map").string();
  CHECK(said_of_lost_page(folder, path, 1) ==
        "toy: " + path +
            ": was cut short while it was read: expected at least 65000 bytes, found 100\n");
  CHECK(said_of_lost_page(folder, "-", 3) ==
        "toy: -: was cut short while it was read, or its disk failed\n");
  CHECK(said_of_lost_page(folder, path, 200) ==
        "toy: a mapped file or shared memory segment was cut short, or its disk failed\n");
}

TEST_CASE("what a killed process left of one file goes, and of others stays") {
  Folder folder;
  for (const char* name : {".a.h5.12.0.tmp", ".a.h5.999999.31.tmp"}) put(folder / name, "left");
  const char* others[] = {".a.h5.state.1.2.tmp", ".ba.h5.1.2.tmp", ".a.h5.1.tmp", "a.h5",
                          ".a.h5.x.1.tmp"};
  for (const char* name : others) put(folder / name, "other");
  AtomicFile file(folder / "a.h5");  // locked: at work
  remove_stale_temporaries_of(folder / "a.h5");
  CHECK(fs::exists(file.temporary()));
  for (const char* name : others) CHECK_MESSAGE(fs::exists(folder / name), name);
  CHECK(folder.entries() == std::size(others) + 1);
  remove_stale_temporaries_of(folder / "none" / "a.h5");
}

TEST_CASE("directories are refused") {
  Folder folder;
  fs::create_directory(folder / "inner");
  fs::create_symlink("inner", folder / "link");
  for (const char* name : {"inner", "link"})
    CHECK(message_of([&] { replace(folder / name, "x"); }) ==
          (folder / name).string() + ": cannot write: Is a directory");
  CHECK(folder.entries() == 2);
}

TEST_CASE("no option may replace what another reads, by whatever name") {
  Folder folder;
  fs::create_directory(folder / "pictures");
  for (const char* name : {"labels.csv", "data.h5", "init.h5", "pictures/a.png"})
    put(folder / name, "x");
  fs::create_symlink("init.h5", folder / "alias");
  fs::create_hard_link(folder / "data.h5", folder / "twin");
  auto path = [&](const char* name) { return (folder / name).string(); };
  const std::vector<std::string> sources{path("data.h5"), path("pictures"), "-"};
  const std::vector<std::string> inputs =
      paths_of(sources, path("labels.csv"), std::string(), path("init.h5"), "auto");
  CHECK(inputs.size() == 7);
  for (const char* name : {"data.h5", "twin", "labels.csv", "init.h5", "alias"})
    CHECK(message_of([&] { refuse_overwriting(path(name), inputs); }) ==
          "--output " + path(name) + ": would replace what is read");
  CHECK(message_of([&] { refuse_overwriting(path("alias"), inputs, "--metrics"); }) ==
        "--metrics " + path("alias") + ": would replace what is read");
  CHECK(message_of([&] { refuse_overwriting(path("pictures/a.png"), inputs); }) ==
        "--output " + path("pictures/a.png") + ": would replace a file of " + path("pictures") +
            ", which is read");
  put(folder / "other.h5", "x");
  for (const std::string& free :
       {path("other.h5"), path("pictures/new.png"), path("new"), std::string("-"), std::string()})
    CHECK(message_of([&] { refuse_overwriting(free, inputs); }) == "");
}
