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
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
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
	const std::string &directory() const { return directory_; }

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

struct told {
	int code;
	std::string text; /* stdout and stderr */
};

/* accel-emu ctl with these words. */
told ctl(const std::vector<std::string> &words)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		throw std::runtime_error("no pipe");
	const unique_fd out(ends[0]);
	unique_fd in(ends[1]);
	std::vector<const char *> line = { ACCEL_EMU_PROGRAM, "ctl" };
	for (const std::string &word : words)
		line.push_back(word.c_str());
	line.push_back(nullptr);
	const pid_t pid = fork();
	if (pid == 0) {
		dup2(in.get(), STDOUT_FILENO);
		dup2(in.get(), STDERR_FILENO);
		execv(ACCEL_EMU_PROGRAM, const_cast<char *const *>(line.data()));
		_exit(127);
	}
	in = unique_fd();
	told result{ -1, {} };
	char part[4096];
	for (ssize_t got; (got = read(out.get(), part, sizeof(part))) > 0;)
		result.text.append(part, static_cast<std::size_t>(got));
	int status = -1;
	waitpid(pid, &status, 0);
	result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return result;
}

TEST(accel_emu, ctl_reaches_the_card_it_names)
{
	served two({ "--cards", "2" });
	const std::string &dir = two.directory();
	struct stat info;
	ASSERT_EQ(stat((dir + "/card1.ctl").c_str(), &info), 0);
	EXPECT_EQ(info.st_mode & 0777, 0600u) << "its owner's alone";
	auto first = two.connect(0), second = two.connect(1);
	const told done = ctl({ dir, "--card", "1", "--raw", "inject", "dead" });
	EXPECT_EQ(done.code, 0) << done.text;
	EXPECT_EQ(done.text, "{\"id\":1,\"ok\":true}\n");
	EXPECT_EQ(second.read32(OAC_REG_ID), OAC_REG_ALL_ONES);
	EXPECT_EQ(first.read32(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(ctl({ dir + "/card1.ctl", "clear", "1" }).code, 0);
	EXPECT_EQ(second.read32(OAC_REG_ID), OAC_ID_MAGIC);
	const told log = ctl({ dir, "--card", "1", R"({"request": "log"})" });
	EXPECT_NE(log.text.find("\"what\": \"cleared\""), std::string::npos) << log.text;
	EXPECT_EQ(ctl({ dir, "inject", "dead", "at.access=2" }).code, 0);
	EXPECT_EQ(first.read32(OAC_REG_ID), OAC_ID_MAGIC);
	EXPECT_EQ(first.read32(OAC_REG_ID), OAC_REG_ALL_ONES);
	EXPECT_EQ(two.end(), 0);
}

TEST(accel_emu, ctl_says_what_is_wrong)
{
	served one({});
	const std::string &dir = one.directory();
	const told refused = ctl({ dir, "inject", "ded" });
	EXPECT_EQ(refused.code, 1);
	EXPECT_NE(refused.text.find("there is no fault 'ded'; there are hang_command"),
		  std::string::npos)
		<< refused.text;
	EXPECT_EQ(ctl({ dir, "state", "x" }).code, 2);
	EXPECT_EQ(ctl({ dir, "{" }).code, 2);
	EXPECT_EQ(ctl({ dir }).code, 2);
	EXPECT_EQ(ctl({ dir, "--what", "state" }).code, 2);
	EXPECT_EQ(ctl({ dir, "--card", "1", "state" }).code, 3);
	EXPECT_EQ(ctl({ dir + "/nothing", "state" }).code, 3);
}

TEST(accel_emu, control_socket_survives_nonsense)
{
	served one({});
	sockaddr_un address{};
	address.sun_family = AF_UNIX;
	std::strncpy(address.sun_path, (one.directory() + "/card0.ctl").c_str(),
		     sizeof(address.sun_path) - 1);
	const auto say = [&](const std::string &text) {
		const unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr *>(&address),
				    sizeof(address)),
			  0);
		EXPECT_GE(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), 0);
		shutdown(fd.get(), SHUT_WR);
		std::string reply;
		char part[4096];
		for (ssize_t got; (got = recv(fd.get(), part, sizeof(part), 0)) > 0;)
			reply.append(part, static_cast<std::size_t>(got));
		return reply;
	};
	EXPECT_NE(say("\n[]\n{\n").find("one JSON object"), std::string::npos);
	EXPECT_EQ(say("{\"request\": \"state\"}"), "") << "no end of the line";
	say(std::string(200000, 'x'));
	EXPECT_EQ(say(std::string(65537, 'x') + "\n{\"request\": \"state\"}\n"), "");
	const std::string two = say("{\"request\": \"state\"}\n{\"request\": \"log\"}\n");
	EXPECT_NE(two.find("\"state\":\"ROM\""), std::string::npos) << two;
	EXPECT_NE(two.find("\"log\":[]"), std::string::npos) << two;
	EXPECT_EQ(one.end(), 0);
}

TEST(accel_emu, a_scenario_is_done_or_refused_with_its_line)
{
	char name[] = "/tmp/test-scenario-XXXXXX";
	const int fd = mkstemp(name);
	ASSERT_GE(fd, 0);
	const auto file = [&](const std::string &text) {
		EXPECT_EQ(ftruncate(fd, 0), 0);
		EXPECT_EQ(pwrite(fd, text.data(), text.size(), 0),
			  static_cast<ssize_t>(text.size()));
		return std::vector<std::string>{ "--cards", "2", "--scenario", name };
	};
	{
		served two(file(
			"- {card: 1, at: {access: 50}, do: {request: inject, fault: dead}}\n"));
		auto bus = two.connect(1);
		/* connecting took some of the fifty */
		EXPECT_EQ(bus.read32(OAC_REG_ID), OAC_ID_MAGIC);
		for (int i = 0; i < 49; i++)
			bus.read32(OAC_REG_ID);
		EXPECT_EQ(bus.read32(OAC_REG_ID), OAC_REG_ALL_ONES);
		EXPECT_EQ(two.connect(0).read32(OAC_REG_ID), OAC_ID_MAGIC);
	}
	for (const char *text : { "- do: {request: inject, fault: ded}\n",
				  "- {card: 2, do: {request: state}}\n", "- x\n" }) {
		served none(file(text));
		EXPECT_NE(none.said().find("line 1: "), std::string::npos) << none.said();
		EXPECT_EQ(none.end(), 2) << text;
	}
	served none({ "--scenario", "/nowhere.yaml" });
	EXPECT_EQ(none.end(), 2);
	close(fd);
	unlink(name);
}

TEST(accel_emu, the_manual_has_the_catalogue)
{
	std::ifstream file(EMULATOR_MANUAL);
	const std::string manual{ std::istreambuf_iterator<char>(file), {} };
	const told table = ctl({ "--list-faults" });
	EXPECT_EQ(table.code, 0);
	EXPECT_GT(table.text.size(), 1000u);
	EXPECT_TRUE(manual.ends_with(table.text))
		<< "put what accel-emu ctl --list-faults prints at the end of docs/emulator.md";
}

} // namespace
