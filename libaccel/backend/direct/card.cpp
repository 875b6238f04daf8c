// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card's life: boot, firmware, identity. Contexts and maps are in card_contexts.cpp, queues in
// card_queues.cpp, what the card reports in card_logs.cpp, and how it is kept alive in card_watch.cpp
// and card_recovery.cpp.
#include "card.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

#include <sys/eventfd.h>
#include <unistd.h>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>

#include "card_queue.hpp"
#include "clock.hpp"
#include "codes.hpp"
#include "error.hpp"

namespace accel::direct
{

namespace
{

constexpr std::int64_t BOOT_TIMEOUT_NS = 30 * NS_PER_S;
constexpr std::int64_t HANG_NS = 2 * NS_PER_S;
/* Of admin commands that a card which works answers in microseconds. */
constexpr std::int64_t ADMIN_TIMEOUT_MIN_NS = 2 * NS_PER_S;
/* Of a look at a few registers, which takes some microseconds. */
constexpr std::int64_t LOOK_TIMEOUT_NS = 2 * NS_PER_MS;
/* To a card that did not answer. */
constexpr std::int64_t LOOK_AGAIN_NS = 50 * NS_PER_MS;
constexpr unsigned HANG_MS_MIN = 100, HANG_MS_MAX = 600'000;
/* Rungs there are without a PCI core. */
constexpr std::uint32_t RUNGS = 1u << OAC_RUNG_ABORT | 1u << OAC_RUNG_QUEUE |
				1u << OAC_RUNG_CONTEXT | 1u << OAC_RUNG_SOFT_RESET |
				1u << OAC_RUNG_FLR | 1u << OAC_RUNG_FIRMWARE;

oac_admin_cmd command(std::uint8_t opcode)
{
	oac_admin_cmd cmd{};
	cmd.opcode = opcode;
	return cmd;
}

/* How long a queue may stand still with a command at hand. */
std::int64_t hang_time_ns()
{
	const char *given = std::getenv("ACCEL_HANG_MS");
	if (!given)
		return HANG_NS;
	unsigned ms = 0;
	const std::string_view text(given);
	const auto end = std::from_chars(text.data(), text.data() + text.size(), ms);
	if (end.ec != std::errc() || end.ptr != text.data() + text.size() || ms < HANG_MS_MIN ||
	    ms > HANG_MS_MAX)
		throw failure(EINVAL, "ACCEL_HANG_MS=" + std::string(text) +
					      ": set it to milliseconds from 100 to 600000, or "
					      "unset it");
	return ms * NS_PER_MS;
}

std::uint64_t host_time_ns()
{
	timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return static_cast<std::uint64_t>(now.tv_sec * NS_PER_S + now.tv_nsec);
}

std::uint64_t read_pair(bus &card, std::uint32_t low_register)
{
	const std::uint64_t low = card.read32(low_register);
	return std::uint64_t{ card.read32(low_register + 4) } << 32 | low;
}

} // namespace

card::card(std::string name, std::string node, std::unique_ptr<bus> on,
	   std::unique_ptr<emulated_card> emulated)
	: name_(std::move(name)), node_(std::move(node)), emulated_(std::move(emulated)),
	  bus_(std::move(on)), addresses_(*bus_), interrupts_(*bus_), health_(*log_, RUNGS),
	  admin_(
		  addresses_, interrupts_.admin_fd(), name_,
		  [this](std::uint32_t tail) { ring_admin(tail); },
		  [this](std::uint32_t cause) {
			  admin_cause_.store(cause);
			  if (watch_)
				  watch_->wake();
		  },
		  std::clamp(hang_time_ns(), ADMIN_TIMEOUT_MIN_NS, admin_queue::TIMEOUT_NS)),
	  local_(name_, bus_->local_memory()),
	  change_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), hang_ns_(hang_time_ns())
{
	if (!change_event_.is_open())
		throw failure(errno, "card " + name_ + ": no eventfd: " + errno_text(errno));
	check_card(*bus_, name_);
	const std::uint32_t capabilities = bus_->read32(OAC_REG_CAP);
	doorbell_pages_ = capabilities & OAC_CAP_DOORBELL_PAGES_MASK;
	const std::uint64_t size = std::uint64_t{ doorbell_pages_ } * OAC_DB_PAGE_SIZE;
	if (doorbell_pages_ < 2 || bus_->doorbells_size() < size)
		throw failure(EPROTO,
			      "card " + name_ + ": it has " + std::to_string(doorbell_pages_) +
				      " doorbell pages, more than its BAR4 or fewer than 2");
	is_shared_ = (capabilities & OAC_CAP_DOORBELL_SHARED_MASK) != 0 &&
		     bus_->doorbells().size() >= size;
	const std::size_t lines = std::size_t{ doorbell_pages_ } * sizeof(oac_progress);
	progress_ = std::make_unique<host_memory>(
		addresses_, (lines + OAC_PAGE_SIZE - 1) & ~std::size_t{ OAC_PAGE_SIZE - 1 });
	forget_signs();
	reset_card(*bus_, name_);
	view_registers();
	boot_as_found();
	watch_.emplace(interrupts_.admin_fd(), bus_->lost_fd(), [this] { return look_after(); });
}

