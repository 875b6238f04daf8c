// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The admin queue: every command, every status it can give, limits, logs, a broken ring.
#include <algorithm>

#include <sys/mman.h>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

constexpr std::uint32_t RW = OAC_MAP_READ | OAC_MAP_WRITE;
constexpr std::uint64_t PAGE = OAC_PAGE_SIZE;

class admin_test : public bench
{
protected:
	admin_test()
	{
		boot();
		enable_admin(4);
	}

	void create_context(std::uint32_t id = 1)
	{
		EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, id)), OAC_ST_SUCCESS);
	}

	std::byte *map_lmem()
	{
		const bar_memory bar = *card_->bar_backing(OAC_BAR_LMEM);
		void *at = mmap(nullptr, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, bar.fd, 0);
		EXPECT_NE(at, MAP_FAILED);
		return static_cast<std::byte *>(at);
	}
};

TEST_F(admin_test, IdentifySaysWhatTheManifestSays)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_IDENTIFY);
	cmd.data_addr = alloc(sizeof(oac_identify));
	cmd.data_size = sizeof(oac_identify);
	EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	const oac_identify &data = host<oac_identify>(cmd.data_addr);
	EXPECT_STREQ(reinterpret_cast<const char *>(data.model), "OAC test card");
	EXPECT_EQ(data.serial, 0x1122334455667788u);
	EXPECT_EQ(data.lmem_size, 16 * MIB);
	EXPECT_EQ(data.fw_version[2], 3u);
	EXPECT_EQ(data.cmd_mask[0], default_manifest().cmd_mask[0]);
	EXPECT_EQ(data.op_mask[0], default_manifest().op_mask[0]);
	EXPECT_EQ(data.engine_count, 12u);
	EXPECT_EQ(data.max_queues, 15u);
	EXPECT_EQ(data.sensor_count, 7u);
	cmd.data_size--;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_FIELD);
}

TEST_F(admin_test, FieldsThatACommandDoesNotTakeAreZero)
{
	EXPECT_EQ(status_of(command(0x7f)), OAC_ST_BAD_OPCODE);
	EXPECT_EQ(status_of(command(0)), OAC_ST_BAD_OPCODE);
	const auto refused = [&](auto change, std::uint16_t status) {
		oac_admin_cmd cmd = command(OAC_ADMIN_TIME_SYNC);
		change(cmd);
		EXPECT_EQ(status_of(cmd), status);
	};
	refused([](auto &c) { c.rsvd0 = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.rsvd1 = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.context = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.data_addr = 8; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.data_size = 8; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.arg.bytes[39] = 1; }, OAC_ST_BAD_FIELD);
	oac_admin_cmd cmd = command(OAC_ADMIN_GET_LOG);
	cmd.data_addr = 4;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_ALIGNMENT);
	cmd.data_addr = 0x1000;
	cmd.data_size = 4096;
	cmd.arg.get_log.page = OAC_LOG_COUNTERS;
	EXPECT_EQ(status_of(cmd), OAC_ST_DMA_ERROR);
}

TEST_F(admin_test, TimeSyncTellsCardTime)
{
	const oac_completion done = admin(command(OAC_ADMIN_TIME_SYNC));
	EXPECT_EQ(done.status, OAC_ST_SUCCESS);
	EXPECT_GE(host_.now, done.info);
	EXPECT_LT(host_.now, done.info + 10000);
}

TEST_F(admin_test, Contexts)
{
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 0)), OAC_ST_BAD_CONTEXT);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 9)), OAC_ST_BAD_CONTEXT);
	create_context(8);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 8)), OAC_ST_ID_IN_USE);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 1)), OAC_ST_BAD_CONTEXT);
	EXPECT_EQ(status_of(queue_command(1, 8, 2)), OAC_ST_SUCCESS);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 8)), OAC_ST_BUSY);
	oac_admin_cmd destroy = command(OAC_ADMIN_QUEUE_DESTROY);
	destroy.arg.queue_destroy.queue_id = 1;
	EXPECT_EQ(status_of(destroy), OAC_ST_SUCCESS);
	EXPECT_EQ(status_of(destroy), OAC_ST_BAD_QUEUE);
	destroy.arg.queue_destroy.rsvd[2] = 1;
	EXPECT_EQ(status_of(destroy), OAC_ST_BAD_FIELD);
	EXPECT_EQ(status_of(command(OAC_ADMIN_CONTEXT_DESTROY, 8)), OAC_ST_SUCCESS);
	create_context(8);
}

