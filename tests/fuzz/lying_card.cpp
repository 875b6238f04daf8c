// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See lying_card.hpp.
#include "lying_card.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <hw/oac_firmware.h>
#include <hw/oac_regs.h>
#include <hw/oac_telemetry.h>

#include "error.hpp"

namespace
{

constexpr std::uint32_t DOORBELL_PAGES = 8;
constexpr std::size_t LOCAL_SIZE = 16 * OAC_PAGE_SIZE;
constexpr unsigned SENSORS = 3, COUNTERS = 5, EVENTS_AT_ONCE = 70;
/* A register lies once in so many reads. */
constexpr int TRUTHS = 100;

oac_identify identity()
{
	oac_identify id{};
	std::memcpy(id.model, "liar", 5);
	id.lmem_size = LOCAL_SIZE;
	std::fill_n(id.cmd_mask, OAC_MASK_WORDS, ~0ull);
	id.engine_count = 2;
	id.max_contexts = 4;
	id.max_queues = DOORBELL_PAGES - 1;
	id.max_depth_log2 = 6;
	id.max_segments = 16;
	id.max_maps = 64;
	id.sensor_count = SENSORS;
	id.event_capacity = 256;
	return id;
}

template <typename Entry, typename Make>
std::uint64_t fill(std::span<std::byte> data, std::size_t count, const Make &make)
{
	count = std::min(count, data.size() / sizeof(Entry));
	for (std::size_t i = 0; i < count; i++) {
		const Entry entry = make(i);
		std::memcpy(data.data() + i * sizeof(entry), &entry, sizeof(entry));
	}
	return count;
}

} // namespace

lying_card::lying_card(FuzzedDataProvider &input)
	: input_(input), state_(OAC_STATE_ROM), is_endless_(input.ConsumeIntegralInRange(0, 9) == 9)
{
	static std::array<std::byte, LOCAL_SIZE> local;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		std::abort();
	ours_ = accel::unique_fd(ends[0]);
	theirs_ = accel::unique_fd(ends[1]);
	local_ = local;
}

lying_card::~lying_card()
{
	for (const auto &[address, memory] : host_)
		munmap(memory.data(), memory.size());
}

void lying_card::wait_for_watch() const
{
	is_watched_.wait(false);
}

std::uint64_t lying_card::doorbells_size() const noexcept
{
	return DOORBELL_PAGES * OAC_DB_PAGE_SIZE;
}

std::uint32_t lying_card::truth(std::uint32_t offset)
{
	switch (offset) {
	case OAC_REG_ID:
		return OAC_ID_MAGIC;
	case OAC_REG_PROTOCOL:
		return OAC_PROTOCOL_MAJOR << OAC_PROTOCOL_MAJOR_SHIFT | OAC_PROTOCOL_MINOR;
	case OAC_REG_CAP:
		return DOORBELL_PAGES;
	case OAC_REG_STATUS:
		return state_;
	case OAC_REG_RESET_COUNT:
		return resets_;
	case OAC_REG_HEARTBEAT:
		return ++beat_;
	case OAC_REG_LMEM_SIZE_LO:
		return LOCAL_SIZE;
	case OAC_REG_EVENT_SEQ:
		return static_cast<std::uint32_t>(
			events_ + input_.ConsumeIntegralInRange(0u, EVENTS_AT_ONCE));
	default:
		return 0;
	}
}

std::uint32_t lying_card::read32(std::uint32_t offset)
{
	constexpr std::uint32_t states[] = {
		OAC_STATE_ROM,	  OAC_STATE_RUNNING,
		OAC_STATE_FAILED, OAC_STATE_CRASHED,
		OAC_REG_ALL_ONES, OAC_STATE_RUNNING | OAC_STATUS_ADMIN_ERROR_MASK
	};

	if (is_dead_)
		throw accel::failure(ENODEV, "dead");
	const std::lock_guard lock(mutex_);
	if (std::this_thread::get_id() != owner_ && offset == OAC_REG_STATUS) {
		is_watched_ = true;
		is_watched_.notify_all();
	}
	switch (input_.ConsumeIntegralInRange(0, TRUTHS)) {
	case TRUTHS:
		throw accel::failure(EPROTO, "refused");
	case TRUTHS - 1:
		return offset == OAC_REG_STATUS ? input_.PickValueInArray(states) :
						  input_.ConsumeIntegral<std::uint32_t>();
	default:
		return truth(offset);
	}
}

void lying_card::back_to_rom()
{
	resets_++;
	state_ = OAC_STATE_ROM;
	maps_.clear();
}

