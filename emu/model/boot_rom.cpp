// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See boot_rom.hpp.
#include "boot_rom.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <sodium.h>

namespace oac::emu
{

namespace
{

constexpr std::size_t SLICE_BYTES = std::size_t{ 1 } << 18;
/* Permille of a boot at which a step begins; copying is half of it. */
constexpr std::uint32_t COPY_PERMILLE = 500, SIGNATURE_PERMILLE = 520, HASH_PERMILLE = 700,
			MANIFEST_PERMILLE = 900, CONFIGURE_PERMILLE = 950, DONE_PERMILLE = 1000;

} // namespace

boot_rom::boot_rom(board &on, const card_config &config)
	: board_(on), key_(config.trusted_key), flash_(config.flash),
	  doorbell_pages_(config.doorbell_pages), security_version_(config.security_version)
{
	if (sodium_init() < 0)
		throw std::runtime_error("libsodium does not start");
}

bool boot_rom::command(std::uint32_t which, std::uint64_t address, std::uint32_t size)
{
	const bool from_flash = which == OAC_BOOT_FLASH;

	if (state_ != OAC_STATE_ROM && state_ != OAC_STATE_FAILED)
		return false;
	if (!from_flash && which != OAC_BOOT_HOST)
		return false;
	failure_ = OAC_FAIL_NONE;
	address_ = address;
	copied_ = 0;
	hashed_ = 0;
	enter(OAC_STATE_LOADING, OAC_POST_COPY_IMAGE);
	const std::size_t length = from_flash ? flash_.size() : size;
	if (length == 0) {
		fail(OAC_FAIL_NO_IMAGE);
		return true;
	}
	/* bytes behind the largest image there can be do not count */
	buffer_.resize(std::min<std::size_t>(length, OAC_FW_IMAGE_SIZE_MAX));
	if (from_flash) {
		std::memcpy(buffer_.data(), flash_.data(), buffer_.size());
		copied_ = buffer_.size();
	}
	return true;
}

void boot_rom::reset()
{
	enter(OAC_STATE_ROM, OAC_POST_RESET);
	failure_ = OAC_FAIL_NONE;
	buffer_ = {};
	copied_ = 0;
	hangs_ = false;
}

void boot_rom::enter(std::uint32_t state, std::uint32_t post)
{
	state_ = state;
	post_ = post;
	board_.is_running = state == OAC_STATE_RUNNING;
	board_.set_plain();
}

void boot_rom::crash(std::uint32_t code)
{
	board_.lines.say(board_.clock_ns(), "panic: code %#x: engines and queues stop", code);
	enter(OAC_STATE_CRASHED, post_);
	board_.count.add(OAC_COUNTER_CRASHES, 1);
	board_.add_event(OAC_EVENT_CRASHED, code);
}

/* The post code stays where it failed. */
void boot_rom::fail(unsigned reason)
{
	state_ = OAC_STATE_FAILED;
	failure_ = reason;
	buffer_ = {};
	board_.lines.say(board_.clock_ns(), "rom: boot failed: reason %#x at post %#x", reason,
			 post_);
	board_.count.add(OAC_COUNTER_BOOT_FAILURES, 1);
	board_.add_event(OAC_EVENT_BOOT_FAILED, reason);
}

void boot_rom::check(unsigned reason, std::uint32_t next_post)
{
	if (reason != OAC_FAIL_NONE)
		fail(reason);
	else
		post_ = next_post;
}

void boot_rom::step()
{
	if (board_.hooks) [[unlikely]] {
		const unsigned reason = board_.hooks->on_boot_step(state_, hangs_);
		if (reason != OAC_FAIL_NONE)
			return fail(reason);
		if (hangs_)
			return;
	}
	switch (state_) {
	case OAC_STATE_LOADING:
		return copy_slice();
	case OAC_STATE_VERIFYING:
		return verify();
	case OAC_STATE_STARTING:
		return configure();
	}
}

void boot_rom::copy_slice()
{
	const std::size_t length = std::min(buffer_.size() - copied_, SLICE_BYTES);
	const std::span<std::byte> part = std::span(buffer_).subspan(copied_, length);

	if (length && !board_.host_read(address_ + copied_, part))
		return fail(OAC_FAIL_DMA);
	copied_ += length;
	if (copied_ == buffer_.size())
		enter(OAC_STATE_VERIFYING, OAC_POST_CHECK_HEADER);
}

void boot_rom::verify()
{
	switch (post_) {
	case OAC_POST_CHECK_HEADER:
		return check(check_image_header(buffer_, image_), OAC_POST_CHECK_SIGNATURE);
	case OAC_POST_CHECK_SIGNATURE:
		return check(check_image_signature(image_, key_), OAC_POST_CHECK_HASHES);
	case OAC_POST_CHECK_HASHES:
		if (hashed_ < image_.sections.size())
			return check(check_section_hash(image_, image_.sections[hashed_++]),
				     OAC_POST_CHECK_HASHES);
		return check(check_image_version(image_, security_version_),
			     OAC_POST_CHECK_MANIFEST);
	}
	const unsigned reason = check_image_manifest(image_, doorbell_pages_);
	if (reason != OAC_FAIL_NONE)
		return fail(reason);
	enter(OAC_STATE_STARTING, OAC_POST_CONFIGURE);
}

void boot_rom::configure()
{
	board_.running = firmware{ image_.header, image_.manifest };
	board_.sense.start(image_.manifest, board_.clock_ns());
	board_.events.set_capacity(image_.manifest.event_capacity);
	board_.failed_engines = 0;
	security_version_ = image_.header.security_version;
	buffer_ = {};
	enter(OAC_STATE_RUNNING, OAC_POST_RUNNING);
	board_.count.add(OAC_COUNTER_BOOTS, 1);
	board_.add_event(OAC_EVENT_BOOTED, 0);
	const oac_fw_header &header = image_.header;
	board_.lines.say(board_.clock_ns(), "boot: %.20s %u.%u.%u, %u engines",
			 reinterpret_cast<const char *>(image_.manifest.model), header.version[0],
			 header.version[1], header.version[2], image_.manifest.engine_count);
	if (board_.hooks)
		board_.hooks->on_booted();
}

std::uint32_t boot_rom::progress() const
{
	switch (post_) {
	case OAC_POST_COPY_IMAGE:
		return buffer_.empty() ?
			       0 :
			       static_cast<std::uint32_t>(copied_ * COPY_PERMILLE / buffer_.size());
	case OAC_POST_CHECK_HEADER:
		return COPY_PERMILLE;
	case OAC_POST_CHECK_SIGNATURE:
		return SIGNATURE_PERMILLE;
	case OAC_POST_CHECK_HASHES:
		return HASH_PERMILLE;
	case OAC_POST_CHECK_MANIFEST:
		return MANIFEST_PERMILLE;
	case OAC_POST_CONFIGURE:
		return CONFIGURE_PERMILLE;
	case OAC_POST_RUNNING:
		return DONE_PERMILLE;
	}
	return 0;
}

} // namespace oac::emu
