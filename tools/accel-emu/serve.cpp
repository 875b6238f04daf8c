// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See serve.hpp.
#include "serve.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <list>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <control/requests.hpp>
#include <control/scenario.hpp>
#include <vfio_user/server.hpp>

#include "control_socket.hpp"
#include "dev_firmware.hpp"
#include "listener.hpp"

namespace control = oac::emu::control;
using oac::vfio_user::server;
using oac::vfio_user::unique_fd;

/* A file or value the user gave cannot be used. */
class usage_error : public std::runtime_error
{
public:
	using std::runtime_error::runtime_error;
};

struct running_card {
	listener door;
	std::unique_ptr<server> shell;
	std::unique_ptr<control::injector> faults;
	std::thread thread;
	bool has_failed = false;

	explicit running_card(const std::string &path) : door(path) {}
	~running_card()
	{
		if (thread.joinable()) {
			shell->stop();
			thread.join();
		}
	}
	running_card(const running_card &) = delete;
	running_card &operator=(const running_card &) = delete;
};

static std::vector<std::uint8_t> read_file(const std::string &path, std::size_t limit)
{
	std::ifstream file(path, std::ios::binary);
	if (!file)
		throw usage_error("cannot open " + path + ": " + std::strerror(errno));
	std::vector<std::uint8_t> bytes(limit + 1);
	file.read(reinterpret_cast<char *>(bytes.data()),
		  static_cast<std::streamsize>(bytes.size()));
	bytes.resize(static_cast<std::size_t>(file.gcount()));
	if (file.bad())
		throw usage_error("cannot read " + path);
	if (bytes.size() > limit)
		throw usage_error(path + " is longer than " + std::to_string(limit) + " bytes");
	return bytes;
}

static oac::emu::card_config make_config(const serve_options &options)
{
	oac::emu::card_config config;
	config.lmem_size = options.lmem_mib << 20;
	config.vectors = options.vectors;
	config.shared_doorbells = options.shared_doorbells;
	config.isolated_doorbells = options.user_submission;
	if (options.trust.empty()) {
		std::ranges::copy(oac::emu::dev_firmware_key(), config.trusted_key.begin());
	} else {
		const auto key = read_file(options.trust, config.trusted_key.size());
		if (key.size() != config.trusted_key.size())
			throw usage_error(options.trust +
					  " is no public key: it must have exactly " +
					  std::to_string(config.trusted_key.size()) + " raw bytes");
		std::ranges::copy(key, config.trusted_key.begin());
	}
	if (options.flash == "default") {
		const auto image = oac::emu::dev_firmware_image();
		config.flash.assign(image.begin(), image.end());
	} else if (options.flash != "none") {
		config.flash = read_file(options.flash, oac::emu::FIRMWARE_SIZE_MAX);
	}
	return config;
}

/* On the card's thread. Tells the main thread if it ends by itself. */
static void run_card(running_card &card, const std::string &name, int failed_event) noexcept
{
	pthread_setname_np(pthread_self(), ("oac-" + name).substr(0, 15).c_str());
	try {
		card.shell->run();
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: %s has failed: %s\n", name.c_str(), e.what());
		card.has_failed = true;
		/* nobody is to wait for it */
		card.shell->abandon();
		eventfd_write(failed_event, 1);
	}
}

static void set_up(std::list<running_card> &cards, const serve_options &options)
{
	const listen_directory directory(options.dir);
	oac::emu::card_config config = make_config(options);
	/* Looking at doorbells pays while every card has a core for it, and one is left. */
	unsigned poll_us = options.poll_us;
	if (!options.has_poll_us && options.cards >= std::thread::hardware_concurrency())
		poll_us = 0;
	for (unsigned i = 0; i < options.cards; i++) {
		const std::string name = "card" + std::to_string(i);
		auto &card = cards.emplace_back(options.dir + "/" + name + ".sock");
		config.serial = options.serial_base + i;
		card.shell = std::make_unique<server>(
			config, oac::vfio_user::server_options{ name, poll_us });
		card.faults = std::make_unique<control::injector>(card.shell->card());
		card.shell->listen_on(card.door.take());
	}
}

/* On the thread of the control sockets. */
static std::string answer(running_card &card, std::string_view request)
{
	std::string reply;

	if (!card.shell->do_between_steps([&] { reply = control::answer(*card.faults, request); }))
		reply = R"({"error":"the card has ended","ok":false})";
	return reply;
}

static void open_controls(control_socket &controls, std::list<running_card> &cards,
			  const serve_options &options)
{
	unsigned i = 0;

	for (auto &card : cards)
		controls.add(options.dir + "/card" + std::to_string(i++) + ".ctl",
			     [&card](std::string_view request) { return answer(card, request); });
}

/* Before the cards run: times count from here. */
static void begin_scenario(std::list<running_card> &cards, const serve_options &options)
{
	constexpr std::size_t limit = std::size_t{ 1 } << 20;

	if (options.scenario.empty())
		return;
	const auto bytes = read_file(options.scenario, limit);
	std::vector<control::scenario_item> items;
	try {
		items = control::read_scenario(std::string(bytes.begin(), bytes.end()));
	} catch (const control::scenario_error &e) {
		throw usage_error(options.scenario + ": " + e.what());
	}
	for (const control::scenario_item &item : items) {
		const std::string where = options.scenario + ": line " + std::to_string(item.line);
		if (item.card && *item.card >= cards.size())
			throw usage_error(where + ": there is no card " +
					  std::to_string(*item.card));
		unsigned i = 0;
		for (auto &card : cards) {
			if (item.card.value_or(i) != i++)
				continue;
			const std::string reply = control::answer(*card.faults, item.request);
			if (reply.find(R"("ok":true)") == reply.npos)
				throw usage_error(where + ": " + reply);
		}
	}
}

/* From here on they are read, by nobody but the main thread. */
static unique_fd take_signals()
{
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, nullptr);
	return unique_fd(signalfd(-1, &ends, SFD_CLOEXEC));
}

static void run_until_signal(std::list<running_card> &cards, control_socket &controls,
			     const serve_options &options, const unique_fd &signals)
{
	const unique_fd failed(eventfd(0, EFD_CLOEXEC));
	unsigned i = 0;
	for (auto &card : cards)
		card.thread = std::thread(run_card, std::ref(card), "card" + std::to_string(i++),
					  failed.get());
	controls.start();
	std::printf("ready: %u cards on %s\n", options.cards, options.dir.c_str());
	std::fflush(stdout);
	pollfd fds[] = { { signals.get(), POLLIN, 0 }, { failed.get(), POLLIN, 0 } };
	while (poll(fds, 2, -1) < 0)
		;
	controls.stop();
	for (auto &card : cards)
		card.shell->stop();
	for (auto &card : cards)
		card.thread.join();
}

int serve(const serve_options &options)
{
	try {
		const unique_fd signals = take_signals();
		std::list<running_card> cards;
		set_up(cards, options);
		begin_scenario(cards, options);
		control_socket controls;
		open_controls(controls, cards, options);
		run_until_signal(cards, controls, options, signals);
		const bool has_failed =
			std::ranges::any_of(cards, [](const auto &c) { return c.has_failed; });
		return has_failed ? SERVE_INTERNAL : SERVE_OK;
	} catch (const usage_error &e) {
		std::fprintf(stderr, "accel-emu: %s\n", e.what());
		return SERVE_USAGE;
	} catch (const listen_error &e) {
		std::fprintf(stderr, "accel-emu: %s\n", e.what());
		return SERVE_LISTEN;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: %s\n", e.what());
		return SERVE_INTERNAL;
	}
}
