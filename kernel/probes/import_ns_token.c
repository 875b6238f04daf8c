// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* MODULE_IMPORT_NS() takes a token, later a string. */
#include <linux/module.h>

MODULE_IMPORT_NS(DMA_BUF);
