// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A connection as the endpoint sees it: whole messages out and in. Second implementation: the one
// in memory that tests and fuzzers use.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "message.hpp"

namespace oac::vfio_user
{

class channel
{
public:
	virtual ~channel() = default;
	/* One message, in one piece. false: the connection is gone. fd: goes along, -1 = none. */
	virtual bool send(std::span<const std::byte> bytes, int fd) = 0;
	/* The next message; nothing when time is up, the peer is gone or the server is to stop. */
	virtual std::optional<message> receive(std::chrono::milliseconds timeout) = 0;
};

} // namespace oac::vfio_user
