// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The verbs for cards that do not work, or may not: health, events, reset, recover, self-test, debug and
// emu, as people and as programs use them, and what they say against wrong use.
#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "accelctl_run.hpp"

namespace
{

using nlohmann::json;

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

json first_card(const run_result &from)
{
	const json out = from.json();
	return out.at("cards").at(0);
}

/* Says so, with a code of its own, and what to do. */
void expect_refused(const std::string &arguments, int code, const std::string &object,
		    const std::string &remedy)
{
	const run_result r = run(arguments);

	EXPECT_EQ(r.code, code) << arguments << "\n" << r.out << r.err;
	EXPECT_TRUE(has(r.err, "accelctl: ")) << r.err;
	EXPECT_TRUE(has(r.err, object)) << arguments << ": " << r.err;
	EXPECT_TRUE(has(r.err, remedy)) << arguments << ": " << r.err;
}

/* A card behind a socket in another process, with its control socket beside it. */
class served_card
{
public:
	served_card() : directory_(scratch() + "/served")
	{
		int ends[2];
		if (pipe2(ends, O_CLOEXEC) != 0)
			throw std::runtime_error("no pipe");
		pid_ = fork();
		if (pid_ == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			dup2(ends[1], STDOUT_FILENO);
			execl(ACCEL_EMU_PROGRAM, ACCEL_EMU_PROGRAM, "serve", "--dir",
			      directory_.c_str(), "--cards", "1", static_cast<char *>(nullptr));
			_exit(127);
		}
		close(ends[1]);
		output_ = ends[0];
		std::string said;
		char part[256];
		pollfd fd{ output_, POLLIN, 0 };
		while (!has(said, "ready")) {
			const ssize_t got =
				poll(&fd, 1, 30000) > 0 ? read(output_, part, sizeof(part)) : 0;
			if (got <= 0)
				throw std::runtime_error("accel-emu did not get ready: " + said);
			said.append(part, static_cast<std::size_t>(got));
		}
	}
	served_card(const served_card &) = delete;
	served_card &operator=(const served_card &) = delete;
	~served_card()
	{
		kill(pid_, SIGTERM);
		waitpid(pid_, nullptr, 0);
		close(output_);
	}
	std::string card() const { return "socket:" + directory_ + "/card0.sock"; }
	std::string control() const { return directory_ + "/card0.ctl"; }

private:
	std::string directory_;
	pid_t pid_ = -1;
	int output_ = -1;
};

TEST(accelctl_health, says_how_each_card_is)
{
	const run_result r = run("health -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	const json report = r.json();
	EXPECT_EQ(report.at("schema"), "accel.health/1");
	ASSERT_EQ(report.at("cards").size(), 2u);
	for (const json &card : report.at("cards")) {
		EXPECT_EQ(card.at("health"), "ok");
		EXPECT_EQ(card.at("reason"), "none");
		EXPECT_EQ(card.at("action"), "none");
		EXPECT_EQ(card.at("held"), false);
		EXPECT_GE(card.at("since_seconds").get<double>(), 0);
		EXPECT_EQ(card.at("rungs"), json::array()) << "nothing was tried";
		EXPECT_NE(std::find(card.at("rungs_allowed").begin(),
				    card.at("rungs_allowed").end(), "soft_reset"),
			  card.at("rungs_allowed").end());
	}
	const run_result table = run("health");
	EXPECT_TRUE(has(table.out, "HEALTH")) << table.out;
	EXPECT_TRUE(has(table.out, "nothing is wrong")) << table.out;
}

TEST(accelctl_health, a_card_without_firmware_fails_and_says_what_to_do)
{
	const std::string bad = scratch() + "/bad.fw";
	std::ofstream(bad) << "no firmware";
	const run_result r = run("health -d 0 -o json", "ACCEL_FIRMWARE=" + bad);
	EXPECT_EQ(r.code, 6) << r.out << r.err;
	EXPECT_EQ(first_card(r).at("health"), "needs_firmware");
	EXPECT_EQ(first_card(r).at("action"), "reload_firmware");
	const json error = r.json().at("errors").at(0);
	EXPECT_EQ(error.at("exit_code"), 6);
	EXPECT_FALSE(error.at("action").get<std::string>().empty());
}

TEST(accelctl_health, wrong_use_is_named)
{
	expect_refused("health -d 99", 3, "99", "");
	expect_refused("health --nonsense", 2, "nonsense", "--help");
	expect_refused("health -d 0 --all", 2, "--all", "--help");
}

TEST(accelctl_events, stream_has_the_drivers_own_with_words)
{
	const run_result r = run("events --stream -d 0 -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	const json events = first_card(r).at("events");
	ASSERT_GE(events.size(), 2u);
	EXPECT_EQ(events[0].at("sequence"), 1);
	EXPECT_EQ(events[0].at("event"), "HEALTH");
	EXPECT_EQ(events[0].at("detail"), "starting");
	EXPECT_EQ(events[1].at("detail"), "none");
	EXPECT_GT(events[0].at("boot_time_seconds").get<double>(), 0);
}

TEST(accelctl_events, stream_begins_and_ends_where_asked)
{
	const run_result r = run("events --stream -d 0 --from 2 --max 1 -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	const json events = first_card(r).at("events");
	ASSERT_EQ(events.size(), 1u);
	EXPECT_EQ(events[0].at("sequence"), 2);
}

TEST(accelctl_events, follow_prints_a_line_each)
{
	const std::string name = first_card(run("health -d 0 -o json")).at("name");
	const run_result lines = run("events --follow -d 0 --from 1 --max 2 -o json");
	ASSERT_EQ(lines.code, 0) << lines.err;
	std::istringstream from(lines.out);
	unsigned count = 0;
	for (std::string line; std::getline(from, line); count++) {
		const json event = json::parse(line);
		EXPECT_EQ(event.at("name"), name);
		EXPECT_EQ(event.at("sequence"), count + 1);
	}
	EXPECT_EQ(count, 2u);
	const run_result people = run("events --follow -d 0 --from 1 --max 1");
	EXPECT_TRUE(has(people.out, name + " 1 info HEALTH starting: ")) << people.out;
}

TEST(accelctl_events, follow_ends_when_interrupted)
{
	const std::string pipe = scratch() + "/pipe";
	ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
	const run_result r =
		run("events --follow --from 1 >" + pipe + " & child=$!; exec 3<" + pipe +
		    "; while read -r line <&3; do echo \"$line\"; case $line in "
		    "*HEALTH*) break ;; esac; done; kill -INT $child; wait $child");
	unlink(pipe.c_str());
	EXPECT_EQ(r.code, 0) << r.err;
	EXPECT_TRUE(has(r.out, "HEALTH")) << r.out;
}

TEST(accelctl_events, wrong_use_is_named)
{
	expect_refused("events --from none", 2, "--from", "--help");
	expect_refused("events --max 0", 2, "--max", "--help");
}

TEST(accelctl_reset, does_it_by_each_rung)
{
	for (const std::string rung : { "soft_reset", "flr", "firmware" }) {
		const run_result r = run("reset -d 0 --rung " + rung + " -o json");
		ASSERT_EQ(r.code, 0) << rung << r.err;
		const json card = first_card(r);
		EXPECT_EQ(r.json().at("schema"), "accel.reset/1");
		EXPECT_EQ(card.at("rung"), rung);
		EXPECT_EQ(card.at("verdict"), "done");
		EXPECT_EQ(card.at("health"), "ok");
		EXPECT_EQ(card.at("generation"), 1);
		EXPECT_GT(card.at("seconds").get<double>(), 0);
	}
}

TEST(accelctl_reset, wrong_use_is_named)
{
	expect_refused("reset", 2, "2 cards", "--device ID or --all");
	expect_refused("reset -d 0 --rung abort", 2, "soft_reset", "--help");
	expect_refused("reset -d 0 --rung bus_reset", 7, "bus reset", "flr");
	expect_refused("reset -d 0 --timeout none", 2, "--timeout", "--help");
	expect_refused("reset -d 99", 3, "99", "");
}

TEST(accelctl_recover, leaves_a_card_that_works)
{
	const run_result r = run("recover --all -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	const json report = r.json();
	for (const json &card : report.at("cards")) {
		EXPECT_EQ(card.at("verdict"), "done");
		EXPECT_EQ(card.at("generation"), 0) << "nothing was reset";
	}
	expect_refused("recover", 2, "2 cards", "--all");
}

TEST(accelctl_recover, brings_back_one_whose_image_was_refused)
{
	/* It boots from its flash. */
	const std::string bad = scratch() + "/bad.fw";
	std::ofstream(bad) << "no firmware";
	const run_result r = run("recover -d 0 -o json", "ACCEL_FIRMWARE=" + bad);
	EXPECT_EQ(r.code, 0) << r.out << r.err;
	EXPECT_EQ(first_card(r).at("verdict"), "done");
	EXPECT_EQ(first_card(r).at("health"), "ok");
	EXPECT_EQ(first_card(r).at("generation"), 1);
}

TEST(accelctl_self_test, passes_on_a_good_card)
{
	const run_result r = run("self-test -d 0 -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	EXPECT_EQ(first_card(r).at("verdict"), "passed");
	EXPECT_EQ(first_card(r).at("failed_engines"), json::array());
	expect_refused("self-test", 2, "2 cards", "--all");
	const served_card served;
	expect_refused("self-test --timeout 0.001 -d " + served.card(), 8, served.card(),
		       "more time");
}

TEST(accelctl_emu, faults_go_in_and_out_and_are_logged)
{
	const served_card served;
	const std::string where = " --control " + served.control();
	const run_result in = run("emu inject wrong_answer engine=2" + where + " -o json");
	ASSERT_EQ(in.code, 0) << in.out << in.err;
	const auto id = first_card(in).at("id").get<unsigned>();
	EXPECT_TRUE(has(run("emu state -o json" + where).out, "wrong_answer"));

	/* Which the self-test finds, and says what that means. */
	const run_result test = run("self-test -d " + served.card() + " -o json");
	EXPECT_EQ(test.code, 6) << test.out << test.err;
	EXPECT_EQ(first_card(test).at("verdict"), "wrong_answers");
	EXPECT_EQ(first_card(test).at("failed_engines"), json::array({ 2 }));
	EXPECT_TRUE(has(test.err + test.out, "out of service"));

	EXPECT_TRUE(has(run("emu log" + where).out, "wrong_answer"));
	EXPECT_EQ(run("emu clear " + std::to_string(id) + where).code, 0);
	EXPECT_FALSE(has(run("emu state -o json" + where).out, "wrong_answer"));
	EXPECT_EQ(run("self-test -d " + served.card()).code, 0);
	EXPECT_TRUE(has(run("emu list" + where).out, "hang_firmware"));
	EXPECT_EQ(run("emu state -d " + served.card()).code, 0) << "by the card's name, too";
}

TEST(accelctl_emu, wrong_use_is_named)
{
	const served_card served;
	const std::string where = " --control " + served.control();
	EXPECT_TRUE(has(run("emu inject no_such_fault" + where).err, "no_such_fault"));
	EXPECT_NE(run("emu inject crash no_such=1" + where).code, 0);
	EXPECT_NE(run("emu clear 4711" + where).code, 0);
	expect_refused("emu", 2, "command line", "emu --help");
	expect_refused("emu state --control /nonexistent", 3, "/nonexistent", "");
}

template <typename Number>
void put(std::string &to, Number number)
{
	to.append(reinterpret_cast<const char *>(&number), sizeof(number));
}

void put_text(std::string &to, std::string text, std::size_t size)
{
	text.resize(size);
	to += text;
}

/* As the module writes it: a header, and what was tried. */
std::string dump()
{
	std::string rung, out;
	put(rung, std::uint32_t{ 3 });		/* soft_reset */
	put(rung, std::uint32_t{ 1 });		/* hang */
	for (const std::uint64_t number : { 2, 1, 1500000, 1500000 })
		put(rung, number);
	put(out, std::uint64_t{ 0x314d554443414f00 });
	put(out, std::uint32_t{ 1 });
	put(out, std::uint32_t{ 192 });
	put(out, std::uint64_t{ 192 + 24 } + rung.size());
	put(out, std::uint64_t{ 0x0ac1000000000001 });
	put(out, std::uint64_t{ 5'000'000'000 });
	put(out, std::uint64_t{ 1'700'000'000'000'000'000 });
	for (const std::uint32_t number : { 1, 0, 1, 0 })	/* cause, generation, sections */
		put(out, number);
	put_text(out, "6.12.0", 64);
	put_text(out, "0.1.0", 32);
	put_text(out, "0000:03:00.0", 32);
	for (const std::uint32_t number : { 9, 1, 40, 0 })	/* RUNGS, count, stride */
		put(out, number);
	put(out, std::uint64_t{ rung.size() });
	return out + rung;
}

TEST(accelctl_debug, shows_a_dump_without_a_card)
{
	const std::string file = scratch() + "/card.dump";
	std::ofstream(file, std::ios::binary) << dump();
	const run_result r = run("debug " + file + " -o json");
	ASSERT_EQ(r.code, 0) << r.err;
	const std::string all = r.json().dump();
	EXPECT_EQ(r.json().at("schema"), "accel.debug/1");
	for (const char *word : { "0x0ac1000000000001", "0000:03:00.0", "6.12.0", "soft_reset" })
		EXPECT_TRUE(has(all, word)) << word << " in " << all;
	EXPECT_TRUE(has(run("debug " + file).out, "soft_reset"));
}

TEST(accelctl_debug, a_damaged_or_missing_file_is_named)
{
	const std::string file = scratch() + "/short.dump";
	std::ofstream(file, std::ios::binary) << dump().substr(0, 200);
	expect_refused("debug " + file, 6, file, "devcoredump");
	std::ofstream(file, std::ios::binary) << "something else altogether";
	expect_refused("debug " + file, 6, file, "devcoredump");
	expect_refused("debug /nonexistent.dump", 3, "/nonexistent.dump", "");
	expect_refused("debug", 2, "file", "--help");
}

} // namespace
