# What "cmake --install" puts beside the binary. The paths below lib/ are those that systemd searches
# under /usr and /usr/local alike.
install(FILES systemd/postrider.service systemd/postrider@.service DESTINATION lib/systemd/system)
install(FILES systemd/sysusers.d/postrider.conf DESTINATION lib/sysusers.d)
install(FILES systemd/tmpfiles.d/postrider.conf DESTINATION lib/tmpfiles.d)
install(FILES README.md LICENSE config.yaml DESTINATION share/doc/postrider)

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
