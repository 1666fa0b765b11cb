# SPDX-License-Identifier: MIT
# llhttp, the parser of HTTP answers: the target "llhttp".
#
# Where the system has it as a library (libllhttp-dev), that one. Debian 12 has only its C sources, in
# node-llhttp; they are compiled here, as strict as they can be.
pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp>=8)
if(LLHTTP_FOUND)
    add_library(llhttp INTERFACE)
    target_link_libraries(llhttp INTERFACE PkgConfig::LLHTTP)
    return()
endif()

find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp /usr/local/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_HEADER llhttp.h PATHS /usr/share/include /usr/local/share/include
          PATH_SUFFIXES llhttp NO_DEFAULT_PATH)
if(NOT LLHTTP_SOURCES OR NOT LLHTTP_HEADER)
    message(FATAL_ERROR "llhttp is missing. Install libllhttp-dev, or node-llhttp where there is no "
                        "such package (Debian 12).")
endif()
add_library(llhttp STATIC "${LLHTTP_SOURCES}/llhttp.c" "${LLHTTP_SOURCES}/http.c"
                          "${LLHTTP_SOURCES}/api.c")
target_include_directories(llhttp SYSTEM PUBLIC "${LLHTTP_HEADER}")
target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
target_compile_options(llhttp PRIVATE -w -O2)
if(POSTRIDER_ANALYZE)
    target_compile_options(llhttp PRIVATE -fno-analyzer)
endif()
