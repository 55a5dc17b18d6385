// What happens when a disk is full, a file may not grow, a directory is closed or calls are
// interrupted: one message, the old file as it was, nothing left over.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/file.h"
#include "io/picture_sink.h"
#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

// While it lives, files of this process cannot grow beyond `bytes`.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);  // as every tool does
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

void write_rows(const std::string& path) {
  Hdf5Writer writer = Hdf5Writer::create(path, "images");
  const std::int64_t row[] = {16, 16};
  Hdf5Writer::Rows rows = writer.rows("/images", FileType::u8, row);
  for (int i = 0; i < 40; ++i) rows.append(Bytes(256, std::byte(i)));
  rows.finish();
  writer.commit();
}

void write_sink(const std::string& path) {
  SinkOptions options;
  options.output = path;
  PictureSink sink(options, 16, 16, 3);
  std::vector<std::uint8_t> pixels(16 * 16 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = std::uint8_t(i * i * 2654435761u >> 9);
  for (int i = 0; i < 8; ++i) sink.add(pixels, i);
  sink.finish();
}

}  // namespace

TEST_CASE("a file that may not grow fails at any byte with one message, and the old one stays") {
  Folder folder;
  const std::pair<const char*, void (*)(const std::string&)> writers[] = {{"small.h5", write_small},
                                                                          {"rows.h5", write_rows},
                                                                          {"sink.png", write_sink},
                                                                          {"sink.tar", write_sink},
                                                                          {"sink.ppm", write_sink}};
  std::size_t cases = 0;
  for (const auto& [name, write] : writers) {
    const std::string path = folder.path(name);
    write(path);
    const std::size_t whole = read_bytes(path).size();
    folder.write(name, bytes_of("the old file"));
    const std::size_t files = folder.entries();
    for (std::size_t limit = 0; limit < whole; limit += limit < 64 ? 9 : whole / 23, ++cases) {
      std::string message;
      {
        SizeLimit small(limit);
        message = message_of([&, write = write] { write(path); });
      }
      CAPTURE(path);
      CAPTURE(limit);
      bool named = message == path + ": cannot write: File too large" ||
                   message == in_spool(path) + ": cannot write: File too large";
      if (!named) FAIL_CHECK("message: " << message);
      CHECK(read_bytes(path) == bytes_of("the old file"));
      CHECK(folder.entries() == files);
    }
    write(path);
    CHECK(read_bytes(path).size() == whole);
  }
  fmt::print("summary: files: {} limits of size, each a clean message\n", cases);
}

TEST_CASE("a full device and a closed pipe on standard output are told") {
  int saved = ::dup(STDOUT_FILENO);
  std::fflush(stdout);
  int full = ::open("/dev/full", O_WRONLY);
  REQUIRE(full >= 0);
  ::dup2(full, STDOUT_FILENO);
  std::string at_full = message_of([] { write_small("-"); });
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  ::signal(SIGPIPE, SIG_IGN);
  ::dup2(ends[1], STDOUT_FILENO);
  std::string at_closed = message_of([] { write_small("-"); });
  ::dup2(saved, STDOUT_FILENO);
  for (int fd : {saved, full, ends[1]}) ::close(fd);
  CHECK(at_full == "standard output: cannot write: No space left on device");
  CHECK(at_closed == "standard output: cannot write: Broken pipe");
}

TEST_CASE("outputs that cannot be are refused by name") {
  Folder folder;
  CHECK(message_of([&] { write_small(folder.path("no/such/a.h5")); }) ==
        folder.path("no/such/a.h5") + ": cannot write: No such file or directory");
  CHECK(message_of([&] { write_small(folder.path()); }) ==
        folder.path() + ": cannot write: Is a directory");
  folder.write("file", {});
  CHECK(contains(message_of([&] { write_small(folder.path("file/a.h5")); }), "Not a directory"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("interrupted and short transfers go on until all is written and read") {
  // Signals without SA_RESTART, sent often to the one thread that works.
  struct sigaction action {};
  static std::atomic<int> caught{0};
  action.sa_handler = [](int) { ++caught; };
  struct sigaction before {};
  ::sigaction(SIGUSR1, &action, &before);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  Bytes large(3 << 20);
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = std::byte(i * 2654435761u >> 13);
  std::atomic<bool> done{false};
  pthread_t worker = ::pthread_self();
  std::thread disturber([&] {
    // A slow reader that interrupts the writer while it waits.
    Bytes heard;
    std::byte buffer[30000];
    while (heard.size() < large.size()) {
      // The first signal ends a write short, the others meet one that has moved nothing yet.
      for (int i = 0; i < 3; ++i) {
        ::pthread_kill(worker, SIGUSR1);
        ::usleep(100);
      }
      ssize_t n = ::read(ends[0], buffer, sizeof buffer);
      if (n <= 0) break;
      heard.insert(heard.end(), buffer, buffer + n);
    }
    done = heard == large;
  });
  write_all(ends[1], large, "pipe");
  disturber.join();
  CHECK(done);
  CHECK(caught > 10);
  ::close(ends[0]);
  ::close(ends[1]);
  ::sigaction(SIGUSR1, &before, nullptr);
}
