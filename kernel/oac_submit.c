// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Submission by the kernel: the doorbell of a queue whose page no process has. Also decides
 * whether a card's doorbell pages may be given to processes at all.
 */
#include <linux/module.h>

#include "oac_check.h"
#include "oac_drv.h"
#include "oac_hw.h"
#include "oac_trace.h"

#define OAC_SUBMIT_FLAGS	(DRM_OAC_SUBMIT_TAIL | DRM_OAC_SUBMIT_ARM)

static bool oac_user_submission = true;
module_param_named(user_submission, oac_user_submission, bool, 0444);
MODULE_PARM_DESC(user_submission,
		 "let processes map doorbells where the card keeps them apart (default Y)");

void oac_submit_init(struct oac_card *card)
{
	card->user_submission = oac_user_submission && oac_hw_doorbells_are_isolated(card);
}

/* Under submit_lock: the page is this queue's own until oac_submit_stop(). */
static int oac_submit_tail(struct oac_queue *queue, u32 tail)
{
	const struct oac_progress *progress = &queue->card->progress[queue->hw_id];
	u32 completed = le32_to_cpu(READ_ONCE(progress->completed));

	if (READ_ONCE(progress->state) != cpu_to_le32(OAC_QUEUE_RUNNING))
		return -EIO;
	if (!oac_check_tail(tail, queue->submit_tail, completed, queue->depth))
		return -EINVAL;
	if (tail != queue->submit_tail) {
		WRITE_ONCE(queue->submit_tail, tail);
		oac_hw_queue_ring(queue->card, queue->hw_id, tail);
	}
	return 0;
}

/* Racing callers are put in some order here; whose tail then is behind gets -EINVAL. */
static int oac_submit(struct oac_queue *queue, const struct drm_oac_queue_submit *args)
{
	struct oac_card *card = queue->card;
	int err = 0;

	spin_lock(&queue->submit_lock);
	if (oac_card_is_lost(card))
		err = -ENODEV;
	else if (oac_queue_is_lost(queue))
		err = -ESTALE;
	else if (queue->dead)
		err = -ENOENT;
	else if (READ_ONCE(card->stopped))
		err = -EHOSTDOWN;
	else if (args->flags & DRM_OAC_SUBMIT_TAIL)
		err = oac_submit_tail(queue, args->tail);
	if (!err && args->flags & DRM_OAC_SUBMIT_ARM)
		oac_hw_queue_arm(card, queue->hw_id, oac_queue_arm_sequence(queue), args->seen);
	spin_unlock(&queue->submit_lock);
	return err;
}

/* The doorbell may have got lost. If not, the same count once more does no harm. */
void oac_submit_again(struct oac_queue *queue)
{
	spin_lock(&queue->submit_lock);
	if (!oac_card_is_lost(queue->card) && !oac_queue_is_lost(queue) && !queue->dead)
		oac_hw_queue_ring(queue->card, queue->hw_id, queue->submit_tail);
	spin_unlock(&queue->submit_lock);
}

/* The queue is dead. When this returns, nobody rings its doorbell, and nobody will. */
void oac_submit_stop(struct oac_queue *queue)
{
	spin_lock(&queue->submit_lock);
	spin_unlock(&queue->submit_lock);
}

int oac_ioctl_queue_submit(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	const struct drm_oac_queue_submit *args = data;
	struct oac_queue *queue;
	int idx, err;

	if (!args->flags || args->flags & ~OAC_SUBMIT_FLAGS)
		return -EINVAL;
	queue = oac_queue_get(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	if (!queue->kernel_submit) {
		err = -EINVAL;
	} else if (drm_dev_enter(drm, &idx)) {
		err = oac_submit(queue, args);
		drm_dev_exit(idx);
	} else {
		err = -ENODEV;
	}
	trace_oac_submit(queue, args->flags, args->tail, err);
	oac_queue_put(queue);
	return err;
}
