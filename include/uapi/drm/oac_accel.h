/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* Copyright the OAC authors */
/*
 * Kernel <-> user interface of the oac module: /dev/accel/accelN, or a render node on kernels
 * without the accel class.
 *
 * Rules, kept by tests/abi
 *  - Fixed-width types, 64-bit aligned, explicit padding; layout equal for 32- and 64-bit callers.
 *  - Append only: structs grow at the end; a shorter struct from an old caller means zeroes, and
 *    zero means the old behaviour. Unknown flags and non-zero padding give EINVAL.
 *  - Arrays carry count and element stride; the kernel copies min(stride, own size) per element
 *    and zeroes the rest.
 *  - Pointers are __u64. Deadlines are absolute CLOCK_MONOTONIC nanoseconds, 0 = do not block.
 *  - Every ioctl is restartable. What a kernel can do is asked with DRM_OAC_INFO, not guessed from
 *    versions.
 *  - Numbers that the card defines (states, status codes, sensor ids, events) are those of
 *    include/hw and are not repeated here.
 *
 * Errors common to all: ENODEV the card is gone; EHOSTDOWN its firmware is not running (INFO and
 * FIRMWARE_LOAD still work); EFAULT a bad pointer; EINVAL as above; ENOENT no such id, or it
 * belongs to another open file; ETIME the card did not answer in time.
 *
 * Ids of contexts and queues are local to the open file. Closing the file destroys everything.
 */
#ifndef DRM_OAC_ACCEL_H
#define DRM_OAC_ACCEL_H

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_OAC_INFO_GET	0x00
#define DRM_OAC_CONTEXT_CREATE	0x01
#define DRM_OAC_CONTEXT_DESTROY	0x02
#define DRM_OAC_BO_CREATE	0x03
#define DRM_OAC_MAP		0x04
#define DRM_OAC_UNMAP		0x05
#define DRM_OAC_QUEUE_CREATE	0x06
#define DRM_OAC_QUEUE_DESTROY	0x07
#define DRM_OAC_QUEUE_WAIT	0x08
#define DRM_OAC_QUEUE_EVENTFD	0x09
#define DRM_OAC_FIRMWARE_LOAD	0x0a

/* Topics of DRM_OAC_INFO_GET and the element each returns. */
#define DRM_OAC_INFO_DEVICE	1	/* struct drm_oac_info_device, one */
#define DRM_OAC_INFO_SENSORS	2	/* struct drm_oac_info_sensor */
#define DRM_OAC_INFO_COUNTERS	3	/* struct drm_oac_info_counter */
#define DRM_OAC_INFO_EVENTS	4	/* struct drm_oac_info_event, oldest first from sequence start */

/**
 * struct drm_oac_info_get - read what the driver knows; needs no context and no privilege
 * Errors: EINVAL unknown topic.
 */
struct drm_oac_info_get {
	__u32 topic;		/* in: DRM_OAC_INFO_* */
	__u32 stride;		/* in: bytes per element at data */
	__u32 count;		/* in: elements that fit at data; out: elements written, or with
				 * in 0: elements there are */
	__u32 pad;
	__u64 start;		/* in: EVENTS: first sequence number wanted; else first index */
	__u64 data;		/* in: pointer */
};

struct drm_oac_info_device {
	__u8 model[32];
	__u64 serial;
	__u64 lmem_size;
	__u64 features;
	__u64 cmd_mask[4];
	__u64 op_mask[4];
	__u32 fw_version[3];
	__u32 security_version;
	__u32 engine_count;
	__u32 engine_clock_khz;
	__u32 max_contexts;
	__u32 max_queues;
	__u32 max_depth_log2;
	__u32 sensor_count;
	__u32 event_capacity;
	__u32 power_limit_mw;
	__u32 state;		/* OAC_STATE_* */
	__u32 boot_fail;	/* OAC_FAIL_*, counts in state FAILED */
	__u32 boot_progress;	/* permille */
	__u32 reset_count;
	__u32 protocol;		/* major << 16 | minor, spoken with the card */
	__s32 numa_node;	/* -1: unknown */
	__u32 contexts;		/* open now, over all clients */
	__u32 queues;
	__u32 pci_domain;
	__u8 pci_bus;
	__u8 pci_device;
	__u8 pci_function;
	__u8 pad;
};

struct drm_oac_info_sensor {
	__u16 id;
	__u16 type;
	__u16 absent;		/* OAC_ABSENT_*; value counts when OAC_ABSENT_NO */
	__u16 flags;		/* OAC_SENSOR_HAS_* */
	__s64 value;
	__s64 warn;
	__s64 critical;
	__u64 card_ns;
	__u8 label[24];
};

struct drm_oac_info_counter {
	__u32 id;
	__u32 pad;
	__u64 value;
};

struct drm_oac_info_event {
	__u64 seq;
	__u64 card_ns;
	__u64 arg;
	__u32 context;		/* the card's id; 0 = none */
	__u16 queue;
	__u16 code;
	__u8 severity;
	__u8 action;
	__u8 pad[6];
};

/**
 * struct drm_oac_context_create - an isolated device address space
 * Errors: ENOSPC the card has no context left.
 */
struct drm_oac_context_create {
	__u32 flags;		/* in: none yet */
	__u32 context;		/* out */
};

/* Destroys the context with its queues and maps. */
struct drm_oac_context_destroy {
	__u32 context;
	__u32 pad;
};

