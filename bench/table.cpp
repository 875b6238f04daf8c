// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The list of benchmarks: what is measured, what it is divided by, and the goal of that ratio. docs/
// performance.md says what the numbers of the goals are.
#include <memory>

#include "cards.hpp"
#include "floors.hpp"
#include "noop.hpp"
#include "ours.hpp"

namespace bench
{

namespace
{

constexpr std::size_t MIB = std::size_t{ 1 } << 20;

std::string in_process()
{
	return card_in_process();
}

/* One server for the benchmarks that want a card in another process; lives as long as they do. */
std::string in_another_process()
{
	static const card_server server(1);
	return server.card(0);
}

benchmark inline_time(unsigned flags, unsigned batch, double goal, double stretch)
{
	return { .goal = 2,
		 .ours = noop_inline(flags, batch),
		 .what = "no-op, card in the same thread",
		 .peers = { { io_uring_nop(batch), goal, stretch }, { ring_one_thread(batch) } },
		 .valid_if = {},
		 .note = {} };
}

benchmark copies(unsigned cards, std::size_t size)
{
	return { .goal = 9,
		 .ours = copy_on_cards(cards, size),
		 .what = "copies to cards",
		 .peers = { { copy_memory(cards, size), 0.92, 0.97 } },
		 .valid_if = {},
		 .note = {} };
}

void add_polled(std::vector<benchmark> &to)
{
	to.push_back({ .goal = 3,
		       .ours = noop_polled("", in_process),
		       .what = "no-op, card on the other core",
		       .peers = { { ring_two_cores_depth1(), 1.25 }, { ping_pong(), 2.5, 1.5 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 4,
		       .ours = noop_deep("", in_process),
		       .what = "no-op, 128 outstanding",
		       .peers = { { ring_published_tail(128), 2.0, 1.5 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 5,
		       .ours = noop_polled("_socket", in_another_process),
		       .what = "no-op, card in another process",
		       .peers = { { noop_polled("", in_process), 1.15, 1.05 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 5,
		       .ours = noop_deep("_socket", in_another_process),
		       .what = "no-op, 128 outstanding, card in another process",
		       .peers = { { noop_deep("", in_process), 1.2, 1.05 } },
		       .valid_if = {},
		       .note = {} });
}

void add_waited(std::vector<benchmark> &to)
{
	to.push_back({ .goal = 6,
		       .ours = noop_slept(true),
		       .what = "no-op, asleep until the interrupt, one core",
		       .peers = { { ping_pong_eventfd_one_core(), 2.0 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 6,
		       .ours = noop_slept(false),
		       .what = "no-op, asleep until the interrupt, two cores",
		       .peers = { { poll_there_eventfd_back(), 1.3 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 6,
		       .ours = noop_waited(1),
		       .what = "no-op, accel_queue_wait()",
		       .peers = { { noop_polled("", in_process), 1.1 } },
		       .valid_if = {},
		       .note = {} });
}

void add_threads(std::vector<benchmark> &to)
{
	to.push_back({ .goal = 8,
		       .ours = noop_one_queue(2),
		       .what = "no-op, two threads on one queue",
		       .peers = { { noop_one_queue(1), 0.6 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 8,
		       .ours = noop_two_cards(2),
		       .what = "no-op, two threads with a card each",
		       .peers = { { noop_two_cards(1), 1.85 } },
		       .valid_if = control{ ring_threads(2), ring_threads(1), 1.95 },
		       .note = "counts only in pairs in which two bare rings are 1.95 times one" });
	to.push_back({ .goal = 0,
		       .ours = fair_share(),
		       .what = "what a client with 1 queue gets beside one with 8",
		       .peers = { { fair_half(), 0.9 } },
		       .valid_if = {},
		       .note = {} });
}

void add_opening(std::vector<benchmark> &to)
{
	to.push_back({ .goal = 17,
		       .ours = list_cards(),
		       .what = "list of 8 cards behind sockets",
		       .peers = { { read_sysfs(), 240 } },
		       .valid_if = {},
		       .note = {} });
	to.push_back({ .goal = 17,
		       .ours = list_and_open(),
		       .what = "that, and one opened to its first completion",
		       .peers = { { list_bound_and_1ms(), 1.0 } },
		       .valid_if = {},
		       .note = {} });
}

} // namespace

std::vector<benchmark> all_benchmarks()
{
	std::vector<benchmark> all = {
		inline_time(ACCEL_QUEUE_ONE_THREAD, 1, 0.15, 0.10),
		inline_time(ACCEL_QUEUE_ONE_THREAD, 32, 0.40, 0.30),
		inline_time(0, 1, 0.15, 0.10),
		inline_time(0, 32, 0.40, 0.30),
	};
	add_polled(all);
	add_waited(all);
	add_threads(all);
	for (const std::size_t size : { MIB, 16 * MIB, 256 * MIB })
		all.push_back(copies(1, size));
	all.push_back(copies(2, 16 * MIB));
	all.push_back({ .goal = 11,
			.ours = copy_scattered(),
			.what = "64 scattered pages in one submission",
			.peers = { { copy_in_one(), 1.15 } },
			.valid_if = {},
			.note = {} });
	add_opening(all);
	return all;
}

std::vector<benchmark> counted_only()
{
	std::vector<benchmark> all;
	const auto add = [&](int goal, figure ours) {
		all.push_back({ goal, std::move(ours), "counted from outside", {}, {}, {} });
	};
	for (const unsigned batch : { 1u, 32u }) {
		add(1, noop_inline(ACCEL_QUEUE_ONE_THREAD, batch));
		add(1, noop_inline(0, batch));
		add(1, ring_one_thread(batch));
	}
	add(6, noop_polled("", chosen_card));
	add(6, noop_deep("", chosen_card));
	add(6, copy_waited(1));
	add(6, copy_waited(32));
	add(7, noop_inline_many(1, 1));
	add(7, noop_inline_many(8, 16));
	add(11, host_half(false));
	add(11, host_half(true));
	return all;
}

} // namespace bench
