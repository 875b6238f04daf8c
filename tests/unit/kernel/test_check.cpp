// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The module's checks, by table: one thing wrong at a time, each at its edges.
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include <hw/oac_firmware.h>
#include <hw/oac_health.h>
#include <hw/oac_queue.h>

extern "C" {
#include <oac_check.h>
}

namespace
{

constexpr u64 PAGE = 4096, VA_END = 1ull << OAC_VA_BITS, U64_TOP = UINT64_MAX;

/* All that differs from a good argument, and what comes of it. */
template <typename Args>
struct wrong {
	const char *what;
	void (*change)(Args &);
	int result = -EINVAL;
};

template <typename Args, std::size_t Count>
void try_all(const Args &good, int (*check)(const Args *), const wrong<Args> (&table)[Count])
{
	EXPECT_EQ(check(&good), 0);
	for (const auto &row : table) {
		Args args = good;
		row.change(args);
		EXPECT_EQ(check(&args), row.result) << row.what;
	}
}

TEST(check, bo_create)
{
	using args = drm_oac_bo_create;
	args good{};
	good.size = PAGE;
	try_all<args>(good, oac_check_bo_create,
		      { { "no size", [](args &a) { a.size = 0; } },
			{ "part of a page", [](args &a) { a.size = PAGE - 1; } },
			{ "a byte more", [](args &a) { a.size = PAGE + 1; } },
			{ "the most", [](args &a) { a.size = 1ull << 40; }, 0 },
			{ "more", [](args &a) { a.size = (1ull << 40) + PAGE; }, -E2BIG },
			{ "all there is", [](args &a) { a.size = U64_TOP & ~(PAGE - 1); }, -E2BIG },
			{ "local", [](args &a) { a.flags = DRM_OAC_BO_LOCAL; }, 0 },
			{ "a flag", [](args &a) { a.flags = 0x80000000u; } },
			{ "padding", [](args &a) { a.pad = 1; } } });
}

TEST(check, userptr)
{
	using args = drm_oac_bo_userptr;
	args good{};
	good.addr = 16 * PAGE;
	good.size = PAGE;
	try_all<args>(good, oac_check_userptr,
		      { { "no size", [](args &a) { a.size = 0; } },
			{ "part of a page", [](args &a) { a.size = PAGE / 2; } },
			{ "misaligned", [](args &a) { a.addr += 8; } },
			{ "up to the end", [](args &a) { a.addr = U64_TOP - 2 * PAGE + 1; }, 0 },
			{ "over the end", [](args &a) { a.addr = U64_TOP - PAGE + 1; } },
			{ "all around", [](args &a) { a.size = U64_TOP & ~(PAGE - 1); } },
			{ "a flag", [](args &a) { a.flags = ~DRM_OAC_USERPTR_READ_ONLY; } },
			{ "padding", [](args &a) { a.pad = 1; } } });
}

TEST(check, map)
{
	using args = drm_oac_map;
	args good{};
	good.va = PAGE;
	good.size = PAGE;
	good.flags = DRM_OAC_MAP_READ;
	try_all<args>(
		good, oac_check_map,
		{ { "address 0", [](args &a) { a.va = 0; } },
		  { "no size", [](args &a) { a.size = 0; } },
		  { "misaligned address", [](args &a) { a.va++; } },
		  { "misaligned offset", [](args &a) { a.offset = 64; } },
		  { "misaligned size", [](args &a) { a.size++; } },
		  { "the last page", [](args &a) { a.va = VA_END - PAGE; }, 0 },
		  { "one page over", [](args &a) { a.va = VA_END - PAGE, a.size = 2 * PAGE; } },
		  { "behind the end", [](args &a) { a.va = VA_END; } },
		  { "all there is", [](args &a) { a.size = VA_END - PAGE; }, 0 },
		  { "wraps to 0", [](args &a) { a.size = U64_TOP - PAGE + 1; } },
		  { "wraps beyond", [](args &a) { a.va = 2 * PAGE, a.size = U64_TOP - PAGE + 1; } },
		  { "offset is the caller's", [](args &a) { a.offset = VA_END; }, 0 },
		  { "both rights", [](args &a) { a.flags |= DRM_OAC_MAP_WRITE; }, 0 },
		  { "no rights", [](args &a) { a.flags = 0; } },
		  { "a flag", [](args &a) { a.flags |= 0x100; } },
		  { "padding", [](args &a) { a.pad = 1; } },
		  { "more padding", [](args &a) { a.pad2 = 1; } } });
}

TEST(check, unmap)
{
	using args = drm_oac_unmap;
	args good{};
	good.va = PAGE;
	good.size = PAGE;
	try_all<args>(good, oac_check_unmap,
		      { { "no size", [](args &a) { a.size = 0; } },
			{ "misaligned address", [](args &a) { a.va++; } },
			{ "misaligned size", [](args &a) { a.size--; } },
			{ "what cannot be there is looked for", [](args &a) { a.va = 0; }, 0 },
			{ "padding", [](args &a) { a.pad = 1; } } });
}

TEST(check, queue_create)
{
	using args = drm_oac_queue_create;
	args good{};
	good.depth_log2 = 4;
	good.sq_va = good.cq_va = good.tail_va = 64;
	try_all<args>(good, oac_check_queue_create,
		      { { "depth 1", [](args &a) { a.depth_log2 = 0; } },
			{ "depth 2", [](args &a) { a.depth_log2 = 1; }, 0 },
			{ "the deepest", [](args &a) { a.depth_log2 = OAC_FW_DEPTH_LOG2_MAX; }, 0 },
			{ "deeper", [](args &a) { a.depth_log2 = OAC_FW_DEPTH_LOG2_MAX + 1; } },
			{ "a shift too far", [](args &a) { a.depth_log2 = 64; } },
			{ "any depth", [](args &a) { a.depth_log2 = ~0u; } },
			{ "misaligned submission", [](args &a) { a.sq_va += 32; } },
			{ "misaligned completion", [](args &a) { a.cq_va += 1; } },
			{ "misaligned tail", [](args &a) { a.tail_va += 63; } },
			{ "highest priority", [](args &a) { a.priority = OAC_PRIORITY_MAX; }, 0 },
			{ "higher", [](args &a) { a.priority = OAC_PRIORITY_MAX + 1; } },
			{ "heaviest", [](args &a) { a.weight = OAC_WEIGHT_MAX; }, 0 },
			{ "heavier", [](args &a) { a.weight = OAC_WEIGHT_MAX + 1; } },
			{ "kernel", [](args &a) { a.flags = DRM_OAC_QUEUE_KERNEL_SUBMIT; }, 0 },
			{ "a flag", [](args &a) { a.flags = ~DRM_OAC_QUEUE_KERNEL_SUBMIT; } },
			{ "padding", [](args &a) { a.pad = 1; } } });
}

TEST(check, part)
{
	const struct {
		u64 offset, size, whole;
		bool is_part;
	} table[] = {
		{ 0, 0, 0, true },
		{ 0, 1, 0, false },
		{ 0, PAGE, PAGE, true },
		{ 0, PAGE + 1, PAGE, false },
		{ PAGE, 0, PAGE, true },
		{ PAGE, 1, PAGE, false },
		{ PAGE + 1, 0, PAGE, false },
		{ U64_TOP, 1, U64_TOP, false },
		{ U64_TOP, 0, U64_TOP, true },
		{ 1, U64_TOP, U64_TOP, false },
		{ 2, U64_TOP, PAGE, false },
		{ U64_TOP, U64_TOP, U64_TOP, false },
	};
	for (const auto &row : table)
		EXPECT_EQ(oac_check_part(row.offset, row.size, row.whole), row.is_part)
			<< row.offset << "+" << row.size << " of " << row.whole;
}

TEST(check, tail)
{
	constexpr u32 top = std::numeric_limits<u32>::max(), depth = 16;
	const struct {
		u32 tail, rung, completed;
		bool is_good;
	} table[] = {
		{ 0, 0, 0, true },
		{ 1, 0, 0, true },
		{ depth, 0, 0, true },
		{ depth + 1, 0, 0, false },
		{ depth + 1, 1, 0, false },	/* one is not completed yet */
		{ depth + 1, 1, 1, true },
		{ 5, 6, 5, false },		/* back */
		{ top, 0, 0, false },
		{ top, top, top, true },
		{ 0, top, top, true },		/* around */
		{ depth - 1, top, top, true },
		{ depth, top, top, false },
		{ 3, 3, 4, false },		/* a card that is ahead of what it got */
		{ 3, 3, top, true },
		{ 20, 4, 0x80000000u, false },
	};
	for (const auto &row : table)
		EXPECT_EQ(oac_check_tail(row.tail, row.rung, row.completed, depth), row.is_good)
			<< row.tail << " after " << row.rung << ", completed " << row.completed;
}

oac_identify good_identity()
{
	oac_identify id{};
	std::memcpy(id.model, "model", 6);
	id.max_contexts = id.max_queues = id.max_depth_log2 = 1;
	id.max_segments = id.engine_count = 1;
	return id;
}

TEST(check, identify)
{
	constexpr u32 pages = 16;
	using args = oac_identify;
	const wrong<args> table[] = {
		{ "no contexts", [](args &a) { a.max_contexts = 0; } },
		{ "most contexts", [](args &a) { a.max_contexts = OAC_FW_CONTEXTS_MAX; }, 0 },
		{ "more", [](args &a) { a.max_contexts = OAC_FW_CONTEXTS_MAX + 1; } },
		{ "no queues", [](args &a) { a.max_queues = 0; } },
		{ "a page for each", [](args &a) { a.max_queues = pages - 1; }, 0 },
		{ "one more", [](args &a) { a.max_queues = pages; } },
		{ "no depth", [](args &a) { a.max_depth_log2 = 0; } },
		{ "most depth", [](args &a) { a.max_depth_log2 = OAC_FW_DEPTH_LOG2_MAX; }, 0 },
		{ "more", [](args &a) { a.max_depth_log2 = OAC_FW_DEPTH_LOG2_MAX + 1; } },
		{ "no segments", [](args &a) { a.max_segments = 0; } },
		{ "most segments", [](args &a) { a.max_segments = OAC_FW_SEGMENTS_MAX; }, 0 },
		{ "more", [](args &a) { a.max_segments = OAC_FW_SEGMENTS_MAX + 1; } },
		{ "no engine", [](args &a) { a.engine_count = 0; } },
		{ "most engines", [](args &a) { a.engine_count = OAC_FW_ENGINES_MAX; }, 0 },
		{ "more", [](args &a) { a.engine_count = OAC_FW_ENGINES_MAX + 1; } },
		{ "most maps", [](args &a) { a.max_maps = OAC_FW_MAPS_MAX; }, 0 },
		{ "more", [](args &a) { a.max_maps = OAC_FW_MAPS_MAX + 1; } },
		{ "most sensors", [](args &a) { a.sensor_count = OAC_SENSOR_MAX; }, 0 },
		{ "more", [](args &a) { a.sensor_count = OAC_SENSOR_MAX + 1; } },
		{ "most events", [](args &a) { a.event_capacity = OAC_FW_EVENTS_MAX; }, 0 },
		{ "more", [](args &a) { a.event_capacity = OAC_FW_EVENTS_MAX + 1; } },
		{ "any", [](args &a) { a.event_capacity = ~0u; } },
		{ "no name", [](args &a) { a.model[0] = 0; }, 0 },
		{ "no end", [](args &a) { std::memset(a.model, 'x', sizeof(a.model)); } },
	};

	const args good = good_identity();
	EXPECT_TRUE(oac_check_identify(&good, pages));
	for (const auto &row : table) {
		args id = good;
		row.change(id);
		EXPECT_EQ(oac_check_identify(&id, pages), row.result == 0) << row.what;
	}
}

TEST(check, event)
{
	using args = oac_event;
	const wrong<args> table[] = {
		{ "what it has been", [](args &a) { a.seq = 9; }, -EPROTO },
		{ "none", [](args &a) { a.seq = 0; }, -EPROTO },
		{ "later", [](args &a) { a.seq = 1000; }, 0 },
		{ "last but one", [](args &a) { a.seq = U64_TOP - 1; }, 0 },
		{ "no number after it", [](args &a) { a.seq = U64_TOP; }, -EPROTO },
		{ "last of the card's", [](args &a) { a.code = OAC_EVENT_DRIVER - 1; }, 0 },
		{ "of the driver's", [](args &a) { a.code = OAC_EVENT_DRIVER; }, -EPROTO },
		{ "any", [](args &a) { a.code = 0xffff; }, -EPROTO },
	};

	args good{};
	good.seq = 10;
	good.code = OAC_EVENT_ECC_LOST;
	good.arg = 7;
	good.card_ns = 8;
	good.context = 9;
	good.queue = 3;
	good.severity = OAC_SEVERITY_CARD_FATAL;
	good.action = OAC_ACTION_REPLACE_CARD;
	drm_oac_event event;
	ASSERT_EQ(oac_check_event(&good, 10, &event), 0);
	EXPECT_EQ(event.card_seq, 10u);
	EXPECT_EQ(event.code, OAC_EVENT_ECC_LOST);
	EXPECT_EQ(event.arg, 7u);
	EXPECT_EQ(event.card_ns, 8u);
	EXPECT_EQ(event.context, 9u);
	EXPECT_EQ(event.queue, 3u);
	EXPECT_EQ(event.severity, OAC_SEVERITY_CARD_FATAL);
	EXPECT_EQ(event.action, OAC_ACTION_REPLACE_CARD);
	EXPECT_EQ(event.seq, 0u);
	for (const auto &row : table) {
		args from = good;
		row.change(from);
		EXPECT_EQ(oac_check_event(&from, 10, &event), row.result) << row.what;
	}
	good.severity = OAC_SEVERITY_CARD_FATAL + 1;
	good.action = OAC_ACTION_REPLACE_CARD + 1;
	ASSERT_EQ(oac_check_event(&good, 10, &event), 0);
	EXPECT_EQ(event.severity, OAC_SEVERITY_CARD_FATAL);
	EXPECT_EQ(event.action, OAC_ACTION_NONE);
}

TEST(check, sensor)
{
	const struct {
		u16 type;
		s64 value;
		u16 absent;
	} table[] = {
		{ OAC_SENSOR_TEMPERATURE, -100000, OAC_ABSENT_NO },
		{ OAC_SENSOR_TEMPERATURE, -100001, OAC_ABSENT_FAILED },
		{ OAC_SENSOR_TEMPERATURE, 250000, OAC_ABSENT_NO },
		{ OAC_SENSOR_TEMPERATURE, 250001, OAC_ABSENT_FAILED },
		{ OAC_SENSOR_POWER, 0, OAC_ABSENT_NO },
		{ OAC_SENSOR_POWER, -1, OAC_ABSENT_FAILED },
		{ OAC_SENSOR_LOAD, 1000000, OAC_ABSENT_NO },
		{ OAC_SENSOR_LOAD, 1000001, OAC_ABSENT_FAILED },
		{ OAC_SENSOR_LOAD + 1, INT64_MIN, OAC_ABSENT_NO },	/* of a later card */
		{ 0xffff, INT64_MAX, OAC_ABSENT_NO },
		{ 0, 0, OAC_ABSENT_FAILED },
	};

	for (const auto &row : table) {
		oac_sensor_info info{};
		oac_sensor_value value{};
		drm_oac_info_sensor sensor;
		info.id = value.id = 1;
		info.type = row.type;
		value.value = static_cast<__le64>(row.value);
		oac_check_sensor(&info, &value, &sensor);
		EXPECT_EQ(sensor.absent, row.absent) << row.type << " " << row.value;
		EXPECT_EQ(sensor.value, row.absent == OAC_ABSENT_NO ? row.value : 0);
	}
}

TEST(check, sensor_of_a_card_that_lies)
{
	oac_sensor_info info{};
	oac_sensor_value value{};
	drm_oac_info_sensor sensor;
	info.id = 1;
	value.id = 2;	/* another's */
	info.type = OAC_SENSOR_TEMPERATURE;
	info.flags = ~0u;
	std::memset(info.label, 'x', sizeof(info.label));
	oac_check_sensor(&info, &value, &sensor);
	EXPECT_EQ(sensor.absent, OAC_ABSENT_FAILED);
	EXPECT_EQ(sensor.flags, OAC_SENSOR_FLAGS_MASK);
	EXPECT_EQ(strnlen(reinterpret_cast<char *>(sensor.label), sizeof(sensor.label)),
		  sizeof(sensor.label) - 1);
	value.id = 1;
	value.absent = 0x1234;
	oac_check_sensor(&info, &value, &sensor);
	EXPECT_EQ(sensor.absent, 0x1234);
	EXPECT_EQ(sensor.value, 0);
}

} // namespace
