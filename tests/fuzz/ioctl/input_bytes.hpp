// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// An input from its first byte to its last, so that what is put behind it changes nothing of what it
// means. Behind the end all is zero.
#pragma once

#include <cstdint>
#include <span>

namespace oac::fuzz
{

class input_bytes
{
public:
	explicit input_bytes(std::span<const std::uint8_t> bytes = {}) : left_(bytes) {}

	bool is_empty() const { return left_.empty(); }
	std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
	/* Little-endian, of so many bytes. */
	std::uint64_t number(std::size_t bytes)
	{
		std::uint64_t value = 0;

		for (std::size_t i = 0; i < bytes && !left_.empty(); i++) {
			value |= std::uint64_t{ left_.front() } << 8 * i;
			left_ = left_.subspan(1);
		}
		return value;
	}

private:
	std::span<const std::uint8_t> left_;
};

} // namespace oac::fuzz
