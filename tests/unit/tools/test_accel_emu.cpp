// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accel-emu's command line: each option that changes the card is seen in the card it serves, by the
// bus that libaccel reaches cards with. The program under test is a process of its own.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <hw/oac_regs.h>

#include "bus_vfio_user.hpp"

namespace
{

using accel::unique_fd;
using accel::direct::bus_vfio_user;

constexpr std::int64_t TIMEOUT_NS = 10'000'000'000;

class served
{
public:
	/* Until it has said that it is ready, or has ended. */
	explicit served(const std::vector<std::string> &options)
	{
		char name[] = "/tmp/test-accel-emu-XXXXXX";
		directory_ = mkdtemp(name) ? name : "";
		int ends[2];
		if (directory_.empty() || pipe2(ends, O_CLOEXEC) != 0)
			throw std::runtime_error("no directory or no pipe");
		const unique_fd out(ends[0]);
		unique_fd in(ends[1]);
		std::vector<const char *> line = { ACCEL_EMU_PROGRAM, "serve", "--dir",
						   directory_.c_str() };
		for (const std::string &option : options)
			line.push_back(option.c_str());
		line.push_back(nullptr);
		pid_ = fork();
		if (pid_ == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			dup2(in.get(), STDOUT_FILENO);
			dup2(in.get(), STDERR_FILENO);
			execv(ACCEL_EMU_PROGRAM, const_cast<char *const *>(line.data()));
			_exit(127);
		}
		in = unique_fd();
		char byte;
		while (said_.find("ready:") == said_.npos && read(out.get(), &byte, 1) == 1)
			said_ += byte;
	}
	served(const served &) = delete;
	served &operator=(const served &) = delete;
	~served()
	{
		end();
		std::filesystem::remove_all(directory_);
	}

	/* Its exit code; asks it to end if it is ready. */
	int end()
	{
		int status = -1;
		if (pid_ <= 0)
			return -1;
		if (said_.find("ready:") != said_.npos)
			kill(pid_, SIGTERM);
		waitpid(pid_, &status, 0);
		pid_ = -1;
		return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}

	bus_vfio_user connect(unsigned card = 0) const
	{
		const std::string path = directory_ + "/card" + std::to_string(card) + ".sock";
		sockaddr_un address{};
		address.sun_family = AF_UNIX;
		std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
		unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		if (::connect(socket.get(), reinterpret_cast<sockaddr *>(&address),
			      sizeof(address)) != 0)
			throw std::runtime_error("nobody listens on " + path);
		return bus_vfio_user(std::move(socket), path, TIMEOUT_NS);
	}

	const std::string &said() const { return said_; }

private:
	std::string directory_, said_;
	pid_t pid_ = -1;
};

TEST(accel_emu, cards_promise_isolated_doorbells_unless_told_not_to)
{
	for (const bool is_promised : { true, false }) {
		served two(is_promised ? std::vector<std::string>{ "--cards", "2" } :
					 std::vector<std::string>{ "--cards", "2",
								   "--no-user-submission" });
		for (unsigned card = 0; card < 2; card++) {
			auto bus = two.connect(card);
			const std::uint32_t cap = bus.read32(OAC_REG_CAP);
			EXPECT_EQ((cap & OAC_CAP_DOORBELL_ISOLATED_MASK) != 0, is_promised);
			EXPECT_NE(cap & OAC_CAP_DOORBELL_SHARED_MASK, 0u) << "nothing else changes";
			EXPECT_FALSE(bus.doorbells().empty());
		}
		EXPECT_EQ(two.end(), 0) << two.said();
	}
}

TEST(accel_emu, trapped_doorbells_are_not_given_out)
{
	served one({ "--doorbells", "trapped" });
	auto bus = one.connect();
	EXPECT_EQ(bus.read32(OAC_REG_CAP) & OAC_CAP_DOORBELL_SHARED_MASK, 0u);
	EXPECT_NE(bus.read32(OAC_REG_CAP) & OAC_CAP_DOORBELL_ISOLATED_MASK, 0u);
	EXPECT_TRUE(bus.doorbells().empty());
}

TEST(accel_emu, vectors_are_as_many_as_asked_for)
{
	for (const unsigned vectors : { 1u, 5u, unsigned{ OAC_MSIX_VECTORS } }) {
		served one({ "--vectors", std::to_string(vectors) });
		const std::uint32_t end = OAC_MSIX_TABLE_OFFSET + vectors * 16;
		const unique_fd event(eventfd(0, EFD_CLOEXEC));
		{
			auto bus = one.connect();
			EXPECT_EQ(bus.vectors(), vectors);
			EXPECT_EQ(bus.read32(end - 4), 1u) << "masked";
			bus.connect_vector(vectors - 1, event.get());
			EXPECT_THROW(bus.connect_vector(vectors, event.get()), std::system_error);
		}
		/* libaccel gives up a card that refuses: the next question is another client's */
		auto again = one.connect();
		EXPECT_THROW(again.read32(end), std::system_error);
	}
	served usual({});
	EXPECT_EQ(usual.connect().vectors(), OAC_MSIX_VECTORS);
}

TEST(accel_emu, wrong_numbers_are_refused_by_name)
{
	for (const char *number : { "0", "65", "-1", "many" }) {
		served none({ "--vectors", number });
		EXPECT_EQ(none.said().find("ready:"), std::string::npos);
		EXPECT_NE(none.said().find("--vectors"), std::string::npos) << none.said();
		EXPECT_EQ(none.end(), 2);
	}
	served none({ "--no-user-submission", "--no-such-option" });
	EXPECT_NE(none.said().find("--no-such-option"), std::string::npos) << none.said();
	EXPECT_EQ(none.end(), 2);
}

} // namespace
