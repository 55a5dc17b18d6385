// Handlers only set flags.
#include "train/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace atelier {
namespace {

std::atomic<bool> g_stop{false}, g_save{false}, g_interrupted{false};

void on_stop(int signal) {
  if (signal == SIGINT && g_interrupted.exchange(true)) {
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  g_stop = true;
}
void on_save(int) { g_save = true; }

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_stop;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::sigaction(signal, &action, nullptr);
  action.sa_handler = on_save;
  ::sigaction(SIGUSR2, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}
bool stop_requested() { return g_stop; }
bool save_requested() { return g_save.exchange(false); }
void forget_signals() { g_stop = g_save = g_interrupted = false; }

}  // namespace atelier
