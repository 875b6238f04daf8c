// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Figures of ours: commands that do nothing. See noop.cpp.
#pragma once

#include <memory>
#include <string>

#include "figure.hpp"

namespace bench
{

/* The card stepped by the measuring thread. flags: ACCEL_QUEUE_*. */
figure noop_inline(unsigned flags, unsigned batch);
/* The same, one command at a time, in turn over so many queues of so many cards. */
figure noop_inline_many(unsigned cards, unsigned queues);
/* The card by itself on its own core, the host polls. */
figure noop_polled(const std::string &suffix, std::function<std::string()> card_name);
figure noop_deep(const std::string &suffix, std::function<std::string()> card_name);
/* The same, waited for with accel_queue_wait(). */
figure noop_waited(unsigned batch);
/* Threads on one queue, and threads with a card each; in millions per second. */
figure noop_one_queue(unsigned threads);
figure noop_two_cards(unsigned threads);

} // namespace bench