TEST_F(admin_test, ContextsHaveAGroup)
{
	oac_admin_cmd cmd = command(OAC_ADMIN_CONTEXT_CREATE, 1);
	cmd.arg.context_create.rsvd = 1;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_FIELD);
	cmd.arg.context_create = { UINT32_MAX, 0 };
	EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	cmd.context = 2;
	EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
}

TEST_F(admin_test, ScrubZeroesLocalMemoryAndNothingElse)
{
	std::byte *lmem = map_lmem();
	const auto scrub = [&](std::uint64_t offset, std::uint64_t length) {
		oac_admin_cmd cmd = command(OAC_ADMIN_SCRUB);
		cmd.arg.scrub = { offset, length };
		return status_of(cmd);
	};
	EXPECT_EQ(scrub(0, 0), OAC_ST_BAD_FIELD);
	EXPECT_EQ(scrub(100, PAGE), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(scrub(0, PAGE + 8), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(scrub(16 * MIB, PAGE), OAC_ST_BAD_FIELD);
	EXPECT_EQ(scrub(PAGE, 16 * MIB), OAC_ST_BAD_FIELD);
	EXPECT_EQ(scrub(0 - PAGE, 2 * PAGE), OAC_ST_BAD_FIELD) << "wraps";
	EXPECT_EQ(counter(OAC_COUNTER_SCRUBBED_BYTES), 0u);

	for (const std::uint64_t length : { PAGE, 5 * PAGE, MIB, 7 * MIB + PAGE }) {
		std::memset(lmem, 0x5a, 16 * MIB);
		ASSERT_EQ(scrub(3 * PAGE, length), OAC_ST_SUCCESS);
		const auto wrong = [](std::byte *from, std::byte *to, std::byte wanted) {
			return std::count_if(from, to, [&](std::byte b) { return b != wanted; });
		};
		std::byte *first = lmem + 3 * PAGE, *last = first + length;
		EXPECT_EQ(wrong(lmem, first, std::byte{ 0x5a }), 0);
		EXPECT_EQ(wrong(first, last, std::byte{ 0 }), 0) << length;
		EXPECT_EQ(wrong(last, lmem + 16 * MIB, std::byte{ 0x5a }), 0);
	}
	EXPECT_EQ(counter(OAC_COUNTER_SCRUBBED_BYTES), 7 * PAGE + 8 * MIB);
	munmap(lmem, 16 * MIB);
}

TEST_F(admin_test, MapChecksEverySegment)
{
	const oac_segment good = { fake_host::BASE, PAGE };
	EXPECT_EQ(map(1, 0, { good }, RW), OAC_ST_BAD_CONTEXT);
	create_context();
	EXPECT_EQ(map(1, 0, {}, RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 1, { good }, RW), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(map(1, 0, { { 1, PAGE } }, RW), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(map(1, 0, { { PAGE, 100 } }, RW), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(map(1, 0, { { PAGE, 0 } }, RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 0, { good }, 8 | RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 0, { good }, 0), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 1ull << 48, { good }, RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, (1ull << 48) - PAGE, { good, good }, RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 0, { { 0 - PAGE, 2 * PAGE } }, RW), OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 0, { { 16 * MIB - PAGE, 2 * PAGE } }, RW | OAC_MAP_LOCAL),
		  OAC_ST_BAD_FIELD);
	EXPECT_EQ(map(1, 0, { { 16 * MIB - PAGE, PAGE } }, RW | OAC_MAP_LOCAL), OAC_ST_SUCCESS);
	oac_admin_cmd cmd = map_command(1, 16 * PAGE, { good }, RW);
	cmd.data_size += 16;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_FIELD);
	cmd.data_size -= 16;
	cmd.data_addr = 0x1000;
	EXPECT_EQ(status_of(cmd), OAC_ST_DMA_ERROR);
	EXPECT_EQ(map(1, (1ull << 48) - PAGE, { good }, RW), OAC_ST_SUCCESS) << "the last page";
}

TEST_F(admin_test, MapsDoNotOverlapAndAreLimited)
{
	const oac_segment page = { fake_host::BASE, PAGE };
	create_context();
	EXPECT_EQ(map(1, 8 * PAGE, { page, page }, RW), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 7 * PAGE, { page, page }, RW), OAC_ST_OVERLAP);
	EXPECT_EQ(map(1, 9 * PAGE, { page }, RW), OAC_ST_OVERLAP);
	EXPECT_EQ(map(1, 0, { { fake_host::BASE, 64 * PAGE } }, RW), OAC_ST_OVERLAP);
	EXPECT_EQ(map(1, 7 * PAGE, { page }, RW), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 10 * PAGE, { page }, RW), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, MIB, std::vector<oac_segment>(65, page), RW), OAC_ST_LIMIT);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(map(1, (i + 1) * MIB, std::vector<oac_segment>(64, page), RW),
			  OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 9 * MIB, std::vector<oac_segment>(61, page), RW), OAC_ST_LIMIT);
	EXPECT_EQ(map(1, 9 * MIB, std::vector<oac_segment>(60, page), RW), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 20 * MIB, { page }, RW), OAC_ST_LIMIT);
}

