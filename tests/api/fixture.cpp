// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Opens cards for the tests, runs commands, and finds a firmware image to boot with.
#include "fixture.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace api
{

namespace
{

std::filesystem::path firmware_path()
{
	namespace fs = std::filesystem;
	std::error_code ignored;

	if (const char *given = std::getenv("ACCEL_TEST_FIRMWARE"))
		return given;
	// build/tests/api/test_api -> build/firmware/oac1.fw
	fs::path build = fs::read_symlink("/proc/self/exe", ignored).parent_path();
	build = build.parent_path().parent_path();
	for (const fs::path &path :
	     { build / "firmware/oac1.fw", fs::path("/lib/firmware/oac/oac1.fw") })
		if (fs::is_regular_file(path, ignored))
			return path;
	return {};
}

std::vector<std::byte> read_file(const std::filesystem::path &path)
{
	std::ifstream file(path, std::ios::binary);
	std::vector<char> chars((std::istreambuf_iterator<char>(file)), {});
	std::vector<std::byte> bytes(chars.size());
	if (!chars.empty())
		std::memcpy(bytes.data(), chars.data(), chars.size());
	return bytes;
}

} // namespace

const std::vector<std::byte> &good_firmware()
{
	static const std::vector<std::byte> image = read_file(firmware_path());
	return image;
}

void use_firmware()
{
	auto path = firmware_path();
	if (!path.empty())
		setenv("ACCEL_FIRMWARE", path.c_str(), 0);
}

std::vector<std::string> card_names()
{
	try {
		return accel::enumerate();
	} catch (const std::system_error &error) {
		ADD_FAILURE() << "enumerate: " << error.what();
		return {};
	}
}

void card_test::SetUp()
{
	auto names = card_names();
	ASSERT_FALSE(names.empty()) << "no card: load the module, or set ACCEL_EMU=2";
	try {
		device_.emplace(names[0]);
	} catch (const std::system_error &error) {
		FAIL() << "open " << names[0] << ": " << error.what();
	}
	on_kernel_ = string(ACCEL_STRING_BACKEND) == "kernel";
}

std::uint64_t card_test::number(accel_number which)
{
	auto value = device().number(which);
	EXPECT_TRUE(value) << "number " << which << " is absent";
	return value.value_or(0);
}

std::string card_test::string(accel_string which)
{
	auto value = device().string(which);
	EXPECT_TRUE(value) << "string " << which << " is absent";
	return value.value_or("");
}

std::uint64_t card_test::counter(std::string_view name)
{
	auto value = device().read_telemetry().counter_value(name);
	EXPECT_TRUE(value) << "counter " << name << " is absent";
	return value.value_or(0);
}

accel::device card_test::open_other() const
{
	auto names = card_names();
	return accel::device(names.size() > 1 ? names[1] : names.at(0));
}

void queue_test::SetUp()
{
	card_test::SetUp();
	if (HasFatalFailure())
		return;
	context_.emplace(device());
	memory_.emplace(device(), context(), memory_size);
	queue_.emplace(context(), 64u);
}

accel::completion run(accel::queue &queue, const std::function<int(std::uint32_t tag)> &write)
{
	accel::completion done{};
	done.result = INT32_MIN;
	EXPECT_EQ(write(1), 0) << accel_error_text();
	EXPECT_EQ(queue.submit(), 0) << accel_error_text();
	EXPECT_EQ(queue.wait({ &done, 1 }), 1) << accel_error_text();
	EXPECT_EQ(done.tag, 1u);
	return done;
}

std::vector<accel::completion> collect(accel::queue &queue, std::size_t count)
{
	std::vector<accel::completion> all(count);
	std::size_t have = 0;

	while (have < count) {
		int got = queue.wait(std::span(all).subspan(have));
		if (got <= 0) {
			ADD_FAILURE() << "wait: " << got << ", " << accel_error_text() << "; "
				      << have << " of " << count << " completions";
			break;
		}
		have += static_cast<std::size_t>(got);
	}
	all.resize(have);
	return all;
}

testing::AssertionResult is_done(const char *text, const accel::completion &completion)
{
	if (completion.result == 0)
		return testing::AssertionSuccess();
	return testing::AssertionFailure()
	       << text << "\ngives " << completion.result << ", "
	       << accel_code_text(completion.code) << ", info " << completion.info;
}

void expect_works(accel::device &device)
{
	accel::context context(device);
	arena memory(device, context, page);
	accel::queue queue(context, 4u);
	auto from = memory.take<std::uint64_t>(1), to = memory.take<std::uint64_t>(1);

	from.host[0] = 0x0123456789abcdef;
	EXPECT_DONE(run(queue, [&](std::uint32_t tag) {
		return queue.try_copy(to.address, from.address, 8, tag);
	}));
	EXPECT_EQ(to.host[0], from.host[0]);
}

without_capability::without_capability(int capability) : capability_(capability)
{
	set(false);
}

without_capability::~without_capability()
{
	if (had_)
		set(true);
}

void without_capability::set(bool on)
{
	__user_cap_header_struct header{ _LINUX_CAPABILITY_VERSION_3, 0 };
	__user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
	const auto bit = std::uint32_t{ 1 } << (capability_ % 32);
	std::uint32_t &effective = data[capability_ / 32].effective;

	ASSERT_EQ(syscall(SYS_capget, &header, data), 0);
	if (!on)
		had_ = (effective & bit) != 0;
	effective = on ? effective | bit : effective & ~bit;
	ASSERT_EQ(syscall(SYS_capset, &header, data), 0);
}

std::uint32_t numbers::next()
{
	state_ ^= state_ << 13;
	state_ ^= state_ >> 17;
	state_ ^= state_ << 5;
	return state_;
}

} // namespace api