card::~card()
{
	watch_.reset();
	log_->close();
}

void card::stop() noexcept
{
	bus_->die();
	if (watch_)
		watch_->stop();
	log_->close();
	emulated_.reset();
}

/* The first boot. Why it failed is kept for those who ask; only a card that is gone stays lost. */
void card::boot_as_found() noexcept
{
	std::string why;
	std::uint32_t reason = OAC_FAIL_NONE;
	try {
		boot_image image = choose_image();
		reason = boot(image.bytes, now_ns() + BOOT_TIMEOUT_NS);
		if (reason != OAC_FAIL_NONE)
			why = std::string(boot_fail_text(reason)) + " (" + image.source + ")";
	} catch (const std::exception &error) {
		why = error.what();
	}
	health_.clear(OAC_REASON_STARTING);
	if (why.empty())
		return;
	const bool is_without = reason == OAC_FAIL_NONE || reason == OAC_FAIL_NO_IMAGE;
	health_.set(is_without ? OAC_REASON_NO_FIRMWARE : OAC_REASON_BOOT_FAILED, reason);
	const std::lock_guard lock(life_mutex_);
	set_down(std::move(why));
}

/* Under life_mutex_. */
void card::set_down(std::string text)
{
	const std::lock_guard facts(facts_mutex_);
	is_running_ = false;
	/* Until the next look, which may be late. */
	if (seen_.state.state == OAC_STATE_RUNNING)
		seen_.state.state = OAC_STATE_ROM;
	boot_text_ = std::move(text);
}

/* In state ROM or FAILED. OAC_FAIL_NONE: it runs and is ready for commands. */
std::uint32_t card::boot(const image_bytes &image, std::int64_t deadline)
{
	std::optional<std::span<const std::byte>> bytes;
	if (image)
		bytes = *image;
	const std::uint32_t reason = boot_card(addresses_, name_, bytes, deadline);
	if (reason != OAC_FAIL_NONE) {
		const state_view failed = look_at_state();
		const std::lock_guard facts(facts_mutex_);
		seen_.state = failed;
		return reason;
	}
	start_firmware();
	if (&image != &image_)
		image_ = image;
	return reason;
}

void card::start_firmware()
{
	check_card(*bus_, name_);	/* now it is the firmware's protocol */
	const std::lock_guard lock(life_mutex_);
	admin_cause_.store(OAC_CAUSE_NONE);
	admin_.enable();
	try {
		oac_identify found{};
		admin_.run("identify", command(OAC_ADMIN_IDENTIFY), {},
			   std::as_writable_bytes(std::span(&found, 1)));
		check_limits(found);
		oac_admin_cmd sync = command(OAC_ADMIN_TIME_SYNC);
		sync.arg.time_sync.host_ns = host_time_ns();
		admin_.run("time sync", sync, {}, {});
		view_registers();
		missed_beats_ = 0;
		must_restart_ = OAC_CAUSE_NONE;
		const std::lock_guard facts(facts_mutex_);
		resets_expected_ = seen_.state.reset_count;
		identity_ = found;
		contexts_ = id_pool(found.max_contexts);
		queues_.set_last(std::min(found.max_queues, doorbell_pages_ - 1));
		boot_text_.clear();
		is_running_ = true;
	} catch (...) {
		admin_.disable();
		throw;
	}
}

