// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tests with syncobjs, and with queues whose doorbell the kernel rings.
#pragma once

#include "on_card.hpp"

namespace oac::abi
{

class fenced_test : public card_test
{
protected:
	/* A queue for the driver's doorbell, on zeroed rings. */
	drm_oac_queue_create make_kernel_queue() const;
	/* Writes commands into the ring, without a doorbell; count is that of the first. */
	void write(std::uint32_t count, const oac_cmd &cmd) const;
	void write_nops(std::uint32_t count, std::uint32_t how_many) const;
	/* WAIT or SIGNAL on the word in the last page of the rings. */
	void write_timeline(std::uint32_t count, std::uint8_t opcode, std::uint64_t value) const;
	volatile std::uint64_t *word() const;

	int ring(std::uint32_t queue, std::uint32_t tail) const;
	int arm(std::uint32_t queue, std::uint32_t seen) const;
	int wait(std::uint32_t queue, std::uint32_t seen, drm_oac_queue_wait *out = nullptr) const;
	/* Waits until that many have completed, or the queue failed. */
	void wait_for(std::uint32_t queue, std::uint32_t completed) const;

	std::uint32_t syncobj() const;
	int fence(std::uint32_t queue, std::uint32_t count, std::uint32_t syncobj,
		  std::uint64_t point = 0, std::uint64_t timeout_ns = 0) const;
	int store(std::uint32_t syncobj, std::uint32_t handle, std::uint64_t offset,
		  std::uint64_t value, std::uint64_t point = 0) const;
	/* 0, or ETIME if the fence did not signal within 20 s, or just now with ms 0. */
	int syncobj_wait(std::uint32_t syncobj, unsigned ms = 20000) const;
	int point_wait(std::uint32_t syncobj, std::uint64_t point, unsigned ms = 20000) const;
	std::uint64_t timeline(std::uint32_t syncobj) const;
	/* By the program itself, through DRM. */
	int point_signal(std::uint32_t syncobj, std::uint64_t point) const;
	/* A descriptor of the syncobj's fence. */
	int sync_file(std::uint32_t syncobj) const;
	/* 1 signalled, 0 pending, -errno the error it signalled with. */
	int status(std::uint32_t syncobj) const;

	static constexpr std::uint32_t depth = 1u << depth_log2;
	static constexpr std::uint64_t word_offset = 3 * page;
};

} // namespace oac::abi
