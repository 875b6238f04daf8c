// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See emulator.hpp. Looked for beside libaccel itself first, so that a build tree and a private
// installation find their own, then where the dynamic linker looks.
#include "emulator.hpp"

#include <string>

#include <dlfcn.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

struct emulator {
	decltype(&accel_emu_card_start) start = nullptr;
	decltype(&accel_emu_card_stop) stop = nullptr;
};

std::string beside_us()
{
	Dl_info us;
	if (!dladdr(reinterpret_cast<void *>(&beside_us), &us) || !us.dli_fname)
		return {};
	const std::string path(us.dli_fname);
	const auto slash = path.rfind('/');
	return slash == std::string::npos ? "" : path.substr(0, slash + 1) + ACCEL_EMU_LIBRARY;
}

void *load_library()
{
	const std::string beside = beside_us();
	if (!beside.empty()) {
		if (void *library = dlopen(beside.c_str(), RTLD_NOW | RTLD_LOCAL))
			return library;
	}
	if (void *library = dlopen(ACCEL_EMU_LIBRARY, RTLD_NOW | RTLD_LOCAL))
		return library;
	const char *why = dlerror();
	throw failure(ENODEV, "emulated card: " ACCEL_EMU_LIBRARY " cannot be loaded (" +
				      std::string(why ? why : "no reason given") +
				      "); install libaccel-emu, or unset ACCEL_EMU");
}

template <typename Function>
Function find(void *library, const char *name)
{
	void *symbol = dlsym(library, name);
	if (!symbol)
		throw failure(EPROTO, "emulated card: " ACCEL_EMU_LIBRARY " has no " +
					      std::string(name) +
					      "; install libaccel-emu of the version of libaccel");
	return reinterpret_cast<Function>(symbol);
}

/* Tried again at each call until it is there. */
const emulator &the_emulator()
{
	static const emulator loaded = [] {
		void *library = load_library();
		return emulator{
			find<decltype(&accel_emu_card_start)>(library, "accel_emu_card_start"),
			find<decltype(&accel_emu_card_stop)>(library, "accel_emu_card_stop"),
		};
	}();
	return loaded;
}

} // namespace

emulated_card::emulated_card(unsigned index, unique_fd &socket)
{
	int fd = -1;
	if (const int error = the_emulator().start(index, &fd, &card_))
		throw failure(-error, "card emu:" + std::to_string(index) +
					      ": cannot start: " + errno_text(-error));
	socket = unique_fd(fd);
}

emulated_card::~emulated_card()
{
	the_emulator().stop(card_);
}

} // namespace accel::direct
