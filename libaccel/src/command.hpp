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

/* Under the submission side's lock. */
template <typename Fill>
[[gnu::always_inline]] inline int push_on_side(accel_queue *queue, std::uint32_t tag,
					       std::uint8_t opcode, Fill fill) noexcept
{
	ring &into = queue->ring;
	const std::uint32_t at = into.tail();
	if (into.is_full(at)) [[unlikely]]
		return refuse_command(queue, tag);
	oac_cmd &cmd = into.entry(at);
	cmd.opcode = opcode;
	cmd.tag = tag;
	fill(cmd);
	into.push(at);
	return 0;
}

/* fill(cmd) sets the body, which is zero. Best made of copies: they stay in registers. */
template <typename Fill>
inline int push_command(accel_queue *queue, std::uint8_t opcode, std::uint32_t tag,
			Fill fill) noexcept
{
	if (!is_command(queue, tag)) [[unlikely]]
		return refuse_command(queue, tag);
	return on_side<&accel_queue::submit_lock, push_on_side<Fill>>(queue, tag, opcode, fill);
}

} // namespace accel
