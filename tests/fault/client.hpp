// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A program on the card, made anew for each attempt: an open file, and on demand a context, a
// mapped buffer and a queue. What it leaves behind goes when the file is closed; usage() says
// whether it did.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "device.hpp"

namespace oac::fault
{

using abi::page;

/* Address of the card's PCI function, from its node. */
std::string pci_address(const abi::node &dev);

/* What the driver says it holds, in one text to be compared. */
std::string usage(const abi::node &dev);

/* The image the card booted from; empty: not found. */
const std::vector<char> &firmware();

class client
{
public:
	static constexpr std::uint64_t ring_va = 0x10000;
	static constexpr std::uint64_t ring_size = 4 * page;
	static constexpr std::uint64_t free_va = 1 << 30;

	explicit client(const std::string &path);

	const abi::node &dev() const { return dev_; }

	/* Each asserts that it works and returns what a call takes. */
	std::uint32_t context();
	std::uint32_t buffer();
	std::uint32_t queue();

	/* Arguments that would work now. */
	drm_oac_map good_map();
	drm_oac_queue_create good_queue();

	/* One command through the queue, waited for. */
	void expect_works();
	/* munmap() needs memory too: a test that closes the file has nothing mapped. */
	void unmap_all();

private:
	void map_rings();
	void *doorbell();

	abi::node dev_;
	std::uint32_t context_ = 0;
	std::uint32_t buffer_ = 0;
	std::uint32_t rings_ = 0;
	std::uint32_t queue_ = 0;
	std::uint64_t doorbell_offset_ = 0;
	std::optional<abi::mapping> ring_memory_;
	std::optional<abi::mapping> doorbell_;
};

} // namespace oac::fault