void lying_card::write32(std::uint32_t offset, std::uint32_t value)
{
	if (is_dead_)
		throw accel::failure(ENODEV, "dead");
	const std::lock_guard lock(mutex_);
	registers_[offset / 4] = value;
	if (offset == OAC_REG_RESET)
		back_to_rom();
	else if (offset == OAC_REG_BOOT_COMMAND)
		state_ = input_.ConsumeIntegralInRange(0, TRUTHS) < TRUTHS ? OAC_STATE_RUNNING :
									     OAC_STATE_FAILED;
	else if (offset == OAC_REG_ADMIN_CONTROL)
		taken_ = 0;
}

bool lying_card::reset()
{
	const std::lock_guard lock(mutex_);
	back_to_rom();
	return true;
}

std::byte *lying_card::at(std::uint64_t address, std::uint64_t size)
{
	auto found = host_.upper_bound(address);
	if (found == host_.begin())
		return nullptr;
	--found;
	const std::uint64_t offset = address - found->first;
	const std::span<std::byte> memory = found->second;
	if (offset > memory.size() || size > memory.size() - offset)
		return nullptr;
	return memory.data() + offset;
}

std::byte *lying_card::in_context(std::uint64_t va, std::uint64_t size)
{
	auto found = maps_.upper_bound(va);
	if (found == maps_.begin())
		return nullptr;
	--found;
	const std::uint64_t offset = va - found->first;
	if (offset >= found->second.length || size > found->second.length - offset)
		return nullptr;
	return at(found->second.target + offset, size);
}

int lying_card::doorbell_write(std::uint64_t offset, std::uint64_t value, unsigned) noexcept
{
	constexpr std::uint64_t cq_low = OAC_REG_ADMIN_CQ_LO / 4, sq_low = OAC_REG_ADMIN_SQ_LO / 4;

	if (is_dead_)
		return -ENODEV;
	const std::lock_guard lock(mutex_);
	if (offset != OAC_DB_SQ_TAIL)
		return 0;
	const std::uint32_t depth = registers_[OAC_REG_ADMIN_DEPTH / 4];
	const auto *sq = at(registers_[sq_low] | std::uint64_t{ registers_[sq_low + 1] } << 32,
			    depth * sizeof(oac_admin_cmd));
	auto *cq = at(registers_[cq_low] | std::uint64_t{ registers_[cq_low + 1] } << 32,
		      depth * sizeof(oac_completion));
	if (!sq || !cq || depth == 0)
		std::abort();	/* the library's promise, not the card's */
	for (; taken_ != static_cast<std::uint32_t>(value); taken_++) {
		oac_admin_cmd cmd;
		oac_completion done{};
		std::memcpy(&cmd, sq + taken_ % depth * sizeof(cmd), sizeof(cmd));
		answer(cmd, done);
		done.phase = (taken_ / depth + 1) & OAC_PHASE_MASK;
		std::memcpy(cq + taken_ % depth * sizeof(done), &done, sizeof(done));
	}
	interrupt(OAC_MSIX_ADMIN_VECTOR);
	return 0;
}

void lying_card::answer(const oac_admin_cmd &cmd, oac_completion &done)
{
	std::span<std::byte> data;

	if (cmd.data_size > 0) {
		data = { at(cmd.data_addr, cmd.data_size), cmd.data_size };
		if (!data.data())
			std::abort();
	}
	done.tag = cmd.cid;
	switch (cmd.opcode) {
	case OAC_ADMIN_IDENTIFY: {
		const oac_identify id = identity();
		std::memcpy(data.data(), &id, std::min(sizeof(id), data.size()));
		garble(data);
		break;
	}
	case OAC_ADMIN_GET_LOG:
		done.info = fill_log(cmd, data);
		garble(data);
		break;
	case OAC_ADMIN_MAP:
		take_map(cmd);
		break;
	case OAC_ADMIN_QUEUE_CREATE:
		queue_ = cmd.arg.queue_create;
		break;
	default:
		break;
	}
	switch (input_.ConsumeIntegralInRange(0, 40)) {
	case 40:
		done.status = input_.ConsumeIntegral<std::uint16_t>();
		break;
	case 39:
		done.tag = input_.ConsumeIntegral<std::uint32_t>();
		break;
	case 38:
	case 37:
	case 36:
		done.info = input_.ConsumeIntegral<std::uint64_t>();
		break;
	default:
		break;
	}
}

void lying_card::take_map(const oac_admin_cmd &cmd)
{
	std::uint64_t va = cmd.arg.map.va;

	for (std::uint32_t i = 0; i < cmd.arg.map.segment_count; i++) {
		oac_segment segment;
		const auto *from = at(cmd.data_addr + i * sizeof(segment), sizeof(segment));
		if (!from)
			std::abort();
		std::memcpy(&segment, from, sizeof(segment));
		maps_[va] = segment;
		va += segment.length;
	}
}

