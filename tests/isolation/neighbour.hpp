// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Somebody else who uses the card while a test misbehaves: does verified work all the time and
// tells if anything of it went wrong. Behind the kernel driver it is another process; a card of the
// direct backend has one client, so there it is a thread with a context of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "../api/fixture.hpp"

namespace isolation
{

/// The work: one context, memory full of known values, and commands on a part of it.
class worker
{
public:
	explicit worker(accel::device &device);
	/// Does some commands and looks at every byte. "" or what is wrong.
	std::string round();

private:
	accel::context context_;
	api::arena memory_;
	accel::queue queue_;
	api::arena::piece<std::uint64_t> still_, moving_;
	std::uint64_t count_ = 0;
};

class neighbour
{
public:
	virtual ~neighbour() = default;
	/// Has it do at least one more round from now. "" or what is wrong.
	virtual std::string check() = 0;
};

/// A thread in this process.
std::unique_ptr<neighbour> make_thread(accel::device &device);
/// This program again, with --neighbour.
std::unique_ptr<neighbour> make_process(const std::string &card);
/// What that program does: answers each byte on standard input with a line, until there is no more.
int serve(const char *card);

} // namespace isolation
