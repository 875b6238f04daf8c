// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * The admin queue: one function per command. The card is not trusted: a completion that cannot be
 * right, or none in time, makes the card fail: see oac_card_fail(). The only callers that see a card's refusal are
 * those that asked for something new; taking away must work.
 */
#include <linux/bitfield.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>

#include "oac_drv.h"
#include "oac_hw.h"
#include "oac_trace.h"

#define OAC_ADMIN_DEPTH		16
/* How often a waiter looks by itself: bounds what a lost interrupt costs. */
#define OAC_ADMIN_LOOK_MS	100

static unsigned int oac_admin_timeout_ms = 10000;
module_param_named(admin_timeout_ms, oac_admin_timeout_ms, uint, 0644);
MODULE_PARM_DESC(admin_timeout_ms,
		 "how long a card may take over an admin command (default 10000)");

static const int oac_admin_errnos[] = {
	[OAC_ST_BAD_OPCODE] = -EOPNOTSUPP,
	[OAC_ST_BAD_FIELD] = -EINVAL,
	[OAC_ST_BAD_ALIGNMENT] = -EINVAL,
	[OAC_ST_ACCESS_FAULT] = -EINVAL,	/* a ring that is not mapped */
	[OAC_ST_ACCESS_RIGHTS] = -EINVAL,
	[OAC_ST_DMA_ERROR] = -EIO,
	[OAC_ST_ABORTED] = -EIO,
	[OAC_ST_BAD_CONTEXT] = -EIO,		/* ids are ours: the card lost track */
	[OAC_ST_BAD_QUEUE] = -EIO,
	[OAC_ST_ID_IN_USE] = -EIO,
	[OAC_ST_OVERLAP] = -EEXIST,
	[OAC_ST_NOT_MAPPED] = -EINVAL,
	[OAC_ST_LIMIT] = -ENOSPC,
	[OAC_ST_BUSY] = -EBUSY,
	[OAC_ST_BAD_LOG] = -EOPNOTSUPP,
};

static int oac_admin_errno(u16 status)
{
	if (status == OAC_ST_SUCCESS)
		return 0;
	if (status < ARRAY_SIZE(oac_admin_errnos) && oac_admin_errnos[status])
		return oac_admin_errnos[status];
	return -EIO;
}

int oac_admin_init(struct oac_card *card)
{
	struct oac_admin *admin = &card->admin;
	struct device *dev = &card->pdev->dev;

	admin->sq = dma_alloc_coherent(dev, OAC_PAGE_SIZE, &admin->sq_dma, GFP_KERNEL);
	admin->cq = dma_alloc_coherent(dev, OAC_PAGE_SIZE, &admin->cq_dma, GFP_KERNEL);
	admin->data = dma_alloc_coherent(dev, OAC_ADMIN_DATA_SIZE, &admin->data_dma, GFP_KERNEL);
	if (admin->sq && admin->cq && admin->data)
		return 0;
	oac_admin_fini(card);
	return -ENOMEM;
}

void oac_admin_fini(struct oac_card *card)
{
	struct oac_admin *admin = &card->admin;
	struct device *dev = &card->pdev->dev;

	if (admin->data)
		dma_free_coherent(dev, OAC_ADMIN_DATA_SIZE, admin->data, admin->data_dma);
	if (admin->cq)
		dma_free_coherent(dev, OAC_PAGE_SIZE, admin->cq, admin->cq_dma);
	if (admin->sq)
		dma_free_coherent(dev, OAC_PAGE_SIZE, admin->sq, admin->sq_dma);
}

int oac_admin_enable(struct oac_card *card)
{
	struct oac_admin *admin = &card->admin;

	BUILD_BUG_ON(OAC_ADMIN_DEPTH * sizeof(*admin->sq) > OAC_PAGE_SIZE);
	BUILD_BUG_ON(OAC_ADMIN_DEPTH > OAC_ADMIN_DEPTH_MAX);
	mutex_lock(&admin->lock);
	memset(admin->sq, 0, OAC_PAGE_SIZE);
	memset(admin->cq, 0, OAC_PAGE_SIZE);
	admin->tail = 0;
	oac_hw_admin_enable(card, admin->sq_dma, admin->cq_dma, OAC_ADMIN_DEPTH);
	admin->enabled = true;
	mutex_unlock(&admin->lock);
	return oac_hw_admin_failed(card) ? -EIO : 0;
}

