/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 1: PCI identity, BARs, registers, boot handshake, doorbell pages.
 */
#ifndef OAC_HW_REGS_H
#define OAC_HW_REGS_H

#include "oac_types.h"

/* ---- PCI ---------------------------------------------------------------------------------- */

#define OAC_PCI_VENDOR_ID	0x1234	/* unassigned; shared with other software-only devices */
#define OAC_PCI_DEVICE_ID	0x0ac1
#define OAC_PCI_CLASS		0x120000 /* processing accelerator */

/* All BARs are 64 bits wide. */
#define OAC_BAR_REGS		0	/* registers, MSI-X table and PBA; never mapped to users */
#define OAC_BAR_LMEM		2	/* window on local memory, prefetchable */
#define OAC_BAR_DOORBELL	4	/* one page per queue; page 0 is the admin queue's */

#define OAC_BAR_REGS_SIZE	0x10000u
#define OAC_MSIX_TABLE_OFFSET	0x8000u
#define OAC_MSIX_PBA_OFFSET	0xc000u
#define OAC_MSIX_VECTORS	64	/* at most: a card may have fewer, a driver enable fewer, down to 1 */
#define OAC_MSIX_ADMIN_VECTOR	0

/* ---- Registers in BAR0 -------------------------------------------------------------------- */

#define OAC_REG_ID		0x0000	/* RO: OAC_ID_MAGIC */
#define OAC_REG_PROTOCOL	0x0004	/* RO: major << 16 | minor: the ROM's until RUNNING, then firmware's */
#define OAC_REG_CAP		0x0008	/* RO: see OAC_CAP_* */
#define OAC_REG_STATUS		0x000c	/* RO: see OAC_STATUS_* */
#define OAC_REG_POST_CODE	0x0010	/* RO: OAC_POST_*, the last step the ROM entered */
#define OAC_REG_BOOT_PROGRESS	0x0014	/* RO: 0..1000, permille of the boot in hand */
#define OAC_REG_BOOT_FAIL	0x0018	/* RO: OAC_FAIL_*, meaningful in state FAILED */
/* RO: resets since power-on: a generation number. See OAC_RESET_TAKEN_US. */
#define OAC_REG_RESET_COUNT	0x001c
#define OAC_REG_HEARTBEAT	0x0020	/* RO: moves while firmware runs */
#define OAC_REG_SERIAL_LO	0x0024	/* RO: same number as the Device Serial Number capability */
#define OAC_REG_SERIAL_HI	0x0028
#define OAC_REG_LMEM_SIZE_LO	0x002c	/* RO: bytes of local memory, all visible in BAR2 */
#define OAC_REG_LMEM_SIZE_HI	0x0030
#define OAC_REG_SECURITY_VERSION 0x0034	/* RO: images with a lower security version are refused */
#define OAC_REG_BOOT_ADDR_LO	0x0040	/* RW: bus address of the image */
#define OAC_REG_BOOT_ADDR_HI	0x0044
#define OAC_REG_BOOT_SIZE	0x0048	/* RW: bytes */
#define OAC_REG_BOOT_COMMAND	0x004c	/* WO: OAC_BOOT_*; legal in states ROM and FAILED */
#define OAC_REG_RESET		0x0050	/* WO: OAC_RESET_MAGIC resets the function: state ROM, all else lost */
#define OAC_REG_ADMIN_SQ_LO	0x0060	/* RW: bus address, page aligned; admin queue must be disabled */
#define OAC_REG_ADMIN_SQ_HI	0x0064
#define OAC_REG_ADMIN_CQ_LO	0x0068
#define OAC_REG_ADMIN_CQ_HI	0x006c
#define OAC_REG_ADMIN_DEPTH	0x0070	/* RW: entries, a power of two, OAC_ADMIN_DEPTH_MIN..MAX */
#define OAC_REG_ADMIN_CONTROL	0x0074	/* RW: OAC_ADMIN_CONTROL_ENABLE; 0->1 restarts both rings at 0 */
#define OAC_REG_CLOCK_LO	0x0080	/* RO: card time in ns; reading _LO latches _HI */
#define OAC_REG_CLOCK_HI	0x0084
/*
 * RO: low half of the last event's sequence number. While the admin queue is enabled, the admin
 * vector also interrupts when an event is new, once until this is read.
 */
