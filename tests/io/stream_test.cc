// Images back to back on pipes, both ways.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "support.h"

using namespace atelier;
using namespace atelier::test;

namespace {

// A pipe that these bytes come through, in pieces of odd sizes.
class Piped {
 public:
  explicit Piped(Bytes bytes, std::size_t piece = 65536) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::signal(SIGPIPE, SIG_IGN);  // a reader that stops early is no reason to die
    read_ = ends[0];
    writer_ = std::thread([fd = ends[1], bytes = std::move(bytes), piece] {
      for (std::size_t done = 0; done < bytes.size();) {
        ssize_t n = ::write(fd, bytes.data() + done, std::min(piece, bytes.size() - done));
        if (n <= 0) break;
        done += std::size_t(n);
      }
      ::close(fd);
    });
  }
  ~Piped() {
    ::close(read_);
    writer_.join();
  }
  int fd() const { return read_; }

 private:
  int read_;
  std::thread writer_;
};

// While it lives, standard output is `fd`.
class Redirected {
 public:
  explicit Redirected(int fd) : saved_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    ::dup2(fd, STDOUT_FILENO);
  }
  ~Redirected() {
    ::dup2(saved_, STDOUT_FILENO);
    ::close(saved_);
  }

 private:
  int saved_;
};

Bytes image(std::int64_t rows) {
  Folder folder;
  Hdf5Writer writer = Hdf5Writer::create(folder.path("i.h5"), "images");
  std::vector<std::int64_t> values(std::size_t(rows), 0);
  std::iota(values.begin(), values.end(), rows);
  writer.dataset<std::int64_t>("/x", Dims{rows}, values);
  writer.commit();
  return read_bytes(folder.path("i.h5"));
}

Bytes joined(std::initializer_list<std::int64_t> sizes) {
  Bytes all;
  for (auto rows : sizes) {
    Bytes next = image(rows);
    all.insert(all.end(), next.begin(), next.end());
  }
  return all;
}

// The sizes of the images of a stream; the message of what ends it badly.
struct Heard {
  std::vector<std::int64_t> sizes;
  std::string error;
  bool operator==(const Heard&) const = default;
};
Heard listen(int fd) {
  Heard heard;
  heard.error = message_of([&] {
    Hdf5Stream stream(fd, "standard input");
    while (auto file = stream.next()) {
      file->verify_all();
      heard.sizes.push_back(file->info("/x").dims[0]);
    }
  });
  return heard;
}

}  // namespace

TEST_CASE("images back to back come through a pipe in pieces of any size") {
  const Bytes three = joined({3, 1, 20000});
  for (std::size_t piece : {1u << 20, 4096u, 997u}) {
    Piped pipe(three, piece);
    CHECK(listen(pipe.fd()) == Heard{{3, 1, 20000}, ""});
  }
  const Bytes small = joined({1, 2, 3, 4, 5});
  Piped pipe(small, 1);
  CHECK(listen(pipe.fd()) == Heard{{1, 2, 3, 4, 5}, ""});
}

TEST_CASE("one image or several in a regular file are a stream as well") {
  Folder folder;
  for (const Bytes& bytes : {joined({4}), joined({4, 5})}) {
    Descriptor file = open_read(folder.write("s.h5", bytes));
    Heard heard = listen(file.get());
    CHECK(heard.error.empty());
    CHECK(heard.sizes == (bytes == joined({4}) ? Dims{4} : Dims{4, 5}));
  }
}

TEST_CASE("a stream that ends early or goes on with other bytes says where") {
  const Bytes two = joined({3, 5});
  const std::size_t first = image(3).size();
  for (std::size_t length = 1; length < two.size(); length += length % 500 < 120 ? 1 : 97) {
    if (length == first) continue;
    Piped pipe(Bytes(two.begin(), two.begin() + std::ptrdiff_t(length)));
    Heard heard = listen(pipe.fd());
    bool second = length > first;
    if (heard.sizes.size() != (second ? 1 : 0) || heard.error.empty() ||
        contains(heard.error, "(image 2)") != second)
      FAIL_CHECK("cut to " << length << ": " << heard.error);
  }
  Bytes followed = image(3);
  for (char c : std::string_view("some text behind the image")) followed.push_back(std::byte(c));
  Piped pipe(followed);
  Heard heard = listen(pipe.fd());
  CHECK(heard.sizes == Dims{3});
  CHECK(heard.error == "standard input (image 2): expected an HDF5 image, found text");
  Piped nothing({});
  CHECK(listen(nothing.fd()).error == "standard input: nothing arrived");
}

TEST_CASE("where one image is wanted, a second one is not silently left out") {
  for (bool twice : {false, true}) {
    Piped pipe(twice ? joined({3, 5}) : joined({3}));
    int saved = ::dup(STDIN_FILENO);
    ::dup2(pipe.fd(), STDIN_FILENO);
    Dims dims;
    std::string message = message_of([&] { dims = open_hdf5("-").info("/x").dims; });
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    CHECK(dims == (twice ? Dims{} : Dims{3}));
    CHECK(message ==
          (twice ? "standard input: expected one HDF5 image, found more behind it" : ""));
  }
}

TEST_CASE("a writer's image on a pipe is the file it would have written") {
  Folder folder;
  write_small(folder.path("a.h5"));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  Bytes heard;
  std::thread reader([&] {
    std::byte buffer[1000];
    for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
      heard.insert(heard.end(), buffer, buffer + n);
  });
  {
    Redirected output(ends[1]);
    write_small("-");
    write_small("-");
  }
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  Bytes twice = read_bytes(folder.path("a.h5")), once = twice;
  twice.insert(twice.end(), once.begin(), once.end());
  CHECK(heard == twice);
}
