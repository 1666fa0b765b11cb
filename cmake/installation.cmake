# What "cmake --install" puts beside the binary. The paths below lib/ are those that systemd searches
# under /usr and /usr/local alike.
install(FILES systemd/postrider.service systemd/postrider@.service DESTINATION lib/systemd/system)
install(FILES systemd/sysusers.d/postrider.conf DESTINATION lib/sysusers.d)
install(FILES systemd/tmpfiles.d/postrider.conf DESTINATION lib/tmpfiles.d)
install(FILES README.md LICENSE config.yaml DESTINATION share/doc/postrider)

# The configuration belongs to the operator: an existing one stays.
install(CODE "
    set(directory \"\$ENV{DESTDIR}/etc/postrider\")
    if(NOT EXISTS \"\${directory}/config.yaml\")
        file(INSTALL \"${CMAKE_SOURCE_DIR}/config.yaml\" DESTINATION \"\${directory}\"
             PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
    endif()")
