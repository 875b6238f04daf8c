// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Figures of ours: waiting, copying, opening, sharing. Each is in the file that its comment names.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "figure.hpp"

namespace bench
{

/* waits.cpp: asleep until the interrupt, the card on the host's core or on its own. */
figure noop_slept(bool is_same_core);

/* copies.cpp: cards copy at once, each so much, GB/s of all; to local memory where there is some. */
figure copy_on_cards(unsigned cards, std::size_t size);
/* 64 pieces of 4 KiB, scattered, in one submission; and the same in one piece. */
figure copy_scattered();
figure copy_in_one();
/*
 * On the chosen card: batches of no-ops behind a copy that takes longer than a wait polls, so that
 * accel_queue_wait() has to sleep.
 */
figure copy_waited(unsigned batch);
/* Host's half only, for counting: copies between mapped buffers, or no-ops, pushed and reaped. */
figure host_half(bool is_copy);

/* opening.cpp: 8 cards behind sockets. */
figure list_cards();
figure list_and_open();
/* What that may take: 8 x 30 reads of a sysfs attribute to list, one millisecond to open. */
figure list_bound_and_1ms();

/* sharing.cpp: of two contexts, with 1 and with 8 busy queues, what the first one gets. */
figure fair_share();
/* What it should get. */
figure fair_half();

} // namespace bench
