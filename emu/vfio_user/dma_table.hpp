// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What the client has mapped for DMA: bus address ranges, the memory behind those that came with a
// descriptor, and the rights. Each file is mapped once however many ranges it backs (with a
// translating IOMMU in the guest every 4 KiB page is a range of its own). One thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <tuple>

#include <vfio_user/vfio_user.h>

#include "unique_fd.hpp"

namespace oac::vfio_user
{

/* How the bytes from an address on are reached. */
struct stretch {
	enum class way {
		direct,		/* memory */
		message,	/* ask the client; also for what was never mapped */
		refused,	/* mapped without that right */
	} by = way::message;
	std::span<std::byte> memory;
	std::uint64_t length = 0;	/* bytes reached that way, at least 1 */
};

class dma_table
{
public:
	/*
	 * A new map takes the place of what it overlaps. fd may be closed: then the range is
	 * reached by messages. 0 or -EINVAL (empty, wraps, beyond the file), -ENOSPC, mmap()'s.
	 */
	int map(const vfio_user_dma_map &range, unique_fd fd);
	/* Ranges that are not mapped, or only in part, are fine. last: the last address. */
	void unmap(std::uint64_t first, std::uint64_t last);
	void clear();

	bool overlaps(std::uint64_t first, std::uint64_t last) const;
	/* length > 0 and address + length does not wrap. */
	stretch look(std::uint64_t address, std::uint64_t length, bool is_write) const;

	std::size_t ranges() const { return ranges_.size(); }
	std::size_t files() const;

private:
	struct file {
		std::byte *base;
		std::uint64_t size;
		file(int fd, std::uint64_t offset, std::uint64_t length, bool is_writable);
		~file();
		file(const file &) = delete;
		file &operator=(const file &) = delete;
	};
	struct range {
		std::uint64_t last;
		std::uint64_t offset;	/* of the first byte in memory */
		std::uint32_t flags;
		std::shared_ptr<file> memory;	/* empty: by message */
	};
	using range_map = std::map<std::uint64_t, range>;
	using file_key = std::tuple<dev_t, ino_t, bool>;

	std::shared_ptr<file> open(const vfio_user_dma_map &request, int fd, std::uint64_t *offset);
	range_map::const_iterator first_touching(std::uint64_t first) const;
	std::uint64_t direct_length(range_map::const_iterator it, std::uint64_t last,
				    std::uint32_t need) const;

	range_map ranges_;	/* by first address, disjoint */
	std::map<file_key, std::weak_ptr<file>> files_;
};

} // namespace oac::vfio_user