void oac_admin_disable(struct oac_card *card)
{
	struct oac_admin *admin = &card->admin;

	mutex_lock(&admin->lock);
	if (admin->enabled)
		oac_hw_admin_disable(card);
	admin->enabled = false;
	mutex_unlock(&admin->lock);
}

/* ---- One command ------------------------------------------------------------------------------ */

/* Copies the command into the ring and rings; its cid is its place in the stream. */
static u16 oac_admin_publish(struct oac_card *card, const struct oac_admin_cmd *cmd)
{
	struct oac_admin *admin = &card->admin;
	struct oac_admin_cmd *entry = &admin->sq[admin->tail % OAC_ADMIN_DEPTH];
	u16 cid = (u16)admin->tail;

	*entry = *cmd;
	entry->cid = cpu_to_le16(cid);
	entry->data_addr = cpu_to_le64(cmd->data_size ? admin->data_dma : 0);
	oac_hw_admin_ring(card, ++admin->tail);
	return cid;
}

static bool oac_admin_is_done(struct oac_admin *admin, const struct oac_completion *entry)
{
	/* First pass over the ring: phase 1, then alternating. */
	u16 phase = !(((admin->tail - 1) / OAC_ADMIN_DEPTH) & 1);

	return (le16_to_cpu(READ_ONCE(entry->phase)) & OAC_PHASE_MASK) == phase;
}

static bool oac_admin_is_off(struct oac_card *card)
{
	return oac_card_is_lost(card) || READ_ONCE(card->stopped);
}

/* Can an answer still come? */
static int oac_admin_look(struct oac_card *card)
{
	u32 status, state;
	int err = oac_hw_status(card, &status);

	/* The registers are away for the moment: the deadline goes on. */
	if (err)
		return err == -EHOSTDOWN ? 0 : err;
	state = FIELD_GET(OAC_STATUS_STATE_MASK, status);
	if (state == OAC_STATE_CRASHED)
		oac_card_fail(card, OAC_CAUSE_CRASHED, "its firmware gave up");
	else if (state != OAC_STATE_RUNNING)
		oac_card_fail(card, OAC_CAUSE_SELF_RESET, "it has reset itself");
	else if (status & OAC_STATUS_ADMIN_ERROR_MASK)
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "it cannot use the admin ring");
	else
		return 0;
	return -ETIME;
}

/* Whoever waits for a boot does so for the commands behind it as well. */
static bool oac_admin_boot_is_late(struct oac_card *card)
{
	return oac_turn_is_mine(card) && !oac_time_left(card->boot_deadline_ns);
}

/*
 * Not killable: once the card has the command, what it did with it must be known before anything
 * is freed. The deadline bounds it, and only the first to meet it waits: then the card has failed,
 * may not touch memory any more, and is reset.
 */
static int oac_admin_wait(struct oac_card *card, const struct oac_completion *entry)
{
	struct oac_admin *admin = &card->admin;
	unsigned long deadline = jiffies + msecs_to_jiffies(READ_ONCE(oac_admin_timeout_ms));
	bool late = false;
	int err;

	while (!late) {
		late = time_after(jiffies, deadline) || oac_admin_boot_is_late(card);
		wait_event_timeout(admin->wait,
				   oac_admin_is_done(admin, entry) || oac_admin_is_off(card),
				   msecs_to_jiffies(OAC_ADMIN_LOOK_MS));
		if (oac_card_is_lost(card))
			return -ENODEV;
		/* What the card says once it has failed is not believed. */
		if (READ_ONCE(card->stopped))
			return -EHOSTDOWN;
		if (oac_admin_is_done(admin, entry)) {
			/* Phase before the rest of the entry, and that before the data. */
			dma_rmb();
			return 0;
		}
		err = oac_admin_look(card);
		if (err)
			return err;
	}
	oac_card_fail(card, OAC_CAUSE_ADMIN, "an admin command was not answered in time");
	return -ETIME;
}

/* The context's ids are the card's only as long as that is not reset. */
static int oac_admin_check(struct oac_card *card, const struct oac_context *context)
{
	if (oac_card_is_lost(card))
		return -ENODEV;
	if (context && oac_context_lost(context))
		return -ESTALE;
	return card->admin.enabled && !READ_ONCE(card->stopped) ? 0 : -EHOSTDOWN;
}

