// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Fair sharing: a card with two clients, one with a single queue and one with eight, all of them
// always full of equal copies. Each client should get half of the card.
#include "ours.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "cards.hpp"
#include "machine.hpp"

namespace bench
{

namespace
{

constexpr std::size_t SIZE = 64 << 10;
constexpr unsigned OUTSTANDING = 16;
constexpr int AT_ONCE = 16;
/* Shorter, and the first round of the queues decides. */
constexpr std::int64_t AT_LEAST_NS = 50'000'000;

class client
{
public:
	explicit client(unsigned queues)
		: on_(card_in_process()), from_(on_.make_buffer(SIZE)), to_(on_.make_buffer(SIZE))
	{
		for (unsigned i = 0; i < queues; i++)
			queues_.push_back(on_.make_queue(ACCEL_QUEUE_ONE_THREAD));
	}
	/* Returns how many copies have completed since the last call. */
	long serve(bool does_refill)
	{
		long count = 0;
		for (const queue_ptr &queue : queues_) {
			accel_completion done[AT_ONCE];
			const int got = check(accel_queue_reap(queue.get(), done, AT_ONCE));
			count += got;
			if (does_refill)
				refill(queue.get());
		}
		return count;
	}
	bool is_busy() const
	{
		for (const queue_ptr &queue : queues_)
			if (accel_queue_outstanding(queue.get()) > 0)
				return true;
		return false;
	}

private:
	void refill(accel_queue *queue) const
	{
		while (accel_queue_outstanding(queue) < OUTSTANDING)
			check(accel_queue_copy(queue, to_.address, from_.address, SIZE, 1));
		check(accel_queue_submit(queue));
	}

	card on_;
	mapped from_, to_;
	std::vector<queue_ptr> queues_;
};

double share_of_first(client &first, client &second, std::int64_t budget_ns)
{
	first.serve(true);
	second.serve(true);
	long firsts = 0, seconds = 0;
	for (const std::int64_t end = now_ns() + std::max(budget_ns, AT_LEAST_NS);
	     now_ns() < end;) {
		firsts += first.serve(true);
		seconds += second.serve(true);
	}
	while (first.is_busy() || second.is_busy()) {
		first.serve(false);
		second.serve(false);
	}
	if (firsts + seconds == 0)
		throw std::runtime_error("the card completed nothing");
	return static_cast<double>(firsts) / static_cast<double>(firsts + seconds);
}

} // namespace

figure fair_share()
{
	figure made;
	made.name = "share_of_1_queue_against_8";
	made.of = unit::share;
	made.needs_two_cores = true;
	made.make_value = [] {
		auto first = std::make_shared<client>(1);
		auto second = std::make_shared<client>(8);
		pin_cards_in_process(CARD);
		return [first, second](std::int64_t budget_ns) {
			return share_of_first(*first, *second, budget_ns);
		};
	};
	return made;
}

figure fair_half()
{
	figure made;
	made.name = "half_of_the_card";
	made.of = unit::share;
	made.make_value = [] { return [](std::int64_t) { return 0.5; }; };
	return made;
}

} // namespace bench
