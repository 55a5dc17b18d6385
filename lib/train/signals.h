// Signals of batch systems as flags that the loop looks at.
#pragma once

namespace atelier {

// SIGINT, SIGTERM, SIGHUP, SIGUSR1: save and stop; SIGUSR2: save and go on; a second SIGINT ends
// the process at once. A SIGHUP that was ignored stays ignored. SIGPIPE is ignored: losing the
// reader of the metrics must not lose the run. A FIFO that nobody reads is waited for until a stop
// is asked for.
//
// Called first thing. There is nothing to save yet: until save_on_signals(), a signal that asks for
// a stop says so on standard error and ends the process; SIGUSR2 waits for the first update.
void install_signal_handlers();
void save_on_signals();
bool stop_requested();
bool save_requested();  // and forgets it
void forget_signals();

}  // namespace atelier