/* The card's limits become sizes of ours: none may be absurd. */
void card::check_limits(const oac_identify &found) const
{
	if (found.max_contexts < 1 || found.max_contexts > OAC_FW_CONTEXTS_MAX ||
	    found.max_queues < 1 || found.max_queues > UINT16_MAX || found.max_depth_log2 < 1 ||
	    found.max_depth_log2 > OAC_FW_DEPTH_LOG2_MAX || found.sensor_count > OAC_SENSOR_MAX)
		throw failure(EPROTO, "card " + name_ +
					      ": its firmware claims limits that no firmware has");
}

/* Under life_mutex_ or facts_mutex_. */
void card::not_running(int code) const
{
	std::string text = "card " + name_ + ": firmware is not running: " + boot_text_;
	throw failure(code, text + "; load another with 'accelctl fw load'");
}

void card::require_firmware() const
{
	if (bus_->is_dead())
		throw failure(ENODEV, "card " + name_ + ": it is lost; close and open it again");
	if (!is_running_)
		not_running(EHOSTDOWN);
}

void card::look_for_firmware()
{
	if (is_running_ && !bus_->is_dead())
		return;
	const std::lock_guard facts(facts_mutex_);
	require_firmware();
}

void card::stale(const char *what) const
{
	throw failure(ESTALE, "card " + name_ + ": " + what + ": " + STALE_TEXT);
}

void card::firmware_load(std::span<const std::byte> image, std::int64_t deadline)
{
	const patience limit(deadline);
	const work_lock work = lock_work(deadline, "load firmware");
	{
		const auto lock = hold();
		if (contexts_.count() > 0)
			throw failure(EBUSY,
				      "card " + name_ + ": " + std::to_string(contexts_.count()) +
					      " contexts are open in process " +
					      std::to_string(getpid()) + "; destroy them first");
		admin_.stop();
		set_down("it was stopped to load another");
	}
	std::uint32_t reason;
	health_.set(OAC_REASON_STARTING);
	try {
		reset_card(*bus_, name_);
		health_.count_reset();
		lose_all({});
		reason = boot(std::vector<std::byte>(image.begin(), image.end()), deadline);
	} catch (...) {
		health_.clear(OAC_REASON_STARTING);
		health_.set(OAC_REASON_NO_FIRMWARE);
		throw;
	}
	health_.clear(OAC_REASON_STARTING);
	if (reason == OAC_FAIL_NONE)
		return;
	health_.set(OAC_REASON_BOOT_FAILED, reason);
	const std::lock_guard lock(life_mutex_);
	set_down(boot_fail_text(reason));
	not_running(EBADMSG);
}

/* What changes by a boot at most. */
void card::view_registers()
{
	register_view now;
	now.serial = read_pair(*bus_, OAC_REG_SERIAL_LO);
	now.lmem_size = read_pair(*bus_, OAC_REG_LMEM_SIZE_LO);
	now.security_version = bus_->read32(OAC_REG_SECURITY_VERSION);
	now.protocol = bus_->read32(OAC_REG_PROTOCOL);
	now.state = look_at_state();
	const std::lock_guard facts(facts_mutex_);
	seen_ = now;
}

card::state_view card::look_at_state()
{
	state_view now;
	now.state = bus_->read32(OAC_REG_STATUS) & OAC_STATUS_STATE_MASK;
	now.reset_count = bus_->read32(OAC_REG_RESET_COUNT);
	if (now.state == OAC_STATE_RUNNING)
		return now;
	now.boot_fail = bus_->read32(OAC_REG_BOOT_FAIL);
	now.boot_progress = bus_->read32(OAC_REG_BOOT_PROGRESS);
	return now;
}

