// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The caller's own memory as a buffer: of all kinds, read-only, and what cannot be one.
#include "fixture.hpp"

#include <algorithm>
#include <cstdlib>

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>

namespace
{

using api::page;

/// Pages of the process, unmapped in the end.
class pages
{
public:
	explicit pages(std::size_t count, int rights = PROT_READ | PROT_WRITE)
		: size_(count * page),
		  start_(mmap(nullptr, size_, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
	{
		if (start_ == MAP_FAILED)
			throw std::bad_alloc();
	}
	pages(const pages &) = delete;
	pages &operator=(const pages &) = delete;
	~pages() { munmap(start_, size_); }
	std::span<std::byte> bytes() const { return { static_cast<std::byte *>(start_), size_ }; }
	std::span<std::uint8_t> numbers() const
	{
		return { static_cast<std::uint8_t *>(start_), size_ };
	}

private:
	std::size_t size_;
	void *start_;
};

class wrap_test : public api::queue_test
{
protected:
	void SetUp() override
	{
		queue_test::SetUp();
		if (HasFatalFailure())
			return;
		if (!number(ACCEL_NUMBER_FEATURE_WRAP))
			GTEST_SKIP() << "this backend cannot pin the program's memory";
	}

	int wrap(void *start, std::size_t size, unsigned flags = 0)
	{
		accel_buffer *raw = nullptr;
		int result = accel_buffer_wrap(device().get(), start, size, flags, &raw);
		EXPECT_EQ(raw != nullptr, result == 0);
		if (result == 0) {
			EXPECT_EQ(accel_buffer_free(raw), 0);
		}
		return result;
	}

	accel::completion fill(std::uint64_t address, std::size_t size)
	{
		return api::run(queue(), [&](std::uint32_t tag) {
			return queue().try_fill(address, size, std::uint8_t{ 0x5a }, tag);
		});
	}
};

class no_wrap_test : public api::card_test
{};

TEST_F(no_wrap_test, says_what_to_do_instead)
{
	if (number(ACCEL_NUMBER_FEATURE_WRAP))
		GTEST_SKIP() << "this backend can";
	pages own(1);
	accel_buffer *raw = nullptr;
	EXPECT_EQ(accel_buffer_wrap(device().get(), own.bytes().data(), page, 0, &raw),
		  -EOPNOTSUPP);
	EXPECT_NE(std::string_view(accel_error_text()).find("copy it into a buffer"),
		  std::string_view::npos)
		<< accel_error_text();
	EXPECT_EQ(raw, nullptr);
	EXPECT_EQ(accel_buffer_wrap(device().get(), nullptr, page, 0, &raw), -EINVAL);
	EXPECT_EQ(accel_buffer_wrap(device().get(), own.bytes().data() + 1, page, 0, &raw),
		  -EINVAL);
}

TEST_F(wrap_test, card_reads_and_writes_the_programs_memory)
{
	pages own(64);
	std::ranges::fill(own.numbers(), std::uint8_t{ 1 });
	auto buffer = accel::buffer::wrap(device(), own.bytes());
	EXPECT_EQ(buffer.kind(), ACCEL_BUFFER_WRAPPED);
	EXPECT_EQ(buffer.size(), 64 * page);
	EXPECT_EQ(buffer.bytes().data(), own.bytes().data());

	accel::mapping mapping(context(), buffer);
	auto out = memory().take<std::uint8_t>(page);
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(out.address, mapping.address() + 63 * page, page, tag);
	}));
	EXPECT_EQ(std::ranges::count(out.host, 1), static_cast<long>(page));
	EXPECT_DONE(fill(mapping.address() + page, 2 * page));
	EXPECT_EQ(own.numbers()[page - 1], 1);
	EXPECT_EQ(own.numbers()[page], 0x5a);
	EXPECT_EQ(own.numbers()[3 * page - 1], 0x5a);
	EXPECT_EQ(own.numbers()[3 * page], 1);
}

