// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Faults at single places: interrupts, doorbells, transfers, memory, sensors, speed, link, engines.
// Each fires when it was asked to, is logged, and does what the catalogue says.
#include <algorithm>
#include <cstring>

#include <linux/pci_regs.h>

#include <model/config_space.hpp>

#include "fault_bench.hpp"

namespace oac::emu::test
{
namespace
{

class fault_test : public fault_bench
{
protected:
	fault_test()
	{
		start();
		q_ = create_queue(1);
	}

	std::uint32_t config(std::size_t offset)
	{
		std::uint32_t value = 0;
		EXPECT_TRUE(
			card_->config_read(offset, std::as_writable_bytes(std::span(&value, 1))));
		return value;
	}
	oac_sensor_value sensor(unsigned id)
	{
		for (const oac_sensor_value &each :
		     get_log<oac_sensor_value>(OAC_LOG_SENSOR_VALUES)) {
			if (each.id == id)
				return each;
		}
		ADD_FAILURE() << "no sensor " << id;
		return {};
	}
	bool has_event(unsigned code)
	{
		const auto all = event_codes();
		return std::find(all.begin(), all.end(), code) != all.end();
	}
	oac_cmd copy_of(std::uint64_t dst, std::uint64_t src, std::uint64_t size)
	{
		oac_cmd cmd = make_cmd(OAC_CMD_COPY);
		cmd.body.copy.src = src;
		cmd.body.copy.dst = dst;
		cmd.body.copy.row_bytes = size;
		cmd.body.copy.rows = 1;
		return cmd;
	}
	/* RELU over 16 bytes, on whichever engine's turn it is. */
	std::uint16_t relu()
	{
		oac_op op{};
		in_ = alloc(OAC_PAGE_SIZE);
		out_ = alloc(OAC_PAGE_SIZE);
		for (int i = 0; i < 16; i++)
			array<std::int8_t>(in_)[i] = static_cast<std::int8_t>(i - 8);
		op.header = { OAC_OP_RELU, 0, OAC_DTYPE_S8, OAC_DTYPE_S8, 0 };
		op.body.eltwise = { in_, 0, out_, 16 };
		return exec(q_, op).status;
	}
	bool is_relu_right()
	{
		for (int i = 0; i < 16; i++) {
			if (array<std::int8_t>(out_)[i] != std::max(0, i - 8))
				return false;
		}
		return true;
	}

