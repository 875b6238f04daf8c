// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Small numbers from 1 up, each given out to one owner at a time, the lowest free one first. Not
// locked: its owner is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace accel::direct
{

class id_pool
{
public:
	explicit id_pool(std::uint32_t last = 0) : is_taken_(last), last_(last) {}
	std::optional<std::uint32_t> take()
	{
		for (std::size_t i = 0; i < last_; i++) {
			if (is_taken_[i])
				continue;
			is_taken_[i] = true;
			count_++;
			return static_cast<std::uint32_t>(i + 1);
		}
		return std::nullopt;
	}
	void give(std::uint32_t id)
	{
		if (id >= 1 && id <= is_taken_.size() && is_taken_[id - 1]) {
			is_taken_[id - 1] = false;
			count_--;
		}
	}
	/* Those taken stay so, beyond the new last one, too. */
	void set_last(std::uint32_t last)
	{
		last_ = last;
		if (is_taken_.size() < last)
			is_taken_.resize(last);
	}
	std::uint32_t count() const { return count_; }

private:
	std::vector<bool> is_taken_;
	std::uint32_t last_ = 0;
	std::uint32_t count_ = 0;
};

} // namespace accel::direct
