// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The admin queue against cards that do not answer: its deadline holds whatever they do instead, and
// ends at once when somebody ends the session.
#include "admin_queue.hpp"

#include <cerrno>
#include <future>
#include <thread>

#include <hw/oac_health.h>
#include <sys/eventfd.h>

#include <gtest/gtest.h>

#include "error.hpp"
#include "patience.hpp"

using accel::direct::admin_queue;
using accel::direct::bus;
using accel::direct::bus_addresses;

namespace
{

constexpr std::int64_t TIMEOUT_NS = 20 * accel::NS_PER_MS;

/* A bus to a card that takes everything and does nothing. */
class silent_bus final : public bus
{
public:
	std::uint32_t read32(std::uint32_t) override { return 0; }
	void write32(std::uint32_t, std::uint32_t) override {}
	std::span<std::byte> doorbells() noexcept override { return {}; }
	std::uint64_t doorbells_size() const noexcept override { return 0; }
	int doorbell_write(std::uint64_t, std::uint64_t, unsigned) noexcept override { return 0; }
	std::span<std::byte> local_memory() noexcept override { return {}; }
	void dma_map(int, std::uint64_t, std::uint64_t) override {}
	void dma_unmap(std::uint64_t, std::uint64_t) override {}
	unsigned vectors() const noexcept override { return 1; }
	void connect_vector(unsigned, int) override {}
	int numa_node() const noexcept override { return -1; }
	int lost_fd() const noexcept override { return -1; }
	bool is_dead() const noexcept override { return is_dead_; }
	void die() noexcept override { is_dead_ = true; }

private:
	bool is_dead_ = false;
};

int code_of(admin_queue &admin, admin_queue::limits within)
{
	try {
		oac_admin_cmd cmd{};
		cmd.opcode = OAC_ADMIN_TIME_SYNC;
		admin.run("time sync", cmd, {}, {}, within);
	} catch (const accel::failure &failed) {
		return failed.code().value();
	}
	return 0;
}

/* What a command comes to; the session is over by then, and who looks after the card is told. */
int outcome_with(int event_fd)
{
	const accel::unique_fd event(event_fd);
	silent_bus silent;
	bus_addresses addresses(silent);
	std::uint32_t told = OAC_CAUSE_NONE;
	admin_queue admin(
		addresses, event.get(), "test", [](std::uint32_t) {},
		[&](std::uint32_t cause) { told = cause; }, TIMEOUT_NS);
	admin.enable();
	try {
		oac_admin_cmd cmd{};
		cmd.opcode = OAC_ADMIN_TIME_SYNC;
		admin.run("time sync", cmd, {}, {});
	} catch (const accel::failure &failed) {
		EXPECT_EQ(told, unsigned{ OAC_CAUSE_ADMIN });
		EXPECT_FALSE(silent.is_dead());
		return failed.code().value();
	}
	return 0;
}

TEST(admin_queue, a_silent_card_is_given_up)
{
	EXPECT_EQ(outcome_with(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), ETIMEDOUT);
}

TEST(admin_queue, a_card_that_interrupts_for_ever_is_given_up_too)
{
	/* Each read takes one of more events than there is time for. */
	const int endless = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	ASSERT_EQ(eventfd_write(endless, UINT64_MAX - 1), 0);
	EXPECT_EQ(outcome_with(endless), ETIMEDOUT);
}

TEST(admin_queue, a_callers_patience_ends_without_the_card)
{
	const accel::unique_fd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	silent_bus silent;
	bus_addresses addresses(silent);
	unsigned failures = 0;
	admin_queue admin(
		addresses, event.get(), "test", [](std::uint32_t) {},
		[&](std::uint32_t) { failures++; }, 10 * TIMEOUT_NS);
	admin.enable();
	const auto run = [&] {
		try {
			oac_admin_cmd cmd{};
			cmd.opcode = OAC_ADMIN_TIME_SYNC;
			admin.run("time sync", cmd, {}, {});
		} catch (const accel::failure &failed) {
			return failed.code().value();
		}
		return 0;
	};
	{
		const accel::direct::patience limit(accel::now_ns() + TIMEOUT_NS);
		EXPECT_EQ(run(), ETIMEDOUT);
	}
	EXPECT_FALSE(silent.is_dead());
	EXPECT_EQ(failures, 0u);
	EXPECT_TRUE(admin.is_enabled());
	{
		const accel::direct::patience limit(accel::now_ns() + TIMEOUT_NS);
		EXPECT_EQ(run(), ETIMEDOUT) << "its answer comes first";
	}
	EXPECT_EQ(failures, 0u);
	EXPECT_EQ(run(), ETIMEDOUT) << "the card has had its time";
	EXPECT_EQ(failures, 1u);
	EXPECT_EQ(run(), EHOSTDOWN);
}

/* What a command in progress comes to when the session ends under it. */
TEST(admin_queue, the_end_of_a_session_ends_its_commands)
{
	const accel::unique_fd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	silent_bus silent;
	bus_addresses addresses(silent);
	std::promise<void> rung;
	admin_queue admin(
		addresses, event.get(), "test", [&](std::uint32_t) { rung.set_value(); },
		[](std::uint32_t) { FAIL() << "ended by us, not by the card"; });
	admin.enable();
	std::thread other([&] {
		rung.get_future().wait();
		admin.disable();
	});
	const std::int64_t start = accel::now_ns();
	EXPECT_EQ(code_of(admin, {}), EHOSTDOWN);
	EXPECT_LT(accel::now_ns() - start, admin_queue::TIMEOUT_NS / 2);
	other.join();
}

TEST(admin_queue, what_is_for_another_session_does_not_reach_the_card)
{
	const accel::unique_fd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	silent_bus silent;
	bus_addresses addresses(silent);
	admin_queue admin(
		addresses, event.get(), "test",
		[](std::uint32_t) { FAIL() << "it was rung for a stale command"; },
		[](std::uint32_t) {});
	admin.enable();
	const std::uint32_t before = admin.session();
	admin.disable();
	admin.enable();
	EXPECT_NE(admin.session(), before);
	EXPECT_EQ(code_of(admin, { before, 0 }), ESTALE);
}

} // namespace