static int oac_admin_run(struct oac_card *card, const struct oac_admin_cmd *cmd, u64 *info)
{
	struct oac_admin *admin = &card->admin;
	const struct oac_completion *entry = &admin->cq[admin->tail % OAC_ADMIN_DEPTH];
	u64 began_ns = ktime_get_ns();
	u16 cid, status;
	int err;

	WRITE_ONCE(admin->waiting, true);
	cid = oac_admin_publish(card, cmd);
	err = oac_admin_wait(card, entry);
	WRITE_ONCE(admin->waiting, false);
	if (!err && le32_to_cpu(entry->tag) != cid) {
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE,
			      "an admin completion carries another command's id");
		err = -ETIME;
	}
	status = err ? 0 : le16_to_cpu(entry->status);
	trace_oac_admin(card, cmd->opcode, cid, ktime_get_ns() - began_ns, status, err);
	if (err)
		return err;
	*info = le64_to_cpu(entry->info);
	if (status)
		drm_dbg(&card->drm, "admin command %#x: status %#x\n", cmd->opcode, status);
	return oac_admin_errno(status);
}

/*
 * Carries out one command. Returns 0 or -errno, and the command's result in *info. Files that are
 * closed after remove come here too, hence drm_dev_enter().
 */
static int oac_admin_exec_locked(struct oac_card *card, const struct oac_context *context,
				 struct oac_admin_cmd *cmd, u64 *info)
{
	int idx, err;

	lockdep_assert_held(&card->admin.lock);
	if (!drm_dev_enter(&card->drm, &idx))
		return -ENODEV;
	if (context)
		cmd->context = cpu_to_le32(context->hw_id);
	err = oac_admin_check(card, context);
	if (!err)
		err = oac_admin_run(card, cmd, info);
	drm_dev_exit(idx);
	return err;
}

/* For commands without data or result; context: whose it is, or NULL. */
static int oac_admin_exec(struct oac_card *card, const struct oac_context *context,
			  struct oac_admin_cmd *cmd)
{
	u64 info;
	int err;

	mutex_lock(&card->admin.lock);
	err = oac_admin_exec_locked(card, context, cmd, &info);
	mutex_unlock(&card->admin.lock);
	return err;
}

/* The same, killable while it waits for its turn. */
static int oac_admin_exec_killable(struct oac_card *card, const struct oac_context *context,
				   struct oac_admin_cmd *cmd)
{
	u64 info;
	int err;

	if (mutex_lock_killable(&card->admin.lock))
		return -EINTR;
	err = oac_admin_exec_locked(card, context, cmd, &info);
	mutex_unlock(&card->admin.lock);
	return err;
}

/* Taking away cannot be refused: a card that does not agree about what there is has failed. */
static void oac_admin_must(struct oac_card *card, int err)
{
	switch (err) {
	case 0:
	case -ENODEV:	/* it is gone */
	case -ETIME:	/* it has failed by now */
	case -EHOSTDOWN:
	case -ESTALE:	/* it was reset since */
		return;
	}
	oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "it did not take back what it was given");
}

/* ---- The commands ----------------------------------------------------------------------------- */

int oac_admin_identify(struct oac_card *card, struct oac_identify *identify)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_IDENTIFY,
		.data_size = cpu_to_le32(sizeof(*identify)),
	};
	u64 info;
	int err;

	mutex_lock(&card->admin.lock);
	err = oac_admin_exec_locked(card, NULL, &cmd, &info);
	if (!err)
		memcpy(identify, card->admin.data, sizeof(*identify));
	mutex_unlock(&card->admin.lock);
	return err;
}

int oac_admin_time_sync(struct oac_card *card)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_TIME_SYNC,
		.arg.time_sync.host_ns = cpu_to_le64(ktime_get_real_ns()),
	};

	return oac_admin_exec(card, NULL, &cmd);
}

int oac_admin_context_create(const struct oac_context *context, u32 group)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_CONTEXT_CREATE,
		.arg.context_create.group = cpu_to_le32(group),
	};

	return oac_admin_exec_killable(context->card, context, &cmd);
}

/* For whom a refusal is an answer. */
int oac_admin_context_take(const struct oac_context *context)
{
	struct oac_admin_cmd cmd = { .opcode = OAC_ADMIN_CONTEXT_DESTROY };

	return oac_admin_exec(context->card, context, &cmd);
}

void oac_admin_context_destroy(const struct oac_context *context)
{
	oac_admin_must(context->card, oac_admin_context_take(context));
}

