// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See primitives.hpp.
#include "primitives.hpp"

#include <omp.h>

namespace oac::compute
{

primitive_entry &engine::cache::get(const std::array<std::size_t, 16> &key,
				    const std::function<void(primitive_entry &)> &build)
{
	for (auto it = entries.begin(); it != entries.end(); ++it) {
		if (it->key == key) {
			entries.splice(entries.begin(), entries, it);
			return entries.front();
		}
	}
	primitive_entry fresh;
	fresh.key = key;
	build(fresh);
	entries.push_front(std::move(fresh));
	if (entries.size() > LIMIT)
		entries.pop_back();
	return entries.front();
}

void use_one_thread()
{
	/* The setting belongs to the calling thread, so it costs other threads nothing. */
	static thread_local const bool once = (omp_set_num_threads(1), true);

	(void)once;
}

engine::engine() : cache_(std::make_unique<cache>())
{
}

engine::~engine() = default;

} // namespace oac::compute
