# cmake -DOUTPUT=catalogues.cc -DCATALOGUES=zh.mo;... -P embed_catalogues.cmake: what src/base/catalogues.h declares.
set(arrays "")
set(rows "")
foreach(catalogue ${CATALOGUES})
  get_filename_component(language ${catalogue} NAME_WE)
  file(READ ${catalogue} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char k_${language}[] = {\n${bytes}};\n")
  string(APPEND rows "    {\"${language}\", {k_${language}, sizeof k_${language}}},\n")
endforeach()
file(WRITE ${OUTPUT} "// Written by cmake/embed_catalogues.cmake.
#include \"base/catalogues.h\"

namespace inkstone {
namespace {
${arrays}
constexpr EmbeddedCatalogue kCatalogues[] = {
${rows}};
}  // namespace

std::span<const EmbeddedCatalogue> embedded_catalogues() { return kCatalogues; }
}  // namespace inkstone
")
