// The files of web/, which the build puts into the program (cmake/web_files.cmake).
#pragma once

#include <string_view>

namespace inkstone::cli {

// The bytes of web/NAME, as "compare.css". INK_CHECK if there is none.
std::string_view web_file(std::string_view name);

}  // namespace inkstone::cli
