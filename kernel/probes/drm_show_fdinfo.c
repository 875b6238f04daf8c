// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* DRM numbers its clients and prints its own keys of fdinfo. */
#include <linux/fs.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

const struct file_operations oac_probe_fops = { .show_fdinfo = drm_show_fdinfo };

unsigned long long oac_probe(struct drm_driver *driver, struct drm_file *file);
unsigned long long oac_probe(struct drm_driver *driver, struct drm_file *file)
{
	driver->show_fdinfo(NULL, file);
	return file->client_id;
}
