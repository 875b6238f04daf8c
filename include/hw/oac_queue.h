/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 3: user queues.
 *
 * A queue belongs to one context. Its rings are depth entries each in memory mapped to that
 * context. All counts are free-running 32-bit numbers; entry = count & (depth - 1). Commands are
 * carried out in order within a queue and concurrently across queues. The host keeps at most
 * depth commands outstanding (not yet reaped), so the completion ring cannot overflow.
 *
 * Errors are sticky: the first command that fails completes with its typed status, commands
 * behind it complete as ABORTED, and the queue stays in state ERROR until it is destroyed. A
 * doorbell that is more than depth ahead completes no command: one completion with tag
 * OAC_TAG_NONE and status DOORBELL is posted.
 */
#ifndef OAC_HW_QUEUE_H
#define OAC_HW_QUEUE_H

#include "oac_types.h"

#define OAC_CMD_NOP		0x00
#define OAC_CMD_BARRIER		0x01	/* later commands see all effects of earlier ones */
#define OAC_CMD_COPY		0x10	/* body.copy */
#define OAC_CMD_FILL		0x11	/* body.fill */
#define OAC_CMD_SIGNAL		0x20	/* body.timeline: 64-bit word at va = value */
#define OAC_CMD_WAIT		0x21	/* body.timeline: hold the queue until word at va >= value */
#define OAC_CMD_TIMESTAMP	0x22	/* body.timestamp: card time in ns to va, and to completion.info */
#define OAC_CMD_EXEC		0x30	/* body.exec: run the operator described at va */
#define OAC_CMDS(X) \
	X(NOP) X(BARRIER) X(COPY) X(FILL) X(SIGNAL) X(WAIT) X(TIMESTAMP) X(EXEC)

/* rows of row_bytes each; rows == 1 is a plain copy. row_bytes == 0 or rows == 0 is a legal skip. */
struct oac_cmd_copy {
	__le64 src;
	__le64 dst;
	__le64 row_bytes;
	__le64 src_pitch;	/* ignored while rows <= 1 */
	__le64 dst_pitch;
	__le32 rows;
	__le32 rsvd;
};

struct oac_cmd_fill {
	__le64 dst;		/* aligned to pattern_size */
	__le64 length;		/* bytes, multiple of pattern_size; 0 is a legal skip */
	__le64 pattern;		/* low pattern_size bytes count */
	__le32 pattern_size;	/* 1, 2, 4 or 8 */
	__le32 rsvd;
};

struct oac_cmd_timeline {
	__le64 va;		/* 8-byte aligned */
	__le64 value;
};

struct oac_cmd_timestamp {
	__le64 va;		/* 8-byte aligned; 0 = completion only */
};

struct oac_cmd_exec {
	__le64 va;		/* struct oac_op, 8-byte aligned */
	__le32 size;		/* sizeof(struct oac_op) */
	__le32 rsvd;
};

struct oac_cmd {
	__u8 opcode;		/* OAC_CMD_* */
	__u8 flags;		/* none yet: zero */
	__le16 rsvd;
	__le32 tag;		/* comes back in the completion; not OAC_TAG_NONE */
	union {
		struct oac_cmd_copy copy;
		struct oac_cmd_fill fill;
		struct oac_cmd_timeline timeline;
		struct oac_cmd_timestamp timestamp;
		struct oac_cmd_exec exec;
		__u8 bytes[56];
	} body;			/* bytes behind the command's own struct are zero */
};
OAC_ASSERT_SIZE(struct oac_cmd, 64);
OAC_ASSERT_OFFSET(struct oac_cmd, body, 8);

#define OAC_TAG_NONE		0xffffffffu

/* The admin queue uses the same entry. */
struct oac_completion {
	__le64 info;		/* result, or the faulting device address of an access fault */
	__le32 tag;
	__le16 status;		/* OAC_STATUS codes below: OAC_ST_* */
	__le16 phase;		/* bit 0: 1 in the first pass over the ring, then alternating */
};
OAC_ASSERT_SIZE(struct oac_completion, 16);
#define OAC_PHASE_MASK		0x1u

/* One cache line, written once per batch of completions: a poller touches only this. */
struct oac_cq_tail {
	__le32 tail;		/* completions posted */
	__le32 rsvd[15];
};
OAC_ASSERT_SIZE(struct oac_cq_tail, 64);

