// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The admin queue and the objects it makes: contexts and queues. Commands come from the kernel,
// which is trusted with memory but not to be free of mistakes: every field is checked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <hw/oac_admin.h>

#include "board.hpp"
#include "context.hpp"
#include "outcome.hpp"
#include "queue.hpp"
#include "scheduler.hpp"

namespace oac::emu
{

class admin
{
public:
	admin(board &on, scheduler &turns, const card_config &config)
		: board_(on), turns_(turns), serial_(config.serial), vectors_(config.vectors)
	{
	}

	/* ADMIN_CONTROL: starts with empty rings, stops; objects stay. */
	void enable(std::uint64_t sq, std::uint64_t cq, std::uint32_t depth);
	void disable()
	{
		enabled_ = false;
		board_.tell_events(false);
	}
	/* Reset of the function: no queue, no context, no error. */
	void reset();

	bool is_enabled() const { return enabled_; }
	bool has_error() const { return error_; }
	bool has_work() const
	{
		return board_.doorbells.load<std::uint32_t>(OAC_DB_SQ_TAIL) != head_ && enabled_ &&
		       !error_ && !board_.broken.admin_stopped;
	}
	/* One command. */
	void step();

	queue *find_queue(unsigned id) const
	{
		return id < queues_.size() ? queues_[id].get() : nullptr;
	}
	/* All queues there are, in the order of creation. */
	std::span<queue *const> live() const { return live_; }
	/* Pages of local memory have lost their data, or have it again. */
	void note_poison();
	/* Faults have come or gone. */
	void reconsider();

private:
	outcome execute(const oac_admin_cmd &cmd);
	outcome identify(const oac_admin_cmd &cmd);
	outcome time_sync(const oac_admin_cmd &cmd);
	outcome context_create(const oac_admin_cmd &cmd);
	outcome context_destroy(const oac_admin_cmd &cmd);
	outcome map(const oac_admin_cmd &cmd);
	outcome unmap(const oac_admin_cmd &cmd);
	outcome scrub(const oac_admin_cmd &cmd);
	outcome queue_create(const oac_admin_cmd &cmd);
	outcome queue_destroy(const oac_admin_cmd &cmd);
	outcome queue_abort(const oac_admin_cmd &cmd);
	outcome self_test();
	void destroy(queue &gone);
	outcome get_log(const oac_admin_cmd &cmd);

	template <typename Entry>
	outcome write_log(const oac_admin_cmd &cmd, const std::vector<Entry> &all);
	context *find_context(std::uint32_t id) const;
	/* A stuck queue goes with its context, where that helps. false: it does not. */
	bool destroy_stuck_queues(const context &in);
	bool is_doorbell_lost();
	void post(const oac_completion &entry, bool has_wrong_phase, bool interrupts);
	void answer(const oac_admin_cmd &cmd, const outcome &result);
	const oac_fw_manifest &limits() const { return board_.running->manifest; }

	board &board_;
	scheduler &turns_;
	const std::uint64_t serial_;
	const unsigned vectors_;
	bool enabled_ = false, error_ = false;
	std::uint64_t sq_ = 0, cq_ = 0;
	std::uint32_t depth_ = 0, head_ = 0, completed_ = 0;
	std::uint32_t seen_tail_ = 0; /* of the doorbell, while faults are watched for */
	std::uint64_t host_ns_ = 0; /* last TIME_SYNC */
	std::map<std::uint32_t, std::unique_ptr<context>> contexts_;
	std::vector<std::unique_ptr<queue>> queues_; /* by id; before contexts_ on the way out */
	std::vector<queue *> live_;
};

} // namespace oac::emu
