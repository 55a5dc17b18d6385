// JSON Lines by nlohmann-json; each record is one write.
#include "io/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace atelier {

std::string to_json_line(const Attributes& values) {
  nlohmann::ordered_json record;
  for (const auto& [name, value] : values) {
    std::visit(
        [&, &label = name](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>) {
            if (!std::isfinite(v)) {
              record[label] = nullptr;
              return;
            }
          }
          record[label] = v;
        },
        value);
  }
  return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

MetricsWriter::MetricsWriter(const std::string& output) : name_(output) {
  if (output == "-") {
    standard_output_ = true;
    name_ = "standard output";
    return;
  }
  int fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) throw_errno(output, "cannot write", errno);
  file_ = Descriptor(fd);
}

void MetricsWriter::record(const Attributes& values) {
  if (!*this) return;
  std::string line = to_json_line(values);
  int fd = standard_output_ ? STDOUT_FILENO : file_.get();
  std::string_view rest = line;
  while (!rest.empty()) {
    ssize_t n = ::write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE && standard_output_) {
      standard_output_ = false;  // the reader went away; the run goes on
      return;
    }
    if (n <= 0) throw_errno(name_, "cannot write", n < 0 ? errno : ENOSPC);
    rest.remove_prefix(std::size_t(n));
  }
}

}  // namespace atelier
