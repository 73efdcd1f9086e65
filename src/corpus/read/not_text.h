// Files that are known not to be text.
#pragma once

#include <string_view>

namespace inkstone {

// What a file is that begins with `head` and is no text that is read here, and what to do with it:
// "PDF; convert it to text first, for example by pdftotext". Empty when its beginning does not
// tell. Some formats are text to look at (RTF), and no text to learn from.
std::string_view format_to_convert(std::string_view head);

}  // namespace inkstone
