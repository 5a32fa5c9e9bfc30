# Warnings and hardening that every target of this tree gets.
add_compile_options(
	-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wvla
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings
	-Wimplicit-fallthrough -Wnull-dereference
	-fstack-protector-strong -fstack-clash-protection -fcf-protection
	-fno-omit-frame-pointer -fvisibility=hidden)
# uthash's key hash falls through its cases under a comment, which gcc reads and clang does not; gcc
# holds the warning for our own switches.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
	add_compile_options(-Wno-implicit-fallthrough)
endif()
# gcc 12 takes a pointer into memory that a cleanup attribute frees at the end of the scope for dangling
# within it; the ASan build holds what the warning is for.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	add_compile_options(-Wno-dangling-pointer)
endif()
add_compile_definitions(_GNU_SOURCE EXECWARD_VERSION="${PROJECT_VERSION}")
if(EXECWARD_WERROR)
	add_compile_options(-Werror)
endif()
if(EXECWARD_SANITIZE)
	add_compile_options(-fsanitize=${EXECWARD_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${EXECWARD_SANITIZE})
	# gcc's value ranges suffer from the sanitizers' code (gcc(1), -fsanitize): the plain builds hold
	# these two warnings.
	if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
		add_compile_options(-Wno-format-truncation -Wno-maybe-uninitialized)
	endif()
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	add_compile_definitions(_FORTIFY_SOURCE=3)
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
# libFuzzer steers by the coverage of the code under test, so the libraries carry its counters too.
if(EXECWARD_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
	add_link_options(-fsanitize=fuzzer-no-link)
endif()
