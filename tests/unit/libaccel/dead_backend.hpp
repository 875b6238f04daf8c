// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card that never does anything, for tests of what the library does by itself: memory is the
// process's own, queues are never served, and everything else is not supported.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <backend.hpp>
#include <error.hpp>
#include <submit_page.hpp>

namespace accel::test
{

class dead_backend : public backend
{
public:
	const char *kind() const noexcept override { return "dead"; }
	const std::string &name() const noexcept override { return name_; }
	device_info info() override { return {}; }

	std::uint32_t context_create() override { return 1; }
	void context_destroy(std::uint32_t) noexcept override {}
	usage_reading context_usage(std::uint32_t) override { return {}; }

	buffer_memory buffer_alloc(std::size_t size) override
	{
		void *host = std::aligned_alloc(OAC_PAGE_SIZE, size);
		if (!host)
			throw std::bad_alloc();
		std::memset(host, 0, size);
		return { host, size, 0 };
	}
	buffer_memory buffer_alloc_local(std::size_t) override { none(); }
	buffer_memory buffer_wrap(void *, std::size_t, bool) override { none(); }
	int buffer_export(const buffer_memory &) override { none(); }
	buffer_memory buffer_import(int) override { none(); }
	void buffer_free(const buffer_memory &memory) noexcept override { std::free(memory.host); }

	void map(std::uint32_t, const buffer_memory &, std::size_t, std::size_t, std::uint64_t,
		 std::uint32_t) override
	{
	}
	void unmap(std::uint32_t, std::uint64_t, std::size_t) override {}

	queue_port queue_create(std::uint32_t, const queue_rings &) override
	{
		return { 1, page_.bytes, true };
	}
	void queue_destroy(std::uint32_t) noexcept override {}
	int ring(std::uint32_t, std::uint32_t) noexcept override { return 0; }
	int arm(std::uint32_t, std::uint64_t) noexcept override { return 0; }
	int queue_wait(std::uint32_t, std::uint32_t, std::int64_t,
		       queue_progress *) noexcept override
	{
		return -ETIMEDOUT;
	}
	int queue_event_fd(std::uint32_t) override { none(); }

	void queue_fence(std::uint32_t, std::uint32_t, int, std::uint64_t) override { none(); }
	int queue_sync_file(std::uint32_t, std::uint32_t) override { none(); }
	int sync_file_of(int, std::uint64_t) override { none(); }
	void follow_sync_file(const buffer_memory &, std::size_t, std::uint64_t, int) override
	{
		none();
	}

	std::vector<client_reading> clients() override { return {}; }
	telemetry_reading telemetry(std::int64_t) override { return {}; }
	std::size_t events(std::uint64_t, std::span<event_reading>) override { return 0; }
	void firmware_load(std::span<const std::byte>, std::int64_t) override { none(); }

	health_reading health() override { return {}; }
	std::array<rung_reading, OAC_RUNG_COUNT> rungs() override { return {}; }
	std::unique_ptr<event_source> event_stream(std::uint64_t) override { none(); }
	void recover(std::int64_t) override { none(); }
	void reset(std::uint32_t, std::int64_t) override { none(); }
	std::uint64_t self_test(std::int64_t) override { none(); }
	std::uint32_t context_lost(std::uint32_t) override { return OAC_LOST_NO; }

private:
	[[noreturn]] static void none()
	{
		throw failure(EOPNOTSUPP, "a dead card has no such thing");
	}

	const std::string name_ = "dead";
	submit_page page_;
};

} // namespace accel::test
