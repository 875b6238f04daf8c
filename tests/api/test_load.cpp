// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The library as a plug-in: loaded and unloaded again and again, by a program that has functions named
// like the library's inner ones. Usage: test_load LIBRARY
#include <cstdio>
#include <cstdlib>

#include <dlfcn.h>

#include <accel/accel.h>

namespace accel
{

int error_literal(int, const char *) noexcept;
void error_record(const char *) noexcept;

/* Were the library's own calls bound to these, this would be the end. */
int error_literal(int, const char *) noexcept
{
	std::abort();
}

void error_record(const char *) noexcept
{
	std::abort();
}

} // namespace accel

namespace
{

template <typename Function>
Function *find(void *library, const char *name)
{
	void *symbol = dlsym(library, name);
	if (!symbol) {
		std::fprintf(stderr, "%s\n", dlerror());
		std::exit(1);
	}
	return reinterpret_cast<Function *>(symbol);
}

bool use(void *library)
{
	accel_device *device = nullptr;
	if (find<decltype(accel_queue_submit)>(library, "accel_queue_submit")(nullptr) >= 0)
		return false;
	if (find<decltype(accel_device_open)>(library, "accel_device_open")("no such card",
									    &device) >= 0)
		return false;
	if (find<decltype(accel_device_open)>(library, "accel_device_open")("emu:0", &device) !=
	    0) {
		std::fprintf(stderr, "%s\n",
			     find<decltype(accel_error_text)>(library, "accel_error_text")());
		return false;
	}
	return find<decltype(accel_device_close)>(library, "accel_device_close")(device) == 0;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::fprintf(stderr, "usage: test_load LIBRARY\n");
		return 2;
	}
	for (unsigned round = 0; round < 20; round++) {
		void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		if (!library || !use(library)) {
			std::fprintf(stderr, "round %u failed\n", round);
			return 1;
		}
		dlclose(library);
	}
	/* Threads of the card may run still: their code must be there. */
	if (!dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD)) {
		std::fprintf(stderr, "the library was unloaded\n");
		return 1;
	}
	return 0;
}
