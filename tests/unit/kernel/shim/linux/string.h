/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
#include <linux/kernel.h>
