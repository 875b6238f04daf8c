// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Errors of the link: the PCI core walks the driver's callbacks, and what each kind costs whom.
#include "aer.hpp"
#include "objects.hpp"
#include "trace.hpp"

#include "../support/asleep.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace oac::abi;

namespace
{

/* Channel states of the PCI core. */
constexpr std::uint64_t normal = 1, frozen = 2;

} // namespace

/* ---- Nobody loses anything -------------------------------------------------------------------- */

TEST_F(aer, a_nonfatal_error_costs_nothing)
{
	const std::string address = pci_address(path());
	const std::uint64_t before = aer_count(address, "aer_dev_nonfatal", "CmpltTO");
	const unsigned resets = card_resets(path());
	const auto made = make_kernel_queue();

	write_nops(0, 6);
	ASSERT_EQ(ring(made.queue, 3), 0);
	wait_for(made.queue, 3);
	error_of_the_card(path(), "nonfatal");
	told().read_until(OAC_EVENT_PCI_ERROR, normal);
	wait_for_resume();
	EXPECT_EQ(aer_count(address, "aer_dev_nonfatal", "CmpltTO"), before + 1);
	EXPECT_EQ(card_resets(path()), resets);
	EXPECT_EQ(health().generation, generation_);
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_NO));
	ASSERT_EQ(ring(made.queue, 6), 0);
	wait_for(made.queue, 6);
}

/* ---- The card is asked whether it is what it was ---------------------------------------------- */

/* With no watchdog, it is the callback that finds it. */
TEST_F(aer, a_nonfatal_error_finds_a_card_that_has_reset_itself)
{
	const parameter no_watchdog("watchdog_ms", "0");

	ASSERT_TRUE(no_watchdog.is_set());
	inject(path(), "self_reset");
	error_of_the_card(path(), "nonfatal");
	told().read_until(OAC_EVENT_PCI_ERROR, normal);
	told().read_until(OAC_EVENT_RECOVERED, soft);
	wait_for_resume();
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_SELF_RESET));
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	expect_card_works();
}

/* Its memory space is off: registers read all ones, so the callback asks for a reset of the slot. */
TEST_F(aer, a_nonfatal_error_finds_a_card_without_registers)
{
	const parameter no_watchdog("watchdog_ms", "0");
	const node config(
		::open(("/sys/bus/pci/devices/" + pci_address(path()) + "/config").c_str(),
		       O_RDWR | O_CLOEXEC));
	std::uint16_t command = 0;

	ASSERT_TRUE(no_watchdog.is_set());
	ASSERT_EQ(pread(config.fd(), &command, sizeof(command), PCI_COMMAND), 2);
	command = static_cast<std::uint16_t>((command & ~PCI_COMMAND_MEMORY) | PCI_COMMAND_SERR);
	ASSERT_EQ(pwrite(config.fd(), &command, sizeof(command), PCI_COMMAND), 2);
	error_of_the_card(path(), "nonfatal");
	told().read_until(OAC_EVENT_PCI_ERROR, normal);
	told().read_until(OAC_EVENT_RECOVERED);
	wait_for_resume();
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	expect_card_works();
}

/* ---- The link is reset ------------------------------------------------------------------------ */

class aer_reset : public aer, public testing::WithParamInterface<bool>
{
protected:
	void break_link(const std::string &of) const
	{
		if (GetParam())
			surprise_down(of);
		else
			error_of_the_card(of, "fatal");
	}
};

