// SPDX-License-Identifier: MIT
// Copyright the OAC authors
/*
 * Stands in for the real module when the VM harness tests itself. Needs a
 * module of the kernel's, so that dependencies are resolved, and warns when
 * told to, so that the scanner of kernel logs has something to find.
 */
#include <linux/module.h>
#include <drm/drm_gem_shmem_helper.h>

static int warn_set(const char *value, const struct kernel_param *param)
{
	WARN(1, "deliberate: %p\n", drm_gem_shmem_create);
	return 0;
}

static const struct kernel_param_ops warn_ops = { .set = warn_set };
module_param_cb(warn, &warn_ops, NULL, 0200);

MODULE_DESCRIPTION("VM harness self-test");
MODULE_LICENSE("Dual MIT/GPL");
