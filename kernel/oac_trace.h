/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * Tracepoints. No strings and no pointers, so that a trace can be read anywhere: cards are told by
 * serial number, the rest are the numbers of include/hw.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM oac

#if !defined(OAC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define OAC_TRACE_H

#include <linux/tracepoint.h>

#include "oac_drv.h"

/* clang-format off */
TRACE_EVENT(oac_admin,
	TP_PROTO(const struct oac_card *card, u8 opcode, u16 cid, u64 took_ns, u16 status, int err),
	TP_ARGS(card, opcode, cid, took_ns, status, err),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u64, took_ns)
		__field(int, err)
		__field(u16, cid)
		__field(u16, status)
		__field(u8, opcode)
	),
	TP_fast_assign(
		__entry->serial = card->serial;
		__entry->took_ns = took_ns;
		__entry->err = err;
		__entry->cid = cid;
		__entry->status = status;
		__entry->opcode = opcode;
	),
	TP_printk("card=%016llx opcode=%#x cid=%u took_ns=%llu status=%#x err=%d",
		  __entry->serial, __entry->opcode, __entry->cid, __entry->took_ns,
		  __entry->status, __entry->err)
);

TRACE_EVENT(oac_rung,
	TP_PROTO(const struct oac_card *card, u32 rung, u32 cause, u64 took_ns, int err),
	TP_ARGS(card, rung, cause, took_ns, err),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u64, took_ns)
		__field(u32, rung)
		__field(u32, cause)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->serial = card->serial;
		__entry->took_ns = took_ns;
		__entry->rung = rung;
		__entry->cause = cause;
		__entry->err = err;
	),
	TP_printk("card=%016llx rung=%u cause=%u took_ns=%llu err=%d", __entry->serial,
		  __entry->rung, __entry->cause, __entry->took_ns, __entry->err)
);

TRACE_EVENT(oac_health,
	TP_PROTO(const struct oac_card *card, u32 state, u32 reason, u64 arg),
	TP_ARGS(card, state, reason, arg),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u64, arg)
		__field(u32, state)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->serial = card->serial;
		__entry->arg = arg;
		__entry->state = state;
		__entry->reason = reason;
	),
	TP_printk("card=%016llx state=%u reason=%#x arg=%#llx", __entry->serial, __entry->state,
		  __entry->reason, __entry->arg)
);

TRACE_EVENT(oac_irq,
	TP_PROTO(const struct oac_card *card, u32 vector),
	TP_ARGS(card, vector),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u32, vector)
	),
	TP_fast_assign(
		__entry->serial = card->serial;
		__entry->vector = vector;
	),
	TP_printk("card=%016llx vector=%u", __entry->serial, __entry->vector)
);

TRACE_EVENT(oac_submit,
	TP_PROTO(const struct oac_queue *queue, u32 flags, u32 tail, int err),
	TP_ARGS(queue, flags, tail, err),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u32, context)
		__field(u32, flags)
		__field(u32, tail)
		__field(int, err)
		__field(u16, queue)
	),
	TP_fast_assign(
		__entry->serial = queue->card->serial;
		__entry->context = queue->context->hw_id;
		__entry->flags = flags;
		__entry->tail = tail;
		__entry->err = err;
		__entry->queue = queue->hw_id;
	),
	TP_printk("card=%016llx context=%u queue=%u flags=%#x tail=%u err=%d", __entry->serial,
		  __entry->context, __entry->queue, __entry->flags, __entry->tail, __entry->err)
);

/* The watchdog: what it does with a queue that has work and stands still. */
DECLARE_EVENT_CLASS(oac_still,
	TP_PROTO(const struct oac_queue *queue),
	TP_ARGS(queue),
	TP_STRUCT__entry(
		__field(u64, serial)
		__field(u32, context)
		__field(u32, tail)
		__field(u32, taken)
		__field(u32, completed)
		__field(u32, still_ms)
		__field(u16, queue)
	),
	TP_fast_assign(
		__entry->serial = queue->card->serial;
		__entry->context = queue->context->hw_id;
		__entry->tail = READ_ONCE(queue->submit_tail);
		__entry->taken = queue->seen.taken;
		__entry->completed = queue->seen.completed;
		__entry->still_ms = jiffies_to_msecs(jiffies - queue->seen.since);
		__entry->queue = queue->hw_id;
	),
	TP_printk("card=%016llx context=%u queue=%u tail=%u taken=%u completed=%u still_ms=%u",
		  __entry->serial, __entry->context, __entry->queue, __entry->tail,
		  __entry->taken, __entry->completed, __entry->still_ms)
);

DEFINE_EVENT(oac_still, oac_hang, TP_PROTO(const struct oac_queue *queue), TP_ARGS(queue));
DEFINE_EVENT(oac_still, oac_ring_again, TP_PROTO(const struct oac_queue *queue), TP_ARGS(queue));
/* clang-format on */

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE oac_trace
#include <trace/define_trace.h>
