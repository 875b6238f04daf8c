// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An opened card: its backend and the count of what was made from it.
#pragma once

#include <atomic>
#include <concepts>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <accel/accel.h>

#include "backend.hpp"
#include "error.hpp"
#include "fork.hpp"

struct accel_device {
	std::unique_ptr<accel::backend> backend;
	unsigned generation = accel::fork_generation.load(std::memory_order_relaxed);
	std::atomic<unsigned> children{ 0 }; /* contexts and buffers */
	std::mutex text_mutex;			/* guards texts */
	std::map<accel_string, std::string> texts;	/* given out by accel_device_string() */
	std::mutex telemetry_mutex;		/* guards both: */
	accel::telemetry_reading telemetry;	/* the last one */
	std::int64_t telemetry_ns = 0;		/* when it was read; 0: never */
};

namespace accel
{

/* "card emu:3" */
inline std::string card_text(const backend &card)
{
	return "card " + card.name();
}

/* Counts a child of a device for as long as it lives. */
class child_count
{
public:
	explicit child_count(std::atomic<unsigned> &count) noexcept : count_(count)
	{
		count_.fetch_add(1);
	}
	child_count(const child_count &) = delete;
	child_count &operator=(const child_count &) = delete;
	~child_count() { count_.fetch_sub(1); }

private:
	std::atomic<unsigned> &count_;
};

/* Whether it was opened before a fork(), and so is the parent's. */
inline bool is_foreign(const accel_device &device) noexcept
{
	return device.generation != fork_generation.load(std::memory_order_relaxed);
}

constexpr const char *FOREIGN_TEXT = "the handle was made before fork() and belongs to the parent; "
				     "open the card again in the child";

/* What a handle was made from; stages and timelines have their own. */
inline const accel_device &device_of(const accel_device &device) noexcept
{
	return device;
}
template <typename Handle>
const accel_device &device_of(const Handle &handle) noexcept
{
	if constexpr (requires { handle.device; })
		return *handle.device;
	else
		return *handle.context->device;
}

template <typename Handle>
concept owned_handle = std::same_as<Handle, accel_device> || requires(const Handle &handle)
{
	handle.device->backend;
} || requires(const Handle &handle)
{
	handle.context->device;
};

/* Throws EINVAL if pointer, the object called what, is NULL; ENODEV for a handle of the parent. */
template <typename Object>
void require(const Object *pointer, const char *what)
{
	if (!pointer)
		throw failure(EINVAL, std::string(what) + ": NULL; pass a valid pointer");
	if constexpr (owned_handle<Object>) {
		if (is_foreign(device_of(*pointer)))
			throw failure(ENODEV, FOREIGN_TEXT);
	}
}

} // namespace accel
