// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
#include <linux/fs.h>

const struct file_operations oac_probe = { .fop_flags = FOP_UNSIGNED_OFFSET };
