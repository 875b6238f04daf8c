/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 7: health and recovery, as drivers tell it. The card does not read this;
 * the kernel module and the user-space driver report in the same numbers, and tools give them names.
 */
#ifndef OAC_HW_HEALTH_H
#define OAC_HW_HEALTH_H

#include "oac_types.h"
#include "oac_telemetry.h"

/* What a card is good for now: X(name, text). */
#define OAC_HEALTH_UNKNOWN		0x0
#define OAC_HEALTH_OK			0x1
#define OAC_HEALTH_DEGRADED		0x2
#define OAC_HEALTH_NEEDS_RESET		0x3
#define OAC_HEALTH_NEEDS_FIRMWARE	0x4
#define OAC_HEALTH_FAILED		0x5
#define OAC_HEALTHS(X) \
	X(UNKNOWN, "being found out") \
	X(OK, "works") \
	X(DEGRADED, "works, with less speed or certainty") \
	X(NEEDS_RESET, "does not work until it is reset") \
	X(NEEDS_FIRMWARE, "does not work until it gets a firmware image") \
	X(FAILED, "does not work, and no reset helps")

/* In order of badness: a card that is being started does not work now, one that is degraded does. */
#define OAC_HEALTH_BADNESS(state) \
	((state) == OAC_HEALTH_UNKNOWN ? 2 : \
	 (state) == OAC_HEALTH_OK ? 0 : \
	 (state) == OAC_HEALTH_DEGRADED ? 1 : (state))

/*
 * Why: X(name, state, action, text). Of several that hold at once the one counts whose state is
 * worst, of these the one with the highest number.
 */
#define OAC_REASON_NONE			0x00
#define OAC_REASON_STARTING		0x01
#define OAC_REASON_SENSOR_DEAD		0x10
#define OAC_REASON_HOT			0x11
#define OAC_REASON_POWER_BRAKE		0x12
#define OAC_REASON_ECC_LOST		0x13
#define OAC_REASON_LINK_DEGRADED	0x14
#define OAC_REASON_HANG			0x20
#define OAC_REASON_SILENT		0x21
#define OAC_REASON_SELF_RESET		0x22
#define OAC_REASON_CRASHED		0x23
#define OAC_REASON_IMPLAUSIBLE		0x24
#define OAC_REASON_TOO_HOT		0x25
#define OAC_REASON_NO_FIRMWARE		0x30
#define OAC_REASON_BOOT_FAILED		0x31
#define OAC_REASON_SELF_TEST		0x40
#define OAC_REASON_WEDGED		0x41
#define OAC_REASON_GONE			0x42
#define OAC_REASONS(X) \
	X(NONE, OK, NONE, "nothing is wrong") \
	X(STARTING, UNKNOWN, WAIT, "it is booting, or being recovered") \
	X(SENSOR_DEAD, DEGRADED, NONE, "a sensor does not answer") \
	X(HOT, DEGRADED, CHECK_COOLING, "it is slowed down by temperature") \
	X(POWER_BRAKE, DEGRADED, CHECK_POWER, "it is slowed down by the power brake") \
	X(ECC_LOST, DEGRADED, RESET_CARD, "local memory lost data since the last reset") \
	X(LINK_DEGRADED, DEGRADED, CHECK_LINK, "its link is slower or narrower than it can be") \
	X(HANG, NEEDS_RESET, RESET_CARD, "commands do not come to an end") \
	X(SILENT, NEEDS_RESET, RESET_CARD, "its firmware does not answer") \
	X(SELF_RESET, NEEDS_RESET, RESET_CARD, "it has reset itself") \
	X(CRASHED, NEEDS_RESET, RESET_CARD, "its firmware gave up") \
	X(IMPLAUSIBLE, NEEDS_RESET, RESET_CARD, "it says what cannot be") \
	X(TOO_HOT, NEEDS_RESET, CHECK_COOLING, "a temperature is critical: its engines stand still") \
	X(NO_FIRMWARE, NEEDS_FIRMWARE, RELOAD_FIRMWARE, "no firmware runs") \
	X(BOOT_FAILED, NEEDS_FIRMWARE, RELOAD_FIRMWARE, "it refused its firmware image") \
	X(SELF_TEST, FAILED, REPLACE_CARD, "engines gave wrong answers to the self-test") \
	X(WEDGED, FAILED, POWER_CYCLE, "no reset that is allowed brought it back") \
	X(GONE, FAILED, RESCAN, "it does not answer on the bus")

/*
 * The ladder, mildest first; a rung is tried when the one before did not help: X(name, text). The
 * text says what is lost.
 */
