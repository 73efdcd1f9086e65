# inkstone_web_files(FILE...): files of web/ as bytes in web_files.cc of the build folder, so that the program looks for none.
function(inkstone_web_files)
  set(files "")
  foreach(name ${ARGN})
    list(APPEND files ${PROJECT_SOURCE_DIR}/web/${name})
  endforeach()
  add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/web_files.cc
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${CMAKE_CURRENT_BINARY_DIR}/web_files.cc "-DFILES=${files}"
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_web_files.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed_web_files.cmake VERBATIM)
endfunction()
