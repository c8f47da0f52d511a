# One function per kind of target. Every target lists its files and its dependencies explicitly.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(THREADS_PREFER_PTHREAD_FLAG ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # By content, whatever the directory of the build: the module for Python is compiled like the release build.
  set(launcher "${CMAKE_COMMAND}" -E env CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()

# Flags of our own targets; imported ones keep theirs.
add_library(xet_flags INTERFACE)
target_compile_options(xet_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Wno-sign-conversion -Wno-missing-field-initializers
  $<$<BOOL:${XET_WERROR}>:-Werror>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Werror=thread-safety>)
target_include_directories(xet_flags INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/src")
target_include_directories(xet_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)

# xet_layer(format SOURCES a.cc b.cc PUBLIC_DEPS xet_base PRIVATE_DEPS xet_codec): one folder, one static library.
function(xet_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC_DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(xet_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(xet_${name} PUBLIC xet_flags ${ARG_PUBLIC_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# Tests need no fast code, and are compiled in two thirds of the time without it. Debug builds are as they are: their
# flags suit the sanitizers.
set(XET_TEST_OPTIMISATION $<IF:$<CONFIG:Debug>,-Og,-O0>)

# Everything that ThreadSanitizer runs.
add_custom_target(xet_concurrency_tests)

# xet_test(format SOURCES x_test.cc DEPS xet_format [LABELS concurrency] [TIMEOUT s]): one GoogleTest binary per layer.
# Each TEST becomes one ctest entry, so that ctest runs them in parallel and names the one that failed.
function(xet_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE xet_flags ${ARG_DEPS} xet_test_support GTest::gmock_main fmt::fmt)
  target_compile_options(${name}_test PRIVATE ${XET_TEST_OPTIMISATION})
  if(XET_TEST_PCH)
    target_precompile_headers(${name}_test REUSE_FROM xet_test_pch)
  endif()
  if("concurrency" IN_LIST ARG_LABELS)
    add_dependencies(xet_concurrency_tests ${name}_test)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  gtest_discover_tests(${name}_test
    DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

# xet_fuzz(shard SOURCES shard_fuzz.cc DEPS xet_format): a libFuzzer program when XET_FUZZ is on, and always a plain
# program that replays fuzz/corpus/NAME under ctest with whatever compiler there is.
function(xet_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(fuzz_replay_${name} ${ARG_SOURCES} "${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc")
  target_link_libraries(fuzz_replay_${name} PRIVATE xet_flags ${ARG_DEPS})
  add_test(NAME fuzz_replay.${name}
    COMMAND fuzz_replay_${name} "${PROJECT_SOURCE_DIR}/fuzz/corpus/${name}")
  if(XET_FUZZ)
    add_executable(fuzz_${name} ${ARG_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE xet_flags ${ARG_DEPS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()

# xet_bench(chunk SOURCES chunk_bench.cc DEPS xet_chunk): a Google Benchmark program.
function(xet_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name}_bench ${ARG_SOURCES})
  target_link_libraries(${name}_bench PRIVATE xet_flags ${ARG_DEPS} benchmark::benchmark_main)
endfunction()
