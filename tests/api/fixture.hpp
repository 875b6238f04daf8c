// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the tests of the C ABI share: an open card, a context with a queue and some mapped memory,
// and helpers that run commands and wait. The same tests run on the kernel driver, over sockets
// and in-process; the environment (ACCEL_EMU, ACCEL_SOCKETS) decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <accel/accel.hpp>

namespace api
{

inline constexpr std::size_t page = 4096;

/// Texts of the card's contract that tests recognise kinds of failure by.
inline constexpr const char *text_fault = "a device address is not mapped in this context";
inline constexpr const char *text_rights = "the mapping does not allow this kind of access";
inline constexpr const char *text_aborted = "an earlier command of the queue failed";
inline constexpr const char *text_shape = "the operator's dimensions do not fit together";
inline constexpr const char *text_alignment = "an address is not aligned as the command needs";

/// A good image: $ACCEL_TEST_FIRMWARE, the build tree's, the system's; empty bytes: none.
const std::vector<std::byte> &good_firmware();

/// Lets cards without flash boot from that image at open; a variable that is set stays.
void use_firmware();

/// Names as enumerate() gives them, without a throw.
std::vector<std::string> card_names();

/// Memory of one buffer mapped to one context, handed out in aligned pieces.
class arena
{
public:
	arena(const accel::device &device, const accel::context &context, std::size_t size,
	      unsigned flags = accel::map_read | accel::map_write)
		: buffer_(device, size), mapping_(context, buffer_, flags)
	{
	}

	template <class T>
	struct piece {
		std::span<T> host;
		std::uint64_t address = 0;
	};

	template <class T>
	piece<T> take(std::size_t count)
	{
		std::size_t at = used_;
		used_ = (used_ + count * sizeof(T) + 63) / 64 * 64;
		if (used_ > buffer_.size())
			throw std::length_error("the test's arena is too small");
		auto *first = reinterpret_cast<T *>(buffer_.bytes().data() + at);
		return { { first, count }, mapping_.address() + at };
	}

	const accel::buffer &buffer() const { return buffer_; }
	std::uint64_t address() const { return mapping_.address(); }

private:
	accel::buffer buffer_;
	accel::mapping mapping_;
	std::size_t used_ = 0;
};

/// The first card, open. Fails without any card: a run without cards tests nothing.
class card_test : public ::testing::Test
{
protected:
	void SetUp() override;

	accel::device &device() { return *device_; }
	bool on_kernel() const { return on_kernel_; }
	/// Loops are shorter where each turn is dear: behind the kernel, in an emulated guest.
	unsigned scaled(unsigned count) const { return on_kernel_ ? (count + 9) / 10 : count; }
	std::uint64_t number(accel_number which);
	std::string string(accel_string which);
	std::uint64_t counter(std::string_view name);
	/// The second card, or with only one that card again.
	accel::device open_other() const;

	std::optional<accel::device> device_;

private:
	bool on_kernel_ = false;
};

/// The first card with a context, 4 MiB of memory and a queue.
class queue_test : public card_test
{
protected:
	static constexpr std::size_t memory_size = 4 << 20;

	void SetUp() override;

	accel::context &context() { return *context_; }
	arena &memory() { return *memory_; }
	accel::queue &queue() { return *queue_; }

	std::optional<accel::context> context_;
	std::optional<arena> memory_;
	std::optional<accel::queue> queue_;
};

/// Submits what `write` writes with tag 1 and waits for its completion.
accel::completion run(accel::queue &queue, const std::function<int(std::uint32_t tag)> &write);
/// Waits for exactly count completions, in as many calls as it takes.
std::vector<accel::completion> collect(accel::queue &queue, std::size_t count);
/// For EXPECT_DONE.
testing::AssertionResult is_done(const char *text, const accel::completion &completion);
/// A copy of 8 bytes that works proves that card, context and queue do.
void expect_works(accel::device &device);

/// Without a capability for as long as it lives, in this thread; a program without any stays as it is.
class without_capability
{
public:
	explicit without_capability(int capability);
	without_capability(const without_capability &) = delete;
	without_capability &operator=(const without_capability &) = delete;
	~without_capability();

private:
	void set(bool on);
	int capability_;
	bool had_ = false;
};

/// A small deterministic generator: tests give the same numbers in every run.
class numbers
{
public:
	explicit numbers(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
	std::uint32_t next();
	std::int8_t next_s8() { return static_cast<std::int8_t>(next() >> 8); }
	float next_f32() { return static_cast<float>(next() >> 8) / 8388608.0f - 1.0f; }

private:
	std::uint32_t state_;
};

} // namespace api

/// The completion is a success; else says what the card said.
#define EXPECT_DONE(...) EXPECT_PRED_FORMAT1(::api::is_done, (__VA_ARGS__))
