// Tables of cells divided by tabs, quoted where they must be, as csv modules write them (RFC 4180);
// private to this floor.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace atelier {

// Calls `row` with the cells of each row that is not empty and the line, from 1, that it begins on.
// Throws Error("name: line 3: ...") for quotes that do not fit.
void read_tsv(std::string_view text, const std::string& name,
              const std::function<void(std::span<const std::string> cells, int line)>& row);

bool is_utf8(std::string_view text);
std::size_t utf8_prefix(std::string_view text);  // bytes before the first that are not UTF-8
// Bytes that are not UTF-8 as %FF.
std::string as_utf8(std::string_view bytes);

}  // namespace atelier