#define OAC_RUNG_ABORT			0x0
#define OAC_RUNG_QUEUE			0x1
#define OAC_RUNG_CONTEXT		0x2
#define OAC_RUNG_SOFT_RESET		0x3
#define OAC_RUNG_FLR			0x4
#define OAC_RUNG_BUS_RESET		0x5
#define OAC_RUNG_FIRMWARE		0x6
#define OAC_RUNG_WEDGED			0x7
#define OAC_RUNGS(X) \
	X(ABORT, "the command at hand fails, and with it what is behind it in its queue") \
	X(QUEUE, "the queue is taken from the card") \
	X(CONTEXT, "the context, its queues and maps are taken from the card") \
	X(SOFT_RESET, "every context and all of local memory; host buffers, node and open files stay") \
	X(FLR, "as SOFT_RESET") \
	X(BUS_RESET, "as SOFT_RESET") \
	X(FIRMWARE, "as SOFT_RESET; the default image runs, not the one loaded last") \
	X(WEDGED, "nothing is tried any more until somebody asks for it")
#define OAC_RUNG_COUNT			8

/* What began a recovery: X(name, text). */
#define OAC_CAUSE_NONE			0x0
#define OAC_CAUSE_HANG			0x1
#define OAC_CAUSE_ADMIN			0x2
#define OAC_CAUSE_KEEP_ALIVE		0x3
#define OAC_CAUSE_SELF_RESET		0x4
#define OAC_CAUSE_CRASHED		0x5
#define OAC_CAUSE_IMPLAUSIBLE		0x6
#define OAC_CAUSE_GONE			0x7
#define OAC_CAUSE_PCI_ERROR		0x8
#define OAC_CAUSE_OPERATOR		0x9
#define OAC_CAUSE_RESUME		0xa
#define OAC_CAUSES(X) \
	X(NONE, "none yet") \
	X(HANG, "a queue had work and did not move") \
	X(ADMIN, "an admin command was not answered in time") \
	X(KEEP_ALIVE, "the heartbeat stood still twice in a row") \
	X(SELF_RESET, "the card had reset itself") \
	X(CRASHED, "firmware gave up") \
	X(IMPLAUSIBLE, "the card said what cannot be") \
	X(GONE, "registers read all ones") \
	X(PCI_ERROR, "the PCI core reported an error of the link") \
	X(OPERATOR, "somebody asked for it") \
	X(RESUME, "the host was suspended")

/* What a reset did to a context: X(name, text). */
#define OAC_LOST_NO			0x0
#define OAC_LOST_INNOCENT		0x1
#define OAC_LOST_GUILTY			0x2
#define OAC_LOSTS(X) \
	X(NO, "not lost") \
	X(INNOCENT, "lost with the card's reset: others were the cause") \
	X(GUILTY, "lost: a command of it was the cause")

/* Events that a driver adds to the card's: X(name, severity, action, text). */
#define OAC_EVENT_DRIVER		0x100	/* the first code of a driver's */
#define OAC_EVENT_MISSED		0x100
#define OAC_EVENT_RECOVERY		0x101
#define OAC_EVENT_RUNG			0x102
#define OAC_EVENT_RECOVERED		0x103
#define OAC_EVENT_HELD			0x104
#define OAC_EVENT_WEDGED		0x105
#define OAC_EVENT_CONTEXT_LOST		0x106
#define OAC_EVENT_PCI_ERROR		0x107
#define OAC_EVENT_LINK_DEGRADED		0x108
#define OAC_EVENT_GONE			0x109
#define OAC_EVENT_HEALTH		0x10a
#define OAC_EVENT_REMOVED		0x10b
#define OAC_DRIVER_EVENTS(X) \
	X(MISSED, WARNING, NONE, "the reader was too slow; arg is how many events it has missed") \
	X(RECOVERY, WARNING, WAIT, "recovery begins; arg is the cause") \
	X(RUNG, INFO, NONE, "a rung did not help; arg is the rung") \
	X(RECOVERED, INFO, NONE, "the card works again; arg is the rung that helped") \
	X(HELD, CARD_FATAL, RESET_CARD, "recovery is held for somebody to look; arg is the cause") \
	X(WEDGED, CARD_FATAL, POWER_CYCLE, "no rung helped; arg is the cause") \
	X(CONTEXT_LOST, CONTEXT_FATAL, NONE, "a context is lost; arg says how: OAC_LOST_*") \
	X(PCI_ERROR, WARNING, CHECK_LINK, "an error of the link; arg is the PCI core's channel state") \
	X(LINK_DEGRADED, WARNING, CHECK_LINK, "the link came up slower or narrower than it can be") \
	X(GONE, CARD_FATAL, RESCAN, "the card does not answer on the bus") \
	X(HEALTH, INFO, NONE, "the health state changed; arg is the new reason") \
	X(REMOVED, INFO, NONE, "the driver lets go of the card: last event")

#endif
