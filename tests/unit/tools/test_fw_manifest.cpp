// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Manifests as text, images there and back, keys and files.
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fw_error.hpp"
#include "fw_names.hpp"
#include "fw_sample.hpp"

namespace
{

using namespace oac::fw;
using namespace oac::fw::test;

std::string replaced(std::string text, const std::string &from, const std::string &to)
{
	const std::size_t at = text.find(from);

	EXPECT_NE(at, std::string::npos) << from;
	return text.replace(at, from.size(), to);
}

/* The message for a manifest with `from` replaced. */
std::string complaint(const std::string &from, const std::string &to)
{
	try {
		parse_manifest(replaced(manifest_text(), from, to), "m.json");
	} catch (const error &e) {
		EXPECT_EQ(e.code(), EBADMSG);
		return e.what();
	}
	return "no complaint";
}

TEST(fw_manifest, fills_the_struct)
{
	const description it = parse_manifest(manifest_text(), "m.json");

	EXPECT_EQ(it.version, (std::array<std::uint32_t, 3>{ 1, 2, 3 }));
	EXPECT_EQ(it.security_version, 4u);
	EXPECT_EQ(it.manifest.cmd_mask[0], 0x1000700030003ull);
	EXPECT_EQ(it.manifest.op_mask[0], 0x12u);
	EXPECT_EQ(it.manifest.engine_count, 3u);
	EXPECT_EQ(it.manifest.sensor_count, 2u);
	EXPECT_EQ(it.manifest.sensors[0].warn, 85000u);
	EXPECT_EQ(it.manifest.sensors[0].flags, OAC_SENSOR_HAS_WARN);
	EXPECT_STREQ(reinterpret_cast<const char *>(it.manifest.sensors[0].label), "Chip");
}

TEST(fw_manifest, unknown_key_is_named_with_line_and_path)
{
	EXPECT_NE(complaint("\"engine_count\"", "\"engine_cuont\"")
			  .find("/: the key \"engine_count\""),
		  std::string::npos);
	const std::string top = complaint("\"model\"", "\"colour\": 1,\n\t\"model\"");
	EXPECT_EQ(top.find("m.json:2: /colour: unknown key"), 0u) << top;
	const std::string deep =
		complaint("\"label\": \"Chip\"", "\"label\": \"Chip\", \"limit\": 5");
	EXPECT_EQ(deep.find("m.json:19: /sensors/0/limit: unknown key"), 0u) << deep;
}

TEST(fw_manifest, limit_in_the_wrong_unit_is_an_unknown_key)
{
	EXPECT_NE(
		complaint("warn_millicelsius", "warn_microwatts").find("/sensors/0/warn_microwatts"),
		std::string::npos);
}

TEST(fw_manifest, duplicate_key)
{
	const std::string text = complaint("\"max_maps\"", "\"max_maps\": 1, \"max_maps\"");
	EXPECT_NE(text.find("/max_maps: this key is here twice"), std::string::npos) << text;
}

TEST(fw_manifest, not_json_names_the_line)
{
	const std::string text = complaint("\"engine_count\": 3", "\"engine_count\": ,");
	EXPECT_EQ(text.find("m.json:8: not JSON"), 0u) << text;
}

TEST(fw_manifest, values_out_of_range_or_of_another_type)
{
	const char *const wrong[][2] = {
		{ "\"engine_count\": 3", "\"engine_count\": 65" },
		{ "\"engine_count\": 3", "\"engine_count\": 0" },
		{ "\"engine_count\": 3", "\"engine_count\": -3" },
		{ "\"engine_count\": 3", "\"engine_count\": 3.5" },
		{ "\"engine_count\": 3", "\"engine_count\": \"3\"" },
		{ "\"engine_count\": 3", "\"engine_count\": 4294967299" },
		{ "\"1.2.3\"", "\"1.2\"" },
		{ "\"1.2.3\"", "\"1.2.3.4\"" },
		{ "\"1.2.3\"", "\"1..3\"" },
		{ "\"1.2.3\"", "\"1.2.99999999999\"" },
		{ "\"1.2.3\"", "\"\"" },
		{ "\"test card\"", "\"\"" },
		{ "\"test card\"", "\"a name that is longer than 32 bytes\"" },
		{ "\"test card\"", "\"caf\u00e9\"" },
		{ "\"idle_power_mw\": 3000", "\"idle_power_mw\": 13000" },
		{ "\"all\"", "\"some\"" },
		{ "\"Chip\"", "\"a label that is too long\"" },
		{ "\"engine_load\"", "\"chip_temp\"" },
		{ "\"warn_millicelsius\": 85000",
		  "\"warn_millicelsius\": 85000, \"critical_millicelsius\": 80000" },
		{ "\"sensors\": [", "\"sensors\": [ 7," },
	};
	for (const auto &[from, to] : wrong)
		EXPECT_NE(complaint(from, to), "no complaint") << to;
}

TEST(fw_manifest, unknown_names_list_the_known_ones)
{
	EXPECT_NE(complaint("\"relu\"", "\"relo\"")
			  .find("/operators/1: \"relo\" is unknown; known: gemm"),
		  std::string::npos);
	EXPECT_NE(complaint("\"chip_temp\"", "\"nose_temp\"").find("known: chip_temp"),
		  std::string::npos);
}

TEST(fw_manifest, nesting_does_not_end_the_program)
{
	EXPECT_THROW(parse_manifest(std::string(100000, '['), "m.json"), error);
	EXPECT_THROW(parse_manifest("", "m.json"), error);
	EXPECT_THROW(parse_manifest("[]", "m.json"), error);
}

TEST(fw_image, there_and_back)
{
	const bytes image = signed_image(sample());
	nlohmann::ordered_json facts = inspect(image);

	EXPECT_EQ(facts["version"], "1.2.3");
	EXPECT_EQ(facts["security_version"], 4);
	EXPECT_EQ(facts["notes"], "for tests");
	EXPECT_EQ(facts["sections"].size(), 3u);
	for (const auto &section : facts["sections"])
		EXPECT_TRUE(section["intact"].get<bool>());

	/* What inspect shows of the manifest makes the same manifest. */
	nlohmann::ordered_json again = facts["manifest"];
	again["version"] = facts["version"];
	again["security_version"] = facts["security_version"];
	const description back = parse_manifest(again.dump(), "again");
	const description first = sample();
	EXPECT_EQ(std::memcmp(&back.manifest, &first.manifest, sizeof(back.manifest)), 0);
}

TEST(fw_image, builds_the_same_bytes_again)
{
	EXPECT_EQ(signed_image(sample()), signed_image(sample()));
}

TEST(fw_image, inspect_survives_any_truncation)
{
	const bytes image = signed_image(sample());

	for (std::size_t size = 0; size < image.size(); size += 7)
		inspect(std::span(image).first(size));
}

TEST(fw_image, refuses_to_grow_over_the_limit)
{
	description what = sample();

	what.code.assign(OAC_FW_IMAGE_SIZE_MAX, 0);
	EXPECT_THROW(build(what), error);
}

TEST(fw_names, every_failure_has_a_name)
{
	for (unsigned fail = OAC_FAIL_NONE; fail <= OAC_FAIL_MANIFEST; fail++)
		EXPECT_STRNE(fail_name(fail), "UNKNOWN");
	EXPECT_STREQ(fail_name(999), "UNKNOWN");
}

class fw_files : public testing::Test
{
protected:
	fw_files()
	{
		std::string path =
			(std::filesystem::temp_directory_path() / "oac-fw-XXXXXX").string();
		dir_ = mkdtemp(path.data());
	}
	~fw_files() override { std::filesystem::remove_all(dir_); }
	std::string at(const char *name) const { return dir_ + "/" + name; }

private:
	std::string dir_;
};

TEST_F(fw_files, keys_are_private_and_never_overwritten)
{
	struct stat info = {};

	make_key_files(at("k"), at("p"));
	ASSERT_EQ(stat(at("k").c_str(), &info), 0);
	EXPECT_EQ(info.st_mode & 0777, 0600u);
	EXPECT_EQ(read_secret_key(at("k")).public_half(), read_public_key(at("p")));
	try {
		make_key_files(at("k"), at("p2"));
		FAIL() << "overwrote a key";
	} catch (const error &e) {
		EXPECT_EQ(e.code(), EEXIST);
	}
	EXPECT_FALSE(std::filesystem::exists(at("p2")));
}

TEST_F(fw_files, a_key_without_its_other_half_is_not_left_behind)
{
	create_file(at("p"), bytes(1), 0600);
	EXPECT_THROW(make_key_files(at("k"), at("p")), error);
	EXPECT_FALSE(std::filesystem::exists(at("k")));
}

TEST_F(fw_files, wrong_keys_are_refused)
{
	EXPECT_THROW(secret_key(bytes(31)), error);
	EXPECT_THROW(secret_key(bytes(64)), error);	/* halves do not belong together */
	create_file(at("p"), bytes(33), 0644);
	EXPECT_THROW(read_public_key(at("p")), error);
	EXPECT_THROW(read_secret_key(at("none")), error);
}

TEST_F(fw_files, replacing_and_reading)
{
	replace_file(at("f"), bytes(10, 1));
	replace_file(at("f"), bytes(20, 2));
	EXPECT_EQ(read_file(at("f"), 20), bytes(20, 2));
	EXPECT_THROW(read_file(at("f"), 19), error);
}

} // namespace
