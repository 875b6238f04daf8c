// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See dma_table.hpp.
#include "dma_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace oac::vfio_user
{

static constexpr std::size_t MAX_RANGES = 1u << 20;

dma_table::file::file(int fd, std::uint64_t offset, std::uint64_t length, bool is_writable)
	: base(nullptr), size(length)
{
	const int rights = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *at = mmap(nullptr, length, rights, MAP_SHARED, fd, static_cast<off_t>(offset));
	if (at == MAP_FAILED)
		throw std::system_error(errno, std::generic_category(), "mmap");
	base = static_cast<std::byte *>(at);
}

dma_table::file::~file()
{
	munmap(base, size);
}

/*
 * A regular file (memfd, hugetlbfs) is mapped whole and once; while it is mapped its inode number
 * is not used again. What has no size of its own (a dma-buf) is mapped range by range.
 */
std::shared_ptr<dma_table::file> dma_table::open(const vfio_user_dma_map &request, int fd,
						 std::uint64_t *offset)
{
	struct stat info;
	const int mode = fcntl(fd, F_GETFL);
	if (mode < 0 || fstat(fd, &info))
		throw std::system_error(errno, std::generic_category(), "fstat");
	const bool is_writable = (mode & O_ACCMODE) == O_RDWR;
	if (!is_writable && (request.flags & VFIO_USER_DMA_MAP_WRITE))
		throw std::system_error(EACCES, std::generic_category(), "read-only file");
	if (!S_ISREG(info.st_mode)) {
		*offset = 0;
		return std::make_shared<file>(fd, request.offset, request.size, is_writable);
	}
	const auto size = static_cast<std::uint64_t>(info.st_size);
	if (request.offset > size || request.size > size - request.offset)
		throw std::system_error(EINVAL, std::generic_category(), "beyond the file");
	*offset = request.offset;
	auto &slot = files_[file_key(info.st_dev, info.st_ino, is_writable)];
	auto known = slot.lock();
	if (!known || known->size < size) {
		known = std::make_shared<file>(fd, 0, size, is_writable);
		slot = known;
	}
	return known;
}

int dma_table::map(const vfio_user_dma_map &request, unique_fd fd)
{
	if (request.size == 0 || request.size - 1 > UINT64_MAX - request.address)
		return -EINVAL;
	if (ranges_.size() >= MAX_RANGES)
		return -ENOSPC;
	range added{ request.address + (request.size - 1), 0, request.flags, nullptr };
	if (fd.is_open()) {
		try {
			added.memory = open(request, fd.get(), &added.offset);
		} catch (const std::system_error &e) {
			return -e.code().value();
		}
	}
	unmap(request.address, added.last);
	ranges_.emplace(request.address, std::move(added));
	return 0;
}

/* The range that holds address, or else the next one behind it. */
dma_table::range_map::const_iterator dma_table::first_touching(std::uint64_t address) const
{
	auto it = ranges_.upper_bound(address);
	if (it != ranges_.begin() && std::prev(it)->second.last >= address)
		--it;
	return it;
}

void dma_table::unmap(std::uint64_t first, std::uint64_t last)
{
	auto it = first_touching(first);
	while (it != ranges_.end() && it->first <= last) {
		const std::uint64_t start = it->first;
		range old = it->second;
		it = ranges_.erase(it);
		if (old.last > last) {
			range tail = old;
			tail.offset += last + 1 - start;
			ranges_.emplace(last + 1, std::move(tail));
		}
		if (start < first) {
			old.last = first - 1;
			ranges_.emplace(start, std::move(old));
		}
	}
	std::erase_if(files_, [](const auto &item) { return item.second.expired(); });
}

void dma_table::clear()
{
	ranges_.clear();
	files_.clear();
}

bool dma_table::overlaps(std::uint64_t first, std::uint64_t last) const
{
	const auto it = first_touching(first);
	return it != ranges_.end() && it->first <= last;
}

/* The last address up to which memory goes on without a seam, also over ranges that continue. */
std::uint64_t dma_table::direct_length(range_map::const_iterator it, std::uint64_t last,
				       std::uint32_t need) const
{
	std::uint64_t end = it->second.last;
	while (end < last) {
		const auto next = std::next(it);
		if (next == ranges_.end() || next->first != end + 1 ||
		    next->second.memory != it->second.memory || !(next->second.flags & need) ||
		    next->second.offset != it->second.offset + (next->first - it->first))
			break;
		end = next->second.last;
		it = next;
	}
	return std::min(end, last);
}

stretch dma_table::look(std::uint64_t address, std::uint64_t length, bool is_write) const
{
	const std::uint64_t last = address + (length - 1);
	const std::uint32_t need = is_write ? VFIO_USER_DMA_MAP_WRITE : VFIO_USER_DMA_MAP_READ;
	const auto it = first_touching(address);
	stretch found;
	if (it == ranges_.end() || it->first > address) {
		found.length = it == ranges_.end() || it->first > last ? length :
									 it->first - address;
		return found;
	}
	const range &hit = it->second;
	found.length = std::min(hit.last, last) - address + 1;
	if (!(hit.flags & need)) {
		found.by = stretch::way::refused;
	} else if (hit.memory) {
		found.by = stretch::way::direct;
		found.length = direct_length(it, last, need) - address + 1;
		found.memory = { hit.memory->base + hit.offset + (address - it->first),
				 found.length };
	}
	return found;
}

std::size_t dma_table::files() const
{
	return files_.size();
}

} // namespace oac::vfio_user
