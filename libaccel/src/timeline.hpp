// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A timeline: a 64-bit word in host memory mapped to one or more contexts, in a page of its own so
// that it faults once destroyed; and the fences it follows. The page is made for one card; contexts
// of others get it by export and import.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <hw/oac_types.h>

#include "context.hpp"
#include "deadline_mutex.hpp"
#include "unique_fd.hpp"

namespace accel
{

/* Keeps a context from being destroyed; outlives the map there. */
class timeline_count
{
public:
	explicit timeline_count(accel_context &context) : context_(context) { change(1); }
	timeline_count(const timeline_count &) = delete;
	timeline_count &operator=(const timeline_count &) = delete;
	~timeline_count() { change(-1u); }

private:
	void change(unsigned by)
	{
		const std::lock_guard lock(context_.mutex);
		context_.timelines += by;
	}
	accel_context &context_;
};

/* A further context that has the word. Never changed once it is in the list. */
struct timeline_share {
	timeline_share(accel_context &with, std::unique_ptr<accel_buffer> own, accel_buffer &seen)
		: count(with), imported(std::move(own)), map(with, seen)
	{
	}
	timeline_count count;
	std::unique_ptr<accel_buffer> imported;	/* another card's view of the page, if it is one */
	internal_map map;
	timeline_share *next = nullptr;
};

/* A fence that raises the word to value; the driver does so, and whoever finds it signalled. */
struct followed_fence {
	unique_fd sync_file;
	std::uint64_t value;
};

} // namespace accel

struct accel_timeline {
	explicit accel_timeline(accel_context &in)
		: context(&in), count(in), memory(in, OAC_PAGE_SIZE)
	{
	}
	accel_timeline(const accel_timeline &) = delete;
	accel_timeline &operator=(const accel_timeline &) = delete;
	~accel_timeline();

	std::atomic_ref<std::uint64_t> word() const noexcept
	{
		return std::atomic_ref(*reinterpret_cast<std::uint64_t *>(memory.host()));
	}
	/* Of the word in a context; 0: it has it not. Data path. */
	std::uint64_t address_in(const accel_context *user) const noexcept
	{
		if (user == context) [[likely]]
			return memory.address();
		for (auto *one = shares.load(std::memory_order_acquire); one; one = one->next) {
			if (&one->map.context() == user)
				return one->map.address();
		}
		return 0;
	}
	void share(accel_context &with);
	void follow(int sync_file, std::uint64_t value);
	/* Raises the word by what has signalled, and shows the rest: watch(fd). */
	template <typename Watch>
	void look_at_fences(const Watch &watch);

	accel_context *context;
	accel::timeline_count count;
	accel::internal_buffer memory;
	std::atomic<accel::timeline_share *> shares{ nullptr };	/* newest first, only grows */
	accel::deadline_mutex share_mutex;	/* held by who adds to shares, and waits for cards */
	std::mutex mutex;			/* guards below */
	std::vector<accel::followed_fence> fences;

private:
	void raise(std::uint64_t value) noexcept;
	void drop_signalled();
};

template <typename Watch>
void accel_timeline::look_at_fences(const Watch &watch)
{
	const std::lock_guard lock(mutex);
	drop_signalled();
	for (const accel::followed_fence &fence : fences)
		watch(fence.sync_file.get());
}
