/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * For kernel/oac_check.c in user space: what it needs of the kernel's own headers, by their names, all
 * of it in here.
 */
#ifndef OAC_TEST_SHIM_KERNEL_H
#define OAC_TEST_SHIM_KERNEL_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include <linux/types.h>

#define U64_MAX			UINT64_MAX
#define PAGE_SIZE		4096ull

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define IS_ALIGNED(x, a)	(((x) & ((__typeof__(x))(a) - 1)) == 0)
#define PAGE_ALIGNED(x)		IS_ALIGNED(x, PAGE_SIZE)
#define BUILD_BUG_ON(is_wrong)	static_assert(!(is_wrong), #is_wrong)
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))

#define le16_to_cpu(x)		le16toh(x)
#define le32_to_cpu(x)		le32toh(x)
#define le64_to_cpu(x)		le64toh(x)

/* What the kernel does without -Wsign-conversion, it may do here. */
#define strnlen(text, most)	strnlen((const char *)(text), most)

#endif
