/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * How libaccel gets an emulated card into its own process: libaccel-emu.so, loaded with dlopen()
 * when ACCEL_EMU is set, exports these functions. The card is reached through a connected socket
 * on which it speaks vfio-user, byte for byte what an accel-emu server speaks; so libaccel has one
 * bus for both, and links neither the card's model nor the libraries it computes with.
 */
#ifndef ACCEL_EMU_H
#define ACCEL_EMU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACCEL_EMU_LIBRARY "libaccel-emu.so.0"

struct accel_emu_card;

/*
 * Powers up an emulated card on a thread of its own. index: 0, 1, 2 ...: gives serial and name.
 * *fd: the caller's end of the connection, to be closed by the caller; *card: for
 * accel_emu_card_stop(). Returns 0, -ENOMEM, -EMFILE, -EAGAIN (no thread).
 * Thread-safe.
 */
int accel_emu_card_start(unsigned index, int *fd, struct accel_emu_card **card);

/* Ends the thread and frees the card; its memory is gone when this returns. NULL is allowed. */
void accel_emu_card_stop(struct accel_emu_card *card);

/*
 * For measurements: what a command costs on one thread, with no other in between. Card index as last
 * started in this process, NULL if none is. Take parks the card's thread; from then on the caller is
 * the card's thread and step does a piece of its work (1: there is more to do, 0: there is none).
 * While it is taken, calls that talk to the card (create, map, telemetry) block: set up before.
 * Give lets the thread go on. One taker at a time; 0 or -EBUSY.
 */
struct accel_emu_card *accel_emu_card_find(unsigned index);
int accel_emu_card_take(struct accel_emu_card *card);
int accel_emu_card_step(struct accel_emu_card *card);
void accel_emu_card_give(struct accel_emu_card *card);

/*
 * Faults, sensors and the event log of a card, by the requests that accel-emu's control socket takes: one
 * JSON object in, one JSON object back, see docs/emulator.md. Writes the reply with its NUL, cut
 * off at size. Returns the reply's length, -EINVAL (no JSON object; NULL card) or -ENOMEM. What is
 * wrong with a request is in the reply. Any thread; not while the card is taken by another.
 */
int accel_emu_card_control(struct accel_emu_card *card, const char *request, char *reply,
			   unsigned long size);

#ifdef __cplusplus
}
#endif

#endif
