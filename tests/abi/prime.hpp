// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Tests with dma-bufs: a view of one, and buffers that become one and come from one.
#pragma once

#include "on_card.hpp"

#include <sys/mman.h>

namespace oac::abi
{

/* A mapping of a dma-buf itself. */
class view
{
public:
	view(int fd, std::size_t size) : size_(size)
	{
		base_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	~view()
	{
		if (is_valid())
			munmap(base_, size_);
	}
	view(const view &) = delete;
	view &operator=(const view &) = delete;
	bool is_valid() const { return base_ != MAP_FAILED; }
	volatile std::uint64_t &word(std::size_t offset) const
	{
		return *reinterpret_cast<volatile std::uint64_t *>(static_cast<char *>(base_) +
								   offset);
	}

private:
	void *base_;
	std::size_t size_;
};

class prime_test : public card_test
{
protected:
	static constexpr std::uint64_t at = 1 << 30;
	static constexpr std::uint32_t success = OAC_ST_SUCCESS;

	/* -1 or a descriptor. */
	int export_fd(const node &on, std::uint32_t handle, int err = 0) const;
	/* 0 or a handle. */
	std::uint32_t import_fd(const node &on, int fd, int err = 0) const;
	void close_handle(const node &on, std::uint32_t handle) const;
	/* Another card's node, or the empty string. */
	static std::string second_path();
	/* Another card, or -1. */
	static int open_second();
};

/* An open node of another DRM driver, or -1. */
int open_driver(const char *driver);

} // namespace oac::abi
