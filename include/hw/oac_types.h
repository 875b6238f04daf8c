/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 0: types and the memory rules all other parts rely on.
 *
 * Everything the card defines stands once, in include/hw: kernel module, user-space driver,
 * emulator, tools and tests include these files as they are. They compile alone as kernel C,
 * C11 and C++20.
 *
 * Form: plain hexadecimal #defines (grep finds them), masks instead of bit-fields, structs of
 * fixed-width little-endian fields with explicit padding and an assert on every size, and X-lists
 * that carry names only: each user expands X(NOP) to OAC_CMD_NOP or whatever it needs.
 *
 * MMIO and DMA rules
 *  - Registers are 32 bits wide and naturally aligned; a 64-bit quantity is a _LO/_HI pair,
 *    written low half first; the write of _HI takes effect.
 *  - A register read of all ones where that value is illegal means that the card is gone.
 *  - Host publishes commands: fill entries, release fence, then write the SQ_TAIL doorbell.
 *  - Card publishes completions: write entries, fence, write the published tail (user) and the
 *    progress line (kernel), then raise an armed interrupt.
 *  - Host observes completions: load the published tail with acquire, then read entries.
 *  - Padding and reserved fields are written as zero; the card refuses anything else.
 */
#ifndef OAC_HW_TYPES_H
#define OAC_HW_TYPES_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/build_bug.h>
#elif !defined(__cplusplus)
#include <assert.h>
#endif

#if !defined(__KERNEL__) && (!defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
#error "user-space users of include/hw take __le fields as they are: little-endian hosts only"
#endif

#define OAC_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type " has a fixed size")
#define OAC_ASSERT_OFFSET(type, field, offset) \
	static_assert(__builtin_offsetof(type, field) == (offset), #type "." #field " has moved")

#define OAC_PAGE_SIZE		0x1000u
#define OAC_PAGE_SHIFT		12

/* Major: must be equal on both sides. Minor: the lower of both counts. */
#define OAC_PROTOCOL_MAJOR	1
#define OAC_PROTOCOL_MINOR	0

#endif
