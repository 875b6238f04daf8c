// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The boot ROM: a good boot from host and flash, every failure reason, their order, fuses.
#include <random>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

class boot_test : public bench
{
protected:
	using bytes = std::vector<std::byte>;

	void expect_failure(const bytes &image, unsigned reason, unsigned post)
	{
		EXPECT_EQ(boot(image), static_cast<unsigned>(OAC_STATE_FAILED));
		EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), reason);
		EXPECT_EQ(reg(OAC_REG_POST_CODE), post);
	}

	void expect_header_failure(
		std::function<void(oac_fw_header &, std::vector<oac_fw_section> &)> change,
		unsigned reason)
	{
		firmware_builder builder;
		builder.on_table = change;
		expect_failure(builder.build(), reason, OAC_POST_CHECK_HEADER);
	}

	void expect_bad_manifest(std::function<void(oac_fw_manifest &)> change)
	{
		firmware_builder builder;
		change(builder.manifest);
		expect_failure(builder.build(), OAC_FAIL_MANIFEST, OAC_POST_CHECK_MANIFEST);
	}
};

TEST_F(boot_test, GoodImageRuns)
{
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_ROM));
	boot();
	EXPECT_EQ(reg(OAC_REG_POST_CODE), static_cast<unsigned>(OAC_POST_RUNNING));
	EXPECT_EQ(reg(OAC_REG_BOOT_PROGRESS), 1000u);
	EXPECT_EQ(reg(OAC_REG_SECURITY_VERSION), 3u);
	EXPECT_FALSE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST)) << "already running";
}

TEST_F(boot_test, ProgressGrowsStepByStep)
{
	const bytes image = firmware_builder{}.build();
	const std::uint64_t at = alloc(image.size());
	std::memcpy(host_.at(at), image.data(), image.size());
	set_reg(OAC_REG_BOOT_ADDR_LO, static_cast<std::uint32_t>(at));
	set_reg(OAC_REG_BOOT_ADDR_HI, static_cast<std::uint32_t>(at >> 32));
	set_reg(OAC_REG_BOOT_SIZE, static_cast<std::uint32_t>(image.size()));
	EXPECT_FALSE(set_reg(OAC_REG_BOOT_COMMAND, 9)) << "no such command";
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST));
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_LOADING));
	EXPECT_FALSE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST)) << "busy";
	std::uint32_t last = 0, state = 0;
	while (card_->step()) {
		EXPECT_GE(reg(OAC_REG_BOOT_PROGRESS), last);
		EXPECT_GE(reg(OAC_REG_STATUS), state);
		last = reg(OAC_REG_BOOT_PROGRESS);
		state = reg(OAC_REG_STATUS);
	}
	EXPECT_EQ(last, 1000u);
}

TEST_F(boot_test, FlashSlot)
{
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_FLASH));
	settle();
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), static_cast<unsigned>(OAC_FAIL_NO_IMAGE));
	card_config config;
	for (const std::byte byte : firmware_builder{}.build())
		config.flash.push_back(static_cast<std::uint8_t>(byte));
	power_up(config);
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_FLASH));
	settle();
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_RUNNING));
	card_->reset(reset_kind::power);
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_FLASH));
	settle();
	EXPECT_EQ(reg(OAC_REG_STATUS), static_cast<unsigned>(OAC_STATE_RUNNING));
}

TEST_F(boot_test, NoImageAndNoMemory)
{
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST));
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), static_cast<unsigned>(OAC_FAIL_NO_IMAGE));
	set_reg(OAC_REG_BOOT_SIZE, 4096);
	set_reg(OAC_REG_BOOT_ADDR_LO, 0x1000);
	set_reg(OAC_REG_BOOT_ADDR_HI, 0);
	EXPECT_TRUE(set_reg(OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST)) << "legal in FAILED";
	settle();
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), static_cast<unsigned>(OAC_FAIL_DMA));
	EXPECT_EQ(reg(OAC_REG_POST_CODE), static_cast<unsigned>(OAC_POST_COPY_IMAGE));
	boot();
	EXPECT_EQ(reg(OAC_REG_BOOT_FAIL), static_cast<unsigned>(OAC_FAIL_NONE));
}

