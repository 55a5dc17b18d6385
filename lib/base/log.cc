// Messages go out in one write each, so that lines of concurrent processes do not mix.
#include "base/log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <mutex>

namespace atelier::logging {
namespace {

struct State {
  std::string program = "atelier";
  Level level = Level::warning;
  bool status_shown = false;
  std::mutex mutex;
};

State& state() {
  static State instance;
  return instance;
}

void put(const std::string& text) {
  // Nothing can be done about a failing standard error.
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void line(std::string_view tag, std::string_view message) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  std::string text = s.status_shown ? "\r\033[K" : "";
  s.status_shown = false;
  text.append(s.program).append(": ").append(tag).append(message).append("\n");
  put(text);
}

}  // namespace

void set_program(std::string_view name) { state().program = name; }
const std::string& program() { return state().program; }
void set_level(Level level) { state().level = level; }
Level level() { return state().level; }

void error(std::string_view message) { line("", message); }
void warning(std::string_view message) {
  if (level() >= Level::warning) line("warning: ", message);
}
void note(std::string_view message) {
  if (level() >= Level::warning) line("", message);
}
void info(std::string_view message) {
  if (level() >= Level::info) line("", message);
}
void detail(std::string_view message) {
  if (level() >= Level::detail) line("", message);
}

void status_line(std::string_view text) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (text.empty() && !s.status_shown) return;
  s.status_shown = !text.empty();
  // A line that wraps could not be taken back.
  struct winsize window {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
    text = text.substr(0, window.ws_col - 1);
  put(std::string("\r\033[K").append(text));
}

}  // namespace atelier::logging