/* All on the card is lost, by nobody's fault; who sleeps is woken, and nobody else notices. */
TEST_P(aer_reset, loses_contexts_and_nothing_else)
{
	const auto nodes = find_nodes();
	const node other(::open(nodes.back().c_str(), O_RDWR | O_CLOEXEC));
	const std::uint32_t others = health(other).generation;
	const auto theirs = make_queue_on(other, DRM_OAC_QUEUE_KERNEL_SUBMIT);
	const unsigned resets = card_resets(path());
	const std::uint64_t fatal = port_count(path(), "fatal");
	const auto made = make_kernel_queue();
	std::atomic<pid_t> waiting{ 0 };

	if (nodes.size() < 2)
		GTEST_SKIP() << "takes two cards";
	write_nops(0, 2);
	ASSERT_EQ(ring(made.queue, 2), 0);
	wait_for(made.queue, 2);
	std::thread waiter([&] {
		drm_oac_queue_wait look = {};

		waiting = gettid();
		waiting.notify_one();
		look.queue = made.queue;
		look.seen = 2;
		look.deadline_ns = deadline_ms(60000);
		EXPECT_EQ(dev()(look), ESTALE);
		EXPECT_EQ(look.completed, 2u);
	});
	waiting.wait(0);
	EXPECT_TRUE(support::wait_until_asleep(waiting));
	break_link(path());
	told().read_until(OAC_EVENT_PCI_ERROR, frozen);
	waiter.join();
	uevents().read_until("OAC_HEALTH=unknown", "OAC_REASON=starting");
	wait_for_resume();
	told().read_until(OAC_EVENT_RECOVERED, soft);
	EXPECT_EQ(rungs()[soft].last_cause, static_cast<std::uint32_t>(OAC_CAUSE_PCI_ERROR));
	uevents().read_until("OAC_HEALTH=ok", "OAC_REASON=none");
	EXPECT_EQ(health().state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(lost(context_), static_cast<std::uint32_t>(OAC_LOST_INNOCENT));
	/* By the link, then by the rung. */
	EXPECT_GE(card_resets(path()), resets + 2);
	EXPECT_EQ(port_count(path(), "fatal"), fatal + 1);
	expect_card_works();
	EXPECT_EQ(health(other).generation, others);
	drm_oac_queue_submit go_on = { theirs.queue, DRM_OAC_SUBMIT_TAIL, 1, 0 };
	EXPECT_EQ(other.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &go_on), 0);
}

/* A recovery that is under way gives the card to the PCI core, and has it again afterwards. */
TEST_P(aer_reset, comes_while_the_card_is_being_recovered)
{
	for (unsigned i = 0; i < 3; i++) {
		inject(path(), "crash");
		told().read_until(OAC_EVENT_RECOVERY);
		break_link(path());
		told().read_until(OAC_EVENT_PCI_ERROR, frozen);
		wait_for_resume();
		wait_for_reason(OAC_REASON_NONE);
		expect_card_works();
	}
}

TEST_P(aer_reset, under_load)
{
	std::vector<std::thread> threads;
	std::atomic<bool> is_over = false;
	std::atomic<unsigned> rounds = 0;

	for (unsigned i = 0; i < 3; i++) {
		threads.emplace_back([&] {
			while (!is_over) {
				const node own = open();
				drm_oac_context_create create = {};

				if (own(create))
					continue;
				drm_oac_context_destroy destroy = { create.context, 0 };
				drm_oac_bo_create bo = { 8 * page, 0, 0, 0, 0, 0 };
				drm_oac_map one = {};
				own(bo);
				one.context = create.context;
				one.handle = bo.handle;
				one.va = page;
				one.size = 8 * page;
				one.flags = DRM_OAC_MAP_READ;
				own(one);
				EXPECT_EQ(own(destroy), 0);
				rounds++;
				rounds.notify_one();
			}
		});
	}
	for (unsigned i = 0; i < 5; i++) {
		const unsigned enough = rounds + 10;

		for (unsigned now = rounds; now < enough; now = rounds)
			rounds.wait(now);
		break_link(path());
		told().read_until(OAC_EVENT_PCI_ERROR, frozen);
		wait_for_resume();
		told().read_until(OAC_EVENT_RECOVERED);
	}
	is_over = true;
	for (auto &one : threads)
		one.join();
	expect_card_works();
}

INSTANTIATE_TEST_SUITE_P(by, aer_reset, testing::Bool(),
			 [](const auto &by) { return by.param ? "surprise_down" : "fatal_error"; });

TEST_F(aer, of_two_cards_at_once)
{
	const auto nodes = find_nodes();

	if (nodes.size() < 2)
		GTEST_SKIP() << "takes two cards";
	const node other(::open(nodes.back().c_str(), O_RDWR | O_CLOEXEC));
	const event_reader other_told(other, 0);
	const std::uint32_t others = health(other).generation;

	surprise_down(path());
	surprise_down(nodes.back());
	told().read_until(OAC_EVENT_RECOVERED);
	other_told.read_until(OAC_EVENT_RECOVERED);
	EXPECT_EQ(health().generation, generation_ + 1);
	EXPECT_EQ(health(other).generation, others + 1);
	expect_card_works();
}

