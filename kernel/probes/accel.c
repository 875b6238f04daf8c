// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* The accel class exists and is built into this kernel's DRM. */
#include <drm/drm_accel.h>
#include <drm/drm_drv.h>

#if !IS_ENABLED(CONFIG_DRM_ACCEL)
#error "no accel class in this configuration"
#endif

const struct file_operations oac_probe_fops = { .open = accel_open };
const struct drm_driver oac_probe_driver = { .driver_features = DRIVER_COMPUTE_ACCEL };
