// A fixed table, because a handler may neither allocate nor lock.
#include "base/temporaries.h"

#include <linux/limits.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "base/file.h"

namespace atelier {
namespace {

enum State { kFree, kChanging, kThere };

struct Entry {
  std::atomic<int> state{kFree};
  char path[PATH_MAX] = {};
};
constinit Entry g_table[16];
static_assert(std::atomic<int>::is_always_lock_free);

constexpr std::initializer_list<int> kSignals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// Signals wait on this thread; the handler on another one waits for entries that are changing.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void on_end(int signal) {
  const int error = errno;
  unlink_temporaries();
  ::signal(signal, SIG_DFL);
  ::raise(signal);  // blocked until this handler returns
  errno = error;
}

}  // namespace

void unlink_temporaries() {
  for (Entry& entry : g_table) {
    // A file that is being created is waited for, but not for ever: its disk may hang.
    for (int tries = 0; entry.state == kChanging && tries < 1000; ++tries) {
      timespec millisecond{0, 1000000};
      ::nanosleep(&millisecond, nullptr);
    }
    if (entry.state == kThere) ::unlink(entry.path);
  }
}

void register_temporary(std::string_view path, const std::function<bool()>& create) {
  SignalsBlocked blocked;
  for (Entry& entry : g_table) {
    int expected = kFree;
    if (path.size() >= sizeof entry.path) break;
    if (!entry.state.compare_exchange_strong(expected, kChanging)) continue;
    std::memcpy(entry.path, path.data(), path.size());
    entry.path[path.size()] = '\0';
    entry.state = create() ? kThere : kFree;
    return;
  }
  create();
}

void forget_temporary(std::string_view path) {
  for (Entry& entry : g_table) {
    if (entry.state == kThere && path == entry.path) entry.state = kFree;
  }
}

void unlink_temporaries_on_signals() {
  struct sigaction action {};
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_end;
  for (int signal : kSignals) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace atelier
