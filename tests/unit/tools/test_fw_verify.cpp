// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Every reason for which an image is refused, each by an image with that one thing wrong.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "fw_names.hpp"
#include "fw_sample.hpp"

#ifdef OAC_TEST_WITH_ROM
#include <model/firmware_image.hpp>
#endif

namespace
{

using namespace oac::fw;
using namespace oac::fw::test;

std::string verdict_name(const bytes &image, std::uint32_t min_security_version = 0)
{
	return fail_name(verify(image, trusting(min_security_version)).fail);
}

class fw_verify : public testing::Test
{
protected:
	bytes image = signed_image(sample());
};

TEST_F(fw_verify, good_image)
{
	const verdict good = verify(image, trusting(4));

	EXPECT_EQ(good.fail, unsigned{ OAC_FAIL_NONE }) << good.detail;
	EXPECT_TRUE(good.signature_checked);
	EXPECT_TRUE(good.damaged.empty());
}

TEST_F(fw_verify, truncated_at_every_byte)
{
	for (std::size_t size = 0; size < image.size(); size++)
		ASSERT_EQ(
			verdict_name(bytes(image.begin(), image.begin() + static_cast<long>(size))),
			"TRUNCATED")
			<< size;
}

TEST_F(fw_verify, bytes_behind_the_image_do_not_count)
{
	image.resize(image.size() + 100);
	EXPECT_EQ(verdict_name(image), "NONE");
}

TEST_F(fw_verify, wrong_magic)
{
	edit_header(image, [](oac_fw_header &h) { h.magic ^= 1; });
	EXPECT_EQ(verdict_name(image), "MAGIC");
}

TEST_F(fw_verify, other_format)
{
	edit_header(image, [](oac_fw_header &h) { h.format++; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, header_padding_not_zero)
{
	edit_header(image, [](oac_fw_header &h) { h.rsvd[2] = 1; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, section_counts_out_of_range)
{
	for (const std::uint32_t count : { 0u, unsigned{ OAC_FW_SECTIONS_MAX } + 1, UINT32_MAX }) {
		bytes bad = image;
		edit_header(bad, [&](oac_fw_header &h) {
			h.section_count = count;
			h.header_size = static_cast<__le32>(64 + 64 * std::uint64_t{ count });
		});
		EXPECT_EQ(verdict_name(bad), "FORMAT") << count;
	}
}

TEST_F(fw_verify, table_does_not_fit_header_size)
{
	edit_header(image, [](oac_fw_header &h) { h.header_size += 64; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, image_smaller_than_its_table)
{
	edit_header(image, [](oac_fw_header &h) { h.image_size = 128; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, unknown_section)
{
	edit_section(image, 1, [](oac_fw_section &s) { s.type = 0x77; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
	EXPECT_NE(verify(image, trusting()).detail.find("119"), std::string::npos);
}

TEST_F(fw_verify, section_places_out_of_range)
{
	const std::uint64_t wrong[][2] = {
		{ 0, 64 },					/* on the header */
		{ 257, 64 },					/* not aligned */
		{ image.size() - OAC_FW_SIGNATURE_SIZE, 1 },	/* on the signature */
		{ image.size(), 0 },
		{ UINT64_MAX - 63, 128 },			/* wraps around */
		{ 256, UINT64_MAX },
	};
	for (const auto &[offset, size] : wrong) {
		bytes bad = image;
		edit_section(bad, 1, [o = offset, n = size](oac_fw_section &s) {
			s.offset = o;
			s.size = n;
		});
		EXPECT_EQ(verdict_name(bad), "FORMAT") << offset << "+" << size;
	}
}

TEST_F(fw_verify, overlapping_sections)
{
	edit_section(image, 1, [](oac_fw_section &s) { s.offset = 256; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, no_manifest_and_two)
{
	bytes none = image, two = image;
	edit_section(none, 0, [](oac_fw_section &s) { s.type = OAC_FW_SECTION_NOTES; });
	edit_section(two, 2, [](oac_fw_section &s) { s.type = OAC_FW_SECTION_MANIFEST; });
	EXPECT_EQ(verdict_name(none), "FORMAT");
	EXPECT_EQ(verdict_name(two), "FORMAT");
}

TEST_F(fw_verify, section_padding_not_zero)
{
	edit_section(image, 1, [](oac_fw_section &s) { s.rsvd1 = 1; });
	EXPECT_EQ(verdict_name(image), "FORMAT");
}

TEST_F(fw_verify, wrong_family)
{
	edit_header(image, [](oac_fw_header &h) { h.family = 0x0ac2; });
	EXPECT_EQ(verdict_name(image), "FAMILY");
}

TEST_F(fw_verify, other_protocol)
{
	edit_header(image, [](oac_fw_header &h) { h.protocol_major++; });
	EXPECT_EQ(verdict_name(image), "PROTOCOL");
}

TEST_F(fw_verify, newer_minor_protocol_is_good)
{
	edit_header(image, [](oac_fw_header &h) { h.protocol_minor = 99; });
	EXPECT_EQ(verdict_name(image), "NONE");
}

TEST_F(fw_verify, signed_by_another_key)
{
	sign(image, secret_key(bytes(32, 1)));
	EXPECT_EQ(verdict_name(image), "SIGNATURE");
}

TEST_F(fw_verify, not_signed)
{
	EXPECT_EQ(verdict_name(build(sample())), "SIGNATURE");
	EXPECT_NE(verify(build(sample()), trusting()).detail.find("not signed"), std::string::npos);
}

TEST_F(fw_verify, damaged_after_signing_names_the_section)
{
	image[image.size() - OAC_FW_SIGNATURE_SIZE - 100] ^= 1;	/* in the notes' neighbour: code */
	const verdict bad = verify(image, trusting());

	EXPECT_STREQ(fail_name(bad.fail), "SIGNATURE");
	ASSERT_EQ(bad.damaged.size(), 1u);
	EXPECT_EQ(section_name(image, bad.damaged[0]), "1 (code)");
}

TEST_F(fw_verify, wrong_hash)
{
	edit_section(image, 1, [](oac_fw_section &s) { s.sha256[31] ^= 1; });
	const verdict bad = verify(image, trusting());

	EXPECT_STREQ(fail_name(bad.fail), "HASH");
	EXPECT_NE(bad.detail.find("1 (code)"), std::string::npos);
	EXPECT_TRUE(rehash(image, 1));
	sign(image, secret_key(SEED));
	EXPECT_EQ(verdict_name(image), "NONE");
}

TEST_F(fw_verify, rollback)
{
	EXPECT_EQ(verdict_name(image, 5), "ROLLBACK");
	EXPECT_EQ(verdict_name(image, 4), "NONE");
}

TEST_F(fw_verify, without_key_the_signature_is_not_checked)
{
	const verdict open = verify(build(sample()), {});

	EXPECT_STREQ(fail_name(open.fail), "NONE");
	EXPECT_FALSE(open.signature_checked);
}

struct bad_manifest {
	const char *name;
	void (*spoil)(oac_fw_manifest &m);
};

const bad_manifest bad_manifests[] = {
	{ "model", [](auto &m) { m.model[0] = 0x80; } },
	{ "model_tail", [](auto &m) { m.model[31] = 'x'; } },
	{ "features", [](auto &m) { m.features |= 1ull << 63; } },
	{ "command", [](auto &m) { m.cmd_mask[3] |= 1ull << 63; } },
	{ "operator", [](auto &m) { m.op_mask[0] |= 1; } },
	{ "no_engines", [](auto &m) { m.engine_count = 0; } },
	{ "engines", [](auto &m) { m.engine_count = OAC_FW_ENGINES_MAX + 1; } },
	{ "clock", [](auto &m) { m.engine_clock_khz = 0; } },
	{ "contexts", [](auto &m) { m.max_contexts = OAC_FW_CONTEXTS_MAX + 1; } },
	{ "queues", [](auto &m) { m.max_queues = 0x10000; } },
	{ "depth", [](auto &m) { m.max_depth_log2 = OAC_FW_DEPTH_LOG2_MAX + 1; } },
	{ "segments", [](auto &m) { m.max_segments = OAC_FW_SEGMENTS_MAX + 1; } },
	{ "maps", [](auto &m) { m.max_maps = OAC_FW_MAPS_MAX + 1; } },
	{ "events", [](auto &m) { m.event_capacity = OAC_FW_EVENTS_MAX + 1; } },
	{ "no_power", [](auto &m) { m.power_limit_mw = 0; } },
	{ "idle_power", [](auto &m) { m.idle_power_mw = m.power_limit_mw + 1; } },
	{ "padding", [](auto &m) { m.rsvd[1] = 1; } },
	{ "sensor_count", [](auto &m) { m.sensor_count = OAC_SENSOR_MAX + 1; } },
	{ "sensor_count_huge", [](auto &m) { m.sensor_count = UINT32_MAX; } },
	{ "sensor_id", [](auto &m) { m.sensors[0].id = 0x7777; } },
	{ "sensor_type", [](auto &m) { m.sensors[0].type = OAC_SENSOR_LOAD; } },
	{ "sensor_flags", [](auto &m) { m.sensors[0].flags |= 0x8; } },
	{ "sensor_label", [](auto &m) { std::memset(m.sensors[0].label, 'x', 24); } },
	{ "sensor_twice", [](auto &m) { m.sensors[1] = m.sensors[0]; } },
	{ "sensor_rest", [](auto &m) { m.sensors[31].warn = 1; } },
};

class fw_bad_manifest : public testing::TestWithParam<bad_manifest>
{};

TEST_P(fw_bad_manifest, is_refused)
{
	description what = sample();

	GetParam().spoil(what.manifest);
	const verdict bad = verify(signed_image(what), trusting());
	EXPECT_STREQ(fail_name(bad.fail), "MANIFEST");
	EXPECT_NE(bad.detail, "");
}

INSTANTIATE_TEST_SUITE_P(all, fw_bad_manifest, testing::ValuesIn(bad_manifests),
			 [](const auto &it) { return std::string(it.param.name); });

TEST_F(fw_verify, manifest_of_wrong_size)
{
	edit_section(image, 0, [](oac_fw_section &s) { s.size -= 64; });
	EXPECT_TRUE(rehash(image, 0));
	sign(image, secret_key(SEED));
	EXPECT_EQ(verdict_name(image), "MANIFEST");
}

#ifdef OAC_TEST_WITH_ROM

/* What the emulated card's boot ROM says, by its own code. */
unsigned rom_verdict(const bytes &image, std::uint32_t security_version)
{
	namespace rom = oac::emu;
	const public_key key = secret_key(SEED).public_half();
	rom::firmware_image parsed;

	if (const unsigned fail = rom::check_image_header(std::as_bytes(std::span(image)), parsed))
		return fail;
	if (const unsigned fail = rom::check_image_signature(parsed, key))
		return fail;
	for (const oac_fw_section &section : parsed.sections) {
		if (const unsigned fail = rom::check_section_hash(parsed, section))
			return fail;
	}
	if (const unsigned fail = rom::check_image_version(parsed, security_version))
		return fail;
	return rom::check_image_manifest(parsed, OAC_CAP_DOORBELL_PAGES_MASK);
}

/* Spoils bytes where structure is, and then makes hashes and signature right, or not. */
TEST_F(fw_verify, agrees_with_the_rom_on_spoiled_images)
{
	std::mt19937_64 random(1);
	unsigned seen[16] = {};

	for (unsigned i = 0; i < 4000; i++) {
		bytes bad = image;
		const std::size_t range = random() % 2 ? 256 : bad.size();
		for (std::uint64_t n = random() % 2; n < 2; n++)
			bad[random() % range] =
				static_cast<std::uint8_t>(random() % 3 ? random() : 0);
		if (random() % 2)
			rehash(bad, 0);
		if (random() % 8)
			sign(bad, secret_key(SEED));
		const unsigned minimum = static_cast<unsigned>(random() % 6);
		const verdict ours = verify(bad, trusting(minimum));
		ASSERT_STREQ(fail_name(ours.fail), fail_name(rom_verdict(bad, minimum)))
			<< ours.detail;
		seen[ours.fail]++;
	}
	for (const unsigned fail :
	     { OAC_FAIL_NONE, OAC_FAIL_TRUNCATED, OAC_FAIL_MAGIC, OAC_FAIL_FORMAT, OAC_FAIL_FAMILY,
	       OAC_FAIL_PROTOCOL, OAC_FAIL_SIGNATURE, OAC_FAIL_HASH, OAC_FAIL_ROLLBACK,
	       OAC_FAIL_MANIFEST })
		EXPECT_GT(seen[fail], 0u) << fail_name(fail);
}

#endif

} // namespace
