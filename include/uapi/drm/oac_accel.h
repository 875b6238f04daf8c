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
 * Memory, fences and sharing use DRM's own ioctls where it has them: GEM_CLOSE, PRIME_HANDLE_TO_FD
 * and PRIME_FD_TO_HANDLE (dma-buf), SYNCOBJ_* (fences, timelines, sync_file).
 *
 * Sharing: host and local buffers are exported, and whoever has the dma-buf may mmap() it. A buffer
 * on user memory or of an import gives EOPNOTSUPP. An import has no mmap() here: use the dma-buf.
 * EINVAL: an import that is not made of whole pages.
 *
 * Local memory for another card, or another driver's device: by an import, where the kernel knows a
 * path (CONFIG_PCI_P2PDMA; both below one PCIe switch, or a host bridge on its list) and the driver
 * takes memory without pages that may be taken back. Else EOPNOTSUPP: copy through host memory. It
 * is taken back when its card is lost or gets other firmware: maps of it stay where they are, but
 * commands that touch them fault, MAP gives ESTALE, and a new import ESTALE or ENODEV.
 *
 *
 * Who may see what: totals of a card are for everybody who may open it. What a client holds and
 * spent, and its pid, is for the same user and for CAP_SYS_ADMIN: others' are not listed.
 *
 * Limits: those of the card give ENOSPC; those per user or context give EDQUOT and do not bind
 * CAP_SYS_RESOURCE. Where a struct has an out field limit, it names the one that was met.
 *
 * Errors common to all: ENODEV the card is gone; EHOSTDOWN its firmware is not running, or it is
 * being recovered (INFO, EVENTS_OPEN, RESET and FIRMWARE_LOAD still work); ESTALE the context, or
 * the queue's, was lost when the card was reset: destroy it and make another; EFAULT a bad pointer;
 * EINVAL as above; ENOENT no such id, or it belongs to another open file; ETIME the card did not
 * answer in time.
 *
 * Recovery: a card that hangs, lies or falls silent is brought back by the driver, rung by rung
 * (OAC_RUNG_*). Node, open files and buffers stay; contexts do not survive a reset of the card and
 * say whether they were guilty. Contents of local memory are gone: such buffers are stale. Whoever
 * waits is woken at once. Nobody needs a right to see health and events.
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
#define DRM_OAC_BO_USERPTR	0x0b
#define DRM_OAC_QUEUE_SUBMIT	0x0c
#define DRM_OAC_QUEUE_FENCE	0x0d
#define DRM_OAC_SYNC_STORE	0x0e
#define DRM_OAC_EVENTS_OPEN	0x0f
#define DRM_OAC_RESET		0x10
#define DRM_OAC_SELF_TEST	0x11

/* Limits, as out fields name them: X(name, text). */
#define DRM_OAC_LIMIT_NONE		0
#define DRM_OAC_LIMIT_CARD_CONTEXTS	1
#define DRM_OAC_LIMIT_CARD_QUEUES	2
#define DRM_OAC_LIMIT_CARD_SEGMENTS	3
#define DRM_OAC_LIMIT_LOCAL_MEMORY	4
#define DRM_OAC_LIMIT_USER_CONTEXTS	5
#define DRM_OAC_LIMIT_USER_QUEUES	6
#define DRM_OAC_LIMIT_USER_LOCAL	7
#define DRM_OAC_LIMIT_USER_HOST		8
#define DRM_OAC_LIMIT_PINNED		9
#define DRM_OAC_LIMIT_CONTEXT_QUEUES	10
#define DRM_OAC_LIMIT_CONTEXT_MAPS	11
#define DRM_OAC_LIMITS(X) \
	X(CARD_CONTEXTS, "contexts of the card") \
	X(CARD_QUEUES, "queues of the card") \
	X(CARD_SEGMENTS, "mapped segments of a context on the card") \
	X(LOCAL_MEMORY, "contiguous free local memory of the card") \
	X(USER_CONTEXTS, "contexts per user, module parameter user_contexts") \
	X(USER_QUEUES, "queues per user, module parameter user_queues") \
	X(USER_LOCAL, "local memory per user, module parameter user_local_mib") \
	X(USER_HOST, "host buffers per user, module parameter user_host_mib") \
	X(PINNED, "locked memory of the process, RLIMIT_MEMLOCK") \
	X(CONTEXT_QUEUES, "queues per context, module parameter context_queues") \
	X(CONTEXT_MAPS, "maps per context, module parameter context_maps")