/**
 * struct drm_oac_bo_create - host memory the card can reach once it is mapped to a context
 * Zeroed. Freed with DRM_IOCTL_GEM_CLOSE; maps keep it alive.
 * Errors: EINVAL size 0 or not whole pages; E2BIG over 1 TiB; ENOMEM.
 */
struct drm_oac_bo_create {
	__u64 size;
	__u32 flags;		/* in: none yet */
	__u32 handle;		/* out: GEM handle */
	__u64 mmap_offset;	/* out: for mmap() on this file */
};

#define DRM_OAC_MAP_READ	0x1	/* the card may read */
#define DRM_OAC_MAP_WRITE	0x2	/* the card may write */

/**
 * struct drm_oac_map - make part of a buffer visible to a context
 * The caller picks the device address.
 * Errors: EINVAL misaligned, no rights, beyond the buffer or 48 bits; EEXIST the range overlaps a
 * map; ENOSPC the context has no segments left.
 */
struct drm_oac_map {
	__u32 context;
	__u32 handle;
	__u64 va;		/* page aligned; 0 is not a device address */
	__u64 offset;		/* into the buffer, page aligned */
	__u64 size;		/* whole pages */
	__u32 flags;		/* DRM_OAC_MAP_* */
	__u32 pad;
};

/**
 * struct drm_oac_unmap - take one map away; commands that touch it fault from now on
 * Errors: ENOENT: no map with exactly this range.
 */
struct drm_oac_unmap {
	__u32 context;
	__u32 pad;
	__u64 va;
	__u64 size;
};

/**
 * struct drm_oac_queue_create - a user-mode queue on rings in mapped memory
 * The caller zeroes the completion ring first, then maps the doorbell page (4 KiB, shared,
 * writable, not inherited over fork) at doorbell_offset and submits without the kernel.
 * Errors: EINVAL rings not mapped or misaligned, depth or priority out of range; EPERM a priority
 * above normal without CAP_SYS_NICE; ENOSPC no queue left.
 */
struct drm_oac_queue_create {
	__u32 context;
	__u32 depth_log2;
	__u64 sq_va;
	__u64 cq_va;
	__u64 tail_va;
	__u32 priority;
	__u32 flags;		/* in: none yet */
	__u32 queue;		/* out */
	__u32 pad;
	__u64 doorbell_offset;	/* out: for mmap() on this file */
};

struct drm_oac_queue_destroy {
	__u32 queue;
	__u32 pad;
};

/**
 * struct drm_oac_queue_wait - wait until completions != seen or the queue is in state ERROR
 * Works on the kernel's own progress page, never on the user's rings. deadline 0 = just look.
 * Errors: ETIMEDOUT; EINTR is restarted; ENODEV card lost; ENOENT also when the queue is destroyed
 * meanwhile. With 0, ETIMEDOUT and EINTR the out fields are set; with ENODEV, if the card was lost
 * during the wait.
 */
struct drm_oac_queue_wait {
	__u32 queue;
	__u32 seen;
	__u64 deadline_ns;
	__u32 completed;	/* out */
	__u32 state;		/* out: OAC_QUEUE_* */
	__u32 status;		/* out: OAC_ST_* of the failure in state ERROR */
	__u32 pad;
	__u64 fault_addr;	/* out */
};

/**
 * struct drm_oac_queue_eventfd - signal an eventfd on each interrupt of the queue
 * Interrupts are armed by the caller through its doorbell page.
 * fd -1 takes it away. Errors: EBADF.
 */
struct drm_oac_queue_eventfd {
	__u32 queue;
	__s32 fd;
};

/**
 * struct drm_oac_firmware_load - boot another image; needs CAP_SYS_ADMIN
 * Errors: EPERM; EBUSY contexts are open; EINVAL size 0; EFBIG over the image limit; EBADMSG the
 * card refused it, reason in fail; ETIME. After a refusal the card stays without firmware.
 */
struct drm_oac_firmware_load {
	__u64 data;		/* in: pointer to the image */
	__u64 size;
	__u32 flags;		/* in: none yet */
	__u32 fail;		/* out: OAC_FAIL_* */
};

#define DRM_IOCTL_OAC_INFO_GET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_INFO_GET, struct drm_oac_info_get)
#define DRM_IOCTL_OAC_CONTEXT_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_CONTEXT_CREATE, struct drm_oac_context_create)
#define DRM_IOCTL_OAC_CONTEXT_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_CONTEXT_DESTROY, struct drm_oac_context_destroy)
#define DRM_IOCTL_OAC_BO_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_BO_CREATE, struct drm_oac_bo_create)
#define DRM_IOCTL_OAC_MAP \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_MAP, struct drm_oac_map)
#define DRM_IOCTL_OAC_UNMAP \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_UNMAP, struct drm_oac_unmap)
#define DRM_IOCTL_OAC_QUEUE_CREATE \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_QUEUE_CREATE, struct drm_oac_queue_create)
#define DRM_IOCTL_OAC_QUEUE_DESTROY \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_QUEUE_DESTROY, struct drm_oac_queue_destroy)
#define DRM_IOCTL_OAC_QUEUE_WAIT \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_QUEUE_WAIT, struct drm_oac_queue_wait)
#define DRM_IOCTL_OAC_QUEUE_EVENTFD \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_QUEUE_EVENTFD, struct drm_oac_queue_eventfd)
#define DRM_IOCTL_OAC_FIRMWARE_LOAD \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_FIRMWARE_LOAD, struct drm_oac_firmware_load)

#if defined(__cplusplus)
}
#endif

#endif
