// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Writing one command into a queue's ring: the checks common to all, then the caller's fields.
#pragma once

#include "error.hpp"
#include "queue.hpp"

namespace accel
{

/* Why push_command() refused; out of line, it is no data path. */
int refuse_command(const accel_queue *queue, std::uint32_t tag) noexcept;

/* What needs no look into the ring. */
inline bool is_command(const accel_queue *queue, std::uint32_t tag) noexcept
{
	return queue && tag != OAC_TAG_NONE;
}

/* fill(cmd) sets the body, which is zero. */
template <typename Fill>
inline int push_command(accel_queue *queue, std::uint8_t opcode, std::uint32_t tag,
			const Fill &fill) noexcept
{
	if (!is_command(queue, tag)) [[unlikely]]
		return refuse_command(queue, tag);
	const std::lock_guard side(queue->submit_lock);
	if (queue->ring.is_full()) [[unlikely]]
		return refuse_command(queue, tag);
	oac_cmd &cmd = queue->ring.next();
	cmd.opcode = opcode;
	cmd.tag = tag;
	fill(cmd);
	queue->ring.push();
	return 0;
}

} // namespace accel
