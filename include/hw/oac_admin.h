/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 2: the admin queue.
 *
 * One submission ring of struct oac_admin_cmd and one completion ring of struct oac_completion at
 * bus addresses given in registers; SQ_TAIL of doorbell page 0 is a free-running count. Commands
 * are carried out in order; completion.tag is the command's cid, completion.info the command's
 * result. The host picks context ids (1..max_contexts) and queue ids (1..max_queues).
 */
#ifndef OAC_HW_ADMIN_H
#define OAC_HW_ADMIN_H

#include "oac_types.h"

#define OAC_ADMIN_IDENTIFY		0x01	/* data: struct oac_identify */
#define OAC_ADMIN_TIME_SYNC		0x02	/* arg.time_sync; info: card time in ns */
#define OAC_ADMIN_CONTEXT_CREATE	0x10	/* context, arg.context_create */
#define OAC_ADMIN_CONTEXT_DESTROY	0x11	/* context; its queues must be gone, its maps go with it */
#define OAC_ADMIN_MAP			0x20	/* context, arg.map; data: struct oac_segment[] */
#define OAC_ADMIN_UNMAP			0x21	/* context, arg.unmap; whole segments only */
#define OAC_ADMIN_SCRUB			0x22	/* arg.scrub; local memory to zeroes */
#define OAC_ADMIN_QUEUE_CREATE		0x30	/* context, arg.queue_create */
#define OAC_ADMIN_QUEUE_DESTROY		0x31	/* arg.queue_destroy; in-flight commands are dropped */
/*
 * arg.queue_abort: the command at hand fails as ABORTED, and so the queue. BUSY: an engine does not
 * let go of the command. No effect on a queue that is in error or has nothing to do.
 */
#define OAC_ADMIN_QUEUE_ABORT		0x32
#define OAC_ADMIN_GET_LOG		0x40	/* arg.get_log; data: array; info: entries written */
/*
 * Every engine computes known answers, between the commands of queues. info: bit n: engine n gave a
 * wrong one. It gets no work any more until the next boot.
 */
#define OAC_ADMIN_SELF_TEST		0x50
#define OAC_ADMIN_CMDS(X) \
	X(IDENTIFY) X(TIME_SYNC) X(CONTEXT_CREATE) X(CONTEXT_DESTROY) X(MAP) X(UNMAP) X(SCRUB) \
	X(QUEUE_CREATE) X(QUEUE_DESTROY) X(QUEUE_ABORT) X(GET_LOG) X(SELF_TEST)

/*
 * Sharing the card. Contexts with one group number are one client, usually a process. All queues of
 * a client that have one priority take turns as one: turns have lengths 1 : 4 : 16 : 64 by priority,
 * and the queues in a turn share it by weight. So nobody gets more by opening more queues, and no
 * queue starves.
 */
struct oac_admin_context_create {
	__le32 group;		/* 0 = a client of its own */
	__le32 rsvd;
};

struct oac_admin_map {
	__le64 va;		/* device address of the first segment, page aligned; below 2^48 */
	__le32 segment_count;	/* data_size == segment_count * sizeof(struct oac_segment) */
	__le32 flags;		/* OAC_MAP_* */
};

#define OAC_MAP_READ		0x1u	/* the card may read */
#define OAC_MAP_WRITE		0x2u	/* the card may write */
#define OAC_MAP_LOCAL		0x4u	/* targets are offsets in local memory, else bus addresses:
				 * host memory, or another card's BAR2 */
#define OAC_MAP_FLAGS_MASK	0x7u

/* Consecutive in device address space, starting at oac_admin_map.va. */
struct oac_segment {
	__le64 target;		/* page aligned */
	__le64 length;		/* bytes, whole pages, not zero */
};
OAC_ASSERT_SIZE(struct oac_segment, 16);

struct oac_admin_unmap {
	__le64 va;
	__le64 length;
};

struct oac_admin_scrub {
	__le64 offset;		/* in local memory, page aligned */
	__le64 length;		/* whole pages, not zero */
};

/* Ring addresses are device addresses in the queue's context: a ring is ordinary mapped memory. */
struct oac_admin_queue_create {
	__le64 sq_va;		/* struct oac_cmd[depth], 64-byte aligned, readable */
	__le64 cq_va;		/* struct oac_completion[depth], 64-byte aligned, writable, zeroed by the host */
	__le64 tail_va;		/* struct oac_cq_tail, 64-byte aligned, writable */
	__le64 progress_addr;	/* struct oac_progress, *bus* address, 64-byte aligned; 0 = none */
	__le16 queue_id;
	__le16 vector;		/* MSI-X vector for armed interrupts; beyond the card's table: BAD_FIELD */
	__u8 depth_log2;	/* 1..identify.max_depth_log2 */
	__u8 priority;		/* 0 (lowest) .. OAC_PRIORITY_MAX */
	__le16 weight;		/* 1..OAC_WEIGHT_MAX; 0 = OAC_WEIGHT_NORMAL */
};
OAC_ASSERT_SIZE(struct oac_admin_queue_create, 40);
#define OAC_PRIORITY_MAX	3
#define OAC_PRIORITY_NORMAL	1
#define OAC_PRIORITY_TURN_LOG2	2	/* a turn is 4 times as long per step of priority */
#define OAC_WEIGHT_MAX		1024
#define OAC_WEIGHT_NORMAL	64

