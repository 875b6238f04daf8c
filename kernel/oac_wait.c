// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Waiting for a queue, asleep or by eventfd. Only the progress line counts, which the card writes
 * and no user can.
 */
#include <linux/eventfd.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "oac_drv.h"
#include "oac_hw.h"

/* Longest sleep without a look at the card: one that is gone sends no interrupt. */
#define OAC_WAIT_SLICE_NS	NSEC_PER_SEC

/* Sequences of the kernel's arm requests; user space counts without this bit. */
#define OAC_ARM_SEQ_KERNEL	BIT(31)

/* For the next arm request of the kernel's: no two in a row are equal. */
u32 oac_queue_arm_sequence(struct oac_queue *queue)
{
	return (u32)atomic_inc_return(&queue->arm_seq) | OAC_ARM_SEQ_KERNEL;
}

/* In interrupts, under the vector lock. */
void oac_queue_interrupt(struct oac_queue *queue)
{
	wake_up_all(&queue->wait);
	if (queue->eventfd)
		oac_eventfd_signal(queue->eventfd);
}

/* Reads the progress line into the out fields. -errno: there is no line any more. */
static int oac_queue_look(struct oac_queue *queue, struct drm_oac_queue_wait *args)
{
	struct oac_card *card = queue->card;
	struct oac_progress *progress;
	struct oac_last seen;
	bool is_lost;
	int idx;

	if (!drm_dev_enter(&card->drm, &idx))
		return -ENODEV;
	/* The flag before the line: that of a lost queue is final. */
	is_lost = oac_queue_is_lost(queue);
	progress = &card->progress[queue->hw_id];
	seen.completed = le32_to_cpu(READ_ONCE(progress->completed));
	seen.taken = le32_to_cpu(READ_ONCE(progress->sq_head));
	seen.state = le32_to_cpu(READ_ONCE(progress->state));
	seen.status = le32_to_cpu(READ_ONCE(progress->status));
	seen.fault_addr = le64_to_cpu(READ_ONCE(progress->fault_addr));
	drm_dev_exit(idx);
	/* The line before the flag: a line that has a new owner belongs to a dead queue. */
	smp_rmb();
	if (READ_ONCE(queue->dead)) {
		if (!oac_queue_is_lost(queue))
			return -ENOENT;
		is_lost = true;
		seen = queue->last;
	}
	args->completed = seen.completed;
	args->taken = seen.taken;
	args->state = seen.state == OAC_QUEUE_RUNNING ? OAC_QUEUE_RUNNING : OAC_QUEUE_ERROR;
	args->status = args->state == OAC_QUEUE_ERROR ? seen.status : OAC_ST_SUCCESS;
	args->fault_addr = args->state == OAC_QUEUE_ERROR ? seen.fault_addr : 0;
	if (oac_card_is_lost(card))
		return -ENODEV;
	return is_lost ? -ESTALE : 0;
}

static bool oac_queue_has_news(struct oac_queue *queue, struct drm_oac_queue_wait *args, int *err)
{
	*err = oac_queue_look(queue, args);
	return *err || args->completed != args->seen || args->state == OAC_QUEUE_ERROR;
}

/* Asks for an interrupt, and whether the card is still there to send one. */
static int oac_queue_arm(struct oac_queue *queue, u32 seen)
{
	u32 sequence = oac_queue_arm_sequence(queue);
	struct oac_card *card = queue->card;
	u32 status;
	int idx, err;

	if (!drm_dev_enter(&card->drm, &idx))
		return -ENODEV;
	err = oac_hw_status(card, &status);
	if (!err)
		oac_hw_queue_arm(card, queue->hw_id, sequence, seen);
	drm_dev_exit(idx);
	/* Away for the moment: the reset that it comes back with wakes us. */
	return err == -EHOSTDOWN ? 0 : err;
}

static int oac_queue_wait(struct oac_queue *queue, struct drm_oac_queue_wait *args)
{
	u64 now;
	int err;

	while (!oac_queue_has_news(queue, args, &err)) {
		now = ktime_get_ns();
		if (now >= args->deadline_ns)
			return -ETIMEDOUT;
		err = oac_queue_arm(queue, args->seen);
		if (err)
			return err;
		now = min_t(u64, args->deadline_ns - now, OAC_WAIT_SLICE_NS);
		/* Whatever ends the sleep but a signal, the loop looks once more. */
		if (wait_event_interruptible_hrtimeout(queue->wait,
						       oac_queue_has_news(queue, args, &err),
						       ns_to_ktime(now)) == -ERESTARTSYS)
			return -ERESTARTSYS;
	}
	return err;
}

int oac_ioctl_queue_wait(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_oac_queue_wait *args = data;
	struct oac_queue *queue;
	int err;

	queue = oac_queue_get(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	err = oac_queue_wait(queue, args);
	oac_queue_put(queue);
	return err;
}

int oac_ioctl_queue_eventfd(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_oac_queue_eventfd *args = data;
	struct eventfd_ctx *eventfd = NULL;
	struct oac_queue *queue;
	unsigned long flags;
	int err = 0;

	queue = oac_queue_get(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	if (args->fd != -1)
		eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd)) {
		oac_queue_put(queue);
		return PTR_ERR(eventfd);
	}
	spin_lock_irqsave(&queue->vector->lock, flags);
	if (oac_queue_is_lost(queue))
		err = -ESTALE;
	else if (list_empty(&queue->vector_node))
		err = -ENOENT;
	else
		swap(queue->eventfd, eventfd);
	spin_unlock_irqrestore(&queue->vector->lock, flags);
	/* The one that was there, or on failure the one that did not get there. */
	if (eventfd)
		eventfd_ctx_put(eventfd);
	oac_queue_put(queue);
	return err;
}
