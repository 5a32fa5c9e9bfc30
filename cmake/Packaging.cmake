# Where things are installed, man pages, and the Debian package (cpack -G DEB in a build directory).
#
# The unit names /usr/sbin/execwardd and the daemon reads /etc/execward, so the prefix is /usr unless
# somebody says otherwise: with /usr/local, GNUInstallDirs would put the configuration into
# /usr/local/etc. Included before the install rules for that reason.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
	set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where to install" FORCE)
endif()
include(GNUInstallDirs)

install(FILES systemd/execward.preset DESTINATION lib/systemd/system-preset RENAME 50-execward.preset)
# Quiet, and without effect, until there is a snapshot of the host.
install(FILES packaging/apt/90execward DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/apt/apt.conf.d)
install(FILES packaging/deb/copyright CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# docs/man/NAME.SECTION.scd becomes NAME.SECTION.
find_program(SCDOC scdoc)
file(GLOB man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.scd)
if(SCDOC AND man_sources)
	set(man_pages)
	foreach(source ${man_sources})
		get_filename_component(page ${source} NAME_WLE)
		string(REGEX REPLACE ".*\\." "" section ${page})
		set(made ${PROJECT_BINARY_DIR}/man/${page})
		add_custom_command(OUTPUT ${made} DEPENDS ${source} VERBATIM
			COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
			COMMAND sh -c "\"$0\" < \"$1\" > \"$2\"" ${SCDOC} ${source} ${made})
		list(APPEND man_pages ${made})
		install(FILES ${made} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
	endforeach()
	add_custom_target(man ALL DEPENDS ${man_pages})
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME execward)
set(CPACK_PACKAGE_CONTACT "execward maintainers <execward@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "exec firewall for containers")
set(CPACK_PACKAGE_DESCRIPTION
	"Watches the overlay filesystems of containers with fanotify and decides, before an executable\n\
runs, whether anybody vouches for it; denies or reports programs that were dropped at runtime.\n\
Installed in mode report, which denies nothing.")
set(CPACK_PACKAGE_FILE_NAME execward_${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS init-system-helpers)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(deb ${PROJECT_SOURCE_DIR}/packaging/deb)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deb}/conffiles ${deb}/postinst ${deb}/prerm ${deb}/postrm)
# cpack copies what is there and never builds: the caller has said what to build.
set(CPACK_CMAKE_GENERATOR Ninja)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(CPack)
