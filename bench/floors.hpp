// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Floors and peers: what this machine can do at all, and what io_uring makes of it.
#pragma once

#include <cstddef>

#include "figure.hpp"

namespace bench
{

figure ring_one_thread(unsigned batch);
figure ring_two_cores_depth1();
figure ring_published_tail(unsigned depth);
/* threads of them at once, each with a ring of its own. */
figure ring_threads(unsigned threads);
figure ping_pong();
figure ping_pong_eventfd_one_core();
figure poll_there_eventfd_back();
figure io_uring_nop(unsigned batch);
figure copy_memory(unsigned threads, std::size_t size);
figure read_sysfs();

} // namespace bench
