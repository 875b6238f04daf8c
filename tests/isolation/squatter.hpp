// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Another process that opens a card through the library, if it may, and leaves a mark in as much of
// the card's local memory as surely overlaps with what the next one asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <sys/types.h>

#include "../api/fixture.hpp"

namespace isolation
{

/// Local memory of a card, mapped to a context of its own.
class local_area
{
public:
	/// More than half of what is free, so that any two of them have memory in common, one after
	/// the other. Throws.
	explicit local_area(accel::device &device);
	~local_area();
	local_area(const local_area &) = delete;
	local_area &operator=(const local_area &) = delete;

	std::uint64_t size() const { return size_; }
	/// Has the card write the mark all over it. "" or what is wrong.
	std::string mark();
	/// Has the card copy it to the host and looks at it. "" or what is wrong.
	std::string find_anything();

private:
	struct release {
		void operator()(accel_buffer *buffer) const { accel_buffer_free(buffer); }
	};
	static constexpr std::size_t piece = 4 << 20;	/* looked at at once */

	static std::uint64_t size_for(accel::device &device);

	accel::context context_;
	std::uint64_t size_, address_ = 0;
	std::unique_ptr<accel_buffer, release> buffer_;
	api::arena host_;
	api::arena::piece<std::uint64_t> copy_;
	accel::queue queue_;
};

/// The other process.
class squatter
{
public:
	explicit squatter(const std::string &card);
	squatter(const squatter &) = delete;
	squatter &operator=(const squatter &) = delete;
	~squatter();

	/// What it said: "marked N bytes", or why not.
	const std::string &line() const { return line_; }
	pid_t pid() const { return child_; }
	void kill();

private:
	pid_t child_ = -1;
	int end_ = -1;
	std::string line_;
};

/// What it does: --squatter CARD.
int serve_squatter(const char *card);

} // namespace isolation
