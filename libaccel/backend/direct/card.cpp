// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card's life: boot, firmware, identity, contexts and maps. Queues are in card_queues.cpp, what the
// card reports in card_logs.cpp.
#include "card.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

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

oac_admin_cmd command(std::uint8_t opcode, std::uint32_t context = 0)
{
	oac_admin_cmd cmd{};
	cmd.opcode = opcode;
	cmd.context = context;
	return cmd;
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
	  bus_(std::move(on)), addresses_(*bus_), interrupts_(*bus_),
	  admin_(addresses_, interrupts_.admin_fd(), name_,
		 [this](std::uint32_t tail) { ring_admin(tail); }),
	  local_(name_, bus_->local_memory())
{
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
	reset_card(*bus_, name_);
	boot_as_found();
}

card::~card() = default;

void card::stop() noexcept
{
	bus_->die();
	emulated_.reset();
}

/* The first boot. Why it failed is kept for those who ask; only a card that is gone stays lost. */
void card::boot_as_found() noexcept
{
	try {
		const auto lock = hold();
		const boot_image image = choose_image();
		std::optional<std::span<const std::byte>> bytes;
		if (image.bytes)
			bytes = *image.bytes;
		if (const std::uint32_t reason = boot(bytes, now_ns() + BOOT_TIMEOUT_NS))
			set_down(std::string(boot_fail_text(reason)) + " (" + image.source + ")");
	} catch (const std::exception &error) {
		set_down(error.what());
	}
}

/* Under life_mutex_. */
void card::set_down(std::string text)
{
	const std::lock_guard facts(facts_mutex_);
	is_running_ = false;
	boot_text_ = std::move(text);
}

/* Under life_mutex_, in state ROM or FAILED. OAC_FAIL_NONE: it runs and is ready for commands. */
std::uint32_t card::boot(std::optional<std::span<const std::byte>> bytes, std::int64_t deadline)
{
	const std::uint32_t reason = boot_card(addresses_, name_, bytes, deadline);
	if (reason == OAC_FAIL_NONE)
		start_firmware();
	return reason;
}

void card::start_firmware()
{
	check_card(*bus_, name_);	/* now it is the firmware's protocol */
	admin_.enable();
	try {
		oac_identify found{};
		admin_.run("identify", command(OAC_ADMIN_IDENTIFY), {},
			   std::as_writable_bytes(std::span(&found, 1)));
		check_limits(found);
		oac_admin_cmd sync = command(OAC_ADMIN_TIME_SYNC);
		sync.arg.time_sync.host_ns = host_time_ns();
		admin_.run("time sync", sync, {}, {});
		const std::uint32_t queues = std::min(found.max_queues, doorbell_pages_ - 1);
		const std::size_t size = (std::size_t{ queues } + 1) * sizeof(oac_progress);
		auto lines = std::make_unique<host_memory>(
			addresses_, (size + OAC_PAGE_SIZE - 1) & ~std::size_t{ OAC_PAGE_SIZE - 1 });
		id_pool contexts(found.max_contexts), all_queues(queues);
		const std::lock_guard facts(facts_mutex_);
		progress_.swap(lines);
		identity_ = found;
		contexts_ = std::move(contexts);
		queues_ = std::move(all_queues);
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

/* For who does not hold life_mutex_: the answer may be old as soon as it is there. */
void card::look_for_firmware()
{
	const std::lock_guard facts(facts_mutex_);
	require_firmware();
}

void card::firmware_load(std::span<const std::byte> image, std::int64_t deadline)
{
	const patience limit(deadline);
	const auto lock = hold();
	if (contexts_.count() > 0)
		throw failure(EBUSY, "card " + name_ + ": " + std::to_string(contexts_.count()) +
					     " contexts are open in process " +
					     std::to_string(getpid()) + "; destroy them first");
	admin_.stop();
	set_down("it was stopped to load another");
	reset_card(*bus_, name_);
	if (const std::uint32_t reason = boot(image, deadline)) {
		set_down(boot_fail_text(reason));
		not_running(EBADMSG);
	}
}

device_info card::info()
{
	device_info info;
	info.serial = read_pair(*bus_, OAC_REG_SERIAL_LO);
	info.lmem_size = read_pair(*bus_, OAC_REG_LMEM_SIZE_LO);
	info.security_version = bus_->read32(OAC_REG_SECURITY_VERSION);
	info.state = bus_->read32(OAC_REG_STATUS) & OAC_STATUS_STATE_MASK;
	info.boot_fail = bus_->read32(OAC_REG_BOOT_FAIL);
	info.boot_progress = bus_->read32(OAC_REG_BOOT_PROGRESS);
	info.reset_count = bus_->read32(OAC_REG_RESET_COUNT);
	const std::uint32_t protocol = bus_->read32(OAC_REG_PROTOCOL);
	const std::uint32_t minor = protocol & OAC_PROTOCOL_MINOR_MASK;
	info.protocol = (protocol & OAC_PROTOCOL_MAJOR_MASK) |
			std::min<std::uint32_t>(minor, OAC_PROTOCOL_MINOR);
	info.numa_node = bus_->numa_node();
	info.node = node_;
	const std::lock_guard facts(facts_mutex_);
	info.contexts = contexts_.count();
	info.queues = queues_.count();
	info.lmem_free = info.lmem_size - std::min(info.lmem_size, local_.used());
	info.has_user_submit = true;
	if (!is_running_)
		return info;
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
	return info;
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
	auto memory = std::make_unique<local_memory>(local_, size);
	oac_admin_cmd cmd = command(OAC_ADMIN_SCRUB);
	cmd.arg.scrub.offset = memory->offset();
	cmd.arg.scrub.length = size;
	admin_.run("zero local memory", cmd, {}, {});
	return memory;
}

std::uint32_t card::context_create(std::uint32_t group)
{
	const auto lock = hold();
	require_firmware();
	const auto context = take_context();
	if (!context)
		throw failure(ENOSPC, "card " + name_ + ": all " +
					      std::to_string(identity_.max_contexts) +
					      " contexts are in use; destroy one");
	try {
		oac_admin_cmd cmd = command(OAC_ADMIN_CONTEXT_CREATE, *context);
		cmd.arg.context_create.group = group;
		admin_.run("create a context", cmd, {}, {});
	} catch (...) {
		const std::lock_guard facts(facts_mutex_);
		spent_.erase(*context);
		contexts_.give(*context);
		throw;
	}
	return *context;
}

/* Under life_mutex_. */
std::optional<std::uint32_t> card::take_context()
{
	const std::lock_guard facts(facts_mutex_);
	const auto context = contexts_.take();
	try {
		if (context)
			spent_[*context] = {};
	} catch (...) {
		contexts_.give(*context);
		throw;
	}
	return context;
}

/* Under life_mutex_. */
void card::give_context(std::uint32_t context) noexcept
{
	const std::lock_guard facts(facts_mutex_);
	contexts_.give(context);
}

void card::context_destroy(std::uint32_t context) noexcept
{
	try {
		const auto lock = hold();
		forget_usage(context);
		admin_.run("destroy a context", command(OAC_ADMIN_CONTEXT_DESTROY, context), {},
			   {});
		give_context(context);
	} catch (const std::exception &) {
		/* Lost, and with it the context. If the card only refused, the id stays in use. */
		if (bus_->is_dead())
			give_context(context);
	}
}

void card::map(std::uint32_t context, std::uint64_t target, std::size_t size, std::uint64_t va,
	       std::uint32_t flags)
{
	oac_segment segment{};
	segment.target = target;
	segment.length = size;
	oac_admin_cmd cmd = command(OAC_ADMIN_MAP, context);
	cmd.arg.map.va = va;
	cmd.arg.map.segment_count = 1;
	cmd.arg.map.flags = flags;
	admin_.run("map a buffer", cmd, std::as_bytes(std::span(&segment, 1)), {});
}

void card::unmap(std::uint32_t context, std::uint64_t va, std::size_t size)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_UNMAP, context);
	cmd.arg.unmap.va = va;
	cmd.arg.unmap.length = size;
	admin_.run("unmap a buffer", cmd, {}, {});
}

} // namespace accel::direct