/* ---- Correctable errors ----------------------------------------------------------------------- */

/* Of the last card: the others' errors must be real. */
class aer_correctable : public aer
{
protected:
	void SetUp() override
	{
		aer::SetUp();
		if (IsSkipped() || HasFatalFailure())
			return;
		if (find_nodes().size() < 2)
			GTEST_SKIP() << "takes two cards";
		last_ = find_nodes().back();
		address_ = pci_address(last_);
	}

	std::uint64_t count() const { return aer_count(address_, "aer_dev_correctable", "BadTLP"); }

	/* One, and it is counted. */
	void one_error() const
	{
		const own_trace seen("ras/aer_event");
		const std::uint64_t before = count();

		ASSERT_TRUE(seen.is_there());
		/* Until the one before has been seen to. */
		ASSERT_TRUE(seen.wait_until([this] {
			const int err = correctable_error(last_);

			EXPECT_TRUE(err == 0 || err == EBUSY) << err;
			return err == 0;
		}));
		EXPECT_TRUE(seen.wait_until([&] { return count() > before; }));
	}

	std::string last_, address_;
};

/* The link repeats the packet: a matter for counters, which take together what comes too fast. */
TEST_F(aer_correctable, a_storm_of_them_only_counts)
{
	constexpr unsigned storm = 300;
	const node on(::open(last_.c_str(), O_RDWR | O_CLOEXEC));
	const event_reader on_told(on, 0);
	const std::uint32_t generation = health(on).generation;
	const std::uint64_t before = count(), port = port_count(last_, "cor");
	const unsigned resets = card_resets(last_);
	const auto theirs = make_queue_on(on, DRM_OAC_QUEUE_KERNEL_SUBMIT);
	drm_oac_queue_submit ring = { theirs.queue, DRM_OAC_SUBMIT_TAIL, 0, 0 };
	drm_oac_queue_wait wait = {};

	wait.queue = theirs.queue;
	wait.deadline_ns = deadline_ms(60000);
	for (unsigned i = 0; i < storm; i++) {
		const int err = correctable_error(last_);

		ASSERT_TRUE(err == 0 || err == EBUSY) << err;
		ring.tail++;
		ASSERT_EQ(on.call(DRM_IOCTL_OAC_QUEUE_SUBMIT, &ring), 0);
		wait.seen = i;
		ASSERT_EQ(on(wait), 0);
		ASSERT_EQ(wait.completed, ring.tail);
	}
	one_error();
	EXPECT_GT(count(), before + 1);
	EXPECT_GT(port_count(last_, "cor"), port);
	EXPECT_TRUE(on_told.read().empty());
	EXPECT_EQ(card_resets(last_), resets);
	EXPECT_EQ(health(on).generation, generation);
	EXPECT_EQ(health(on).reason, static_cast<std::uint32_t>(OAC_REASON_NONE));
}

/* ---- A program that keeps its cards open ------------------------------------------------------ */

namespace
{

/* A program with pipes to its standard input and output. */
class conversation
{
public:
	explicit conversation(const std::string &command)
	{
		int in[2], out[2];

		EXPECT_EQ(pipe2(in, O_CLOEXEC), 0);
		EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
		process_ = fork();
		if (process_ == 0) {
			dup2(in[0], STDIN_FILENO);
			dup2(out[1], STDOUT_FILENO);
			dup2(out[1], STDERR_FILENO);
			execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
			_exit(127);
		}
		close(in[0]);
		close(out[1]);
		to_ = in[1];
		from_ = out[0];
	}
	~conversation()
	{
		close(to_);
		close(from_);
	}
	conversation(const conversation &) = delete;
	conversation &operator=(const conversation &) = delete;

	void say_line() const { EXPECT_EQ(write(to_, "\n", 1), 1); }
	/* The next line of what it says with this text in it; the end comes instead as a failure. */
	std::string hear(const std::string &text)
	{
		std::string line;
		char one;

		while (read(from_, &one, 1) == 1) {
			if (one != '\n') {
				line += one;
				continue;
			}
			if (line.find(text) != line.npos)
				return line;
			heard_ += line + '\n';
			line.clear();
		}
		ADD_FAILURE() << "no \"" << text << "\" in:\n" << heard_ << line;
		return line;
	}
	int end()
	{
		int status = -1;

		EXPECT_EQ(waitpid(process_, &status, 0), process_);
		return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}

private:
	pid_t process_;
	int to_, from_;
	std::string heard_;
};

} // namespace

