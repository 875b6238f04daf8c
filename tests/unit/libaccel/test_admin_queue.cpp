// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The admin queue against cards that do not answer: its deadline holds whatever they do instead.
#include "admin_queue.hpp"

#include <cerrno>

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

/* What a command comes to; the card is given up by then. */
int outcome_with(int event_fd)
{
	const accel::unique_fd event(event_fd);
	silent_bus silent;
	bus_addresses addresses(silent);
	admin_queue admin(
		addresses, event.get(), "test", [](std::uint32_t) {}, TIMEOUT_NS);
	admin.enable();
	try {
		oac_admin_cmd cmd{};
		cmd.opcode = OAC_ADMIN_TIME_SYNC;
		admin.run("time sync", cmd, {}, {});
	} catch (const accel::failure &failed) {
		EXPECT_TRUE(silent.is_dead());
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
	admin_queue admin(addresses, event.get(), "test", [](std::uint32_t) {});
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
	EXPECT_EQ(run(), EHOSTDOWN) << "its answer may still come, so only a reset helps";
}

} // namespace