#define OAC_REG_EVENT_SEQ	0x0088

/* Every register, once: X(name, access). A register that is not here does not exist. */
#define OAC_REGS(X) \
	X(ID, RO) X(PROTOCOL, RO) X(CAP, RO) X(STATUS, RO) X(POST_CODE, RO) X(BOOT_PROGRESS, RO) \
	X(BOOT_FAIL, RO) X(RESET_COUNT, RO) X(HEARTBEAT, RO) X(SERIAL_LO, RO) X(SERIAL_HI, RO) \
	X(LMEM_SIZE_LO, RO) X(LMEM_SIZE_HI, RO) X(SECURITY_VERSION, RO) X(BOOT_ADDR_LO, RW) \
	X(BOOT_ADDR_HI, RW) X(BOOT_SIZE, RW) X(BOOT_COMMAND, WO) X(RESET, WO) X(ADMIN_SQ_LO, RW) \
	X(ADMIN_SQ_HI, RW) X(ADMIN_CQ_LO, RW) X(ADMIN_CQ_HI, RW) X(ADMIN_DEPTH, RW) \
	X(ADMIN_CONTROL, RW) X(CLOCK_LO, RO) X(CLOCK_HI, RO) X(EVENT_SEQ, RO)

#define OAC_REG_ALL_ONES	0xffffffffu	/* no register of a living card reads like this */
#define OAC_ID_MAGIC		0x3143414fu	/* "OAC1" */

#define OAC_PROTOCOL_MAJOR_MASK	0xffff0000u
#define OAC_PROTOCOL_MAJOR_SHIFT 16
#define OAC_PROTOCOL_MINOR_MASK	0x0000ffffu

#define OAC_CAP_DOORBELL_PAGES_MASK	0x0000ffffu	/* pages in BAR4: queue ids 1..pages-1 */
#define OAC_CAP_DOORBELL_SHARED_MASK	0x00010000u	/* BAR4 is memory the card polls: obey ASLEEP */
/* A store into a page reaches that queue alone, whatever its value: a process may have the page. */
#define OAC_CAP_DOORBELL_ISOLATED_MASK	0x00020000u

#define OAC_STATUS_STATE_MASK		0x000000ffu	/* OAC_STATE_* */
#define OAC_STATUS_ADMIN_ERROR_MASK	0x00000100u	/* admin ring unusable (bad doorbell, DMA refused); reset heals */

#define OAC_STATE_ROM		0x00	/* waiting for a boot command */
#define OAC_STATE_LOADING	0x01
#define OAC_STATE_VERIFYING	0x02
#define OAC_STATE_STARTING	0x03
#define OAC_STATE_RUNNING	0x04	/* admin queue may be enabled */
#define OAC_STATE_FAILED	0x05	/* see BOOT_FAIL; a new BOOT_COMMAND is legal */
#define OAC_STATE_CRASHED	0x06	/* firmware gave up: nothing works until a reset */
#define OAC_STATES(X) X(ROM) X(LOADING) X(VERIFYING) X(STARTING) X(RUNNING) X(FAILED) X(CRASHED)

#define OAC_POST_RESET		0x10
#define OAC_POST_COPY_IMAGE	0x20
#define OAC_POST_CHECK_HEADER	0x30
#define OAC_POST_CHECK_SIGNATURE 0x38
#define OAC_POST_CHECK_HASHES	0x40
#define OAC_POST_CHECK_MANIFEST	0x48
#define OAC_POST_CONFIGURE	0x50
#define OAC_POST_RUNNING	0x60
#define OAC_POST_CODES(X) \
	X(RESET) X(COPY_IMAGE) X(CHECK_HEADER) X(CHECK_SIGNATURE) X(CHECK_HASHES) X(CHECK_MANIFEST) \
	X(CONFIGURE) X(RUNNING)

