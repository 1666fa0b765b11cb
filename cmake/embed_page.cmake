# SPDX-License-Identifier: MIT
# Turns the files of the page into one C file, so that the binary carries them. They are any bytes.
#   postrider_embed_page(<output.c> <directory>)
# All but index.html get names that never come again with other bytes: "assets/app.js" becomes
# "assets/app.HASH.js", where HASH is of all files and their names. So modules may import each other in
# a circle, and no browser ever mixes two versions. What they say of each other is rewritten: imports
# that begin with a full stop in *.js, and "assets/…" in *.html.
# The generator is this file itself, run in script mode.
if(CMAKE_SCRIPT_MODE_FILE)
    file(GLOB_RECURSE names RELATIVE "${DIRECTORY}" "${DIRECTORY}/*.js" "${DIRECTORY}/*.css" "${DIRECTORY}/*.svg"
         "${DIRECTORY}/*.txt" "${DIRECTORY}/*.html")
    list(SORT names)
    set(sums "")
    foreach(name IN LISTS names)
        file(SHA256 "${DIRECTORY}/${name}" sum)
        string(APPEND sums "${name} ${sum}\n")
    endforeach()
    string(SHA256 hash "${sums}")
    string(SUBSTRING "${hash}" 0 16 hash)
    set(text "/* Generated from src/page: do not edit. */\n#include <stddef.h>\n\n#include \"serve/page_files.h\"\n\n")
    set(rows "")
    set(number 0)
    foreach(name IN LISTS names)
        file(READ "${DIRECTORY}/${name}" hex HEX)
        if(name MATCHES "\\.(js|html)$")
            file(READ "${DIRECTORY}/${name}" content)
            string(REGEX REPLACE "((from|import)[ (]*\"\\.[^\"]*)\\.js\"" "\\1.${hash}.js\"" content "${content}")
            if(name MATCHES "\\.html$")
                string(REGEX REPLACE "(\"assets/[^\"]*)\\.([a-z]+)\"" "\\1.${hash}.\\2\"" content "${content}")
            endif()
            string(HEX "${content}" hex)
        endif()
        if(NOT name MATCHES "\\.html$")
            string(REGEX REPLACE "\\.([a-z]+)$" ".${hash}.\\1" name "assets/${name}")
        endif()
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        string(APPEND text "static const unsigned char file_${number}[] = {${bytes}0};\n")
        string(APPEND rows "    {\"/${name}\", file_${number}, sizeof(file_${number}) - 1},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    string(APPEND text "\nconst char page_hash[] = \"${hash}\";\n")
    string(APPEND text "\nconst struct embedded_file page_files[] = {\n${rows}    {NULL, NULL, 0},\n};\n")
    file(WRITE "${OUTPUT}" "${text}")
    return()
endif()

set(POSTRIDER_EMBED_PAGE_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(postrider_embed_page output directory)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${directory}/*")
    add_custom_command(
        OUTPUT "${output}"
        COMMAND "${CMAKE_COMMAND}" "-DOUTPUT=${output}" "-DDIRECTORY=${directory}" -P "${POSTRIDER_EMBED_PAGE_SCRIPT}"
        DEPENDS ${files} "${POSTRIDER_EMBED_PAGE_SCRIPT}"
        VERBATIM)
endfunction()