struct oac_admin_queue_destroy {
	__le16 queue_id;
	__le16 rsvd[3];
};

struct oac_admin_queue_abort {
	__le16 queue_id;
	__le16 rsvd[3];
};

struct oac_admin_get_log {
	__le64 start;		/* EVENTS, FIRMWARE: first sequence number wanted; else first index */
	__le32 page;		/* OAC_LOG_* */
	__le32 rsvd;
};

struct oac_admin_time_sync {
	__le64 host_ns;		/* host CLOCK_REALTIME; events stay in card time, see info */
};

struct oac_admin_cmd {
	__u8 opcode;		/* OAC_ADMIN_* */
	__u8 rsvd0;
	__le16 cid;
	__le32 context;		/* 0 where the command takes none */
	__le64 data_addr;	/* bus address of the data, 8-byte aligned, contiguous; 0 where none */
	__le32 data_size;
	__le32 rsvd1;
	union {
		struct oac_admin_context_create context_create;
		struct oac_admin_map map;
		struct oac_admin_unmap unmap;
		struct oac_admin_scrub scrub;
		struct oac_admin_queue_create queue_create;
		struct oac_admin_queue_destroy queue_destroy;
		struct oac_admin_queue_abort queue_abort;
		struct oac_admin_get_log get_log;
		struct oac_admin_time_sync time_sync;
		__u8 bytes[40];
	} arg;			/* bytes behind the command's own struct are zero */
};
OAC_ASSERT_SIZE(struct oac_admin_cmd, 64);
OAC_ASSERT_OFFSET(struct oac_admin_cmd, arg, 24);

#define OAC_VA_BITS		48
#define OAC_MODEL_NAME_SIZE	32
#define OAC_MASK_WORDS		4	/* 256-bit masks over opcodes and operators */

/* What this card with this firmware is and can do: all of it comes from the verified manifest. */
struct oac_identify {
	__u8 model[OAC_MODEL_NAME_SIZE];	/* ASCII, NUL padded */
	__le64 serial;
	__le64 lmem_size;
	__le64 features;			/* OAC_FEATURE_* */
	__le64 cmd_mask[OAC_MASK_WORDS];	/* bit n: queue opcode n works */
	__le64 op_mask[OAC_MASK_WORDS];		/* bit n: operator n works */
	__le32 fw_version[3];			/* major, minor, patch */
	__le32 security_version;
	__le32 engine_count;
	__le32 engine_clock_khz;
	__le32 max_contexts;
	__le32 max_queues;
	__le32 max_depth_log2;
	__le32 max_segments;			/* per MAP command */
	__le32 max_maps;			/* segments per context */
	__le32 sensor_count;
	__le32 event_capacity;			/* events the card keeps */
	__le32 power_limit_mw;
	__le32 rsvd[36];
};
OAC_ASSERT_SIZE(struct oac_identify, 320);

#define OAC_FEATURE_INT8	0x1ull	/* OAC_DTYPE_S8 operators */
#define OAC_FEATURE_FP32	0x2ull	/* OAC_DTYPE_F32 operators */
#define OAC_FEATURES_MASK	0x3ull

/* Log pages: arrays of the struct named; identical layout for any number of entries. */
#define OAC_LOG_SENSOR_INFO	0x01	/* struct oac_sensor_info */
#define OAC_LOG_SENSOR_VALUES	0x02	/* struct oac_sensor_value, same order as SENSOR_INFO */
#define OAC_LOG_COUNTERS	0x03	/* struct oac_counter */
#define OAC_LOG_EVENTS		0x04	/* struct oac_event, oldest first */
#define OAC_LOG_FIRMWARE	0x05	/* struct oac_fw_line, oldest first */
#define OAC_LOGS(X) X(SENSOR_INFO) X(SENSOR_VALUES) X(COUNTERS) X(EVENTS) X(FIRMWARE)

/* What firmware says about itself, for its makers. Kept over resets, the oldest go first. */
#define OAC_FW_LINE_SIZE	48
#define OAC_FW_LINES		256	/* the card keeps */
struct oac_fw_line {
	__le64 seq;		/* 1, 2, 3 ... since power-on */
	__le64 card_ns;
	__u8 text[OAC_FW_LINE_SIZE];	/* printable ASCII, NUL padded */
};
OAC_ASSERT_SIZE(struct oac_fw_line, 64);

#endif
