/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/* The kernel's names of integers, beside those for both sides. */
#ifndef OAC_TEST_SHIM_TYPES_H
#define OAC_TEST_SHIM_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include_next <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#endif