std::uint64_t lying_card::fill_log(const oac_admin_cmd &cmd, std::span<std::byte> data)
{
	switch (cmd.arg.get_log.page) {
	case OAC_LOG_SENSOR_INFO:
		return fill<oac_sensor_info>(data, SENSORS, [](std::size_t i) {
			oac_sensor_info info{};
			info.id = static_cast<__le16>(i + 1);
			info.type = static_cast<__le16>(i + 1);
			std::memcpy(info.label, "label", 6);
			return info;
		});
	case OAC_LOG_SENSOR_VALUES:
		return fill<oac_sensor_value>(data, SENSORS, [](std::size_t i) {
			oac_sensor_value value{};
			value.id = static_cast<__le16>(i + 1);
			return value;
		});
	case OAC_LOG_COUNTERS:
		return fill<oac_counter>(data, COUNTERS, [](std::size_t i) {
			oac_counter counter{};
			counter.id = static_cast<__le32>(i + 1);
			return counter;
		});
	case OAC_LOG_EVENTS: {
		const std::uint64_t start = cmd.arg.get_log.start;
		const auto count = is_endless_ ? EVENTS_AT_ONCE :
						 input_.ConsumeIntegralInRange(0u, EVENTS_AT_ONCE);
		const std::uint64_t given = fill<oac_event>(data, count, [&](std::size_t i) {
			oac_event event{};
			event.seq = start + i;
			event.code = input_.ConsumeIntegral<std::uint8_t>();
			event.arg = input_.ConsumeIntegral<std::uint8_t>();
			return event;
		});
		events_ = std::max(events_, start + given);
		return given;
	}
	default:
		return 0;
	}
}

/* A few of its bytes. */
void lying_card::garble(std::span<std::byte> data)
{
	if (data.empty() || input_.ConsumeIntegralInRange(0, 3) < 3)
		return;
	for (unsigned i = input_.ConsumeIntegralInRange(1u, 4u); i > 0; i--) {
		const auto place = input_.ConsumeIntegralInRange<std::size_t>(0, data.size() - 1);
		const auto bytes = input_.ConsumeBytes<std::byte>(
			input_.ConsumeIntegralInRange<std::size_t>(1, 8));
		std::copy_n(bytes.begin(), std::min(bytes.size(), data.size() - place),
			    data.begin() + static_cast<std::ptrdiff_t>(place));
	}
}

void lying_card::scribble()
{
	const std::lock_guard lock(mutex_);
	const std::uint64_t ring = sizeof(oac_completion) << queue_.depth_log2;
	std::span<std::byte> shown;

	switch (input_.ConsumeIntegralInRange(0, 2)) {
	case 0:
		shown = { in_context(queue_.cq_va, ring), ring };
		break;
	case 1:
		shown = { in_context(queue_.tail_va, sizeof(oac_cq_tail)), sizeof(oac_cq_tail) };
		break;
	default:
		shown = { at(queue_.progress_addr, sizeof(oac_progress)), sizeof(oac_progress) };
	}
	if (!shown.data())
		return;
	const auto place = input_.ConsumeIntegralInRange<std::size_t>(0, shown.size() - 1);
	const auto bytes =
		input_.ConsumeBytes<std::byte>(input_.ConsumeIntegralInRange<std::size_t>(1, 32));
	std::copy_n(bytes.begin(), std::min(bytes.size(), shown.size() - place),
		    shown.begin() + static_cast<std::ptrdiff_t>(place));
	interrupt(queue_.vector);
}

void lying_card::interrupt(unsigned vector)
{
	if (vector < vectors() && event_fds_[vector] >= 0)
		eventfd_write(event_fds_[vector], 1);
}

void lying_card::dma_map(int fd, std::uint64_t size, std::uint64_t address)
{
	void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		throw accel::failure(errno, "map");
	const std::lock_guard lock(mutex_);
	host_[address] = { static_cast<std::byte *>(memory), size };
}

void lying_card::dma_unmap(std::uint64_t address, std::uint64_t)
{
	const std::lock_guard lock(mutex_);
	const auto found = host_.find(address);
	if (found == host_.end())
		std::abort();
	munmap(found->second.data(), found->second.size());
	host_.erase(found);
}

void lying_card::connect_vector(unsigned vector, int event_fd)
{
	const std::lock_guard lock(mutex_);
	event_fds_[vector] = event_fd;
}

void lying_card::die() noexcept
{
	is_dead_ = true;
	is_watched_ = true;	/* or never */
	is_watched_.notify_all();
	shutdown(theirs_.get(), SHUT_RDWR);
}