int oac_admin_map(const struct oac_context *context, u64 va, u32 flags,
		  const struct oac_segment *segments, u32 count)
{
	struct oac_card *card = context->card;
	size_t size = count * sizeof(*segments);
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_MAP,
		.data_size = cpu_to_le32(size),
		.arg.map = {
			.va = cpu_to_le64(va),
			.segment_count = cpu_to_le32(count),
			.flags = cpu_to_le32(flags),
		},
	};
	u64 info;
	int err;

	if (WARN_ON_ONCE(size > OAC_ADMIN_DATA_SIZE))
		return -EINVAL;
	if (mutex_lock_killable(&card->admin.lock))
		return -EINTR;
	memcpy(card->admin.data, segments, size);
	err = oac_admin_exec_locked(card, context, &cmd, &info);
	mutex_unlock(&card->admin.lock);
	return err;
}

void oac_admin_unmap(const struct oac_context *context, u64 va, u64 length)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_UNMAP,
		.arg.unmap = {
			.va = cpu_to_le64(va),
			.length = cpu_to_le64(length),
		},
	};

	oac_admin_must(context->card, oac_admin_exec(context->card, context, &cmd));
}

/* Local memory to zeroes. */
int oac_admin_scrub(struct oac_card *card, u64 offset, u64 length)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_SCRUB,
		.arg.scrub = {
			.offset = cpu_to_le64(offset),
			.length = cpu_to_le64(length),
		},
	};

	return oac_admin_exec_killable(card, NULL, &cmd);
}

int oac_admin_queue_create(const struct oac_context *context,
			   const struct oac_admin_queue_create *create)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_QUEUE_CREATE,
		.arg.queue_create = *create,
	};

	return oac_admin_exec_killable(context->card, context, &cmd);
}

/* The command belongs to no context, the queue's id does. */
static int oac_admin_exec_queue(const struct oac_queue *queue, struct oac_admin_cmd *cmd)
{
	struct oac_card *card = queue->card;
	u64 info;
	int err;

	mutex_lock(&card->admin.lock);
	if (oac_context_lost(queue->context))
		err = -ESTALE;
	else
		err = oac_admin_exec_locked(card, NULL, cmd, &info);
	mutex_unlock(&card->admin.lock);
	return err;
}

/* The command at hand fails, and with it the queue. */
int oac_admin_queue_abort(const struct oac_queue *queue)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_QUEUE_ABORT,
		.arg.queue_abort.queue_id = cpu_to_le16(queue->hw_id),
	};

	return oac_admin_exec_queue(queue, &cmd);
}

/* For whom a refusal is an answer. */
int oac_admin_queue_take(const struct oac_queue *queue)
{
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_QUEUE_DESTROY,
		.arg.queue_destroy.queue_id = cpu_to_le16(queue->hw_id),
	};

	return oac_admin_exec_queue(queue, &cmd);
}

void oac_admin_queue_destroy(const struct oac_queue *queue)
{
	oac_admin_must(queue->card, oac_admin_queue_take(queue));
}

/* Every engine computes known answers; *failed: those that gave a wrong one. */
int oac_admin_self_test(struct oac_card *card, u64 *failed)
{
	struct oac_admin_cmd cmd = { .opcode = OAC_ADMIN_SELF_TEST };
	u32 engines;
	int err;

	mutex_lock(&card->lock);
	engines = le32_to_cpu(card->identify.engine_count);
	mutex_unlock(&card->lock);
	if (mutex_lock_killable(&card->admin.lock))
		return -EINTR;
	err = oac_admin_exec_locked(card, NULL, &cmd, failed);
	mutex_unlock(&card->admin.lock);
	if (err)
		return err;
	if (engines < BITS_PER_TYPE(u64) && *failed >> engines) {
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "engines failed that it does not have");
		return -EIO;
	}
	return 0;
}

/* At most count entries of size bytes each; returns how many there were. */
int oac_admin_get_log(struct oac_card *card, u32 page, u64 start, void *entries, u32 count,
		      u32 size)
{
	u32 room = min_t(u32, count, OAC_ADMIN_DATA_SIZE / size);
	struct oac_admin_cmd cmd = {
		.opcode = OAC_ADMIN_GET_LOG,
		.data_size = cpu_to_le32(room * size),
		.arg.get_log = {
			.start = cpu_to_le64(start),
			.page = cpu_to_le32(page),
		},
	};
	u64 got;
	int err;

	if (mutex_lock_killable(&card->admin.lock))
		return -EINTR;
	err = oac_admin_exec_locked(card, NULL, &cmd, &got);
	if (!err && got <= room)
		memcpy(entries, card->admin.data, got * size);
	mutex_unlock(&card->admin.lock);
	if (err)
		return err;
	if (got > room) {
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "a log is longer than was asked for");
		return -EPROTO;
	}
	return (int)got;
}
