// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card's interrupt vectors as eventfds, connected when first used. Vector 0 is the admin
// queue's. Queues get a vector of their own as long as there are any: whoever waits for the queue
// then waits for the vector's eventfd itself, with nobody in between. The last vector is for all
// further queues: a thread, which exists while there are such queues, reads its eventfd and passes
// each interrupt on to the eventfds of all of them, so that none takes a wake-up from another. A card
// with a single vector has the admin queue on it, too, and the thread for as long as it is open.
#pragma once

#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "bus.hpp"
#include "unique_fd.hpp"

namespace accel::direct
{

class interrupts
{
public:
	explicit interrupts(bus &on);
	interrupts(const interrupts &) = delete;
	interrupts &operator=(const interrupts &) = delete;
	~interrupts();

	int admin_fd() const noexcept
	{
		return is_single() ? admin_event_.get() : vectors_[0].event.get();
	}
	/* What a queue waits on: its vector, and an eventfd that each of its interrupts signals. */
	struct line {
		unsigned vector = 0;
		int event_fd = -1;
	};
	/* Throws what making an eventfd or connecting it may give. */
	line take();
	void give(const line &taken) noexcept;

private:
	struct vector {
		unique_fd event;
		bool is_taken = false;
	};
	bool is_single() const noexcept { return vectors_.size() == 1; }
	void connect(unsigned number);
	line take_shared();
	void start();
	void pass_on(int event_fd, int stop_fd);
	void stop() noexcept;

	bus &bus_;
	std::mutex mutex_;		/* guards all below; fan_out_ also reads shared_ under it */
	std::vector<vector> vectors_;
	unique_fd admin_event_;		/* only with a single vector */
	std::list<unique_fd> shared_;	/* eventfds of the queues on the last vector */
	unique_fd stop_event_;
	std::thread fan_out_;
};

} // namespace accel::direct
