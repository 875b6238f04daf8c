// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* Came in the same release as reliable long-term pins of private memory for reading (6.2). */
#include <linux/mm.h>

const unsigned int oac_probe = FOLL_INTERRUPTIBLE;
