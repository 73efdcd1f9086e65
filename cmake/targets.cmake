# Options that every target of ours shares, and the two functions that declare a layer and its tests.
add_library(inkstone_options INTERFACE)
target_compile_features(inkstone_options INTERFACE cxx_std_20)
target_include_directories(inkstone_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
target_compile_options(inkstone_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  $<$<BOOL:${INKSTONE_WERROR}>:-Werror>)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

if(INKSTONE_SANITIZE)
  target_compile_options(inkstone_options INTERFACE -fsanitize=${INKSTONE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(inkstone_options INTERFACE -fsanitize=${INKSTONE_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# inkstone_layer(NAME SOURCES file... [LINK public...] [PRIVATE_LINK private...])
# A layer is one folder of src/ as a static library; LINK names the layers it may include.
function(inkstone_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(inkstone_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(inkstone_${name} PUBLIC inkstone_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  set_property(GLOBAL APPEND PROPERTY INKSTONE_LAYERS inkstone_${name})
endfunction()

# inkstone_test(NAME SOURCES file... LINK layers... [TIMEOUT seconds])
# One test program; every TEST in it becomes a ctest case.
function(inkstone_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE inkstone_test_support ${ARG_LINK} GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "INKSTONE_SOURCE_DIR=${PROJECT_SOURCE_DIR};INKSTONE_BINARY=${PROJECT_BINARY_DIR}/inkstone")
endfunction()