/* What this kernel, module and card can do together: drm_oac_info_device.driver_features. */
#define DRM_OAC_FEATURE_USER_SUBMIT	0x01	/* doorbells may be mapped; else KERNEL_SUBMIT only */
#define DRM_OAC_FEATURE_KERNEL_SUBMIT	0x02
#define DRM_OAC_FEATURE_LOCAL_MEMORY	0x04	/* DRM_OAC_BO_LOCAL */
#define DRM_OAC_FEATURE_USERPTR		0x08
#define DRM_OAC_FEATURE_DMABUF		0x10
#define DRM_OAC_FEATURE_SYNC		0x20	/* QUEUE_FENCE, SYNC_STORE, DRM syncobj timelines */
#define DRM_OAC_FEATURE_PEER		0x40	/* there is a card whose local memory it can import */

/* Topics of DRM_OAC_INFO_GET and the element each returns. */
#define DRM_OAC_INFO_DEVICE	1	/* struct drm_oac_info_device, one */
#define DRM_OAC_INFO_SENSORS	2	/* struct drm_oac_info_sensor */
#define DRM_OAC_INFO_COUNTERS	3	/* struct drm_oac_info_counter */
#define DRM_OAC_INFO_EVENTS	4	/* struct drm_oac_info_event, oldest first from sequence start */
#define DRM_OAC_INFO_CLIENTS	5	/* struct drm_oac_info_client: those the caller may see */
#define DRM_OAC_INFO_CONTEXTS	6	/* struct drm_oac_info_context: those of this file */
#define DRM_OAC_INFO_HEALTH	7	/* struct drm_oac_info_health, one */
#define DRM_OAC_INFO_RUNGS	8	/* struct drm_oac_info_rung, by OAC_RUNG_* */

/**
 * struct drm_oac_info_get - read what the driver knows; needs no context and no privilege
 * Only SENSORS, COUNTERS and EVENTS ask the card, and wait for it until the deadline, or as long as
 * the driver has patience with the card; all other topics answer at once, whatever the card does.
 * Errors: EINVAL unknown topic; ETIMEDOUT the card was asked, and is still at it.
 */
