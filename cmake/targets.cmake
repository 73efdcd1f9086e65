# Options that every target of ours shares, and the two functions that declare a layer and its tests.
add_library(inkstone_options INTERFACE)
target_compile_features(inkstone_options INTERFACE cxx_std_20)
target_include_directories(inkstone_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# Warnings are for our own code, not for that of a project which links the installed library.
set(warnings -Wall -Wextra -Wpedantic -Wnon-virtual-dtor)
if(NOT INKSTONE_UNITY)
  list(APPEND warnings -Wshadow)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND warnings -Wno-subobject-linkage)  # it takes the unnamed namespaces of the files for those of a header
endif()
if(INKSTONE_WERROR)
  list(APPEND warnings -Werror)
endif()
target_compile_options(inkstone_options INTERFACE "$<BUILD_INTERFACE:${warnings}>")
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

if(INKSTONE_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "INKSTONE_FUZZ needs Clang, and the compiler is ${CMAKE_CXX_COMPILER_ID}: configure in a "
                        "new folder with --preset fuzz or CXX=clang++.")
  endif()
  set(INKSTONE_SANITIZE "fuzzer-no-link,address,undefined")
endif()
if(INKSTONE_SANITIZE)
  target_compile_options(inkstone_options INTERFACE -fsanitize=${INKSTONE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(inkstone_options INTERFACE -fsanitize=${INKSTONE_SANITIZE})
endif()

# Headers and their templates cost more than half of compiling a file. As one file a layer takes a third of the time from
# nothing; but then a file that forgets an include compiles all the same, and one that changes takes its layer with it.
# So this is on where everything is built once (--preset release), and off where people work and where CI compiles it all.
# Names in unnamed namespaces must differ within a layer. ALONE names sources that are compiled by themselves all the same:
# inner loops, since GCC inlines less in a large unit, and of a test program those where names do not differ.
function(inkstone_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${INKSTONE_UNITY} UNITY_BUILD_BATCH_SIZE 16)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# inkstone_layer(NAME SOURCES file... [ALONE file...] [LINK public...] [PRIVATE_LINK private...])
# A layer is one folder of src/ as a static library; LINK names the layers it may include.
function(inkstone_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;ALONE;LINK;PRIVATE_LINK" ${ARGN})
  add_library(inkstone_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(inkstone_${name} PUBLIC inkstone_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
  set_property(GLOBAL APPEND PROPERTY INKSTONE_LAYERS inkstone_${name})
  inkstone_unity(inkstone_${name} ${ARG_ALONE})
endfunction()

# inkstone_test(NAME SOURCES file... [ALONE file...] LINK layers... [TIMEOUT seconds])
# One test program; every TEST in it becomes a ctest case with the program's name as its label.
function(inkstone_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;ALONE;LINK" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE inkstone_test_support ${ARG_LINK} GTest::gtest_main)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)  # quicker to build; what is tested is optimised
  inkstone_unity(${name} ${ARG_ALONE})
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS ${name}
    # Two properties, since a list would not survive the way through gtest_discover_tests.
    ENVIRONMENT "INKSTONE_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    ENVIRONMENT_MODIFICATION "INKSTONE_BINARY=set:${PROJECT_BINARY_DIR}/inkstone")
endfunction()

# inkstone_fuzz(NAME LINK layers...)
# A program of libFuzzer from NAME_fuzz.cc.
function(inkstone_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name}_fuzz ${name}_fuzz.cc)
  target_link_libraries(${name}_fuzz PRIVATE inkstone_options ${ARG_LINK})
  target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
endfunction()
