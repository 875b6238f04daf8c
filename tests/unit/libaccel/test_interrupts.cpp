// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Vectors: own ones first, then the shared last one, whose interrupts reach every queue on it.
#include "interrupts.hpp"

#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>

#include <gtest/gtest.h>

#include "id_pool.hpp"

using accel::direct::bus;
using accel::direct::id_pool;
using accel::direct::interrupts;

namespace
{

/* A bus with vectors and nothing else. */
class vector_bus final : public bus
{
public:
	explicit vector_bus(unsigned count) : fds_(count, -1) {}
	void fire(unsigned vector) { eventfd_write(fds_.at(vector), 1); }
	bool is_connected(unsigned vector) const { return fds_.at(vector) >= 0; }

	std::uint32_t read32(std::uint32_t) override { return 0; }
	void write32(std::uint32_t, std::uint32_t) override {}
	std::span<std::byte> doorbells() noexcept override { return {}; }
	std::uint64_t doorbells_size() const noexcept override { return 0; }
	int doorbell_write(std::uint64_t, std::uint64_t, unsigned) noexcept override { return 0; }
	std::span<std::byte> local_memory() noexcept override { return {}; }
	void dma_map(int, std::uint64_t, std::uint64_t) override {}
	void dma_unmap(std::uint64_t, std::uint64_t) override {}
	unsigned vectors() const noexcept override { return static_cast<unsigned>(fds_.size()); }
	void connect_vector(unsigned vector, int event_fd) override { fds_.at(vector) = event_fd; }
	int numa_node() const noexcept override { return -1; }
	int lost_fd() const noexcept override { return -1; }
	bool is_dead() const noexcept override { return false; }
	void die() noexcept override {}

private:
	std::vector<int> fds_;
};

bool fires(int event_fd, int timeout_ms)
{
	pollfd fd{ event_fd, POLLIN, 0 };
	if (poll(&fd, 1, timeout_ms) != 1)
		return false;
	eventfd_t count;
	return eventfd_read(event_fd, &count) == 0;
}

TEST(interrupts, vectors_are_connected_when_used)
{
	vector_bus bus(4);
	interrupts lines(bus);
	EXPECT_TRUE(bus.is_connected(0));
	EXPECT_FALSE(bus.is_connected(1));
	const auto a = lines.take();
	EXPECT_EQ(a.vector, 1u);
	EXPECT_TRUE(bus.is_connected(1));
	bus.fire(0);
	EXPECT_TRUE(fires(lines.admin_fd(), 0));
	EXPECT_FALSE(fires(a.event_fd, 0));
	bus.fire(1);
	EXPECT_TRUE(fires(a.event_fd, 0));
	lines.give(a);
}

TEST(interrupts, a_reused_vector_has_no_old_events)
{
	vector_bus bus(4);
	interrupts lines(bus);
	const auto a = lines.take();
	bus.fire(1);
	lines.give(a);
	const auto b = lines.take();
	EXPECT_EQ(b.vector, 1u);
	EXPECT_FALSE(fires(b.event_fd, 0));
	lines.give(b);
}

TEST(interrupts, all_queues_on_the_last_vector_hear_it)
{
	vector_bus bus(3);
	interrupts lines(bus);
	const auto own = lines.take();
	std::vector<interrupts::line> shared;
	for (int i = 0; i < 5; i++) {
		shared.push_back(lines.take());
		EXPECT_EQ(shared.back().vector, 2u);
	}
	for (int round = 0; round < 20; round++) {
		bus.fire(2);
		for (const auto &line : shared)
			EXPECT_TRUE(fires(line.event_fd, 5000));
		EXPECT_FALSE(fires(own.event_fd, 0));
	}
	for (const auto &line : shared)
		lines.give(line);
	lines.give(own);
}

TEST(interrupts, the_last_vector_comes_back)
{
	vector_bus bus(2);
	interrupts lines(bus);
	for (int round = 0; round < 50; round++) {
		const auto a = lines.take();
		const auto b = lines.take();
		lines.give(a);
		bus.fire(1);
		EXPECT_TRUE(fires(b.event_fd, 5000));
		lines.give(b);
	}
	const auto left_open = lines.take();
	EXPECT_EQ(left_open.vector, 1u);
}

TEST(interrupts, a_single_vector_serves_admin_and_queues)
{
	vector_bus bus(1);
	interrupts lines(bus);
	EXPECT_TRUE(bus.is_connected(0));
	bus.fire(0);
	EXPECT_TRUE(fires(lines.admin_fd(), 5000));
	const auto a = lines.take();
	const auto b = lines.take();
	EXPECT_EQ(a.vector, 0u);
	EXPECT_EQ(b.vector, 0u);
	EXPECT_NE(a.event_fd, b.event_fd);
	EXPECT_NE(a.event_fd, lines.admin_fd());
	bus.fire(0);
	EXPECT_TRUE(fires(a.event_fd, 5000));
	EXPECT_TRUE(fires(b.event_fd, 5000));
	EXPECT_TRUE(fires(lines.admin_fd(), 5000));
	lines.give(a);
	lines.give(b);
	/* Without queues the admin queue still hears of it. */
	bus.fire(0);
	EXPECT_TRUE(fires(lines.admin_fd(), 5000));
	const auto c = lines.take();
	bus.fire(0);
	EXPECT_TRUE(fires(c.event_fd, 5000));
	lines.give(c);
}

TEST(id_pool, lowest_first)
{
	id_pool pool(3);
	EXPECT_EQ(pool.take(), 1u);
	EXPECT_EQ(pool.take(), 2u);
	EXPECT_EQ(pool.take(), 3u);
	EXPECT_EQ(pool.take(), std::nullopt);
	pool.give(2);
	pool.give(2);
	pool.give(0);
	pool.give(9);
	EXPECT_EQ(pool.count(), 2u);
	EXPECT_EQ(pool.take(), 2u);
}

} // namespace
