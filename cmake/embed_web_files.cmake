# cmake -DOUTPUT=web_files.cc -DFILES=web/compare.css;... -P embed_web_files.cmake: what src/cli/web_files.h declares.
set(arrays "")
set(rows "")
set(number 0)
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char kFile${number}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${name}\", {kFile${number}, sizeof kFile${number}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Written by cmake/embed_web_files.cmake.
#include \"cli/web_files.h\"

#include <utility>

#include \"base/check.h\"

namespace inkstone::cli {
namespace {
${arrays}
constexpr std::pair<std::string_view, std::string_view> kWebFiles[] = {
${rows}};
}  // namespace

std::string_view web_file(std::string_view name) {
  for (const auto& [known, bytes] : kWebFiles) {
    if (known == name) return bytes;
  }
  INK_CHECK(false, name);
  return {};
}
}  // namespace inkstone::cli
")