TEST_F(boot_test, BootsWithoutWindows)
{
	host_.set_windows(false);
	boot();
	EXPECT_GT(host_.slow_accesses, 0u);
}

TEST_F(boot_test, SizeAndMagic)
{
	bytes image = firmware_builder{}.build();
	expect_failure(bytes(image.begin(), image.begin() + 100), OAC_FAIL_TRUNCATED,
		       OAC_POST_CHECK_HEADER);
	expect_failure(bytes(image.begin(), image.end() - 1), OAC_FAIL_TRUNCATED,
		       OAC_POST_CHECK_HEADER);
	bytes longer = image;
	longer.resize(image.size() + 4096);
	image[3] ^= std::byte{ 1 };
	expect_failure(image, OAC_FAIL_MAGIC, OAC_POST_CHECK_HEADER);
	EXPECT_EQ(boot(longer), static_cast<unsigned>(OAC_STATE_RUNNING)) << "padding is no harm";
}

TEST_F(boot_test, FormatOfHeaderAndTable)
{
	using table = std::vector<oac_fw_section>;
	expect_header_failure([](auto &h, table &) { h.format = 2; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.rsvd[1] = 1; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.section_count = 0; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.section_count = 17; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.section_count = 0xffffffff; },
			      OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.header_size++; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &h, table &) { h.image_size = 64; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].type = 9; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].rsvd = 9; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].rsvd1 = 9; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].offset += 1; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].offset = 64; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].offset = 0 - 64ull; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].size = UINT64_MAX; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].size += 1; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[1].offset = t[0].offset; }, OAC_FAIL_FORMAT);
	expect_header_failure([](auto &, table &t) { t[0].type = OAC_FW_SECTION_CODE; },
			      OAC_FAIL_FORMAT);
}

TEST_F(boot_test, FamilyProtocolSignatureHashRollback)
{
	using table = std::vector<oac_fw_section>;
	expect_header_failure([](auto &h, table &) { h.family = 1; }, OAC_FAIL_FAMILY);
	expect_header_failure([](auto &h, table &) { h.protocol_major = 2; }, OAC_FAIL_PROTOCOL);
	firmware_builder builder;
	builder.on_signed = [](bytes &image) { image[image.size() - 200] ^= std::byte{ 4 }; };
	expect_failure(builder.build(), OAC_FAIL_SIGNATURE, OAC_POST_CHECK_SIGNATURE);
	builder.on_signed = [](bytes &image) { image.back() ^= std::byte{ 4 }; };
	expect_failure(builder.build(), OAC_FAIL_SIGNATURE, OAC_POST_CHECK_SIGNATURE);
	builder.on_signed = nullptr;
	builder.on_hashed = [](bytes &image) { image[image.size() - 200] ^= std::byte{ 4 }; };
	expect_failure(builder.build(), OAC_FAIL_HASH, OAC_POST_CHECK_HASHES);
	card_config config;
	config.security_version = 4;
	power_up(config);
	expect_failure(firmware_builder{}.build(), OAC_FAIL_ROLLBACK, OAC_POST_CHECK_HASHES);
}

TEST_F(boot_test, FuseRisesAndRefusesOlderImages)
{
	firmware_builder newer;
	newer.security_version = 9;
	EXPECT_EQ(boot(newer.build()), static_cast<unsigned>(OAC_STATE_RUNNING));
	EXPECT_EQ(reg(OAC_REG_SECURITY_VERSION), 9u);
	card_->reset(reset_kind::power);
	EXPECT_EQ(reg(OAC_REG_SECURITY_VERSION), 9u);
	expect_failure(firmware_builder{}.build(), OAC_FAIL_ROLLBACK, OAC_POST_CHECK_HASHES);
	EXPECT_EQ(boot(newer.build()), static_cast<unsigned>(OAC_STATE_RUNNING));
}

