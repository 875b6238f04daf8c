// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
#include <drm/drm_drv.h>

const struct drm_driver oac_probe = { .date = "20260101" };
