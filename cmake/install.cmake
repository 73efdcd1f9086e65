# install target: the program, and the library with its public headers for find_package(inkstone).
include(CMakePackageConfigHelpers)

# inkstone::inkstone is what other projects link: every layer below the command line. (The target `inkstone`
# is the program.)
get_property(layers GLOBAL PROPERTY INKSTONE_LAYERS)
add_library(inkstone_library INTERFACE)
add_library(inkstone::inkstone ALIAS inkstone_library)
set_target_properties(inkstone_library PROPERTIES EXPORT_NAME inkstone)
target_link_libraries(inkstone_library INTERFACE ${layers})

# The archives are installed as inkstone::inkstone_base and so on; users need not name them.
install(TARGETS inkstone RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
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