/*
 * Kernel-owned twin of the published tail: what a user writes into a ring cannot reach it. After
 * the completions and the published tail of a batch the card writes this line, sq_head and
 * completed last, both in one 8-byte store: who sees them sees all else at least as new. (Where the
 * card reaches host memory by messages only, the line is one message.)
 * error_count: commands of this queue that failed or were aborted. A completion with OAC_TAG_NONE
 * is none of a command: it counts in completed, not in sq_head and not in error_count. So the
 * commands done well are min(sq_head, completed) - error_count once none is in progress.
 *
 * The line is also how a hang is seen. Besides with each batch the card writes it when a command
 * begins or ends to wait, and at least every OAC_STEPS_NS while one command takes that long. So a
 * queue that has taken more than it completed, does not wait and does not move any field hangs.
 */
struct oac_progress {
	__le32 sq_head;		/* commands taken: one not counted here has had no effect yet */
	__le32 completed;	/* completions posted */
	__le32 state;		/* OAC_QUEUE_* */
	__le32 status;		/* OAC_ST_* of the failure when state is ERROR */
	__le64 fault_addr;
	__le64 error_count;	/* failed and aborted commands */
	__le64 compute_ns;	/* card time spent on operators of this queue */
	__le64 copy_ns;		/* card time spent on its copies and fills */
	__le32 waiting;		/* 1: the command at hand is a WAIT whose value is not there */
	__le32 steps;		/* moves while the command at hand is worked on */
	__le32 rsvd[2];
};
OAC_ASSERT_SIZE(struct oac_progress, 64);
#define OAC_STEPS_NS		50000000u

#define OAC_QUEUE_RUNNING	0x0
#define OAC_QUEUE_ERROR		0x1
#define OAC_QUEUE_STATES(X) X(RUNNING) X(ERROR)

/* Completion status of admin and user commands: X(name, text). */
#define OAC_ST_SUCCESS		0x00
#define OAC_ST_BAD_OPCODE	0x01
#define OAC_ST_BAD_FIELD	0x02
#define OAC_ST_BAD_ALIGNMENT	0x03
#define OAC_ST_ACCESS_FAULT	0x04
#define OAC_ST_ACCESS_RIGHTS	0x05
#define OAC_ST_DMA_ERROR	0x06
#define OAC_ST_BAD_OP		0x07
#define OAC_ST_BAD_SHAPE	0x08
#define OAC_ST_BAD_DTYPE	0x09
#define OAC_ST_ABORTED		0x0a
#define OAC_ST_DOORBELL		0x0b
#define OAC_ST_MEMORY_ERROR	0x0c
#define OAC_ST_ENGINE_ERROR	0x0d
#define OAC_ST_BAD_CONTEXT	0x20
#define OAC_ST_BAD_QUEUE	0x21
#define OAC_ST_ID_IN_USE	0x22
#define OAC_ST_OVERLAP		0x23
#define OAC_ST_NOT_MAPPED	0x24
#define OAC_ST_LIMIT		0x25
#define OAC_ST_BUSY		0x26
#define OAC_ST_BAD_LOG		0x27
#define OAC_ST_NOT_RUN		0x30	/* these two a driver gives, for a card that was reset */
#define OAC_ST_UNKNOWN		0x31
#define OAC_STATUSES(X) \
	X(SUCCESS, "success") \
	X(BAD_OPCODE, "the firmware does not know this opcode") \
	X(BAD_FIELD, "a field has a value out of range, or padding is not zero") \
	X(BAD_ALIGNMENT, "an address is not aligned as the command needs") \
	X(ACCESS_FAULT, "a device address is not mapped in this context") \
	X(ACCESS_RIGHTS, "the mapping does not allow this kind of access") \
	X(DMA_ERROR, "the host refused the transfer") \
	X(BAD_OP, "the firmware does not know this operator") \
	X(BAD_SHAPE, "the operator's dimensions do not fit together") \
	X(BAD_DTYPE, "the operator does not take this data type") \
	X(ABORTED, "an earlier command of the queue failed") \
	X(DOORBELL, "the doorbell value is further ahead than the ring is deep") \
	X(MEMORY_ERROR, "local memory lost data that the command reads") \
	X(ENGINE_ERROR, "an engine failed while it ran the command") \
	X(BAD_CONTEXT, "there is no such context") \
	X(BAD_QUEUE, "there is no such queue") \
	X(ID_IN_USE, "the id is in use") \
	X(OVERLAP, "the device address range is mapped already") \
	X(NOT_MAPPED, "the range is not made of whole mapped segments") \
	X(LIMIT, "a limit of the firmware is reached") \
	X(BUSY, "the object is in use") \
	X(BAD_LOG, "there is no such log page") \
	X(NOT_RUN, "the card was reset before the command began: nothing of it is done") \
	X(UNKNOWN, "the card was reset while it had the command: done, not done, or in part")

#endif
