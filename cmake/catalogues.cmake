# inkstone_catalogues(LANGUAGE...): po/LANGUAGE.po of each, checked and compiled by msgfmt, as bytes in catalogues.cc of
# the build folder, so that the program looks for no file.
find_program(MSGFMT msgfmt)
if(NOT MSGFMT)
  message(FATAL_ERROR "msgfmt is not found. On Debian and Ubuntu: apt-get install gettext")
endif()

function(inkstone_catalogues)
  set(compiled "")
  foreach(language ${ARGN})
    set(mo ${CMAKE_CURRENT_BINARY_DIR}/${language}.mo)
    add_custom_command(OUTPUT ${mo}
      COMMAND ${MSGFMT} --check --output-file=${mo} ${PROJECT_SOURCE_DIR}/po/${language}.po
      DEPENDS ${PROJECT_SOURCE_DIR}/po/${language}.po VERBATIM)
    list(APPEND compiled ${mo})
  endforeach()
  add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/catalogues.cc
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/catalogues.cc "-DCATALOGUES=${compiled}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_catalogues.cmake
    DEPENDS ${compiled} ${PROJECT_SOURCE_DIR}/cmake/embed_catalogues.cmake VERBATIM)
endfunction()
