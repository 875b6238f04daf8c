// SPDX-License-Identifier: MIT
// Copyright the OAC authors
/*
 * Stands in for the real module when the VM harness tests itself. Needs a
 * module of the kernel's, so that dependencies are resolved, and warns when
 * told to, so that the scanner of kernel logs has something to find. What else
 * it can be told to do wrong, only the debug kernel notices.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_gem_shmem_helper.h>

static int warn_set(const char *value, const struct kernel_param *param)
{
	WARN(1, "deliberate: %p\n", drm_gem_shmem_create);
	return 0;
}

static const struct kernel_param_ops warn_ops = { .set = warn_set };
module_param_cb(warn, &warn_ops, NULL, 0200);

static int overrun_set(const char *value, const struct kernel_param *param)
{
	char *memory = kmalloc(32, GFP_KERNEL);
	volatile char *behind = memory + 32;

	if (!memory)
		return -ENOMEM;
	(void)*behind;
	kfree(memory);
	return 0;
}

static int leak_set(const char *value, const struct kernel_param *param)
{
	return kmalloc(64, GFP_KERNEL) ? 0 : -ENOMEM;
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static int deadlock_set(const char *value, const struct kernel_param *param)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static DEFINE_SPINLOCK(spin);

static int sleep_set(const char *value, const struct kernel_param *param)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
	return 0;
}

static const struct kernel_param_ops overrun_ops = { .set = overrun_set };
module_param_cb(overrun, &overrun_ops, NULL, 0200);
static const struct kernel_param_ops leak_ops = { .set = leak_set };
module_param_cb(leak, &leak_ops, NULL, 0200);
static const struct kernel_param_ops deadlock_ops = { .set = deadlock_set };
module_param_cb(deadlock, &deadlock_ops, NULL, 0200);
static const struct kernel_param_ops sleep_ops = { .set = sleep_set };
module_param_cb(sleep, &sleep_ops, NULL, 0200);

MODULE_DESCRIPTION("VM harness self-test");
MODULE_LICENSE("Dual MIT/GPL");
