// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Sleeping until the card interrupts (goal 6), with the descriptor that event loops use: arm, poll,
// read, reap.
#include "ours.hpp"

#include <stdexcept>

#include <poll.h>
#include <sys/eventfd.h>

#include "cards.hpp"
#include "machine.hpp"

namespace bench
{

namespace
{

class sleeper
{
public:
	explicit sleeper(unsigned whose)
		: on_(card_in_process()), queue_(on_.make_queue(ACCEL_QUEUE_ONE_THREAD))
	{
		pin_cards_in_process(whose);
		check(accel_queue_fd(queue_.get(), &fd_));
	}
	~sleeper() { pin_cards_in_process(CARD); }

	void run(long n)
	{
		for (; n > 0; n--) {
			check(accel_queue_nop(queue_.get(), 1));
			const bool is_armed = check(accel_queue_arm(queue_.get())) == 0;
			check(accel_queue_submit(queue_.get()));
			accel_completion done;
			if (is_armed)
				sleep();
			while (check(accel_queue_reap(queue_.get(), &done, 1)) == 0)
				sleep();
		}
	}

private:
	void sleep()
	{
		pollfd fd{ fd_, POLLIN, 0 };
		eventfd_t count;
		if (poll(&fd, 1, 10'000) != 1 || eventfd_read(fd_, &count) != 0)
			throw std::runtime_error("the interrupt of an armed queue did not come");
	}

	card on_;
	queue_ptr queue_;
	int fd_ = -1;
};

} // namespace

figure noop_slept(bool is_same_core)
{
	figure made;
	made.name = is_same_core ? "noop_slept_one_core" : "noop_slept_two_cores";
	made.needs_two_cores = !is_same_core;
	made.make = [is_same_core]() -> body {
		return [state = std::make_shared<sleeper>(is_same_core ? HOST : CARD)](long n) {
			state->run(n);
		};
	};
	return made;
}

} // namespace bench
