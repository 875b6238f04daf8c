/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/* Copyright the OAC authors */
/*
 * What a failed card leaves in /sys/class/devcoredump/devcdN/data: the first failure since the
 * driver has the card, and no other. `accelctl debug` shows it, on any machine.
 *
 * A header, then sections one behind the other, each with a header of its own. Numbers are
 * little-endian; sizes are multiples of 8; unknown sections are skipped by their size. Elements of
 * arrays may grow at their end: a reader goes by stride. Nothing here is of a user's memory; of programs
 * there are pids, ids and bus addresses.
 */
#ifndef DRM_OAC_DUMP_H
#define DRM_OAC_DUMP_H

#include "oac_accel.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define OAC_DUMP_MAGIC		0x314d554443414f00ull	/* "\0OACDUM1" */
#define OAC_DUMP_VERSION	1

struct oac_dump_header {
	__le64 magic;
	__le32 version;
	__le32 header_size;	/* of this struct: the first section is behind it */
	__le64 size;		/* of everything */
	__le64 serial;
	__le64 boot_ns;		/* CLOCK_BOOTTIME */
	__le64 real_ns;		/* CLOCK_REALTIME */
	__le32 cause;		/* OAC_CAUSE_* */
	__le32 generation;
	__le32 section_count;
	__le32 pad;
	__u8 kernel[64];	/* release, NUL padded */
	__u8 module[32];	/* version, NUL padded */
	__u8 device[32];	/* PCI address, NUL padded */
};

/* Sections: X(name, element). */
#define OAC_DUMP_REGISTERS	1
#define OAC_DUMP_CONFIG		2
#define OAC_DUMP_ADMIN_SQ	3
#define OAC_DUMP_ADMIN_CQ	4
#define OAC_DUMP_QUEUES		5
#define OAC_DUMP_GUILTY		6
#define OAC_DUMP_FIRMWARE_LOG	7
#define OAC_DUMP_EVENTS		8
#define OAC_DUMP_RUNGS		9
#define OAC_DUMP_SECTIONS(X) \
	X(REGISTERS, oac_dump_register) \
	X(CONFIG, oac_dump_config) \
	X(ADMIN_SQ, oac_admin_cmd) \
	X(ADMIN_CQ, oac_completion) \
	X(QUEUES, oac_dump_queue) \
	X(GUILTY, oac_dump_queue) \
	X(FIRMWARE_LOG, oac_fw_line) \
	X(EVENTS, oac_dump_event) \
	X(RUNGS, oac_dump_rung)

struct oac_dump_section {
	__le32 type;		/* OAC_DUMP_* */
	__le32 count;		/* elements */
	__le32 stride;		/* bytes of each */
	__le32 error;		/* 0, or the errno for which there are none */
	__le64 size;		/* of the elements, which follow */
};

struct oac_dump_register {
	__le32 offset;		/* OAC_REG_* */
	__le32 value;
};

/* The PCI function's configuration space. */
struct oac_dump_config {
	__le32 word;
	__le32 pad;
};

/* A user queue and its progress line, as the card last wrote it. */
struct oac_dump_queue {
	__le32 context;		/* ids on the card */
	__le16 queue;
	__le16 vector;
	__le32 depth;
	__le32 submit_tail;	/* last rung by the kernel; of no meaning where users ring */
	__le32 pid;		/* of who opened the file */
	__le32 uid;
	__le32 flags;		/* DRM_OAC_QUEUE_* */
	__le32 still_ms;	/* the watchdog has not seen it move for so long */
	__le32 sq_head;
	__le32 completed;
	__le32 state;
	__le32 status;
	__le64 fault_addr;
	__le64 error_count;
	__le64 compute_ns;
	__le64 copy_ns;
	__le32 waiting;
	__le32 steps;
};

/* As drm_oac_event. */
struct oac_dump_event {
	__le64 seq;
	__le64 boot_ns;
	__le64 arg;
	__le64 card_seq;
	__le64 card_ns;
	__le32 generation;
	__le32 context;
	__le16 queue;
	__le16 code;
	__u8 severity;
	__u8 action;
	__u8 pad[2];
};

/* As drm_oac_info_rung. */
struct oac_dump_rung {
	__le32 rung;
	__le32 last_cause;
	__le64 tried;
	__le64 helped;
	__le64 last_ns;
	__le64 longest_ns;
};

#if defined(__cplusplus)
}
#endif

#endif
