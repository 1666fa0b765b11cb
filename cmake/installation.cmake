# SPDX-License-Identifier: MIT
# What "cmake --install" puts beside the binary. The paths below lib/ are those that systemd searches
# under /usr and /usr/local alike.
install(FILES systemd/sysusers.d/postrider.conf DESTINATION lib/sysusers.d)
install(FILES systemd/tmpfiles.d/postrider.conf DESTINATION lib/tmpfiles.d)
install(FILES README.md CHANGELOG.md SECURITY.md LICENSE config.yaml DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs DESTINATION "${CMAKE_INSTALL_DOCDIR}" PATTERN internals EXCLUDE)

# The units name the program and the documentation by where they are. That is known when they are
# installed: "cmake --install --prefix" may give another prefix than the build had.
install(CODE "
    get_filename_component(POSTRIDER_BINDIR \"${CMAKE_INSTALL_BINDIR}\" ABSOLUTE
                           BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    get_filename_component(POSTRIDER_DOCDIR \"${CMAKE_INSTALL_DOCDIR}\" ABSOLUTE
                           BASE_DIR \"\${CMAKE_INSTALL_PREFIX}\")
    string(MD5 place \"\${POSTRIDER_BINDIR} \${POSTRIDER_DOCDIR}\") # two installations may run side by side
    set(place \"${CMAKE_BINARY_DIR}/systemd/\${place}\")
    foreach(unit postrider.service postrider@.service postrider-serve.service)
        configure_file(\"${CMAKE_SOURCE_DIR}/systemd/\${unit}.in\" \"\${place}/\${unit}\" @ONLY)
        file(INSTALL \"\${place}/\${unit}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
    endforeach()")

# The configuration belongs to the operator: an existing one stays. It lies in /etc whatever the prefix
# is, since program, units and tmpfiles.d look there. file(INSTALL) puts DESTDIR before its destination
# itself; EXISTS does not, and takes a relative one for the source's.
install(CODE "
    set(directory /etc/postrider)
    get_filename_component(there \"\$ENV{DESTDIR}\${directory}/config.yaml\" ABSOLUTE
                           BASE_DIR \"\${CMAKE_CURRENT_BINARY_DIR}\")
    if(NOT EXISTS \"\${there}\" AND NOT IS_SYMLINK \"\${there}\")
        file(INSTALL \"${CMAKE_SOURCE_DIR}/config.yaml\" DESTINATION \"\${directory}\"
             PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
    endif()")
