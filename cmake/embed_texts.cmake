# SPDX-License-Identifier: MIT
# Turns every file of a directory with an extension into one C array, so that the binary carries it.
#   postrider_embed_texts(<output.c> <directory> <extension> <table> <header>)
# The table is an array of struct embedded_text, which the header declares with this name.
# The generator is this file itself, run in script mode with all of these as variables.
if(CMAKE_SCRIPT_MODE_FILE)
    file(GLOB files "${DIRECTORY}/*.${EXTENSION}")
    list(SORT files)
    set(text "/* Generated from the files of a directory: do not edit. */\n#include <stddef.h>\n\n#include \"${HEADER}\"\n\n")
    set(rows "")
    foreach(file IN LISTS files)
        get_filename_component(name "${file}" NAME_WE)
        file(READ "${file}" hex HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        if(bytes MATCHES "0x[89a-f]")
            message(FATAL_ERROR "${file}: only ASCII, please: the array is of plain char")
        endif()
        string(APPEND text "static const char text_${name}[] = {${bytes}0};\n")
        string(APPEND rows "    {\"${name}\", text_${name}},\n")
    endforeach()
    string(APPEND text "\nconst struct embedded_text ${TABLE}[] = {\n${rows}    {NULL, NULL},\n};\n")
    file(WRITE "${OUTPUT}" "${text}")
    return()
endif()

set(POSTRIDER_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(postrider_embed_texts output directory extension table header)
    file(GLOB files CONFIGURE_DEPENDS "${directory}/*.${extension}")
    add_custom_command(
        OUTPUT "${output}"
        COMMAND "${CMAKE_COMMAND}" "-DOUTPUT=${output}" "-DDIRECTORY=${directory}" "-DEXTENSION=${extension}"
                "-DTABLE=${table}" "-DHEADER=${header}" -P "${POSTRIDER_EMBED_SCRIPT}"
        DEPENDS ${files} "${POSTRIDER_EMBED_SCRIPT}"
        VERBATIM)
endfunction()
