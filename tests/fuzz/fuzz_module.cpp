// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The kernel module's checks, in user space: any argument of a user's, any word of a card's. What
// passes must keep what the rest of the module relies on when it adds, shifts, indexes and copies.
#include <fuzzer/FuzzedDataProvider.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <hw/oac_firmware.h>
#include <hw/oac_health.h>
#include <hw/oac_queue.h>

extern "C" {
#include <oac_check.h>
}

namespace
{

constexpr u64 PAGE = 4096;

void require(bool is_so)
{
	if (!is_so)
		std::abort();
}

/* The input's bytes; what is behind its end is zero. */
template <typename Struct>
Struct take(FuzzedDataProvider &input)
{
	Struct made{};
	const auto bytes = input.ConsumeBytes<std::byte>(sizeof(made));
	if (!bytes.empty())
		std::memcpy(&made, bytes.data(), bytes.size());
	return made;
}

bool is_page(u64 value)
{
	return value % PAGE == 0;
}

void try_memory(FuzzedDataProvider &input)
{
	const auto bo = take<drm_oac_bo_create>(input);
	if (!oac_check_bo_create(&bo))
		require(bo.size && is_page(bo.size) && bo.size >> 40 <= 1);
	const auto user = take<drm_oac_bo_userptr>(input);
	if (!oac_check_userptr(&user))
		require(user.size && is_page(user.addr) && user.addr + user.size > user.addr);
	const auto map = take<drm_oac_map>(input);
	if (!oac_check_map(&map)) {
		require(is_page(map.va) && is_page(map.size) && is_page(map.offset));
		require(map.va < map.va + map.size && map.va + map.size <= 1ull << OAC_VA_BITS);
	}
	const auto unmap = take<drm_oac_unmap>(input);
	if (!oac_check_unmap(&unmap))
		require(unmap.size && is_page(unmap.va) && is_page(unmap.size));
	const u64 whole = input.ConsumeIntegral<u64>();
	if (oac_check_part(map.offset, map.size, whole))
		require(map.offset <= whole && map.size <= whole - map.offset);
}

/* A ring of the depth that passed, and tails that come one after the other. */
void try_queue(FuzzedDataProvider &input)
{
	const auto args = take<drm_oac_queue_create>(input);
	if (oac_check_queue_create(&args))
		return;
	require(args.depth_log2 >= 1 && args.depth_log2 <= OAC_FW_DEPTH_LOG2_MAX);
	const u32 depth = 1u << args.depth_log2;
	u32 rung = input.ConsumeIntegral<u32>(), completed = rung;
	while (input.remaining_bytes() > 0) {
		const u32 tail = input.ConsumeBool() ? rung + input.ConsumeIntegral<u8>() :
						       input.ConsumeIntegral<u32>();
		if (oac_check_tail(tail, rung, completed, depth)) {
			/* Never back, and nothing is written over that is not done. */
			require(static_cast<std::int32_t>(tail - rung) >= 0);
			require(tail - completed <= depth);
			rung = tail;
		}
		completed += input.ConsumeIntegralInRange<u32>(0, rung - completed);
	}
}

void try_identity(FuzzedDataProvider &input)
{
	const u32 pages = input.ConsumeIntegralInRange(2u, 65535u);
	auto id = take<oac_identify>(input);
	/* Small numbers in its fields are what passes. */
	for (__le32 *field :
	     { &id.max_contexts, &id.max_queues, &id.max_depth_log2, &id.max_segments,
	       &id.engine_count, &id.max_maps, &id.sensor_count, &id.event_capacity })
		*field = input.ConsumeBool() ? input.ConsumeIntegral<u8>() : *field;
	if (!oac_check_identify(&id, pages))
		return;
	require(std::memchr(id.model, 0, sizeof(id.model)));
	require(id.max_queues >= 1 && id.max_queues < pages);
	require(id.sensor_count <= OAC_SENSOR_MAX && id.max_depth_log2 < 32);
	require(id.engine_count >= 1 && id.engine_count <= 64);
}

/* A log as the module takes it over: one after the other, and each only forward. */
void try_events(FuzzedDataProvider &input)
{
	u64 next = input.ConsumeIntegral<u8>();

	while (input.remaining_bytes() > 0) {
		auto from = take<oac_event>(input);
		if (input.ConsumeBool())
			from.seq = next + input.ConsumeIntegral<u8>();
		drm_oac_event event;
		std::memset(&event, 0xa5, sizeof(event));
		if (oac_check_event(&from, next, &event))
			return;
		require(event.card_seq >= next && event.code < OAC_EVENT_DRIVER);
		require(event.severity <= OAC_SEVERITY_CARD_FATAL);
		require(event.action <= OAC_ACTION_REPLACE_CARD);
		require(event.seq == 0 && event.boot_ns == 0);
		next = event.card_seq + 1;
		require(next != 0);
	}
}

void try_sensor(FuzzedDataProvider &input)
{
	const auto info = take<oac_sensor_info>(input);
	auto value = take<oac_sensor_value>(input);
	drm_oac_info_sensor sensor;

	if (input.ConsumeBool())
		value.id = info.id;
	std::memset(&sensor, 0xa5, sizeof(sensor));
	oac_check_sensor(&info, &value, &sensor);
	require(std::memchr(sensor.label, 0, sizeof(sensor.label)));
	require((sensor.flags & ~OAC_SENSOR_FLAGS_MASK) == 0);
	require(sensor.absent == OAC_ABSENT_NO || (!sensor.value && !sensor.card_ns));
	require(value.id == info.id || sensor.absent != OAC_ABSENT_NO);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	FuzzedDataProvider input(data, size);

	switch (input.ConsumeIntegralInRange(0, 4)) {
	case 0:
		try_memory(input);
		break;
	case 1:
		try_queue(input);
		break;
	case 2:
		try_identity(input);
		break;
	case 3:
		try_events(input);
		break;
	default:
		try_sensor(input);
	}
	return 0;
}