#define OAC_BOOT_HOST		0x1	/* image at BOOT_ADDR, BOOT_SIZE bytes */
#define OAC_BOOT_FLASH		0x2	/* image in the card's own flash */

#define OAC_RESET_MAGIC		0x52534554u	/* "RSET" */
/* So long after a reset was asked for RESET_COUNT is another, or the card ignores it. */
#define OAC_RESET_TAKEN_US	100

#define OAC_ADMIN_CONTROL_ENABLE_MASK	0x1u
#define OAC_ADMIN_DEPTH_MIN	2
#define OAC_ADMIN_DEPTH_MAX	64

/* Why a boot failed: X(name, text). */
#define OAC_FAIL_NONE		0x00
#define OAC_FAIL_NO_IMAGE	0x01
#define OAC_FAIL_DMA		0x02
#define OAC_FAIL_TRUNCATED	0x03
#define OAC_FAIL_MAGIC		0x04
#define OAC_FAIL_FORMAT		0x05
#define OAC_FAIL_FAMILY		0x06
#define OAC_FAIL_PROTOCOL	0x07
#define OAC_FAIL_SIGNATURE	0x08
#define OAC_FAIL_HASH		0x09
#define OAC_FAIL_ROLLBACK	0x0a
#define OAC_FAIL_MANIFEST	0x0b
#define OAC_FAIL_SELF_TEST	0x0c
#define OAC_FAILS(X) \
	X(NONE, "no failure") \
	X(NO_IMAGE, "no firmware image given and the flash slot is empty") \
	X(DMA, "the card could not read the image from host memory") \
	X(TRUNCATED, "the image is shorter than its header says") \
	X(MAGIC, "the file is not a firmware image") \
	X(FORMAT, "the image's format version or section table is not supported") \
	X(FAMILY, "the image is for another card family") \
	X(PROTOCOL, "the image speaks another protocol version than the card's ROM") \
	X(SIGNATURE, "the image is not signed by a key this card trusts") \
	X(HASH, "a section does not match its SHA-256") \
	X(ROLLBACK, "the image's security version is older than the card allows") \
	X(MANIFEST, "the image's manifest asks for what this card cannot do") \
	X(SELF_TEST, "the card failed its power-on self-test")

/* ---- Doorbell page (BAR4 + queue id * 4 KiB) ---------------------------------------------- */
/*
 * Where BAR4 is trapped, each store reaches the card at once. Where it is shared memory
 * (OAC_CAP_DOORBELL_SHARED_MASK) the card polls it; before it sleeps it sets ASLEEP and looks once
 * more. A host that finds ASLEEP set after its store (full fence between) repeats the store as a
 * trapped write; before that it may clear ASLEEP, for the card sets it anew when it next sleeps, and
 * until then all stores are seen. Nothing else in a page may be written.
 */
#define OAC_DB_SQ_TAIL		0x00	/* host: commands written, free-running 32-bit count */
#define OAC_DB_ARM		0x08	/* host, 64 bits: "interrupt me once completions != seen", see below */
#define OAC_DB_ASLEEP		0x10	/* card, shared doorbells only: non-zero, ring by trapped write */
#define OAC_DB_PAGE_SIZE	0x1000u

/*
 * ARM = sequence << 32 | completions seen. The sequence differs from the previous one, so that a
 * polled word tells a new request from an old one. One write buys at most one interrupt. A trapped
 * write always arms. The admin queue interrupts on each completion and has no ARM.
 */
#define OAC_DB_ARM_SEEN_MASK	0x00000000ffffffffull
#define OAC_DB_ARM_SEQ_SHIFT	32

#endif
