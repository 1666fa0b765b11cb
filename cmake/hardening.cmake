# Warnings, hardening and instrumentation that every target gets.
add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                    -Wvla -Wformat=2 -Wundef -Wwrite-strings -Werror -fno-common)
add_compile_definitions(_GNU_SOURCE POSTRIDER_VERSION="${PROJECT_VERSION}")

# Every build binds at the start: the lazy resolver writes all registers to the stack, and with them
# what a copied key has left there.
add_link_options(-Wl,-z,now)

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

if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE)
    add_link_options(-pie -Wl,-z,relro)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
