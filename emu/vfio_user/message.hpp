// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// One vfio-user message, and how messages are put together from bytes that arrive in any pieces.
// Pure: no socket and no card, so that a fuzzer can drive it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <vfio_user/vfio_user.h>

#include "unique_fd.hpp"

namespace oac::vfio_user
{

struct message {
	vfio_user_header header{};
	std::vector<std::byte> payload;
	std::vector<unique_fd> fds;
	bool is_framed = true;		/* false: absurd size, the stream cannot go on */
	bool has_all_fds = true;	/* false: more descriptors came than a message may have */

	bool is_reply() const
	{
		return (header.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_TYPE_REPLY;
	}
};

class assembler
{
public:
	/*
	 * Where the next bytes go: what is missing of the header or of the payload, never more, so
	 * that descriptors received with them belong to this message. Empty once a message was not
	 * framed.
	 */
	std::span<std::byte> room();

	/* count bytes are in room(), fds came with them. The message, when that was its end. */
	std::optional<message> advance(std::size_t count, std::vector<unique_fd> fds);

	/* Some bytes of a message are there and others are not. */
	bool is_midway() const { return have_ > 0; }

private:
	message next_;
	std::size_t have_ = 0;
	bool is_over_ = false;
};

/* A reply's or request's bytes: header, then fixed part, then data. */
std::vector<std::byte> encode(const vfio_user_header &header, std::span<const std::byte> fixed,
			      std::span<const std::byte> data = {});

} // namespace oac::vfio_user
