// Levelled messages on standard error; the only writer to it. Every line starts with the program.
#pragma once

#include <string>
#include <string_view>

namespace atelier::logging {

enum class Level { error, warning, info, detail, debug };  // -q, default, -v, -vv, --debug

void set_program(std::string_view name);
const std::string& program();
void set_level(Level level);
Level level();

void error(std::string_view message);
void warning(std::string_view message);  // shown unless --quiet
void info(std::string_view message);     // shown with -v
void detail(std::string_view message);   // shown with -vv

// A line that is always shown unless --quiet and that carries no "warning:"; for summaries.
void note(std::string_view message);

// The progress line of a terminal: rewritten in place; an empty text clears it. Messages printed
// meanwhile clear it first.
void status_line(std::string_view text);

}  // namespace atelier::logging
