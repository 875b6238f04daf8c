/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * All differences between kernels, by what the probes in probes/ found (OAC_HAS_*), never by
 * version number: stable kernels carry backports.
 */
#ifndef OAC_COMPAT_H
#define OAC_COMPAT_H

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/mm.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "oac_features.h"

#ifdef OAC_HAS_ACCEL
#include <drm/drm_accel.h>
#define OAC_DRIVER_NODE		DRIVER_COMPUTE_ACCEL
#define OAC_FOPS_OPEN		accel_open
#else
/* No accel class: a render node, which ioctls marked DRM_RENDER_ALLOW work on. */
#define OAC_DRIVER_NODE		DRIVER_RENDER
#define OAC_FOPS_OPEN		drm_open
#endif

/* GEM's offsets fill 64 bits; where the flag exists, DRM refuses files without it. */
#ifdef OAC_HAS_FOP_UNSIGNED_OFFSET
#define OAC_FOPS_FLAGS		.fop_flags = FOP_UNSIGNED_OFFSET,
#else
#define OAC_FOPS_FLAGS
#endif

/* Where DRM prints its own keys of fdinfo and asks for the driver's; else all are ours. */
#ifdef OAC_HAS_DRM_SHOW_FDINFO
#define OAC_FOPS_FDINFO		.show_fdinfo = drm_show_fdinfo,
#define OAC_DRIVER_FDINFO	.show_fdinfo = oac_client_fdinfo,
#else
#define OAC_FOPS_FDINFO		.show_fdinfo = oac_file_show_fdinfo,
#define OAC_DRIVER_FDINFO
#endif

/* Namespaces are strings, once tokens. */
#ifdef OAC_HAS_IMPORT_NS_TOKEN
#define OAC_IMPORT_DMA_BUF	MODULE_IMPORT_NS(DMA_BUF)
#else
#define OAC_IMPORT_DMA_BUF	MODULE_IMPORT_NS("DMA_BUF")
#endif

/* How a dma-buf is taken back from its importers: renamed, because "move" promised too little. */
#ifdef OAC_HAS_DMA_BUF_INVALIDATE_MAPPINGS
#define OAC_ATTACH_INVALIDATE	.invalidate_mappings
#define oac_dma_buf_invalidate	dma_buf_invalidate_mappings
#else
#define OAC_ATTACH_INVALIDATE	.move_notify
#define oac_dma_buf_invalidate	dma_buf_move_notify
#endif

/* Does a long-term pin for reading give private memory pages of its own first? */
#ifdef OAC_HAS_FOLL_INTERRUPTIBLE
#define OAC_PIN_UNSHARES	true
#else
#define OAC_PIN_UNSHARES	false
#endif

#ifdef OAC_HAS_DRM_DRIVER_DATE
#define OAC_DRIVER_DATE		.date = "20260101",
#else
#define OAC_DRIVER_DATE
#endif

#ifndef OAC_HAS_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}
#endif

/* The device behind our node: uevents come from there. */
static inline struct device *oac_node_device(struct drm_device *drm)
{
#ifdef OAC_HAS_ACCEL
	return drm->accel->kdev;
#else
	return drm->render->kdev;
#endif
}

static inline u64 oac_client_id(struct drm_file *drm_file)
{
#ifdef OAC_HAS_DRM_SHOW_FDINFO
	return drm_file->client_id;
#else
	static atomic64_t last = ATOMIC64_INIT(0);

	return atomic64_inc_return(&last);
#endif
}

static inline void oac_eventfd_signal(struct eventfd_ctx *eventfd)
{
#ifdef OAC_HAS_EVENTFD_SIGNAL_1
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

#endif
