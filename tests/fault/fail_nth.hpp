// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What every test here does: a call, again and again with another of its places failing, until it
// has no such place left. Each time the error must be one that tells the truth, and afterwards
// nothing may be held that was not held before.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "client.hpp"
#include "injector.hpp"

namespace oac::fault
{

class fail_nth : public testing::Test
{
protected:
	using call = std::function<int()>;
	/* Prepares a client and returns the call to be tried on it. */
	using maker = std::function<call(std::unique_ptr<client> &)>;

	void SetUp() override;
	void TearDown() override;

	/* fine: what the call returns when all is well; least: so many places it has for sure. */
	void fail_each(const maker &make, int fine = 0, unsigned least = 1);

	/* After each attempt, before what is held is compared. */
	virtual void repair() {}

	const injector &inject() const { return injector_; }
	const std::string &path() const { return path_; }
	bool has_feature(std::uint64_t feature) const;
	/* The driver's counts are what they were. */
	void expect_nothing_held(const std::string &when);
	static bool is_sane(int err) { return err == ENOMEM || err == EFAULT; }
	/* Without memory the PCI core says EBUSY of regions, ENODEV and ENOSPC of interrupts. */
	static bool is_sane_of_probe(int err)
	{
		return is_sane(err) || err == EBUSY || err == ENODEV || err == ENOSPC;
	}
	/* More places than any call has; meets none of them. */
	static constexpr unsigned never = 1 << 30;
	static constexpr unsigned most_places = 5000;

private:
	injector injector_;
	std::string path_;
	std::string baseline_;
	std::uint64_t features_ = 0;
};

} // namespace oac::fault
