// What can be said of a place before a result is ready to go there.
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"

namespace atelier {

// Error if AtomicFile could not write `path`: a directory, or one that is missing or takes no new
// file. Leaves nothing behind. "" and "-" are taken for granted.
void require_replaceable(const std::string& path);
// The same of a file that is appended to.
void require_appendable(const std::string& path);

// "-" if standard output is a terminal, or the path of one.
bool leads_to_terminal(const std::string& output);
// UsageError for bytes that are nothing for people, "x is a terminal; give -o FILE, a pipe, or
// --force", if that is where they would go.
void refuse_terminal(const std::string& output);

// Opens for writing, with these further flags of open(2). The reader of a FIFO is waited for until
// the function given to stop_waiting_when() says that a stop was asked for: then Error. Without one
// only a signal ends the wait, and the process.
Descriptor open_write(const std::filesystem::path& path, int flags);
void stop_waiting_when(bool (*asked)());

}  // namespace atelier
