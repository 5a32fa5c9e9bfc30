# Warnings and hardening that every target of this tree gets.
add_compile_options(
	-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wvla
	-Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wwrite-strings
	-Wimplicit-fallthrough -Wnull-dereference
	-fstack-protector-strong -fstack-clash-protection -fcf-protection
	-fno-omit-frame-pointer -fvisibility=hidden)
add_compile_definitions(_GNU_SOURCE EXECWARD_VERSION="${PROJECT_VERSION}")
if(EXECWARD_WERROR)
	add_compile_options(-Werror)
endif()
if(EXECWARD_SANITIZE)
	add_compile_options(-fsanitize=${EXECWARD_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${EXECWARD_SANITIZE})
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
