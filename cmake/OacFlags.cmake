# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Language, warnings, visibility and sanitizers, the same for every room.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
# gnu17: strict C17 hides what POSIX declares.
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# Shared libraries stand together; executables stay beside their sources' place.
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# Packagers with a compiler newer than ours turn this off.
option(OAC_WERROR "Treat warnings as errors" ON)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion)
# In C, -Wconversion brings -Wsign-conversion along, in C++ it does not: alike.
add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wno-sign-conversion>)
if(OAC_WERROR)
	add_compile_options(-Werror)
endif()

set(OAC_SANITIZE "" CACHE STRING
	"Sanitizers: empty, address (with undefined), thread, or fuzzer (clang, tests/fuzz)")
set_property(CACHE OAC_SANITIZE PROPERTY STRINGS "" address thread fuzzer)
if(OAC_SANITIZE STREQUAL "address")
	set(OAC_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(OAC_SANITIZE STREQUAL "thread")
	# GCC warns that it does not model fences under -fsanitize=thread.
	set(OAC_SANITIZE_FLAGS -fsanitize=thread -Wno-tsan)
elseif(OAC_SANITIZE STREQUAL "fuzzer")
	set(OAC_SANITIZE_FLAGS -fsanitize=fuzzer-no-link,address,undefined
		-fno-sanitize-recover=all)
elseif(NOT OAC_SANITIZE STREQUAL "")
	message(FATAL_ERROR
		"OAC_SANITIZE is '${OAC_SANITIZE}': use address, thread, fuzzer or nothing")
endif()
if(OAC_SANITIZE_FLAGS)
	add_compile_options(${OAC_SANITIZE_FLAGS} -fno-omit-frame-pointer)
	add_link_options(${OAC_SANITIZE_FLAGS})
endif()