/* OAC_TEST_DIGITS is its command, without the number of rounds. */
TEST_F(aer_correctable, the_digits_example_runs_again_after_each_severity)
{
	const char *command = std::getenv("OAC_TEST_DIGITS");

	if (!command)
		GTEST_SKIP() << "OAC_TEST_DIGITS is not set";
	conversation digits(std::string(command) + " --passes 1 --rounds 5");
	const auto round = [&] {
		EXPECT_EQ(digits.hear("Round done"), "Round done, 0 mismatches");
	};

	round();
	error_of_the_card(path(), "nonfatal");
	wait_for_resume();
	digits.say_line();
	round();
	error_of_the_card(path(), "fatal");
	wait_for_resume();
	/* It waits for the recovery by itself. */
	digits.say_line();
	round();
	surprise_down(path());
	wait_for_resume();
	digits.say_line();
	round();
	one_error();
	digits.say_line();
	round();
	EXPECT_EQ(digits.end(), 0);
	EXPECT_EQ(health().generation, generation_ + 2);
}

/* ---- A card that does not come back ----------------------------------------------------------- */

class aer_last : public aer
{
protected:
	void TearDown() override {}
};

/*
 * The PCI core resets the link, waits a minute, and gives up. Kernels differ in whether they say so;
 * the card is lost in each, and is found again when it is back.
 */
TEST_F(aer_last, a_card_that_stays_away_is_lost_and_found)
{
	namespace fs = std::filesystem;
	const std::string address = pci_address(path()), port = port_address(path());
	const auto nodes = find_nodes();
	const node other(::open(nodes.back().c_str(), O_RDWR | O_CLOEXEC));
	const std::uint32_t others = health(other).generation;
	const auto made = make_kernel_queue();
	const auto write_file = [](const std::string &name) {
		std::ofstream file("/sys/bus/pci/" + name);
		file << 1 << std::flush;
		EXPECT_TRUE(file.good()) << name;
	};
	const auto is_lost = [&] { return health().reason == OAC_REASON_GONE; };

	{
		/* It would find out first. */
		const parameter no_watchdog("watchdog_ms", "0");

		ASSERT_TRUE(no_watchdog.is_set());
		enable_messages(path());
		inject(path(), "dead");
		monitor("pcie_aer_inject_error acc" + std::to_string(card_number(path())) +
			" MALF_TLP");
		told().read_until(OAC_EVENT_PCI_ERROR, frozen);
	}
	EXPECT_EQ(wait(made.queue, 0), ESTALE);
	EXPECT_EQ(health().reason, static_cast<std::uint32_t>(OAC_REASON_STARTING));
	const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(150);
	while (!is_lost() && std::chrono::steady_clock::now() < end) {
		pollfd poll_for = { told().fd(), POLLIN, 0 };

		poll(&poll_for, 1, 1000);
		told().read();
	}
	ASSERT_TRUE(is_lost()) << "reason 0x" << std::hex << health().reason;
	EXPECT_EQ(health().action, static_cast<std::uint32_t>(OAC_ACTION_RESCAN));
	drm_oac_context_create create = {};
	EXPECT_EQ(dev()(create), ENODEV);
	control(path(), R"({"request":"clear"})");
	write_file("devices/" + address + "/remove");
	EXPECT_FALSE(fs::exists("/sys/bus/pci/devices/" + address));
	EXPECT_EQ(dev()(create), ENODEV);
	const uevent_reader news;
	write_file("devices/" + port + "/rescan");
	ASSERT_TRUE(news.wait_until([&] { return find_nodes().size() == nodes.size(); }));
	for (const auto &one : find_nodes()) {
		const node again(::open(one.c_str(), O_RDWR | O_CLOEXEC));

		again.context();
		EXPECT_EQ(health(again).state, static_cast<std::uint32_t>(OAC_HEALTH_OK));
	}
	EXPECT_EQ(health(other).generation, others);
}