TEST_F(boot_test, ManifestLimits)
{
	firmware_builder small;
	small.manifest_size = sizeof(oac_fw_manifest) - 8;
	expect_failure(small.build(), OAC_FAIL_MANIFEST, OAC_POST_CHECK_MANIFEST);
	expect_bad_manifest([](auto &m) { m.features = 4; });
	expect_bad_manifest([](auto &m) { m.cmd_mask[3] = 1; });
	expect_bad_manifest([](auto &m) { m.op_mask[0] |= 1; });
	expect_bad_manifest([](auto &m) { m.engine_count = 0; });
	expect_bad_manifest([](auto &m) { m.engine_count = OAC_FW_ENGINES_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.engine_clock_khz = 0; });
	expect_bad_manifest([](auto &m) { m.max_contexts = OAC_FW_CONTEXTS_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.max_queues = 16; });
	expect_bad_manifest([](auto &m) { m.max_depth_log2 = OAC_FW_DEPTH_LOG2_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.max_segments = OAC_FW_SEGMENTS_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.max_maps = OAC_FW_MAPS_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.event_capacity = 0; });
	expect_bad_manifest([](auto &m) { m.idle_power_mw = m.power_limit_mw + 1; });
	expect_bad_manifest([](auto &m) { m.rsvd[0] = 1; });
	expect_bad_manifest([](auto &m) { m.model[3] = 7; });
	expect_bad_manifest([](auto &m) { m.sensor_count = OAC_SENSOR_MAX + 1; });
	expect_bad_manifest([](auto &m) { m.sensors[0].type = OAC_SENSOR_LOAD; });
	expect_bad_manifest([](auto &m) { m.sensors[1] = m.sensors[0]; });
	expect_bad_manifest([](auto &m) { m.sensors[0].flags = 8; });
	expect_bad_manifest([](auto &m) { m.sensors[20].warn = 8; });
	expect_bad_manifest([](auto &m) { std::fill_n(m.sensors[0].label, 24, 'x'); });
}

TEST_F(boot_test, DamageNeverRuns)
{
	const bytes good = firmware_builder{}.build();
	std::mt19937 random{ 5 };
	const std::uint64_t start = next_;
	for (int round = 0; round < 300; round++) {
		bytes bad = good;
		const std::size_t at = random() % 400;
		bad[at] ^= static_cast<std::byte>(1 + random() % 255);
		next_ = start;
		ASSERT_EQ(boot(bad), static_cast<unsigned>(OAC_STATE_FAILED)) << at;
	}
	for (std::size_t length = 1; length < 300; length += 7) {
		next_ = start;
		ASSERT_EQ(boot(bytes(good.begin(), good.begin() + static_cast<long>(length))),
			  static_cast<unsigned>(OAC_STATE_FAILED));
	}
}

TEST_F(boot_test, EventsAndCountersTellOfBoots)
{
	boot(std::vector<std::byte>(500));
	boot();
	enable_admin();
	EXPECT_EQ(event_codes(),
		  (std::vector<std::uint16_t>{ OAC_EVENT_BOOT_FAILED, OAC_EVENT_BOOTED }));
	EXPECT_EQ(counter(OAC_COUNTER_BOOTS), 1u);
	EXPECT_EQ(counter(OAC_COUNTER_BOOT_FAILURES), 1u);
	const auto events = get_log<oac_event>(OAC_LOG_EVENTS);
	EXPECT_EQ(events[0].arg, static_cast<unsigned>(OAC_FAIL_MAGIC));
	EXPECT_EQ(events[0].severity, OAC_SEVERITY_CARD_FATAL);
	EXPECT_EQ(events[0].action, OAC_ACTION_RELOAD_FIRMWARE);
}

} // namespace
} // namespace oac::emu::test
