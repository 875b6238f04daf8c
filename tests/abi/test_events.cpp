// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// EVENTS_OPEN: one stream for everybody, each reader with its own place in it.
#include "matrix.hpp"
#include "recovery.hpp"

#include "../support/asleep.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace oac::abi;

class events : public recovery_test
{
protected:
	/* One event of the card's own: a queue that fails. */
	void make_one() const
	{
		const auto made = make_kernel_queue();
		drm_oac_queue_destroy destroy = { made.queue, 0 };
		oac_cmd bad = {};

		bad.opcode = 0xff;
		write(0, bad);
		ASSERT_EQ(ring(made.queue, 1), 0);
		wait_for(made.queue, 1);
		EXPECT_EQ(dev()(destroy), 0);
	}
};

TEST_F(events, are_numbered_without_a_gap_and_can_be_read_again)
{
	const event_reader reader(dev(), 1), again(dev(), 1);
	const auto all = reader.read();

	ASSERT_FALSE(all.empty());
	for (std::size_t i = 1; i < all.size(); i++) {
		EXPECT_EQ(all[i].seq, all[i - 1].seq + 1);
		EXPECT_GE(all[i].boot_ns, all[i - 1].boot_ns);
	}
	const auto twice = again.read();
	ASSERT_GE(twice.size(), all.size());
	for (std::size_t i = 0; i < all.size(); i++)
		EXPECT_EQ(twice[i].seq, all[i].seq);
	const event_reader from_last(dev(), all.back().seq);
	const auto tail = from_last.read();
	ASSERT_FALSE(tail.empty());
	EXPECT_EQ(tail.front().seq, all.back().seq);
	EXPECT_GE(health().events, all.back().seq);
}

TEST_F(events, of_the_card_come_by_themselves)
{
	const event_reader reader(dev(), 0);

	make_one();
	const auto got = reader.read_until(OAC_EVENT_QUEUE_ERROR);
	const auto one = std::find_if(got.begin(), got.end(), [](const auto &event) {
		return event.code == OAC_EVENT_QUEUE_ERROR;
	});
	ASSERT_NE(one, got.end());
	EXPECT_EQ(one->arg, static_cast<std::uint64_t>(OAC_ST_BAD_OPCODE));
	EXPECT_EQ(one->severity, OAC_SEVERITY_CONTEXT_FATAL);
	EXPECT_NE(one->card_seq, 0u);
	EXPECT_NE(one->card_ns, 0u);
	EXPECT_NE(one->boot_ns, 0u);
	EXPECT_NE(one->context, 0u);
	EXPECT_NE(one->queue, 0u);
	EXPECT_EQ(one->generation, health().generation);
}

TEST_F(events, sleepers_are_woken)
{
	const event_reader reader(dev(), 0, 0);
	std::atomic<pid_t> reading{ 0 };
	drm_oac_event got = {};

	std::thread thread([&] {
		reading = gettid();
		reading.notify_one();
		do {
			ASSERT_EQ(::read(reader.fd(), &got, sizeof(got)),
				  static_cast<ssize_t>(sizeof(got)));
		} while (got.code != OAC_EVENT_QUEUE_ERROR);
	});
	reading.wait(0);
	EXPECT_TRUE(support::wait_until_asleep(reading));
	make_one();
	thread.join();
	EXPECT_EQ(got.code, OAC_EVENT_QUEUE_ERROR);
}

TEST_F(events, reads_are_whole_and_do_not_block_when_told_so)
{
	const event_reader reader(dev(), 0);
	char small[sizeof(drm_oac_event) - 1];
	drm_oac_event one = {};
	pollfd poll_for = { reader.fd(), POLLIN, 0 };
	const edge nowhere;

	EXPECT_EQ(::read(reader.fd(), small, sizeof(small)), -1);
	EXPECT_EQ(errno, EINVAL);
	/* The card may have something to say of its own; nobody says that it has not. */
	reader.read();
	if (poll(&poll_for, 1, 0) == 0) {
		EXPECT_EQ(::read(reader.fd(), &one, sizeof(one)), -1);
		EXPECT_EQ(errno, EAGAIN);
	}
	EXPECT_EQ(::write(reader.fd(), &one, sizeof(one)), -1);
	make_one();
	EXPECT_EQ(poll(&poll_for, 1, 20000), 1);
	EXPECT_EQ(poll_for.revents & POLLIN, POLLIN);
	EXPECT_EQ(::read(reader.fd(), nowhere.last(sizeof(one) / 2), sizeof(one)), -1);
	EXPECT_EQ(errno, EFAULT);
	EXPECT_FALSE(reader.read_until(OAC_EVENT_QUEUE_ERROR).empty())
		<< "what could not be stored is not lost";
}

/* More than are kept: whoever did not read meanwhile learns how many are gone. */
TEST_F(events, who_is_too_slow_learns_how_much_is_missing)
{
	constexpr std::uint64_t kept = 4096;
	const event_reader slow(dev(), 0);
	const std::uint64_t first = health().events + 1;

	/* One for each context that is lost, besides what each reset tells. */
	while (health().events < first + kept + 100) {
		ASSERT_EQ(reset(soft), 0);
		for (int i = 0; i < 40; i++)
			dev().context();
	}
	const auto all = slow.read();
	ASSERT_FALSE(all.empty());
	EXPECT_EQ(all[0].code, OAC_EVENT_MISSED);
	EXPECT_GE(all[0].arg, 100u);
	EXPECT_EQ(all[0].seq, first + all[0].arg - 1);
	ASSERT_GE(all.size(), kept);
	EXPECT_EQ(all[1].seq, all[0].seq + 1);
}

TEST_F(events, are_kept_over_a_reset)
{
	const event_reader reader(dev(), 0);
	const std::uint32_t generation = health().generation;

	make_one();
	const std::uint64_t before = reader.read_until(OAC_EVENT_QUEUE_ERROR).back().seq;
	ASSERT_EQ(reset(soft), 0);
	const auto got = reader.read_until(OAC_EVENT_BOOTED);
	const auto has = [&](std::uint16_t code, std::uint64_t arg) {
		return std::any_of(got.begin(), got.end(), [=](const auto &one) {
			return one.code == code && one.arg == arg;
		});
	};
	EXPECT_TRUE(has(OAC_EVENT_RECOVERY, OAC_CAUSE_OPERATOR));
	EXPECT_TRUE(has(OAC_EVENT_CONTEXT_LOST, OAC_LOST_INNOCENT));
	EXPECT_TRUE(has(OAC_EVENT_HEALTH, OAC_REASON_STARTING));
	const event_reader again(dev(), before);
	const auto kept = again.read_until(OAC_EVENT_RECOVERED, OAC_RUNG_SOFT_RESET);
	EXPECT_EQ(kept.front().code, OAC_EVENT_QUEUE_ERROR);
	EXPECT_EQ(kept.back().generation, generation + 1);
}
