# SPDX-License-Identifier: MIT
# Turns every migrations/*.sql into one C array, so that the binary carries its schema.
#   postrider_embed_migrations(<output.c>)
# The generator is this file itself, run in script mode with -DOUTPUT= -DDIRECTORY=.
if(CMAKE_SCRIPT_MODE_FILE)
    file(GLOB files "${DIRECTORY}/*.sql")
    list(SORT files)
    set(text "/* Generated from the files of migrations: do not edit. */\n#include <stddef.h>\n\n#include \"db/migrations.h\"\n\n")
    set(table "")
    foreach(file IN LISTS files)
        get_filename_component(name "${file}" NAME_WE)
        file(READ "${file}" hex HEX)
        if(hex MATCHES "^(..)*[89a-f].")
            message(FATAL_ERROR "${file}: only ASCII, please: the array is of plain char")
        endif()
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
        string(APPEND text "static const char sql_${name}[] = {${bytes}0};\n")
        string(APPEND table "    {\"${name}\", sql_${name}},\n")
    endforeach()
    string(APPEND text "\nconst struct embedded_sql embedded_sql_files[] = {\n${table}    {NULL, NULL},\n};\n")
    file(WRITE "${OUTPUT}" "${text}")
    return()
endif()

set(POSTRIDER_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(postrider_embed_migrations output)
    file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/migrations/*.sql")
    add_custom_command(
        OUTPUT "${output}"
        COMMAND "${CMAKE_COMMAND}" "-DOUTPUT=${output}" "-DDIRECTORY=${CMAKE_SOURCE_DIR}/migrations"
                -P "${POSTRIDER_EMBED_SCRIPT}"
        DEPENDS ${files} "${POSTRIDER_EMBED_SCRIPT}"
        VERBATIM)
endfunction()
