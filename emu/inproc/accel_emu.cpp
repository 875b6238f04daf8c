// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The emulated card inside the caller's process: a socket pair and a thread that runs the server at
// its other end. What libaccel loads; see accel/accel_emu.h.
#include <accel/accel_emu.h>

#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include <control/requests.hpp>
#include <vfio_user/server.hpp>

#include "dev_firmware.hpp"

using oac::vfio_user::server;
using oac::vfio_user::unique_fd;

static constexpr std::uint64_t SERIAL_BASE = 0x0ac1000000000000;
static constexpr std::uint64_t LMEM_MIB_DEFAULT = 256;
static constexpr std::uint64_t LMEM_MIB_MAX = 65536;
static constexpr unsigned POLL_US = 20;

static std::atomic<unsigned> running_cards;

/* Cards by index, for accel_emu_card_find(): the last one started under each. */
static std::mutex started_lock;
static std::map<unsigned, accel_emu_card *> started;

struct accel_emu_card {
	server shell;
	oac::emu::control::injector faults;
	std::thread thread;

	accel_emu_card(unsigned index, const oac::emu::card_config &config,
		       const oac::vfio_user::server_options &options);
	~accel_emu_card();
};

accel_emu_card::accel_emu_card(unsigned index, const oac::emu::card_config &config,
			       const oac::vfio_user::server_options &options)
	: shell(config, options), faults(shell.card())
{
	const std::lock_guard lock(started_lock);
	started[index] = this;
	running_cards++;
}

accel_emu_card::~accel_emu_card()
{
	const std::lock_guard lock(started_lock);
	std::erase_if(started, [&](const auto &item) { return item.second == this; });
	running_cards--;
}

/* 0 if ACCEL_EMU_LMEM_MIB is not usable; says why. */
static std::uint64_t lmem_mib()
{
	const char *text = std::getenv("ACCEL_EMU_LMEM_MIB");
	if (!text || !*text)
		return LMEM_MIB_DEFAULT;
	std::uint64_t value = 0;
	const char *end = text + std::strlen(text);
	const auto [rest, error] = std::from_chars(text, end, value);
	if (error == std::errc() && rest == end && std::has_single_bit(value) &&
	    value <= LMEM_MIB_MAX)
		return value;
	std::fprintf(
		stderr,
		"accel-emu: ACCEL_EMU_LMEM_MIB is '%.40s': it must be a power of two, 1 to %llu\n",
		text, static_cast<unsigned long long>(LMEM_MIB_MAX));
	return 0;
}

static oac::emu::card_config make_config(unsigned index, std::uint64_t mib)
{
	oac::emu::card_config config;
	config.serial = SERIAL_BASE + index + 1;
	config.lmem_size = mib << 20;
	config.shared_doorbells = true;
	std::ranges::copy(oac::emu::dev_firmware_key(), config.trusted_key.begin());
	const auto image = oac::emu::dev_firmware_image();
	config.flash.assign(image.begin(), image.end());
	return config;
}

static void run(server &shell, unsigned index) noexcept
{
	char name[16];
	snprintf(name, sizeof(name), "oac-card%u", index % 1000);
	pthread_setname_np(pthread_self(), name);
	try {
		shell.run();
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: card %u has failed: %s\n", index, e.what());
		/* The caller sees the connection close: a card that fell off its bus. */
		shell.abandon();
	}
}

/* Signals are the host program's business: none is delivered to the card's thread. */
static void start_thread(accel_emu_card &card, unsigned index)
{
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	try {
		card.thread = std::thread(run, std::ref(card.shell), index);
	} catch (...) {
		pthread_sigmask(SIG_SETMASK, &before, nullptr);
		throw;
	}
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

static int start(unsigned index, int *fd, accel_emu_card **card)
{
	const std::uint64_t mib = lmem_mib();
	if (!mib)
		return -EINVAL;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	unique_fd ours(ends[0]);
	unique_fd theirs(ends[1]);
	/* Looking at doorbells pays while there is a core to spare for it. */
	const bool has_core = running_cards + 1 < std::thread::hardware_concurrency();
	auto made = std::make_unique<accel_emu_card>(
		index, make_config(index, mib),
		oac::vfio_user::server_options{ "card " + std::to_string(index),
						has_core ? POLL_US : 0 });
	made->shell.adopt(std::move(ours));
	start_thread(*made, index);
	*fd = theirs.release();
	*card = made.release();
	return 0;
}

#define EXPORTED [[gnu::visibility("default")]]

EXPORTED int accel_emu_card_start(unsigned index, int *fd, struct accel_emu_card **card)
{
	try {
		return start(index, fd, card);
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	} catch (const std::system_error &e) {
		return e.code().value() > 0 ? -e.code().value() : -EIO;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: card %u: %s\n", index, e.what());
		return -EINVAL;
	}
}

EXPORTED void accel_emu_card_stop(struct accel_emu_card *card)
{
	if (!card)
		return;
	card->shell.stop();
	card->thread.join();
	delete card;
}

EXPORTED struct accel_emu_card *accel_emu_card_find(unsigned index)
{
	const std::lock_guard lock(started_lock);
	const auto found = started.find(index);
	return found == started.end() ? nullptr : found->second;
}

static int control(accel_emu_card &card, const char *request, char *reply, unsigned long size)
{
	std::string text;
	if (!card.shell.do_between_steps(
		    [&] { text = oac::emu::control::answer(card.faults, request); }))
		text = R"({"ok":false,"error":"the card is taken by accel_emu_card_take(), or has ended"})";
	if (text.empty())
		return -EINVAL;
	if (reply && size) {
		const std::size_t length = std::min<std::size_t>(text.size(), size - 1);
		std::memcpy(reply, text.data(), length);
		reply[length] = 0;
	}
	return static_cast<int>(text.size());
}

EXPORTED int accel_emu_card_control(struct accel_emu_card *card, const char *request, char *reply,
				    unsigned long size)
{
	if (!card || !request)
		return -EINVAL;
	try {
		return control(*card, request, reply, size);
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "accel-emu: control: %s\n", e.what());
		return -EINVAL;
	}
}

EXPORTED int accel_emu_card_take(struct accel_emu_card *card)
{
	return card->shell.park() ? 0 : -EBUSY;
}

EXPORTED int accel_emu_card_step(struct accel_emu_card *card)
{
	return card->shell.step();
}

EXPORTED void accel_emu_card_give(struct accel_emu_card *card)
{
	card->shell.unpark();
}