struct drm_oac_info_get {
	__u32 topic;		/* in: DRM_OAC_INFO_* */
	__u32 stride;		/* in: bytes per element at data */
	__u32 count;		/* in: elements that fit at data; out: elements written, or with
				 * in 0: elements there are */
	__u32 pad;
	__u64 start;		/* in: EVENTS: first sequence number wanted; else first index */
	__u64 data;		/* in: pointer */
	__u64 deadline_ns;	/* in: absolute, CLOCK_MONOTONIC; 0: the driver's own */
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
	__u64 driver_features;	/* DRM_OAC_FEATURE_* */
	__u64 lmem_free;	/* bytes of local memory nobody has */
	__u32 user_contexts;	/* limits that bind the caller now; 0 = none */
	__u32 user_queues;
	__u64 user_local_bytes;
	__u64 user_host_bytes;
	__u32 context_queues;
	__u32 context_maps;
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

/* One open file on the card, in sum. */
struct drm_oac_info_client {
	__u64 id;		/* as drm-client-id in fdinfo */
	__s32 pid;		/* of the opener, in the caller's namespace; 0: not in there */
	__u32 uid;
	__u32 contexts;
	__u32 queues;
	__u64 host_bytes;	/* buffers, imported and pinned memory not counted */
	__u64 local_bytes;
	__u64 pinned_bytes;	/* user memory */
	__u64 compute_ns;	/* card time, ended queues included */
	__u64 copy_ns;
	__u64 commands;		/* completed */
};

struct drm_oac_info_context {
	__u32 context;		/* id in this file */
	__u32 queues;
	__u32 maps;
	__u32 pad;
	__u64 mapped_bytes;
	__u64 compute_ns;
	__u64 copy_ns;
	__u64 commands;
	__u64 errors;		/* commands that failed */
	__u32 lost;		/* OAC_LOST_* */
	__u32 generation;	/* of the card, when it was made */
};

/* Never waits for the card. The same words are in sysfs, health/, and in uevents. */
struct drm_oac_info_health {
	__u32 state;		/* OAC_HEALTH_* */
	__u32 reason;		/* OAC_REASON_* */
	__u32 action;		/* OAC_ACTION_* */
	__u32 generation;	/* resets of the card that the driver knows of: older handles are stale */
	__u64 since_ns;		/* CLOCK_BOOTTIME: state and reason are so since then */
	__u64 arg;		/* sensor id, OAC_FAIL_*, OAC_CAUSE_*, mask of engines: as the reason has it */
	__u64 events;		/* sequence number of the last event */
	__u32 rungs_allowed;	/* mask over OAC_RUNG_*: module parameter reset_rungs */
	__u32 is_held;		/* 1: recovery waits for DRM_OAC_RESET; sysfs recovery */
};

struct drm_oac_info_rung {
	__u32 rung;		/* OAC_RUNG_* */
	__u32 last_cause;	/* OAC_CAUSE_* */
	__u64 tried;
	__u64 helped;
	__u64 last_ns;		/* how long it took */
	__u64 longest_ns;
};

/**
 * struct drm_oac_context_create - an isolated device address space
 * Errors: ENOSPC the card has no context left; EDQUOT the user may have no more.
 */
struct drm_oac_context_create {
	__u32 flags;		/* in: none yet */
	__u32 context;		/* out */
	__u32 limit;		/* out, with ENOSPC and EDQUOT: DRM_OAC_LIMIT_* */
	__u32 pad;
};

/* Destroys the context with its queues and maps. */
struct drm_oac_context_destroy {
	__u32 context;
	__u32 pad;
};

#define DRM_OAC_BO_LOCAL	0x1	/* the card's local memory, else host memory */

/**
 * struct drm_oac_bo_create - memory the card can reach once it is mapped to a context
 * Zeroed. Freed with DRM_IOCTL_GEM_CLOSE; maps keep it alive. Local memory is mapped by mmap()
 * through the card's window, write-combining; when the card is lost, plain memory takes its place.
 * So it does when other firmware is loaded: the buffer is stale then, its contents are gone for
 * good, and MAP gives ESTALE.
 * Errors: EINVAL size 0 or not whole pages; E2BIG over 1 TiB; ENOMEM; EOPNOTSUPP no local memory;
 * ENOSPC not enough local memory; EDQUOT the user may have no more.
 */
struct drm_oac_bo_create {
	__u64 size;
	__u32 flags;		/* in: DRM_OAC_BO_LOCAL */
	__u32 handle;		/* out: GEM handle */
	__u64 mmap_offset;	/* out: for mmap() on this file */
	__u32 limit;		/* out, with ENOSPC and EDQUOT */
	__u32 pad;
};

#define DRM_OAC_USERPTR_READ_ONLY	0x1	/* the card may only read it */

/**
 * struct drm_oac_bo_userptr - the caller's own memory as a buffer
 * The pages are pinned until the buffer goes and count as locked memory of the process. There is no
 * mmap() and no export of it. Maps of a READ_ONLY one cannot ask for WRITE.
 * Errors: EINVAL misaligned, empty, or wraps; EFAULT not memory of the caller, or not writable;
 * EDQUOT over RLIMIT_MEMLOCK (CAP_IPC_LOCK is exempt); ENOMEM; EOPNOTSUPP memory that cannot be
 * pinned for long.
 */
struct drm_oac_bo_userptr {
	__u64 addr;		/* page aligned */
	__u64 size;		/* whole pages */
	__u32 flags;		/* in: DRM_OAC_USERPTR_* */
	__u32 handle;		/* out: GEM handle */
	__u32 limit;		/* out, with EDQUOT */
	__u32 pad;
};

#define DRM_OAC_MAP_READ	0x1	/* the card may read */
#define DRM_OAC_MAP_WRITE	0x2	/* the card may write */

/**
 * struct drm_oac_map - make part of a buffer visible to a context
 * The caller picks the device address.
 * Errors: EINVAL misaligned, no rights, beyond the buffer or 48 bits; EACCES WRITE to read-only
 * memory; ESTALE local memory from before a firmware load, or taken back; EEXIST the range overlaps a map; ENOSPC
 * the card has no segments left for the context; EDQUOT the context may have no more maps.
 */
struct drm_oac_map {
	__u32 context;
	__u32 handle;
	__u64 va;		/* page aligned; 0 is not a device address */
	__u64 offset;		/* into the buffer, page aligned */
	__u64 size;		/* whole pages */
	__u32 flags;		/* DRM_OAC_MAP_* */
	__u32 pad;
	__u32 limit;		/* out, with ENOSPC and EDQUOT */
	__u32 pad2;
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

#define DRM_OAC_QUEUE_KERNEL_SUBMIT	0x1	/* doorbell and arming by QUEUE_SUBMIT only */

/**
 * struct drm_oac_queue_create - a queue on rings in mapped memory
 * The caller zeroes the completion ring first, then maps the doorbell page (4 KiB, shared,
 * writable, not inherited over fork) at doorbell_offset and submits without the kernel. With
 * KERNEL_SUBMIT there is no such page: doorbell_offset is 0. Queues of one file share the card as
 * one client, by priority and weight: see oac_admin_context_create.
 * Errors: EINVAL rings not mapped or misaligned, depth, priority or weight out of range; EPERM a
 * priority above normal without CAP_SYS_NICE; EOPNOTSUPP a user-mode queue where
 * DRM_OAC_FEATURE_USER_SUBMIT is missing; ENOSPC no queue left; EDQUOT the user or the context may
 * have no more.
 */
struct drm_oac_queue_create {
	__u32 context;
	__u32 depth_log2;
	__u64 sq_va;
	__u64 cq_va;
	__u64 tail_va;
	__u32 priority;
	__u32 flags;		/* in: DRM_OAC_QUEUE_* */
	__u32 queue;		/* out */
	__u32 pad;
	__u64 doorbell_offset;	/* out: for mmap() on this file */
	__u32 weight;		/* in: 1..1024; 0 = 64 */
	__u32 limit;		/* out, with ENOSPC and EDQUOT */
};

struct drm_oac_queue_destroy {
	__u32 queue;
	__u32 pad;
};

/**
 * struct drm_oac_queue_wait - wait until completions != seen or the queue is in state ERROR
 * Works on the kernel's own progress page, never on the user's rings. deadline 0 = just look.
 * Errors: ETIMEDOUT; EINTR is restarted; ENODEV card lost; ENOENT also when the queue is destroyed
 * meanwhile; ESTALE: what completed is done, what was taken besides is unknown, the rest is not
 * done. With 0, ETIMEDOUT, EINTR and ESTALE the out fields are set; with ENODEV, if the card was lost
 * during the wait.
 */
struct drm_oac_queue_wait {
	__u32 queue;
	__u32 seen;
	__u64 deadline_ns;
	__u32 completed;	/* out */
	__u32 state;		/* out: OAC_QUEUE_* */
	__u32 status;		/* out: OAC_ST_* of the failure in state ERROR */
	__u32 taken;		/* out: commands the card has begun, those completed included */
	__u64 fault_addr;	/* out */
};

/**
 * struct drm_oac_queue_eventfd - signal an eventfd on each interrupt of the queue
 * Interrupts are armed by the caller through its doorbell page, or by QUEUE_SUBMIT. There may be
 * more than were asked for: the driver arms some of its own.
 * fd -1 takes it away. Errors: EBADF.
 */
struct drm_oac_queue_eventfd {
	__u32 queue;
	__s32 fd;
};

#define DRM_OAC_SUBMIT_TAIL	0x1	/* tail counts: ring the doorbell */
#define DRM_OAC_SUBMIT_ARM	0x2	/* seen counts: one interrupt once completions != seen */

/**
 * struct drm_oac_queue_submit - doorbell of a KERNEL_SUBMIT queue
 * The caller has written the entries into the ring, any number for one call. tail is the
 * free-running count of commands written.
 * Errors: EINVAL not a KERNEL_SUBMIT queue, no flag, or a tail behind the last one or more than
 * depth ahead of the completions; EIO the queue is in state ERROR. Of two racing calls either may be
 * first: the one whose tail then is behind gets EINVAL, and its commands are carried out.
 */
struct drm_oac_queue_submit {
	__u32 queue;
	__u32 flags;		/* DRM_OAC_SUBMIT_* */
	__u32 tail;
	__u32 seen;
};

/**
 * struct drm_oac_queue_fence - a DRM fence that signals once the queue's completions reach count
 * It goes into a syncobj of this file, as its fence (point 0) or as a point of its timeline; from
 * there DRM's ioctls wait for it and export it as a sync_file. It always signals: with an error when
 * the queue fails (ECANCELED) or is destroyed (ECANCELED), the card is lost (ENODEV), or the
 * timeout passes (ETIMEDOUT), which is at most the module parameter fence_timeout_ms.
 * Commands before the one that failed are done: their fences signal without an error.
 * Of calls that race for a timeline, on any card, those get EINVAL that come behind a point not
 * lower. A point that DRM's SYNCOBJ_TIMELINE_SIGNAL adds behind a higher one counts as the higher one,
 * and is reached when all before it have signalled.
 * Errors: EINVAL count more than depth ahead of the completions, or a point not ahead of the
 * timeline's last; ENOENT no such queue or syncobj; EDQUOT 4096 of the queue are pending;
 * EOPNOTSUPP DRM_OAC_FEATURE_SYNC is missing.
 */
struct drm_oac_queue_fence {
	__u32 queue;
	__u32 count;
	__u32 syncobj;		/* handle */
	__u32 flags;		/* none yet */
	__u64 point;
	__u64 timeout_ns;	/* from now; 0 = the most there is */
};

/**
 * struct drm_oac_sync_store - raise a 64-bit word in a buffer once a fence signals
 * How a card waits for the rest of the system: its WAIT command polls the word. The word changes
 * only if it grows, and not if the fence signals with an error. Closing the file takes back what
 * has not happened yet.
 * Errors: EINVAL misaligned or beyond the buffer, no fence at that point yet; ENOENT no such syncobj
 * or buffer; EOPNOTSUPP not host memory of this card, or DRM_OAC_FEATURE_SYNC is missing; EDQUOT
 * 4096 are outstanding.
 */
struct drm_oac_sync_store {
	__u32 syncobj;		/* handle */
	__u32 handle;		/* buffer */
	__u64 point;		/* 0 = the syncobj's own fence */
	__u64 offset;		/* 8-byte aligned */
	__u64 value;
	__u32 flags;		/* none yet */
	__u32 pad;
};

/**
 * struct drm_oac_firmware_load - boot another image; needs CAP_SYS_ADMIN
 * Errors: EPERM; EBUSY contexts are open, holder has one; EINVAL size 0; EFBIG over the image limit; EBADMSG the
 * card refused it, reason in fail; ETIME, then the card was reset. After each of the last two it stays
 * without firmware. Who is killed leaves it so, too. Beyond its time limits the call takes no longer than
 * two resets, 2 s each at most.
 */
struct drm_oac_firmware_load {
	__u64 data;		/* in: pointer to the image */
	__u64 size;
	__u32 flags;		/* in: none yet */
	__u32 fail;		/* out: OAC_FAIL_* */
	__s32 holder;		/* out, with EBUSY: pid of a process with a context; 0: not known */
	__u32 timeout_ms;	/* in: how long it may take, within the module's limits; 0: those */
};

/**
 * struct drm_oac_events_open - a descriptor to read the card's and the driver's events from
 * read() gives whole struct drm_oac_event, poll() tells when. It blocks unless O_NONBLOCK. Events
 * are kept over resets, 4096 of them; a reader that is slower gets an OAC_EVENT_MISSED in place of what
 * it missed. When the driver lets go of the card, read() gives what is left and then 0. Any number
 * of readers; each has its own place.
 */
struct drm_oac_events_open {
	__u64 from;		/* in: first sequence number wanted; 0 = only what is to come */
	__u32 flags;		/* in: O_CLOEXEC, O_NONBLOCK */
	__s32 fd;		/* out */
};

struct drm_oac_event {
	__u64 seq;		/* 1, 2, 3 ... since the driver has the card */
	__u64 boot_ns;		/* CLOCK_BOOTTIME, when the driver heard of it */
	__u64 arg;
	__u64 card_seq;		/* the card's own number; 0: an event of the driver */
	__u64 card_ns;
	__u32 generation;
	__u32 context;		/* the card's id; 0 = none */
	__u16 queue;
	__u16 code;		/* OAC_EVENT_* */
	__u8 severity;		/* OAC_SEVERITY_* */
	__u8 action;		/* OAC_ACTION_* */
	__u8 pad[2];
};

#define DRM_OAC_RESET_ONLY	0x1	/* this rung and no other; else also those behind it */

/**
 * struct drm_oac_reset - reset the card, or let a held recovery go on; needs CAP_SYS_ADMIN
 * Rungs below SOFT_RESET have no meaning here, nor has WEDGED. Returns when the card works again, or
 * the deadline passes, or the caller is killed: a reset that has been begun goes on without him, and
 * INFO_HEALTH and EVENTS_OPEN tell how it ends.
 * Errors: EPERM; EINVAL rung; EACCES forbidden by the module parameter reset_rungs; EBUSY a firmware
 * load is under way; EIO it did not help: see INFO_HEALTH; ETIMEDOUT: where the deadline had passed
 * before, nothing was begun.
 */
struct drm_oac_reset {
	__u32 rung;		/* in: the first to try, OAC_RUNG_SOFT_RESET.. OAC_RUNG_FIRMWARE; out: that
				 * helped */
	__u32 flags;		/* in: DRM_OAC_RESET_* */
	__u32 generation;	/* out */
	__u32 pad;
	__u64 deadline_ns;
};

/**
 * struct drm_oac_self_test - every engine computes known answers; needs CAP_SYS_ADMIN
 * Other clients' commands go on in between. Of several callers each gets a test of his own, one after
 * the other. Whose deadline passes, or who is killed, leaves the card at its work and harms nobody;
 * what is found is in INFO_HEALTH. A deadline that had passed before begins nothing.
 * Errors: EPERM; ETIMEDOUT; EOPNOTSUPP the firmware has none.
 */
struct drm_oac_self_test {
	__u64 failed;		/* out: mask of engines that gave a wrong one */
	__u32 flags;		/* in: none yet */
	__u32 pad;
	__u64 deadline_ns;
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
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_MAP, struct drm_oac_map)
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

#define DRM_IOCTL_OAC_BO_USERPTR \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_BO_USERPTR, struct drm_oac_bo_userptr)
#define DRM_IOCTL_OAC_QUEUE_SUBMIT \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_QUEUE_SUBMIT, struct drm_oac_queue_submit)
#define DRM_IOCTL_OAC_QUEUE_FENCE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_QUEUE_FENCE, struct drm_oac_queue_fence)
#define DRM_IOCTL_OAC_SYNC_STORE \
	DRM_IOW(DRM_COMMAND_BASE + DRM_OAC_SYNC_STORE, struct drm_oac_sync_store)
#define DRM_IOCTL_OAC_EVENTS_OPEN \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_EVENTS_OPEN, struct drm_oac_events_open)
#define DRM_IOCTL_OAC_RESET \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_RESET, struct drm_oac_reset)
#define DRM_IOCTL_OAC_SELF_TEST \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_OAC_SELF_TEST, struct drm_oac_self_test)

#if defined(__cplusplus)
}
#endif

#endif
