# install target: the program with its man page and completion, and the library with its public headers for
# find_package(inkstone). `cpack` makes a Debian package of the program (cmake/package.cmake).
include(CMakePackageConfigHelpers)

# inkstone::inkstone is what other projects link: every layer below the command line. (The target `inkstone`
# is the program.)
get_property(layers GLOBAL PROPERTY INKSTONE_LAYERS)
add_library(inkstone_library INTERFACE)
add_library(inkstone::inkstone ALIAS inkstone_library)
set_target_properties(inkstone_library PROPERTIES EXPORT_NAME inkstone)
target_link_libraries(inkstone_library INTERFACE ${layers})

# The archives are installed as inkstone::inkstone_base and so on; users need not name them.
install(TARGETS inkstone RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(FILES LICENSE RENAME copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES packaging/completion.bash RENAME inkstone
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
# The man page is what the program says of itself; one that runs on another system, or under a sanitizer, is not asked.
if(NOT CMAKE_CROSSCOMPILING AND NOT INKSTONE_SANITIZE)
  set(man_page ${PROJECT_BINARY_DIR}/inkstone.1.gz)
  add_custom_command(OUTPUT ${man_page}
    COMMAND sh ${PROJECT_SOURCE_DIR}/packaging/man_page.sh $<TARGET_FILE:inkstone> > inkstone.1
    COMMAND gzip -9nf inkstone.1
    DEPENDS inkstone ${PROJECT_SOURCE_DIR}/packaging/man_page.sh WORKING_DIRECTORY ${PROJECT_BINARY_DIR} VERBATIM)
  add_custom_target(inkstone_man_page ALL DEPENDS ${man_page})
  install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
endif()
install(TARGETS inkstone_library inkstone_options ${layers} EXPORT inkstoneTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/inkstone DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/inkstone)
install(EXPORT inkstoneTargets NAMESPACE inkstone:: DESTINATION ${config_folder})
configure_package_config_file(cmake/inkstoneConfig.cmake.in ${PROJECT_BINARY_DIR}/inkstoneConfig.cmake
                              INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/inkstoneConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/inkstoneConfig.cmake ${PROJECT_BINARY_DIR}/inkstoneConfigVersion.cmake
              cmake/cld2.cmake
        DESTINATION ${config_folder})
include(cmake/package.cmake)
