// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Another process on the card that tells all its secrets but its memory: which ids, offsets and
// device addresses it has. It works when asked to, misbehaves when asked to, hands out a dma-buf
// when asked to, and otherwise waits to be attacked or killed.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

namespace isolation
{

/// What its memory is full of.
inline constexpr std::uint64_t secret = 0x5ec2e75ec2e75ec2;

class peer
{
public:
	struct secrets {
		std::uint32_t context, queue, handle, syncobj;
		std::uint64_t mmap_offset, doorbell_offset, address, size;
		std::int32_t dma_buf;	///< the number it has there
		std::uint32_t reserved;
	};

	/// Starts it on the node. Throws.
	explicit peer(const std::string &node);
	peer(const peer &) = delete;
	peer &operator=(const peer &) = delete;
	/// Ends it, if it is not dead already.
	~peer();

	const secrets &knows() const { return secrets_; }
	/// Has it look at its memory and do work. "" or what is wrong.
	std::string check();
	/// Descriptor of a dma-buf of its memory, passed over the socket; -1: it could not.
	int borrow();
	/// Garbage in its ring, and its doorbell rung.
	void misbehave();
	/// Fills its ring with work that never ends.
	void hang();
	void kill();

private:
	void ask(char what);

	pid_t child_ = -1;
	int end_ = -1;
	secrets secrets_ = {};
};

/// What the other process does: --peer NODE.
int serve_peer(const char *node);

} // namespace isolation
