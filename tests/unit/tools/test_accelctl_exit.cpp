// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The exit codes of accelctl, each reached as a user would reach it; where no emulated card fails
// that way, by a library that says so.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "accelctl_run.hpp"
#include "fw_sample.hpp"

namespace
{

/* One line on stderr: "accelctl: what: why...". */
void expect_one_line(const run_result &r)
{
	EXPECT_EQ(r.err.find("accelctl: "), 0u) << r.err;
	EXPECT_EQ(r.err.find('\n'), r.err.size() - 1) << r.err;
	EXPECT_NE(r.err.find(": ", 10), std::string::npos) << r.err;
}

void expect_code(const run_result &r, int code)
{
	EXPECT_EQ(r.code, code) << r.out << r.err;
	if (code == 0)
		EXPECT_EQ(r.err, "");
	else
		expect_one_line(r);
}

std::string first_card()
{
	const nlohmann::json list = run("list -o json").json();

	return list.at("cards").at(0).at("name").get<std::string>();
}

TEST(accelctl_exit, ok_0)
{
	expect_code(run("list"), 0);
}

TEST(accelctl_exit, internal_1_when_the_output_cannot_be_written)
{
	expect_code(run("version >/dev/full"), 1);
}

TEST(accelctl_exit, usage_2)
{
	expect_code(run("frobnicate"), 2);
	expect_code(run("fw frobnicate"), 2);
	expect_code(run(""), 2);
	expect_code(run("list --frobnicate"), 2);
	expect_code(run("list -o xml"), 2);
	expect_code(run("list -d 0 --all"), 2);
	expect_code(run("copy-test --size 0"), 2);
	expect_code(run("fw load"), 2);
}

TEST(accelctl_exit, usage_2_for_the_environment)
{
	expect_code(run("list", "ACCEL_EMU=many"), 2);
}

TEST(accelctl_exit, usage_2_when_firmware_is_loaded_without_saying_where)
{
	expect_code(run("fw load " + firmware("oac1.fw")), 2);
}

TEST(accelctl_exit, not_found_3)
{
	expect_code(run("list -d 0x0ac1ffffffffffff"), 3);
	expect_code(run("info -d 0x0ac1ffffffffffff"), 3);
	expect_code(run("fw inspect /nonexistent"), 3);
}

TEST(accelctl_exit, permission_4)
{
	const std::string file = scratch() + "/secret.fw";
	const std::string nobody =
		geteuid() == 0 ? "setpriv --reuid 65534 --regid 65534 --clear-groups" : "";

	std::ofstream(file).put('x');
	ASSERT_EQ(chmod(file.c_str(), 0), 0);
	if (std::system((nobody + " test -x " ACCELCTL).c_str()) != 0)
		GTEST_SKIP() << "others may not run what is built here";
	expect_code(run("fw inspect " + file, nobody), 4);
}

TEST(accelctl_exit, partial_5)
{
	const run_result r = run("copy-test --size 4K --count 1 -o json -d " + first_card() +
				 " -d 0x0ac1ffffffffffff");

	expect_code(r, 5);
	EXPECT_EQ(r.json().at("cards").at(0).at("verdict"), "passed");
	EXPECT_EQ(r.json().at("errors").size(), 1u);
	EXPECT_EQ(r.json().at("errors").at(0).at("code"), "not_found");
}

TEST(accelctl_exit, partial_5_when_one_card_refuses_firmware)
{
	const run_result r =
		run_with_lie("one-refuses", "fw load --all -o json " + firmware("oac1.fw"));

	expect_code(r, 5);
	EXPECT_EQ(r.json().at("errors").size(), 1u);
}

TEST(accelctl_exit, check_failed_6_for_wrong_data)
{
	const run_result r =
		run_with_lie("copies-nothing", "copy-test --size 4K --count 2 -d 0 -o json");

	expect_code(r, 6);
	const nlohmann::json result = r.json().at("cards").at(0).at("results").at(0);
	EXPECT_EQ(result.at("mismatched_bytes"), 4 * 4096);
	EXPECT_EQ(result.at("first_mismatch_bytes"), 0);
}

TEST(accelctl_exit, check_failed_6_for_a_damaged_image)
{
	std::ifstream from(firmware("oac1.fw"), std::ios::binary);
	std::string image{ std::istreambuf_iterator<char>(from), {} };

	image.at(3000) = static_cast<char>(image[3000] ^ 1);
	const std::string path = scratch() + "/damaged.fw";
	std::ofstream(path, std::ios::binary) << image;
	const run_result r = run("fw verify -o json --key " + firmware("dev.pub") + " " + path);
	expect_code(r, 6);
	EXPECT_EQ(r.json().at("first_failure"), "SIGNATURE");
	EXPECT_EQ(r.json().at("damaged_sections"), nlohmann::json({ "1 (code)" }));
}

TEST(accelctl_exit, check_failed_6_for_a_refused_image)
{
	const run_result r = run("fw load -d 0 -o json " + firmware("dev.pub"));

	expect_code(r, 6);
	EXPECT_EQ(r.json().at("cards").at(0).at("verdict"), "refused");
	/* A card behind a socket lives on: leave it as it was. */
	expect_code(run("fw load -d 0 " + firmware("oac1.fw")), 0);
}

TEST(accelctl_exit, check_failed_6_for_a_hot_card)
{
	const run_result r = run_with_lie("hot", "status -d 0 -o json");

	expect_code(r, 6);
	EXPECT_EQ(r.json().at("cards").at(0).at("health"), "critical");
	EXPECT_NE(r.err.find("chip_temp is 101.0 celsius"), std::string::npos) << r.err;
}

TEST(accelctl_exit, ok_0_for_a_warm_card_with_a_warning)
{
	const run_result r = run_with_lie("warm", "status -d 0 -o json");

	expect_code(r, 0);
	EXPECT_EQ(r.json().at("cards").at(0).at("health"), "warning");
}

TEST(accelctl_exit, skipped_7)
{
	expect_code(run("fw verify " + firmware("oac1.fw")), 7);
	expect_code(run("completion zsh"), 7);
}

TEST(accelctl_exit, timeout_8)
{
	expect_code(run("copy-test -d 0 --size 64M --count 4 --timeout 0"), 8);
}

TEST(accelctl_exit, lost_9)
{
	expect_code(run_with_lie("lost", "copy-test -d 0 --size 4K"), 9);
}

TEST(accelctl_exit, version_10)
{
	expect_code(run_with_lie("version", "list -d 0"), 10);
}

TEST(accelctl_exit, version_10_for_an_image)
{
	oac::fw::description what = oac::fw::test::sample();

	what.protocol_major++;
	const std::string path = scratch() + "/protocol.fw";
	oac::fw::replace_file(path, oac::fw::test::signed_image(what));
	expect_code(run("fw verify " + path), 10);
}

} // namespace