	user_queue q_{};
	std::uint64_t in_ = 0, out_ = 0;
};

TEST_F(fault_test, NothingInjectedNothingWatched)
{
	inject(R"("fault": "spurious_interrupt")");
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, make_cmd(OAC_CMD_NOP)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(fired("spurious_interrupt"), 1u) << "done, and the card let go";
}

TEST_F(fault_test, TheNthInterruptIsLost)
{
	inject(R"("fault": "lost_interrupt", "vector": 1, "at": {"interrupt": 2})");
	for (std::uint32_t i = 1; i <= 3; i++) {
		arm(1, i, progress(q_).completed);
		EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
		EXPECT_EQ(host_.interrupts[1], i == 1 ? 1u : i - 1);
	}
	EXPECT_EQ(fired("lost_interrupt"), 1u);
}

TEST_F(fault_test, InterruptsForNothing)
{
	inject(R"("fault": "spurious_interrupt", "vector": 5, "times": 3)");
	EXPECT_EQ(host_.interrupts[5], 3u);
	inject(R"("fault": "interrupt_storm", "vector": 6, "rate": 1000, "count": 50)");
	pass_ms(20);
	EXPECT_NEAR(host_.interrupts[6], 20u, 2);
	EXPECT_TRUE(card_->next_event_ns());
	for (int i = 0; i < 100; i++)
		pass_ms(1);
	EXPECT_EQ(host_.interrupts[6], 50u);
	EXPECT_EQ(healed("interrupt_storm"), 1u);
}

TEST_F(fault_test, InterruptBeforeItsCompletion)
{
	bool was_there = true;
	unsigned told = 0;
	inject(R"("fault": "early_interrupt", "us": 500)");
	arm(1, 1, 0);
	host_.on_interrupt = [&](unsigned vector) {
		if (vector != 1)
			return;
		told++;
		was_there = host<oac_cq_tail>(q_.tail).tail != 0;
	};
	const std::uint64_t before = host_.now;
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_EQ(told, 1u);
	EXPECT_FALSE(was_there);
	EXPECT_GE(host_.now, before + 500000);
}

TEST_F(fault_test, LostDoorbellIsMadeGoodByTheNext)
{
	inject(R"("fault": "lost_doorbell", "queue": 1)");
	send(q_, copy_command());
	EXPECT_FALSE(reap(q_));
	EXPECT_EQ(fired("lost_doorbell"), 1u);
	ring(q_);
	settle();
	EXPECT_EQ(reap(q_).value().status, OAC_ST_SUCCESS);
	inject(R"("fault": "lost_doorbell", "queue": 0)");
	EXPECT_FALSE(try_admin(command(OAC_ADMIN_TIME_SYNC)));
	EXPECT_EQ(fired("lost_doorbell"), 2u);
	ring(0, admin_count_);
	settle();
	EXPECT_EQ(array<oac_completion>(admin_cq_)[(admin_count_ - 1) % admin_depth_].tag,
		  admin_count_);
}

TEST_F(fault_test, StrayTransfersAreRefusedAndTold)
{
	inject(R"("fault": "dma_bad_address")");
	EXPECT_EQ(detail("dma_bad_address"), "refused");
	EXPECT_EQ(counter(OAC_COUNTER_DMA_ERRORS), 1u);
	EXPECT_TRUE(has_event(OAC_EVENT_DMA_ERROR));
	const std::uint64_t at = alloc(8);
	inject(R"("fault": "dma_bad_address", "write": "yes", "address": )" + std::to_string(at));
	EXPECT_EQ(detail("dma_bad_address"), "went through");
	EXPECT_EQ(host<std::uint64_t>(at), ~at);
}

TEST_F(fault_test, RefusedTransferKillsItsQueueOnly)
{
	inject(R"("fault": "dma_refused")");
	send(q_, copy_command());
	EXPECT_EQ(fired("dma_refused"), 1u);
	EXPECT_EQ(progress(q_).state, std::uint32_t{ OAC_QUEUE_ERROR });
	EXPECT_EQ(progress(q_).status, std::uint32_t{ OAC_ST_DMA_ERROR });
	user_queue other = create_queue(2);
	EXPECT_EQ(run(other, copy_command()).status, OAC_ST_SUCCESS);
}

TEST_F(fault_test, LateTransferTouchesWhatWasUnmapped)
{
	ASSERT_EQ(unmap(1, fake_host::BASE, fake_host::SIZE), OAC_ST_SUCCESS);
	const std::uint64_t at = alloc(OAC_PAGE_SIZE);
	ASSERT_EQ(map(1, 0x1000, { { at, OAC_PAGE_SIZE } }, OAC_MAP_READ), OAC_ST_SUCCESS);
	inject(R"("fault": "dma_late", "write": "yes", "us": 5000)");
	ASSERT_EQ(unmap(1, 0x1000, OAC_PAGE_SIZE), OAC_ST_SUCCESS);
	EXPECT_EQ(host<std::uint64_t>(at), 0u);
	pass_ms(6);
	EXPECT_EQ(host<std::uint64_t>(at), ~at) << "this host did not take the page away";
	EXPECT_EQ(detail("dma_late"), "went through");
}

TEST_F(fault_test, CorrectedErrorsAreCounted)
{
	inject(R"("fault": "ecc_corrected", "times": 3)");
	inject(R"("fault": "ecc_corrected", "heap": "sram")");
	EXPECT_EQ(counter(OAC_COUNTER_LMEM_ECC_CORRECTED), 3u);
	EXPECT_EQ(counter(OAC_COUNTER_SRAM_ECC_CORRECTED), 1u);
	EXPECT_TRUE(has_event(OAC_EVENT_ECC_CORRECTED));
}

TEST_F(fault_test, PoisonedPageFailsReadersUntilItIsScrubbed)
{
	constexpr std::uint64_t va = 0x10000, size = 4 * OAC_PAGE_SIZE;
	const std::uint64_t host = alloc(size);
	ASSERT_EQ(map(1, va, { { 0x8000, size } }, OAC_MAP_READ | OAC_MAP_WRITE | OAC_MAP_LOCAL),
		  OAC_ST_SUCCESS);
	inject(R"("fault": "ecc_lost", "address": "0x9004")");
	EXPECT_EQ(counter(OAC_COUNTER_LMEM_ECC_LOST), 1u);
	EXPECT_EQ(run(q_, copy_of(host, va, OAC_PAGE_SIZE)).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, copy_of(va, host, size)).status, OAC_ST_SUCCESS) << "writes go";
	const oac_completion bad = run(q_, copy_of(host, va, size));
	EXPECT_EQ(bad.status, OAC_ST_MEMORY_ERROR);
	EXPECT_EQ(bad.info, va + OAC_PAGE_SIZE);
	/* a map made later sees it as well */
	ASSERT_EQ(map(1, 0x90000, { { 0x9000, OAC_PAGE_SIZE } }, OAC_MAP_READ | OAC_MAP_LOCAL),
		  OAC_ST_SUCCESS);
	user_queue other = create_queue(2);
	EXPECT_EQ(run(other, copy_of(host, 0x90000, 8)).status, OAC_ST_MEMORY_ERROR);
	oac_admin_cmd scrub = command(OAC_ADMIN_SCRUB);
	scrub.arg.scrub.offset = 0x9000;
	scrub.arg.scrub.length = OAC_PAGE_SIZE;
	EXPECT_EQ(status_of(scrub), OAC_ST_SUCCESS);
	user_queue again = create_queue(3);
	EXPECT_EQ(run(again, copy_of(host, va, size)).status, OAC_ST_SUCCESS);
}

TEST_F(fault_test, LostSramFailsTheNextOperator)
{
	inject(R"("fault": "ecc_lost", "heap": "sram")");
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_EQ(relu(), OAC_ST_MEMORY_ERROR);
	q_ = create_queue(2);
	EXPECT_EQ(relu(), OAC_ST_SUCCESS);
	EXPECT_EQ(counter(OAC_COUNTER_SRAM_ECC_LOST), 1u);
}

TEST_F(fault_test, HotCardIsSlowAndSaysSo)
{
	inject(R"("fault": "thermal", "value": 80000)");
	EXPECT_TRUE(has_event(OAC_EVENT_THERMAL_WARNING));
	EXPECT_EQ(sensor(OAC_SENSOR_ID_CHIP_TEMP).value, 80000u);
	EXPECT_EQ(sensor(OAC_SENSOR_ID_ENGINE_CLOCK).value, 400000000u);
	pass_ms(300);
	EXPECT_NEAR(static_cast<double>(counter(OAC_COUNTER_HOT_NS)), 3e8, 1e7);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	clear();
	pass_ms(1000);
	EXPECT_TRUE(has_event(OAC_EVENT_THERMAL_CLEARED));
	EXPECT_EQ(sensor(OAC_SENSOR_ID_ENGINE_CLOCK).value, 800000000u);
}

TEST_F(fault_test, TripStopsTheEnginesUntilAReset)
{
	inject(R"("fault": "thermal")");
	EXPECT_TRUE(has_event(OAC_EVENT_THERMAL_TRIP));
	send(q_, copy_command());
	EXPECT_FALSE(reap(q_));
	EXPECT_TRUE(card_->fall_asleep());
	clear();
	pass_ms(1000);
	EXPECT_FALSE(reap(q_)) << "a trip stays";
	soft_reset();
	start();
	q_ = create_queue(1);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
}

TEST_F(fault_test, PowerBrakeLowersClocks)
{
	inject(R"("fault": "power_brake", "for_ms": 1000)");
	EXPECT_TRUE(has_event(OAC_EVENT_POWER_BRAKE));
	EXPECT_EQ(sensor(OAC_SENSOR_ID_ENGINE_CLOCK).value, 200000000u);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	pass_ms(1001);
	EXPECT_TRUE(has_event(OAC_EVENT_POWER_CLEARED));
	EXPECT_EQ(sensor(OAC_SENSOR_ID_ENGINE_CLOCK).value, 800000000u);
	EXPECT_NEAR(static_cast<double>(counter(OAC_COUNTER_BRAKE_NS)), 1e9, 2e7);
}

TEST_F(fault_test, DeadSensorIsAbsent)
{
	inject(R"("fault": "sensor_dead", "sensor": "memory_temp")");
	EXPECT_EQ(sensor(OAC_SENSOR_ID_MEMORY_TEMP).absent, OAC_ABSENT_FAILED);
	EXPECT_EQ(sensor(OAC_SENSOR_ID_CHIP_TEMP).absent, OAC_ABSENT_NO);
	EXPECT_TRUE(has_event(OAC_EVENT_SENSOR_DEAD));
	clear();
	EXPECT_EQ(sensor(OAC_SENSOR_ID_MEMORY_TEMP).absent, OAC_ABSENT_NO);
}

TEST_F(fault_test, SlowCards)
{
	std::uint64_t before = host_.now;
	inject(R"("fault": "slow_mmio", "us": 2000)");
	reg(OAC_REG_ID);
	EXPECT_GE(host_.now, before + 2000000);
	clear();
	before = host_.now;
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_LT(host_.now, before + 100000);
	inject(R"("fault": "slow_dma", "us": 300)");
	before = host_.now;
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_GE(host_.now, before + 4 * 300000) << "command, data in and out, completion";
	clear();
	host_.tick = 1000;
	before = host_.now;
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	const std::uint64_t usual = host_.now - before;
	inject(R"("fault": "slow_all", "factor": 100)");
	before = host_.now;
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_GE(host_.now - before, 30 * usual);
}

TEST_F(fault_test, LinkErrorsShowInConfigurationSpace)
{
	inject(R"("fault": "aer", "severity": "correctable")");
	inject(R"("fault": "aer", "severity": "fatal")");
	inject(R"("fault": "aer", "value": "0x4000")");
	EXPECT_EQ(config(config_space::AER + PCI_ERR_COR_STATUS), PCI_ERR_COR_RCVR + 0u);
	EXPECT_EQ(config(config_space::AER + PCI_ERR_UNCOR_STATUS), PCI_ERR_UNC_MALF_TLP | 0x4000u);
	const std::uint32_t all = PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED;
	EXPECT_EQ(config(config_space::EXPRESS + PCI_EXP_DEVCTL) >> 16 & all, all);
}

TEST_F(fault_test, ConfigurationSpaceOfGarbage)
{
	const std::uint32_t id = config(0), pm = config(config_space::PM);
	for (const char *field : { "random", "ones", "vendor" }) {
		inject(std::string(R"("fault": "config_garbage", "field": ")") + field + '"');
		EXPECT_NE(config(0), id) << field;
		clear();
		EXPECT_EQ(config(0), id);
	}
	inject(R"("fault": "config_garbage", "field": "capability_loop")");
	EXPECT_EQ(config(config_space::PM) >> 8 & 0xff, config_space::PM);
	EXPECT_EQ(config(config_space::PM) & 0xffff00ff, pm & 0xffff00ff);
	clear();
	inject(R"("fault": "config_garbage", "field": "vectors")");
	EXPECT_EQ(config(config_space::MSIX) >> 16 & PCI_MSIX_FLAGS_QSIZE, 0x7ffu);
	clear();
	inject(R"("fault": "config_garbage", "field": "link", "for_ms": 10)");
	EXPECT_EQ(config(config_space::EXPRESS + PCI_EXP_LNKCTL) >> 16, 0x11u);
	pass_ms(11);
	EXPECT_NE(config(config_space::EXPRESS + PCI_EXP_LNKCTL) >> 16, 0x11u);
}

TEST_F(fault_test, RegisterOfGarbage)
{
	inject(R"("fault": "register_garbage", "address": 0, "value": 17)");
	EXPECT_NE(reg(OAC_REG_PROTOCOL), 17u);
	EXPECT_EQ(reg(OAC_REG_ID), 17u);
	EXPECT_EQ(reg(OAC_REG_ID), OAC_ID_MAGIC);
}

TEST_F(fault_test, EngineErrorFailsOneCommand)
{
	inject(R"("fault": "engine_error", "engine": 3, "at": {"command": 2})");
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_ENGINE_ERROR);
	EXPECT_TRUE(has_event(OAC_EVENT_ENGINE_ERROR));
	q_ = create_queue(2);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
}

TEST_F(fault_test, SelfTestFindsTheEngineThatComputesWrong)
{
	EXPECT_EQ(admin(command(OAC_ADMIN_SELF_TEST)).info, 0u);
	const unsigned engines = card_->engine_count();
	ASSERT_GT(engines, 2u);
	inject(R"("fault": "wrong_answer", "engine": 2)");
	unsigned wrong = 0;
	for (unsigned i = 0; i < engines; i++) {
		EXPECT_EQ(relu(), OAC_ST_SUCCESS) << "silent";
		wrong += !is_relu_right();
	}
	EXPECT_EQ(wrong, 1u);
	EXPECT_EQ(admin(command(OAC_ADMIN_SELF_TEST)).info, 1u << 2);
	EXPECT_TRUE(has_event(OAC_EVENT_SELF_TEST_FAILED));
	for (unsigned i = 0; i < 2 * engines; i++) {
		EXPECT_EQ(relu(), OAC_ST_SUCCESS);
		EXPECT_TRUE(is_relu_right()) << "it gets no work any more";
	}
}

TEST_F(fault_test, WithoutAnEngineNothingIsComputed)
{
	const unsigned engines = card_->engine_count();
	for (unsigned i = 0; i < engines; i++)
		inject(R"("fault": "wrong_answer", "engine": )" + std::to_string(i));
	EXPECT_EQ(admin(command(OAC_ADMIN_SELF_TEST)).info, (std::uint64_t{ 1 } << engines) - 1);
	EXPECT_EQ(run(q_, copy_command()).status, OAC_ST_SUCCESS);
	EXPECT_EQ(relu(), OAC_ST_ENGINE_ERROR);
	clear();
	soft_reset();
	start();
	q_ = create_queue(1);
	EXPECT_EQ(relu(), OAC_ST_SUCCESS);
	EXPECT_TRUE(is_relu_right());
}

} // namespace
} // namespace oac::emu::test