TEST_F(wrap_test, memory_is_there_after_free)
{
	pages own(4);
	{
		auto buffer = accel::buffer::wrap(device(), own.bytes());
		accel::mapping mapping(context(), buffer);
		EXPECT_DONE(fill(mapping.address(), 4 * page));
	}
	EXPECT_EQ(std::ranges::count(own.numbers(), 0x5a), 4 * static_cast<long>(page));
	own.numbers()[0] = 7;
}

TEST_F(wrap_test, read_only_memory_is_for_reading)
{
	pages own(2);
	own.numbers()[page] = 0x33;
	ASSERT_EQ(mprotect(own.bytes().data(), 2 * page, PROT_READ), 0);
	EXPECT_EQ(wrap(own.bytes().data(), 2 * page), -EFAULT);

	auto buffer = accel::buffer::wrap(device(), own.bytes(), accel::wrap_read_only);
	std::uint64_t address = 0;
	EXPECT_EQ(accel_buffer_map(context().get(), buffer.get(), 0, 0,
				   ACCEL_MAP_READ | ACCEL_MAP_WRITE, &address),
		  -EACCES);
	EXPECT_EQ(accel_buffer_map(context().get(), buffer.get(), 0, 0, ACCEL_MAP_WRITE, &address),
		  -EACCES);
	accel::mapping mapping(context(), buffer, accel::map_read);
	auto out = memory().take<std::uint8_t>(8);
	EXPECT_DONE(api::run(queue(), [&](std::uint32_t tag) {
		return queue().try_copy(out.address, mapping.address() + page, 8, tag);
	}));
	EXPECT_EQ(out.host[0], 0x33);
}

TEST_F(wrap_test, wrong_memory_is_refused)
{
	pages own(4);
	std::byte *start = own.bytes().data();
	EXPECT_EQ(wrap(start + 8, page), -EINVAL);
	EXPECT_EQ(wrap(start, page - 1), -EINVAL);
	EXPECT_EQ(wrap(start, 0), -EINVAL);
	EXPECT_EQ(wrap(nullptr, page), -EINVAL);
	EXPECT_EQ(wrap(start, page, 0x2), -EINVAL);
	EXPECT_EQ(wrap(start, SIZE_MAX - page + 1), -EINVAL);
	ASSERT_EQ(munmap(start + 2 * page, page), 0);
	EXPECT_EQ(wrap(start, 4 * page), -EFAULT);
	EXPECT_EQ(wrap(start, 2 * page), 0) << accel_error_text();
	accel_buffer *raw = nullptr;
	EXPECT_EQ(accel_buffer_wrap(nullptr, start, page, 0, &raw), -EINVAL);
	EXPECT_EQ(accel_buffer_wrap(device().get(), start, page, 0, nullptr), -EINVAL);
}

TEST_F(wrap_test, locked_memory_has_a_limit_that_is_named)
{
	const api::without_capability bound(CAP_IPC_LOCK);
	rlimit before{};
	ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	const rlimit tight{ 8 * page, before.rlim_max };
	ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &tight), 0);
	pages own(64);
	EXPECT_EQ(wrap(own.bytes().data(), 64 * page), -EDQUOT);
	const std::string text = accel_error_text();
	EXPECT_EQ(wrap(own.bytes().data(), 4 * page), 0) << accel_error_text();
	setrlimit(RLIMIT_MEMLOCK, &before);
	EXPECT_NE(text.find("RLIMIT_MEMLOCK"), std::string::npos) << text;
}

TEST_F(wrap_test, stays_the_programs_own)
{
	pages own(1);
	auto buffer = accel::buffer::wrap(device(), own.bytes());
	int fd = -1;
	EXPECT_EQ(accel_buffer_export(buffer.get(), &fd), -EOPNOTSUPP);
	EXPECT_EQ(fd, -1);
	EXPECT_NE(std::string_view(accel_error_text()).find("copy it"), std::string_view::npos);
}

TEST_F(wrap_test, heap_and_stack_do_as_well)
{
	std::unique_ptr<void, decltype(&std::free)> heap(std::aligned_alloc(page, 4 * page),
							 std::free);
	alignas(4096) std::byte stack[page];
	EXPECT_EQ(wrap(heap.get(), 4 * page), 0) << accel_error_text();
	EXPECT_EQ(wrap(stack, page), 0) << accel_error_text();
}

} // namespace
