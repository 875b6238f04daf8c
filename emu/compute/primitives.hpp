// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// oneDNN primitives by shape: creating one takes milliseconds, so an engine keeps the last few.
// Private to emu/compute.
#pragma once

#include "engine.hpp"

#include <array>
#include <functional>
#include <list>

#include <dnnl.hpp>

namespace oac::compute
{

/* One compiled primitive with what is needed to feed it. */
struct primitive_entry {
	std::array<std::size_t, 16> key;
	dnnl::primitive run;
	dnnl::primitive pack; /* convolution: plain weights to the wanted layout */
	std::array<dnnl::memory, 3> memories; /* what run takes; data handles are set per call */
	dnnl::memory bias;
	dnnl::memory plain_weights;
	bool packs = false;
};

struct engine::cache {
	static constexpr std::size_t LIMIT = 32;

	dnnl::engine cpu{ dnnl::engine::kind::cpu, 0 };
	dnnl::stream stream{ cpu };
	std::list<primitive_entry> entries; /* most recently used first */

	/* The entry of this key, made by build() if need be; throws dnnl::error. */
	primitive_entry &get(const std::array<std::size_t, 16> &key,
			     const std::function<void(primitive_entry &)> &build);
};

/* The card's arithmetic takes one thread, the caller's: a host may run many cards. */
void use_one_thread();

} // namespace oac::compute
