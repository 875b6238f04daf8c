// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// A card of a few registers in place of the model: it answers, does what a test hooks in, and lets
// the test look at what came.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include <model/card.hpp>

/* BAR0: plain 32-bit registers, but for these. Only 32-bit accesses are legal. */
inline constexpr std::uint64_t FAKE_INTERRUPT = 0x800;	/* write: raises this vector */
inline constexpr std::uint64_t FAKE_GO = 0x804;		/* write: on_step runs in the next step */
inline constexpr std::uint64_t FAKE_RESULT = 0x808;	/* what on_step returned, plus 1 */
inline constexpr std::uint64_t FAKE_BAR2_SIZE = 1 << 20;
inline constexpr std::uint64_t FAKE_BAR4_SIZE = 16 * 4096;

struct fake_hooks {
	/* In step(), after a write to FAKE_GO. */
	std::function<bool(oac::emu::card_port &)> on_step;
	std::atomic<unsigned> resets{ 0 };
	std::atomic<unsigned> doorbells{ 0 }; /* trapped stores, and polled changes */
	std::atomic<unsigned> sleeps{ 0 };
	std::atomic<bool> is_asleep{ false };
	std::uint64_t next_event_ns = 0;	/* 0: none */
};

/* The hooks of the card made next, and of those made before. */
extern fake_hooks *fake;
