// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Listing, naming and opening cards; what a device says of itself; order of closing.
#include "fixture.hpp"

#include <cstdlib>
#include <set>

#include <regex.h>

namespace
{

using api::card_test;
using api::card_names;

class device_test : public card_test
{};

/// All of text has the form: POSIX, for std::regex gives warnings under sanitizers.
bool has_form(const std::string &text, const std::string &form)
{
	regex_t compiled;
	if (regcomp(&compiled, ("^(" + form + ")$").c_str(), REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	bool matches = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
	regfree(&compiled);
	return matches;
}

/// Sets a variable for a scope.
class environment
{
public:
	environment(const char *name, const char *value) : name_(name)
	{
		if (const char *was = std::getenv(name))
			was_ = was;
		setenv(name, value, 1);
	}
	environment(const environment &) = delete;
	~environment()
	{
		if (was_)
			setenv(name_, was_->c_str(), 1);
		else
			unsetenv(name_);
	}

private:
	const char *name_;
	std::optional<std::string> was_;
};

TEST(library, version_is_three_numbers)
{
	EXPECT_TRUE(has_form(accel_version(), "[0-9]+\\.[0-9]+\\.[0-9]+")) << accel_version();
}

TEST(library, code_text_is_never_null)
{
	for (std::uint32_t code : { 0u, 1u, 0x27u, 0x7777u, UINT32_MAX })
		EXPECT_NE(accel_code_text(code), nullptr) << code;
	EXPECT_STREQ(accel_code_text(0), "success");
}

TEST(device_list, names_are_unique)
{
	auto names = card_names();
	std::set<std::string> unique(names.begin(), names.end());
	EXPECT_FALSE(names.empty());
	EXPECT_EQ(unique.size(), names.size());
	EXPECT_FALSE(unique.contains(""));
}

TEST(device_list, index_out_of_range_is_null)
{
	accel_device_list *list = nullptr;
	ASSERT_EQ(accel_device_list_create(&list), 0);
	std::size_t count = accel_device_list_count(list);
	EXPECT_EQ(accel_device_list_name(list, count), nullptr);
	EXPECT_EQ(accel_device_list_name(list, SIZE_MAX), nullptr);
	accel_device_list_free(list);
	accel_device_list_free(nullptr);
	EXPECT_EQ(accel_device_list_create(nullptr), -EINVAL);
}

TEST(device_list, malformed_variable_is_einval)
{
	for (const char *value : { "many", "-1", "2x", "" }) {
		environment set("ACCEL_EMU", value);
		accel_device_list *list = nullptr;
		int result = accel_device_list_create(&list);
		if (*value == '\0' && result == 0) {
			accel_device_list_free(list);	// an empty variable may count as unset
			continue;
		}
		EXPECT_EQ(result, -EINVAL) << value;
		EXPECT_EQ(list, nullptr);
		EXPECT_NE(std::string(accel_error_text()).find("ACCEL_EMU"), std::string::npos)
			<< accel_error_text();
	}
}

TEST(device_open, wrong_names_are_enodev)
{
	for (const char *name :
	     { "nonsense", "emu:", "emu:99999", "emu:x", "/dev/accel/accel999",
	       "/dev/dri/renderD999", "/dev/null", "socket:", "socket:/nonexistent/card",
	       "0xdeadbeef", "0000:ff:1f.7", "999", "-1" }) {
		accel_device *device = nullptr;
		EXPECT_EQ(accel_device_open(name, &device), -ENODEV) << name;
		EXPECT_EQ(device, nullptr) << name;
		EXPECT_NE(std::string(accel_error_text()).find(name), std::string::npos)
			<< name << ": " << accel_error_text();
	}
	EXPECT_EQ(accel_device_open(nullptr, nullptr), -EINVAL);
}

TEST(device_open, close_of_null_is_nothing)
{
	EXPECT_EQ(accel_device_close(nullptr), 0);
	EXPECT_EQ(accel_context_destroy(nullptr), 0);
	EXPECT_EQ(accel_buffer_free(nullptr), 0);
	accel_queue_destroy(nullptr);
	accel_timeline_destroy(nullptr);
	accel_telemetry_free(nullptr);
}

TEST_F(device_test, opens_by_every_name)
{
	std::set<std::string> names = { "0", string(ACCEL_STRING_NAME),
					string(ACCEL_STRING_SERIAL) };
	std::string serial = string(ACCEL_STRING_SERIAL);

	if (auto address = device().string(ACCEL_STRING_PCI_ADDRESS))
		names.insert(*address);
	if (auto node = device().string(ACCEL_STRING_NODE))
		names.insert(node->starts_with("/dev/") ? *node : "socket:" + *node);
	ASSERT_EQ(device().close(), 0);

	for (const std::string &name : names) {
		accel_device *other = nullptr;
		ASSERT_EQ(accel_device_open(name.c_str(), &other), 0)
			<< name << ": " << accel_error_text();
		EXPECT_EQ(accel_device_string(other, ACCEL_STRING_SERIAL), serial) << name;
		EXPECT_EQ(accel_device_close(other), 0);
	}
	accel_device *first = nullptr;
	ASSERT_EQ(accel_device_open(nullptr, &first), 0) << accel_error_text();
	EXPECT_EQ(accel_device_string(first, ACCEL_STRING_SERIAL), serial);
	EXPECT_EQ(accel_device_close(first), 0);
}

TEST_F(device_test, strings_have_their_form)
{
	auto matches = [&](accel_string which, const char *form) {
		EXPECT_TRUE(has_form(string(which), form)) << which << ": " << string(which);
	};
	matches(ACCEL_STRING_NAME, ".+");
	matches(ACCEL_STRING_BACKEND, "kernel|direct");
	matches(ACCEL_STRING_MODEL, ".+");
	matches(ACCEL_STRING_SERIAL, "0x[0-9a-f]{16}");
	matches(ACCEL_STRING_FIRMWARE_VERSION, "[0-9]+\\.[0-9]+\\.[0-9]+");
	matches(ACCEL_STRING_STATE, "running");
	matches(ACCEL_STRING_PROTOCOL, "1\\.[0-9]+");
	EXPECT_FALSE(device().string(ACCEL_STRING_FAIL_REASON));
	EXPECT_EQ(device().string(static_cast<accel_string>(15)), std::nullopt);
	if (on_kernel()) {
		matches(ACCEL_STRING_PCI_ADDRESS, "[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
		matches(ACCEL_STRING_NODE, "/dev/(accel/accel|dri/renderD)[0-9]+");
	}
	EXPECT_EQ(accel_device_string(nullptr, ACCEL_STRING_NAME), nullptr);
}

TEST_F(device_test, numbers_are_plausible)
{
	auto within = [&](accel_number which, std::uint64_t low, std::uint64_t high) {
		EXPECT_GE(number(which), low) << which;
		EXPECT_LE(number(which), high) << which;
	};
	within(ACCEL_NUMBER_LOCAL_MEMORY_BYTES, 1 << 20, 1ull << 44);
	within(ACCEL_NUMBER_ENGINES, 1, 64);
	within(ACCEL_NUMBER_ENGINE_CLOCK_HZ, 1'000'000, 10'000'000'000);
	within(ACCEL_NUMBER_MAX_CONTEXTS, 1, 65535);
	within(ACCEL_NUMBER_MAX_QUEUES, 1, 65535);
	within(ACCEL_NUMBER_MAX_QUEUE_DEPTH, 2, 1 << 15);
	within(ACCEL_NUMBER_POWER_LIMIT_MILLIWATTS, 100, 1'000'000);
	within(ACCEL_NUMBER_FEATURE_INT8, 0, 1);
	within(ACCEL_NUMBER_FEATURE_FP32, 0, 1);
	within(ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES, 0, number(ACCEL_NUMBER_LOCAL_MEMORY_BYTES));
	within(ACCEL_NUMBER_FEATURE_USER_SUBMIT, 0, 1);
	within(ACCEL_NUMBER_FEATURE_WRAP, 0, 1);
	within(ACCEL_NUMBER_FEATURE_SYNC, 0, 1);
	within(ACCEL_NUMBER_FEATURE_PEER, 0, 1);
	if (auto node = device().number(ACCEL_NUMBER_NUMA_NODE)) {
		EXPECT_LT(*node, 1024u);
	}

	std::uint64_t value = 77;
	EXPECT_NE(accel_device_number(device().get(), static_cast<accel_number>(20), &value), 0);
	EXPECT_EQ(value, 77u);
	EXPECT_EQ(accel_device_number(nullptr, ACCEL_NUMBER_ENGINES, &value), -EINVAL);
	EXPECT_EQ(accel_device_number(device().get(), ACCEL_NUMBER_ENGINES, nullptr), -EINVAL);
}

TEST_F(device_test, contexts_and_queues_are_counted)
{
	auto contexts = device().number(ACCEL_NUMBER_CONTEXTS);
	auto queues = device().number(ACCEL_NUMBER_QUEUES);
	if (!contexts || !queues)
		GTEST_SKIP() << "this device does not count them";

	accel::context context(device());
	accel::queue queue(context);
	EXPECT_EQ(number(ACCEL_NUMBER_CONTEXTS), *contexts + 1);
	EXPECT_EQ(number(ACCEL_NUMBER_QUEUES), *queues + 1);
}

TEST_F(device_test, close_waits_for_children)
{
	{
		accel::context context(device());
		EXPECT_EQ(device().close(), -EBUSY);
		EXPECT_STRNE(accel_error_text(), "");
	}
	{
		accel::buffer buffer(device(), api::page);
		EXPECT_EQ(device().close(), -EBUSY);
	}
	EXPECT_EQ(device().close(), 0);
}

TEST_F(device_test, two_cards_work_side_by_side)
{
	auto names = card_names();
	if (names.size() < 2)
		GTEST_SKIP() << "needs two cards, there is " << names.size();

	accel::device other(names[1]);
	EXPECT_NE(other.string(ACCEL_STRING_SERIAL), string(ACCEL_STRING_SERIAL));

	accel::context here(device()), there(other);
	accel::buffer buffer(device(), api::page);
	std::uint64_t address = 77;
	EXPECT_EQ(accel_buffer_map(there.get(), buffer.get(), 0, 0, ACCEL_MAP_READ, &address),
		  -EXDEV);
	EXPECT_EQ(address, 77u);

	api::arena near(device(), here, api::page), far(other, there, api::page);
	accel::queue near_queue(here), far_queue(there);
	for (std::uint64_t i = 1; i <= scaled(1000); i++) {
		ASSERT_EQ(near_queue.try_fill(near.address(), 8, i, 1), 0);
		ASSERT_EQ(far_queue.try_fill(far.address(), 8, ~i, 2), 0);
		ASSERT_EQ(near_queue.submit(), 0);
		ASSERT_EQ(far_queue.submit(), 0);
		EXPECT_DONE(api::collect(near_queue, 1).at(0));
		EXPECT_DONE(api::collect(far_queue, 1).at(0));
		ASSERT_EQ(near.buffer().as<std::uint64_t>()[0], i);
		ASSERT_EQ(far.buffer().as<std::uint64_t>()[0], ~i);
	}
}

TEST(error_text, is_of_the_thread_and_of_the_last_failure)
{
	accel_device *device = nullptr;
	ASSERT_EQ(accel_device_open("first-wrong-name", &device), -ENODEV);
	std::string first = accel_error_text();
	ASSERT_EQ(accel_device_open("second-wrong-name", &device), -ENODEV);
	EXPECT_NE(first, accel_error_text());
	std::string second = accel_error_text();
	card_names();	// a success leaves it alone
	EXPECT_EQ(second, accel_error_text());
}

} // namespace
