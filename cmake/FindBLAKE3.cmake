# BLAKE3::BLAKE3 from the C sources that Debian's librust-blake3-dev installs (Debian 12 has no libblake3-dev).
# Version 1.3.1 detects the CPU lazily and without synchronisation, so xet::hash hashes once before threads start.
file(GLOB _blake3_dirs "/usr/share/cargo/registry/blake3-*/c")
find_path(BLAKE3_SOURCE_DIR blake3.h HINTS ${_blake3_dirs} NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(BLAKE3 REQUIRED_VARS BLAKE3_SOURCE_DIR
  REASON_FAILURE_MESSAGE "install Debian's librust-blake3-dev (make setup does)")

if(BLAKE3_FOUND AND NOT TARGET BLAKE3::BLAKE3)
  set(_b "${BLAKE3_SOURCE_DIR}")
  add_library(blake3 STATIC "${_b}/blake3.c" "${_b}/blake3_dispatch.c" "${_b}/blake3_portable.c")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64|AMD64")
    target_sources(blake3 PRIVATE "${_b}/blake3_sse2_x86-64_unix.S" "${_b}/blake3_sse41_x86-64_unix.S"
      "${_b}/blake3_avx2_x86-64_unix.S" "${_b}/blake3_avx512_x86-64_unix.S")
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_sources(blake3 PRIVATE "${_b}/blake3_neon.c")
    target_compile_definitions(blake3 PRIVATE BLAKE3_USE_NEON=1)
  endif()
  # Always optimised: a Debug build would spend its time in here. Not instrumented either: the code is not ours.
  target_compile_options(blake3 PRIVATE -O3 -fno-sanitize=all -w)
  target_include_directories(blake3 SYSTEM PUBLIC "${_b}")
  add_library(BLAKE3::BLAKE3 ALIAS blake3)
endif()
