// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What lasts longer than one run of fuzz_ioctl: the cards, which must be well and hold nothing when a
// run has ended; memory that calls may point to; and how much of the time calls may take that
// reset a card.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <device.hpp>

namespace oac::fuzz
{

class guest_cards
{
public:
	/* Ends the program where there is no card, or something is not as it has to be. */
	guest_cards();

	std::size_t count() const { return paths_.size(); }
	const std::string &path(std::size_t card) const { return paths_[card % paths_.size()]; }

	/* For calls to point to; the memory outside of it stays as it is whatever they write. */
	static constexpr std::size_t arena_size = 64 * 4096;
	std::uint64_t arena() const { return reinterpret_cast<std::uintptr_t>(arena_); }
	/* Beginning with the arena's own: good and bad ones. */
	const std::vector<std::uint64_t> &pointers() const { return pointers_; }
	/* A firmware image, and one that is not whole. */
	std::uint64_t image(bool is_good) const;
	std::uint64_t image_size() const { return image_size_; }

	/* What may take seconds is not let in as long as such calls had more than their share. */
	bool may_take_long() const;
	/* Of these: what of it was spent. */
	void took(std::chrono::steady_clock::duration time) { spent_ += time; }

	/* Everything is closed: the cards are well, or will be soon; else the fuzzer has found something. */
	void expect_well();
	void expect_nothing_held();
	/* Has the kernel complained since we began, as far as its taint tells? */
	void expect_no_complaint() const;

private:
	void make_arena();
	void mend(const abi::node &card) const;

	std::vector<std::string> paths_;
	std::vector<std::unique_ptr<abi::node>> open_;
	std::vector<std::map<std::string, long>> held_;
	const char *image_ = nullptr, *bad_image_ = nullptr;
	std::size_t image_size_ = 0;
	std::vector<std::uint64_t> pointers_;
	char *arena_ = nullptr;
	std::string taint_;
	std::chrono::steady_clock::time_point begin_;
	std::chrono::steady_clock::duration spent_{};
};

} // namespace oac::fuzz