TEST_F(admin_test, UnmapTakesWholeSegments)
{
	const oac_segment two = { fake_host::BASE, 2 * PAGE };
	EXPECT_EQ(unmap(1, 0, PAGE), OAC_ST_BAD_CONTEXT);
	create_context();
	EXPECT_EQ(map(1, 0, { two, two }, RW), OAC_ST_SUCCESS);
	EXPECT_EQ(map(1, 6 * PAGE, { two }, RW), OAC_ST_SUCCESS);
	EXPECT_EQ(unmap(1, 0, 0), OAC_ST_BAD_FIELD);
	EXPECT_EQ(unmap(1, 0, UINT64_MAX & ~(PAGE - 1)), OAC_ST_BAD_FIELD);
	EXPECT_EQ(unmap(1, 5, PAGE), OAC_ST_BAD_ALIGNMENT);
	EXPECT_EQ(unmap(1, 0, PAGE), OAC_ST_NOT_MAPPED);
	EXPECT_EQ(unmap(1, PAGE, PAGE), OAC_ST_NOT_MAPPED);
	EXPECT_EQ(unmap(1, 0, 3 * PAGE), OAC_ST_NOT_MAPPED);
	EXPECT_EQ(unmap(1, 0, 8 * PAGE), OAC_ST_NOT_MAPPED) << "a hole";
	EXPECT_EQ(unmap(1, 4 * PAGE, 2 * PAGE), OAC_ST_NOT_MAPPED);
	EXPECT_EQ(unmap(1, 0, 4 * PAGE), OAC_ST_SUCCESS);
	EXPECT_EQ(unmap(1, 0, 4 * PAGE), OAC_ST_NOT_MAPPED);
	EXPECT_EQ(unmap(1, 6 * PAGE, 2 * PAGE), OAC_ST_SUCCESS);
}

TEST_F(admin_test, QueueCreateChecksItsFields)
{
	EXPECT_EQ(status_of(queue_command(1, 1, 2)), OAC_ST_BAD_CONTEXT);
	create_context();
	const auto refused = [&](auto change, std::uint16_t status) {
		oac_admin_cmd cmd = queue_command(1, 1, 2);
		change(cmd.arg.queue_create);
		EXPECT_EQ(status_of(cmd), status);
	};
	refused([](auto &q) { q.queue_id = 0; }, OAC_ST_BAD_QUEUE);
	refused([](auto &q) { q.queue_id = 16; }, OAC_ST_BAD_QUEUE);
	refused([](auto &q) { q.depth_log2 = 0; }, OAC_ST_BAD_FIELD);
	refused([](auto &q) { q.depth_log2 = 11; }, OAC_ST_BAD_FIELD);
	refused([](auto &q) { q.priority = OAC_PRIORITY_MAX + 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &q) { q.vector = OAC_MSIX_VECTORS; }, OAC_ST_BAD_FIELD);
	refused([](auto &q) { q.weight = OAC_WEIGHT_MAX + 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &q) { q.sq_va += 32; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &q) { q.cq_va += 16; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &q) { q.tail_va += 8; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &q) { q.progress_addr += 4; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &) {}, OAC_ST_SUCCESS);
	refused([](auto &) {}, OAC_ST_ID_IN_USE);
}

TEST_F(admin_test, QueuesHaveVectorsOfTheTableOnly)
{
	for (const unsigned vectors : { 1u, 3u }) {
		card_config config;
		config.vectors = vectors;
		power_up(config);
		start();
		oac_admin_cmd cmd = queue_command(1, 1, 2);
		for (const unsigned vector : { vectors, vectors + 1, 63u, 0xffffu }) {
			cmd.arg.queue_create.vector = static_cast<__le16>(vector);
			EXPECT_EQ(status_of(cmd), OAC_ST_BAD_FIELD) << vector;
		}
		cmd.arg.queue_create.vector = static_cast<__le16>(vectors - 1);
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
	}
}

