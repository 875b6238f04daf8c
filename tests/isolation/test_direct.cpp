// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Without the kernel driver a card has one process, and the card itself keeps that process's
// contexts apart.
#include "fixture.hpp"

#include <algorithm>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <vfio_user/vfio_user.h>

#include "squatter.hpp"

namespace
{

class socket_test : public isolation::isolation_test
{
protected:
	void SetUp() override
	{
		isolation_test::SetUp();
		if (HasFatalFailure())
			return;
		if (!string(ACCEL_STRING_NAME).starts_with("socket:"))
			GTEST_SKIP() << "needs a card behind a socket (ACCEL_SOCKETS); this one is "
				     << string(ACCEL_STRING_NAME);
	}

	/// A connection to the card's socket; -1: refused.
	int connect_raw()
	{
		const std::string path = string(ACCEL_STRING_NODE);
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		sockaddr_un address = {};

		address.sun_family = AF_UNIX;
		path.copy(address.sun_path, sizeof(address.sun_path) - 1);
		if (connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0)
			return fd;
		close(fd);
		return -1;
	}

	/// Sends one message with an empty body; all that comes back until the card hangs up.
	std::string say(int fd, std::uint16_t command)
	{
		vfio_user_header head = {};
		std::string answer;
		char bytes[256];

		head.id = 1;
		head.cmd = command;
		head.size = sizeof(head);
		EXPECT_EQ(send(fd, &head, sizeof(head), MSG_NOSIGNAL),
			  static_cast<ssize_t>(sizeof(head)));
		for (;;) {
			pollfd wait = { fd, POLLIN, 0 };
			if (poll(&wait, 1, 20000) != 1)
				return answer + " and then silence";
			const ssize_t got = read(fd, bytes, sizeof(bytes));
			if (got <= 0)
				return answer;
			answer.append(bytes, static_cast<std::size_t>(got));
		}
	}
};

TEST_F(socket_test, another_process_is_told_who_has_the_card)
{
	isolation::squatter other(string(ACCEL_STRING_NAME));

	EXPECT_EQ(other.line().substr(0, 9), "error " + std::to_string(EBUSY) + ':')
		<< other.line();
	EXPECT_NE(other.line().find(std::to_string(getpid())), std::string::npos)
		<< "does not name process " << getpid() << ": " << other.line();
}

TEST_F(socket_test, the_socket_gives_nothing_to_a_second_client)
{
	static constexpr std::uint16_t commands[] = {
		VFIO_USER_VERSION,     VFIO_USER_DMA_MAP,      VFIO_USER_DEVICE_GET_INFO,
		VFIO_USER_REGION_READ, VFIO_USER_REGION_WRITE, VFIO_USER_DEVICE_RESET,
	};

	for (std::uint16_t command : commands) {
		const int fd = connect_raw();

		ASSERT_GE(fd, 0);
		const std::string answer = say(fd, command);
		vfio_user_header head = {};
		/* An error and no more, or nothing at all. */
		ASSERT_TRUE(answer.empty() || answer.size() == sizeof(head)) << answer.size();
		if (!answer.empty()) {
			std::memcpy(&head, answer.data(), sizeof(head));
			EXPECT_TRUE(head.flags & VFIO_USER_FLAG_ERROR);
			EXPECT_EQ(head.error, static_cast<std::uint32_t>(EBUSY));
		}
		close(fd);
	}
	EXPECT_EQ(neighbour_->check(), "");
}

TEST_F(socket_test, those_who_knock_and_say_nothing_stop_nobody)
{
	std::vector<int> knocking;

	for (unsigned i = 0; i < 40; i++) {
		const int fd = connect_raw();

		if (fd >= 0)
			knocking.push_back(fd);
		EXPECT_EQ(neighbour_->check(), "");
	}
	EXPECT_FALSE(knocking.empty());
	for (int fd : knocking)
		close(fd);
}

/* On every backend: two handles of one process on the same card. */
class handles_test : public isolation::isolation_test
{
protected:
	static constexpr std::size_t size = 16 * api::page, large = 1 << 20;

	void SetUp() override
	{
		isolation_test::SetUp();
		if (HasFatalFailure())
			return;
		second_.emplace(string(ACCEL_STRING_NAME));
		mine_.emplace(device());
		theirs_.emplace(*second_);
		/* So much that most is at addresses where the other context has nothing. */
		for (unsigned i = 0; i < 8; i++)
			memory_.emplace_back(*second_, *theirs_, large);
		for (auto &one : memory_)
			std::ranges::fill(one.buffer().bytes(), std::byte{ 0x33 });
		own_.emplace(device(), *mine_, size);
	}

	void TearDown() override
	{
		for (auto &one : memory_)
			EXPECT_TRUE(std::ranges::all_of(one.buffer().bytes(), [](auto byte) {
				return byte == std::byte{ 0x33 };
			}));
		memory_.clear();
		own_.reset();
		theirs_.reset();
		mine_.reset();
		second_.reset();
		isolation_test::TearDown();
	}

	std::optional<accel::device> second_;
	std::optional<accel::context> mine_, theirs_;
	std::vector<api::arena> memory_;
	std::optional<api::arena> own_;
};

TEST_F(handles_test, addresses_of_one_context_are_nothing_in_another)
{
	unsigned faults = 0;

	for (const auto &one : memory_) {
		/* Mine has far less in all: its own memory, and rings. */
		if (one.address() < own_->address() + 2 * large)
			continue;
		for (bool writes : { true, false }) {
			accel::queue queue(*mine_, 4u);
			const auto done = api::run(queue, [&](std::uint32_t tag) {
				return writes ? queue.try_fill(one.address(), 64, 1u, tag) :
						queue.try_copy(own_->address(), one.address(), 64,
							       tag);
			});

			EXPECT_EQ(done.result, -EFAULT) << std::hex << one.address();
			EXPECT_STREQ(accel_code_text(done.code), api::text_fault);
			faults++;
		}
	}
	EXPECT_GE(faults, 4u);
	api::expect_works(*second_);
}

TEST_F(handles_test, timelines_and_buffers_belong_to_their_own)
{
	accel::timeline timeline(*theirs_);
	accel::queue queue(*mine_, 4u), next(*mine_, 4u);

	/* Refused by the library, or by the card; never done. */
	if (queue.try_signal(timeline, 7, 1) == 0) {
		ASSERT_EQ(queue.submit(), 0);
		for (const auto &done : api::collect(queue, 1))
			EXPECT_LT(done.result, 0);
	}
	EXPECT_EQ(timeline.value(), 0u);
	api::expect_works(device());
}

} // namespace