/* Whoever looks does not wait for a card that is slow, or whose bus another thread's call keeps. */
device_info card::info()
{
	{
		const std::lock_guard facts(facts_mutex_);
		if (now_ns() < look_again_ns_ && !bus_->is_dead())
			return known_locked();
	}
	std::optional<state_view> now;
	try {
		const patience limit(now_ns() + LOOK_TIMEOUT_NS);
		now = look_at_state();
		const std::lock_guard facts(facts_mutex_);
		seen_.state = *now;
	} catch (const failure &late) {
		if (late.code().value() != ETIMEDOUT || bus_->is_dead())
			throw;
		const std::lock_guard facts(facts_mutex_);
		look_again_ns_ = now_ns() + LOOK_AGAIN_NS;
	}
	device_info info = known();
	if (now) {
		info.state = now->state;
		info.boot_fail = now->boot_fail;
		info.boot_progress = now->boot_progress;
		info.reset_count = now->reset_count;
	}
	return info;
}

device_info card::known()
{
	const std::lock_guard facts(facts_mutex_);
	return known_locked();
}

device_info card::known_locked() const
{
	device_info info;
	info.serial = seen_.serial;
	info.lmem_size = seen_.lmem_size;
	info.security_version = seen_.security_version;
	info.state = is_running_ ? OAC_STATE_RUNNING : seen_.state.state;
	info.boot_fail = seen_.state.boot_fail;
	info.boot_progress = seen_.state.boot_progress;
	info.reset_count = seen_.state.reset_count;
	info.protocol = (seen_.protocol & OAC_PROTOCOL_MAJOR_MASK) |
			std::min<std::uint32_t>(seen_.protocol & OAC_PROTOCOL_MINOR_MASK,
						OAC_PROTOCOL_MINOR);
	info.numa_node = bus_->numa_node();
	info.node = node_;
	info.contexts = contexts_.count();
	info.queues = queues_.count();
	info.lmem_free = info.lmem_size - std::min(info.lmem_size, local_.used());
	info.has_user_submit = true;
	if (is_running_)
		fill_identity(info);
	return info;
}

/* Under facts_mutex_. */
void card::fill_identity(device_info &info) const
{
	const auto *model = reinterpret_cast<const char *>(identity_.model);
	info.model.assign(model, strnlen(model, sizeof(identity_.model)));
	info.features = identity_.features;
	std::copy_n(identity_.cmd_mask, info.cmd_mask.size(), info.cmd_mask.begin());
	std::copy_n(identity_.op_mask, info.op_mask.size(), info.op_mask.begin());
	std::copy_n(identity_.fw_version, info.fw_version.size(), info.fw_version.begin());
	info.engine_count = identity_.engine_count;
	info.engine_clock_khz = identity_.engine_clock_khz;
	info.power_limit_mw = identity_.power_limit_mw;
	info.max_contexts = identity_.max_contexts;
	info.max_queues = std::min(identity_.max_queues, doorbell_pages_ - 1);
	info.max_depth_log2 = identity_.max_depth_log2;
}

std::unique_ptr<host_memory> card::allocate(std::size_t size)
{
	return std::make_unique<host_memory>(addresses_, size);
}

std::unique_ptr<host_memory> card::import(int file)
{
	return std::make_unique<host_memory>(addresses_, host_memory::imported{ file });
}

std::unique_ptr<local_memory> card::allocate_local(std::size_t size)
{
	const auto lock = hold();
	require_firmware();
	auto memory = std::make_unique<local_memory>(local_, size, admin_.session());
	oac_admin_cmd cmd = command(OAC_ADMIN_SCRUB);
	cmd.arg.scrub.offset = memory->offset();
	cmd.arg.scrub.length = size;
	admin_.run("zero local memory", cmd, {}, {},
		   { memory->session(), admin_queue::TIMEOUT_NS });
	return memory;
}

} // namespace accel::direct
