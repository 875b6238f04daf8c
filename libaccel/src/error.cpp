// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The thread's error record behind accel_error_text(). A literal is kept by its address, so that
// the data path's refusals (ring full, bad tag) cost no copy; everything else is copied.
#include "error.hpp"

#include <cstdio>
#include <cstring>

#include <accel/accel.h>

namespace accel
{

namespace
{

constexpr std::size_t TEXT_SIZE = 512;

struct error_state {
	const char *text = "";
	char buffer[TEXT_SIZE] = "";
};

thread_local error_state state;

} // namespace

void error_record(const char *text) noexcept
{
	std::snprintf(state.buffer, sizeof(state.buffer), "%s", text);
	state.text = state.buffer;
}

int error_literal(int code, const char *text) noexcept
{
	state.text = text;
	return -code;
}

int error_record(int code, const char *object, const char *remedy) noexcept
{
	std::snprintf(state.buffer, sizeof(state.buffer), "%s: %s", object, remedy);
	state.text = state.buffer;
	return -code;
}

const char *error_recorded() noexcept
{
	return state.text;
}

std::string errno_text(int code)
{
	return std::generic_category().message(code);
}

} // namespace accel

const char *accel_error_text(void)
{
	return accel::error_recorded();
}

const char *accel_version(void)
{
	return ACCEL_VERSION_STRING;
}