TEST_F(admin_test, QueuesShareTheOnlyVectorWithTheAdminQueue)
{
	card_config config;
	config.vectors = 1;
	power_up(config);
	start();
	for (std::uint16_t id = 1; id <= 2; id++) {
		oac_admin_cmd cmd = queue_command(id, 1, 2);
		const oac_admin_queue_create &arg = cmd.arg.queue_create;
		cmd.arg.queue_create.vector = 0;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		user_queue q = { id, 4, arg.sq_va, arg.cq_va, arg.tail_va, arg.progress_addr };
		const unsigned before = host_.interrupts[0];
		arm(id, 1, 0);
		EXPECT_EQ(run(q, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
		EXPECT_EQ(host_.interrupts[0], before + 1);
	}
	EXPECT_EQ(host_.interrupts.size(), 1u) << "no other vector was raised";
}

TEST_F(admin_test, LogsHaveRoomForWhatFits)
{
	EXPECT_EQ(get_log<oac_sensor_info>(OAC_LOG_SENSOR_INFO).size(), 7u);
	EXPECT_EQ(get_log<oac_sensor_info>(OAC_LOG_SENSOR_INFO, 5).size(), 2u);
	EXPECT_EQ(get_log<oac_sensor_info>(OAC_LOG_SENSOR_INFO, UINT64_MAX).size(), 0u);
	EXPECT_EQ(get_log<oac_sensor_value>(OAC_LOG_SENSOR_VALUES).size(), 7u);
	EXPECT_EQ(get_log<oac_counter>(OAC_LOG_COUNTERS).size(), 21u);
	oac_admin_cmd cmd = command(OAC_ADMIN_GET_LOG);
	cmd.data_addr = alloc(4096);
	cmd.data_size = 3 * sizeof(oac_counter) + 5;
	cmd.arg.get_log.page = OAC_LOG_COUNTERS;
	EXPECT_EQ(admin(cmd).info, 3u);
	cmd.arg.get_log.page = 0;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_LOG);
	cmd.arg.get_log.rsvd = 1;
	EXPECT_EQ(status_of(cmd), OAC_ST_BAD_FIELD);
}

TEST_F(admin_test, EventsAreNumberedAndOutliveABusReset)
{
	for (int i = 0; i < 40; i++)
		card_->reset(reset_kind::bus);
	boot();
	enable_admin();
	/* 1 BOOTED, 40 RESET, 1 BOOTED; the last 32 are kept */
	auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	ASSERT_EQ(events.size(), 32u);
	for (std::size_t i = 0; i < events.size(); i++)
		EXPECT_EQ(events[i].seq, 11 + i);
	EXPECT_EQ(events.back().code, OAC_EVENT_BOOTED);
	EXPECT_EQ(get_log<oac_event>(OAC_LOG_EVENTS, 40).size(), 3u);
	EXPECT_EQ(get_log<oac_event>(OAC_LOG_EVENTS, 43).size(), 0u);
	EXPECT_EQ(counter(OAC_COUNTER_RESETS), 40u);
	EXPECT_EQ(reg(OAC_REG_RESET_COUNT), 40u);
	card_->reset(reset_kind::power);
	boot();
	enable_admin();
	events = get_log<oac_event>(OAC_LOG_EVENTS);
	ASSERT_EQ(events.size(), 1u);
	EXPECT_EQ(events[0].seq, 1u);
	EXPECT_EQ(counter(OAC_COUNTER_RESETS), 0u);
}

TEST_F(admin_test, BadDoorbellStopsTheRingUntilReset)
{
	ring(0, 5);
	settle();
	EXPECT_EQ(reg(OAC_REG_STATUS), OAC_STATE_RUNNING | OAC_STATUS_ADMIN_ERROR_MASK);
	card_->reset(reset_kind::bus);
	boot();
	enable_admin();
	EXPECT_EQ(status_of(command(OAC_ADMIN_TIME_SYNC)), OAC_ST_SUCCESS);
}

TEST_F(admin_test, RefusedDmaStopsTheRing)
{
	set_reg(OAC_REG_ADMIN_CONTROL, 0);
	set_reg(OAC_REG_ADMIN_SQ_HI, 0x7000);
	set_reg(OAC_REG_ADMIN_CONTROL, 1);
	ring(0, 1);
	settle();
	EXPECT_TRUE(reg(OAC_REG_STATUS) & OAC_STATUS_ADMIN_ERROR_MASK);
	EXPECT_EQ(host_.interrupts[0], 1u) << "no answer, but an event: DMA_ERROR";
	EXPECT_EQ(reg(OAC_REG_EVENT_SEQ), 2u);
}

TEST_F(admin_test, ReenablingRestartsTheRings)
{
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(status_of(command(OAC_ADMIN_TIME_SYNC)), OAC_ST_SUCCESS);
	set_reg(OAC_REG_ADMIN_CONTROL, 0);
	enable_admin(2);
	settle();
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(status_of(command(OAC_ADMIN_TIME_SYNC)), OAC_ST_SUCCESS);
}

} // namespace
} // namespace oac::emu::test
