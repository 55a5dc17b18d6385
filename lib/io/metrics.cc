// JSON Lines by nlohmann-json; each record is one write.
#include "io/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/outputs.h"

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

void require_records(const std::string& path) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_regular_file(path, error)) return;
  constexpr std::string_view kBegin = "{\"program\":\"";
  char begin[kBegin.size()];
  Descriptor file = open_read(path);
  std::size_t held = 0;
  while (std::size_t n =
             read_some(file.get(), std::as_writable_bytes(std::span(begin).subspan(held)), path))
    held += n;
  // Shorter if a kill cut the first line short.
  if (kBegin.starts_with(std::string_view(begin, held))) return;
  throw Error(fmt::format(
      "{}: expected records of a training, found something else; it is left as it was", path));
}

void remove_records_after(const std::string& path, std::int64_t step) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return;
  std::string text = read_text(path), kept;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == text.npos) break;
    std::string_view line = std::string_view(text).substr(at, end + 1 - at);
    at = end + 1;
    auto record = nlohmann::json::parse(line, nullptr, false);
    bool later = record.is_object() && record.contains("step") && record["step"].is_number() &&
                 record["step"].get<double>() > double(step);
    if (!later) kept += line;
  }
  if (kept.size() == text.size()) return;
  AtomicFile file(path);
  file.write(kept);
  file.commit();
}

MetricsWriter::MetricsWriter(const std::string& output) : name_(output_name(output)) {
  if (output == "-") {
    standard_output_ = true;
    return;
  }
  file_ = open_write(output, O_CREAT | O_APPEND);
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
