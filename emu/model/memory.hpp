// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Backing memory of a BAR: a sparse memfd, mapped here and shared with whoever maps the BAR.
// Words that the other side writes at any time are read and written through load and store here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace oac::emu
{

class memory
{
public:
	memory(const char *name, std::uint64_t size);
	~memory();
	memory(const memory &) = delete;
	memory &operator=(const memory &) = delete;

	std::byte *data() const { return data_; }
	std::uint64_t size() const { return size_; }
	int fd() const { return fd_; }

	bool contains(std::uint64_t offset, std::uint64_t length) const
	{
		return offset <= size_ && length <= size_ - offset;
	}

	/* All zeros again, and the pages given back where that is worth it. */
	void scrub() { scrub(0, size_); }
	void scrub(std::uint64_t offset, std::uint64_t length);

	/* offset is inside and aligned: the caller's own arithmetic, never a guest's. */
	template <typename Word>
	Word load(std::uint64_t offset) const
	{
		return word<Word>(offset).load(std::memory_order_acquire);
	}

	template <typename Word>
	void store(std::uint64_t offset, Word value)
	{
		word<Word>(offset).store(value, std::memory_order_release);
	}

private:
	template <typename Word>
	std::atomic_ref<Word> word(std::uint64_t offset) const
	{
		return std::atomic_ref<Word>(*reinterpret_cast<Word *>(data_ + offset));
	}

	int fd_;
	std::uint64_t size_;
	std::byte *data_;
};

} // namespace oac::emu
