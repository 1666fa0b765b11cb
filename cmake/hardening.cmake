# SPDX-License-Identifier: MIT
# Warnings, hardening and instrumentation that every target gets. Warnings are errors where a preset
# says so (CMAKE_COMPILE_WARNING_AS_ERROR): a newer compiler has new ones, which must not keep anybody
# from building a release.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wvla -Wformat=2 -Wundef -Wwrite-strings -fno-common)
add_compile_definitions(_GNU_SOURCE POSTRIDER_VERSION="${PROJECT_VERSION}")

# Every build binds at the start: the lazy resolver writes all registers to the stack, and with them
# what a copied key has left there.
add_link_options(-Wl,-z,relro -Wl,-z,now)

if(POSTRIDER_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
endif()

if(POSTRIDER_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(POSTRIDER_ANALYZE)
    # Truncation is judged where code is optimised as it will run.
    add_compile_options(-O1 -fanalyzer -Wno-format-truncation)
endif()

if(POSTRIDER_COVERAGE)
    # Our code runs in one thread; atomic counters would make the tests of core six times slower.
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()

# The sanitizers have checks of their own, which these would hide.
if(NOT POSTRIDER_SANITIZE AND NOT POSTRIDER_FUZZ)
    add_compile_options(-fstack-protector-strong -fPIE) # all of it goes into programs
    # It needs optimisation; who packages Postrider may have a level of his own.
    if(NOT CMAKE_C_FLAGS MATCHES "_FORTIFY_SOURCE")
        add_compile_options($<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
    endif()
endif()
