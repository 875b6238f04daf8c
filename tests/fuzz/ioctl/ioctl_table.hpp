// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Every ioctl of the module with the fields of its struct, from tests/abi/layout.def, and those of DRM
// that the module's objects go through. Each field has a meaning, which says what may be put into
// it, and a value with which the call works if what it needs is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace oac::fuzz
{

enum class meaning {
	number,
	/* What an earlier call returned. */
	context,
	queue,
	buffer,
	syncobj,
	eventfd,
	dmabuf,
	event_stream,
	buffer_offset,		/* for mmap() */
	doorbell_offset,
	/* Made when the call is made. */
	size,
	pointer,
	image,			/* pointer to firmware */
	image_size,
	deadline,
	long_deadline,		/* what is worth waiting for, now and then */
	tail,			/* commands written to the file's rings */
};

struct slot {
	std::string name;
	std::size_t offset, size;
	meaning what;
	std::uint64_t fine;
};

struct call {
	std::string name;	/* as in OAC_MAP, GEM_CLOSE */
	unsigned long request;
	std::size_t size;
	std::vector<slot> slots;
	bool is_rationed;	/* it may take seconds, or the card away from everybody */
};

const std::vector<call> &calls();

/* Where the rings of a queue are, of 1 << depth_log2 commands. */
constexpr std::uint64_t page_size = 4096;
constexpr std::uint64_t ring_va = 0x10000;
constexpr std::uint64_t ring_size = 4 * page_size;
constexpr std::uint64_t depth_log2 = 4;

} // namespace oac::fuzz
