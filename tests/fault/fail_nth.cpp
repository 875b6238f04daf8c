// SPDX-License-Identifier: MIT
// Copyright the OAC authors
#include "fail_nth.hpp"

#include <cstdio>
#include <cstring>

#include <fcntl.h>

namespace oac::fault
{

namespace
{

abi::node open_node(const std::string &path)
{
	return abi::node(::open(path.c_str(), O_RDWR | O_CLOEXEC));
}

} // namespace

void fail_nth::SetUp()
{
	const auto found = abi::find_node();

	ASSERT_TRUE(injector_.is_there()) << "the kernel has no fail-nth";
	ASSERT_TRUE(found) << "no oac device node";
	path_ = *found;
	const abi::node dev = open_node(path_);
	ASSERT_EQ(dev.info().state, static_cast<std::uint32_t>(OAC_STATE_RUNNING));
	features_ = dev.info().driver_features;
	baseline_ = usage(dev);
}

void fail_nth::TearDown()
{
	if (!baseline_.empty())
		client(path_).expect_works();
}

bool fail_nth::has_feature(std::uint64_t feature) const
{
	return (features_ & feature) == feature;
}

void fail_nth::expect_nothing_held(const std::string &when)
{
	const abi::node dev = open_node(path_);

	EXPECT_EQ(usage(dev), baseline_) << when;
}

void fail_nth::fail_each(const maker &make, int fine, unsigned least)
{
	/* First without a failure: it works, and all it needs of this process is there. */
	for (unsigned nth = 0; nth < most_places; nth++) {
		auto one = std::make_unique<client>(path_);
		const call attempt = make(one);
		ASSERT_FALSE(HasFailure());
		const auto outcome = injector_.run(nth ? nth : never, attempt);
		const std::string when = "place " + std::to_string(nth);

		one.reset();
		repair();
		expect_nothing_held(when);
		if (!outcome.injected) {
			EXPECT_EQ(outcome.err, fine) << when;
			if (nth == 0)
				continue;
			std::printf("note: %u places\n", nth - 1);
			std::fflush(stdout);
			EXPECT_GE(nth - 1, least) << "there was not enough to fail";
			return;
		}
		EXPECT_TRUE(outcome.err == fine || is_sane(outcome.err))
			<< when << ": " << std::strerror(outcome.err);
		if (HasFailure())
			return;
	}
	FAIL() << "no end of places";
}

} // namespace oac::fault
