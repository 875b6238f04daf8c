// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See boot.hpp.
#include "boot.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <time.h>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>

#include "clock.hpp"
#include "codes.hpp"
#include "error.hpp"
#include "patience.hpp"

namespace accel::direct
{

namespace
{

constexpr const char *SYSTEM_IMAGE = "/lib/firmware/oac/oac1.fw";
constexpr std::int64_t RESET_TIMEOUT_NS = 10 * NS_PER_S;
/* The ROM has no interrupt: look without a pause at first, an emulated card boots in no time. */
constexpr std::int64_t LOOK_AT_ONCE_NS = 500 * NS_PER_US;
constexpr long LOOK_FIRST_NS = 50'000;
constexpr long LOOK_LAST_NS = 5'000'000;
/* A pause is so small a part of the time waited so far. */
constexpr std::int64_t LOOK_PART = 8;

using file = std::unique_ptr<std::FILE, int (*)(std::FILE *)>;

std::vector<std::byte> read_all(std::FILE *from)
{
	std::vector<std::byte> bytes;
	constexpr std::size_t STEP = 65536;
	for (;;) {
		const std::size_t had = bytes.size();
		bytes.resize(had + STEP);
		const std::size_t got = std::fread(bytes.data() + had, 1, STEP, from);
		bytes.resize(had + got);
		/* Longer than any image: the card is to say so, not our memory. */
		if (got == 0 || bytes.size() > OAC_FW_IMAGE_SIZE_MAX)
			return bytes;
	}
}

std::optional<std::vector<std::byte>> read_image(const char *path)
{
	const file opened(std::fopen(path, "rbe"), std::fclose);
	if (!opened)
		return std::nullopt;
	std::vector<std::byte> bytes = read_all(opened.get());
	if (std::ferror(opened.get()) || bytes.empty())
		return std::nullopt;
	return bytes;
}

[[noreturn]] void throw_not_usable(const std::string &name, int code, const std::string &text)
{
	throw failure(code, "card " + name + ": " + text);
}

std::uint32_t read_state(bus &card, const std::string &name)
{
	const std::uint32_t status = card.read32(OAC_REG_STATUS);
	if (status == OAC_REG_ALL_ONES) {
		card.die();
		throw_not_usable(name, ENODEV, "it is gone; open it again once it is back");
	}
	return status & OAC_STATUS_STATE_MASK;
}

bool is_final(std::uint32_t state)
{
	return state == OAC_STATE_RUNNING || state == OAC_STATE_FAILED;
}

/* Looks at the state until is_wanted takes it. */
template <typename Wanted>
std::uint32_t wait_for_state(bus &card, const std::string &name, std::int64_t deadline,
			     const char *what, const Wanted &is_wanted)
{
	const std::int64_t start = now_ns();
	for (;;) {
		const std::uint32_t state = read_state(card, name);
		if (is_wanted(state))
			return state;
		const std::int64_t now = now_ns();
		if (deadline != INT64_MAX && now >= deadline)
			throw_not_usable(name, ETIMEDOUT,
					 std::string(what) + " did not end in time, in state '" +
						 state_text(state) + "'; try again with more time");
		if (now - start < LOOK_AT_ONCE_NS)
			continue;
		const timespec pause{ 0, std::clamp<long>((now - start) / LOOK_PART, LOOK_FIRST_NS,
							  LOOK_LAST_NS) };
		nanosleep(&pause, nullptr);
	}
}

std::uint32_t start_and_wait(bus &card, const std::string &name, std::uint32_t command,
			     std::int64_t deadline)
{
	card.write32(OAC_REG_BOOT_COMMAND, command);
	const std::uint32_t state = wait_for_state(card, name, deadline, "the boot", is_final);
	return state == OAC_STATE_RUNNING ? OAC_FAIL_NONE : card.read32(OAC_REG_BOOT_FAIL);
}

} // namespace

boot_image choose_image()
{
	if (const char *path = std::getenv("ACCEL_FIRMWARE")) {
		auto bytes = read_image(path);
		if (!bytes)
			throw failure(EIO, "ACCEL_FIRMWARE: cannot read '" + std::string(path) +
						   "': " + errno_text(errno ? errno : ENODATA));
		return { path, std::move(bytes) };
	}
	if (auto bytes = read_image(SYSTEM_IMAGE))
		return { SYSTEM_IMAGE, std::move(bytes) };
	return { "its flash", std::nullopt };
}

void check_card(bus &card, const std::string &name)
{
	if (card.read32(OAC_REG_ID) != OAC_ID_MAGIC)
		throw_not_usable(name, EPROTO, "its ID register is not that of an OAC card");
	const std::uint32_t protocol = card.read32(OAC_REG_PROTOCOL);
	const std::uint32_t major = protocol >> OAC_PROTOCOL_MAJOR_SHIFT;
	if (major != OAC_PROTOCOL_MAJOR)
		throw_not_usable(name, EPROTO,
				 "it speaks protocol " + std::to_string(major) + ", this library " +
					 std::to_string(OAC_PROTOCOL_MAJOR) +
					 "; use a libaccel for it");
}

void reset_card(bus &card, const std::string &name)
{
	if (read_state(card, name) != OAC_STATE_ROM)
		bring_to_rom(card, name, reset_way::by_register,
			     patience::within(RESET_TIMEOUT_NS));
}

void bring_to_rom(bus &card, const std::string &name, reset_way way, std::int64_t deadline)
{
	const std::uint32_t before = card.read32(OAC_REG_RESET_COUNT);
	if (way == reset_way::of_function) {
		/* It does not answer again before the end of this. */
		const patience::suspended whole;
		card.reset();
	} else {
		card.write32(OAC_REG_RESET, OAC_RESET_MAGIC);
	}
	const std::int64_t taken = now_ns() + OAC_RESET_TAKEN_US * NS_PER_US;
	bool is_taken = false;
	wait_for_state(card, name, deadline, "the reset", [&](std::uint32_t state) {
		/* The clock first: what is read after it is not too early. */
		const bool is_late = now_ns() >= taken;
		is_taken = is_taken || card.read32(OAC_REG_RESET_COUNT) != before;
		if (!is_taken && is_late)
			throw_not_usable(name, EIO,
					 "it ignores a reset; try another rung of "
					 "'accelctl reset', or power-cycle the host");
		return is_taken && state == OAC_STATE_ROM;
	});
}

std::uint32_t boot_card(bus_addresses &addresses, const std::string &name,
			std::optional<std::span<const std::byte>> bytes, std::int64_t deadline)
{
	bus &card = addresses.target();
	if (!bytes)
		return start_and_wait(card, name, OAC_BOOT_FLASH, deadline);
	const std::size_t pages = (bytes->size() + OAC_PAGE_SIZE - 1) / OAC_PAGE_SIZE;
	const host_memory image(addresses, pages * OAC_PAGE_SIZE);
	std::ranges::copy(*bytes, image.data());
	card.write32(OAC_REG_BOOT_ADDR_LO, static_cast<std::uint32_t>(image.bus_address()));
	card.write32(OAC_REG_BOOT_ADDR_HI, static_cast<std::uint32_t>(image.bus_address() >> 32));
	card.write32(OAC_REG_BOOT_SIZE, static_cast<std::uint32_t>(bytes->size()));
	return start_and_wait(card, name, OAC_BOOT_HOST, deadline);
}

} // namespace accel::direct
