// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The module's ioctls on a real device node, for the debug guest: short programs of calls
// (ioctl/call_program.hpp), steered by what they run of the module. After each of them the cards are
// well, in the end nothing is held, and the kernel has not complained.
//
// OAC_FUZZ_SEEDS names a folder that gets the inputs to begin with. The file that OAC_FUZZ_LAST names
// has the input that runs, for when the kernel ends it. With OAC_FUZZ_TELL each call is told.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <drm/oac_accel.h>
#include <hw/oac_health.h>

#include "call_program.hpp"
#include "guest_cards.hpp"
#include "module_coverage.hpp"
#include "side_thread.hpp"

using namespace oac::fuzz;

namespace
{

constexpr unsigned runs_between_counts = 16;

/* Never taken down: libFuzzer ends where it likes. */
struct bench {
	module_coverage coverage;
	guest_cards cards;
	side_thread beside;
	unsigned runs = 0;
	int last = -1;
	bool had_seeds = false;
};
bench *on;

/*
 * One step, of two bytes if nothing in the second asks for more. Where a field is named it gets a
 * value; all else is as it works.
 */
struct seed_step {
	std::string name, field = {};
	std::uint64_t value = 0;
};
using seed = std::vector<seed_step>;

/* A buffer that is mapped by both sides. */
const seed ready = { { "OAC_CONTEXT_CREATE" },
		     { "OAC_BO_CREATE" },
		     { "map_buffer" },
		     { "touch" },
		     { "OAC_MAP" } };
const std::vector<seed> with_queue = {
	{ { "OAC_QUEUE_CREATE" },
	  { "map_doorbell" },
	  { "write_command" },
	  { "ring" },
	  { "OAC_QUEUE_WAIT" },
	  { "make_eventfd" },
	  { "OAC_QUEUE_EVENTFD" },
	  { "OAC_QUEUE_DESTROY" },
	  { "OAC_UNMAP" },
	  { "OAC_CONTEXT_DESTROY" },
	  { "GEM_CLOSE" } },
	{ { "OAC_QUEUE_CREATE", "flags", DRM_OAC_QUEUE_KERNEL_SUBMIT },
	  { "SYNCOBJ_CREATE" },
	  { "OAC_QUEUE_FENCE" },
	  { "OAC_SYNC_STORE" },
	  { "write_command" },
	  { "OAC_QUEUE_SUBMIT" },
	  { "export_fence" },
	  { "wait_syncobj" } },
	{ { "OAC_QUEUE_CREATE" }, { "fork_child" }, { "OAC_RESET" }, { "OAC_QUEUE_WAIT" } },
	{ { "OAC_INFO_GET", "topic", DRM_OAC_INFO_CONTEXTS }, { "together" } },
};
const std::vector<seed> without_queue = {
	{ { "OAC_EVENTS_OPEN", "from", 1 }, { "read_events" }, { "poll_all" } },
	{ { "OAC_BO_CREATE" },
	  { "PRIME_HANDLE_TO_FD", "flags", DRM_RDWR },
	  { "map_dmabuf" },
	  { "touch" },
	  { "open" },
	  { "PRIME_FD_TO_HANDLE" },
	  { "OAC_CONTEXT_CREATE" },
	  { "OAC_MAP" },
	  { "close" } },
	{ { "OAC_BO_CREATE", "flags", DRM_OAC_BO_LOCAL },
	  { "map_buffer" },
	  { "touch" },
	  { "PRIME_HANDLE_TO_FD" },
	  { "map_dmabuf" },
	  { "OAC_CONTEXT_CREATE" },
	  { "OAC_MAP" } },
	{ { "drop_rights" }, { "OAC_BO_USERPTR" }, { "OAC_CONTEXT_CREATE" }, { "OAC_MAP" } },
};

/* As call_program reads it: one field, by its place, gets the bytes that follow. */
void put(std::string &bytes, const seed_step &step)
{
	const std::uint8_t which = call_program::step_byte(step.name);

	bytes += static_cast<char>(which);
	if (step.field.empty()) {
		bytes += '\0';
		return;
	}
	const auto &slots = calls()[which].slots;
	const auto slot = std::find_if(slots.begin(), slots.end(),
				       [&](const auto &one) { return one.name == step.field; });
	if (slot == slots.end())
		std::abort();
	bytes += static_cast<char>(call_program::one_field);
	bytes += static_cast<char>(slot - slots.begin());
	bytes += static_cast<char>(call_program::as_it_is);
	for (std::size_t i = 0; i < slot->size; i++)
		bytes += static_cast<char>(step.value >> 8 * i);
}

/* Every step alone and every topic, too. */
std::vector<seed> all_seeds()
{
	std::vector<seed> all = without_queue;

	for (seed one : with_queue) {
		one.insert(one.begin(), ready.begin(), ready.end());
		all.push_back(one);
	}
	for (const std::string &name : call_program::step_names())
		all.push_back({ { name } });
	for (std::uint32_t topic = DRM_OAC_INFO_DEVICE; topic <= DRM_OAC_INFO_RUNGS; topic++)
		all.push_back({ { "OAC_INFO_GET", "topic", topic } });
	for (std::uint32_t rung = OAC_RUNG_SOFT_RESET; rung < OAC_RUNG_WEDGED; rung++)
		all.push_back({ { "OAC_RESET", "rung", rung } });
	return all;
}

void write_seeds(const std::string &folder)
{
	unsigned count = 0;

	for (const seed &one : all_seeds()) {
		std::ofstream file(folder + "/seed" + std::to_string(count++), std::ios::binary);
		std::string bytes;

		for (const seed_step &step : one)
			put(bytes, step);
		if (!file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
			std::printf("fuzz_ioctl: no seeds in %s\n", folder.c_str());
			std::_Exit(1);
		}
	}
	on->had_seeds = true;
}

/* Says what was done; a run that had seeds has reached every call of the module. */
void report()
{
	const auto missing = on->coverage.not_reached("oac_ioctl_");

	std::printf("fuzz_ioctl: %u runs, %zu places in %zu of %zu functions\n", on->runs,
		    on->coverage.places(), on->coverage.functions_reached(),
		    on->coverage.functions());
	for (const std::string &name :
	     std::getenv("OAC_FUZZ_TELL") ? on->coverage.not_reached("oac_") : missing)
		std::printf("fuzz_ioctl: nothing ran of %s\n", name.c_str());
	std::fflush(stdout);
	if (!on->coverage.places() || (on->had_seeds && !missing.empty()))
		_exit(1);
}

/* An input that ends the kernel would be lost with it. */
void keep(std::span<const std::uint8_t> input)
{
	if (on->last < 0)
		return;
	if (ftruncate(on->last, 0) ||
	    pwrite(on->last, input.data(), input.size(), 0) != static_cast<ssize_t>(input.size()))
		std::abort();
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
	on = new bench;
	if (const char *const folder = std::getenv("OAC_FUZZ_SEEDS"))
		write_seeds(folder);
	if (const char *const name = std::getenv("OAC_FUZZ_LAST"))
		on->last = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	std::atexit(report);
	return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	keep({ data, size });
	on->coverage.start();
	{
		call_program program(on->cards, on->beside);

		program.run({ data, size });
	}
	on->coverage.stop();
	if (!on->coverage.places()) {
		std::printf(
			"fuzz_ioctl: the module is not compiled for KCOV: nothing of it was seen\n");
		std::fflush(stdout);
		_exit(1);
	}
	on->cards.expect_no_complaint();
	on->cards.expect_well();
	if (++on->runs % runs_between_counts == 0)
		on->cards.expect_nothing_held();
	return 0;
}
