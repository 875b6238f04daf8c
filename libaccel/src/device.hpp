// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An opened card: its backend and the count of what was made from it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <accel/accel.h>

#include "backend.hpp"
#include "error.hpp"

struct accel_device {
	std::unique_ptr<accel::backend> backend;
	std::atomic<unsigned> children{ 0 }; /* contexts and buffers */
	std::mutex text_mutex;			/* guards texts */
	std::map<accel_string, std::string> texts;	/* given out by accel_device_string() */
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

/* Throws EINVAL if pointer, the object called what, is NULL. */
inline void require(const void *pointer, const char *what)
{
	if (!pointer)
		throw failure(EINVAL, std::string(what) + ": NULL; pass a valid pointer");
}

} // namespace accel
