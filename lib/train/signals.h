// Signals of batch systems as flags that the loop looks at.
#pragma once

namespace atelier {

// SIGINT, SIGTERM, SIGHUP, SIGUSR1: save and stop; SIGUSR2: save and go on; a second SIGINT ends
// the process at once. SIGPIPE is ignored: losing the reader of the metrics must not lose the run.
void install_signal_handlers();
bool stop_requested();
bool save_requested();  // and forgets it
void forget_signals();

}  // namespace atelier
