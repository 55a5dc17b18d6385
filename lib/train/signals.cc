// Handlers only set flags.
#include "train/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "base/outputs.h"
#include "base/temporaries.h"

namespace atelier {
namespace {

std::atomic<bool> g_stop{false}, g_save{false}, g_interrupted{false}, g_ready{false};
char g_message[256];  // composed beforehand: a handler may not format

void on_stop(int signal) {
  if (!g_ready) {
    [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, g_message, std::strlen(g_message));
    unlink_temporaries();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  if (signal == SIGINT && g_interrupted.exchange(true)) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  g_stop = true;
}
void on_save(int) { g_save = true; }

}  // namespace

void install_signal_handlers() {
  g_ready = false;
  std::snprintf(g_message, sizeof g_message,
                "%s: stopped by a signal before the training began; nothing saved\n",
                logging::program().c_str());
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_stop;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction former {};
    ::sigaction(signal, nullptr, &former);
    // nohup asks for it.
    if (signal == SIGHUP && former.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
  action.sa_handler = on_save;
  ::sigaction(SIGUSR2, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  stop_waiting_when(stop_requested);
}
void save_on_signals() { g_ready = true; }
bool stop_requested() { return g_stop; }
bool save_requested() { return g_save.exchange(false); }
void forget_signals() { g_stop = g_save = g_interrupted = false; }

}  // namespace atelier
