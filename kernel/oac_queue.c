// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * User queues: made and taken away here, waited for in oac_wait.c, their doorbells in
 * oac_doorbell.c. The rings are the user's; the kernel looks at the progress line only.
 */
#include <linux/capability.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "oac_check.h"
#include "oac_drv.h"

struct oac_queue *oac_queue_get(struct oac_file *file, u32 id)
{
	struct oac_queue *queue;

	xa_lock(&file->queues);
	queue = xa_load(&file->queues, id);
	if (queue)
		kref_get(&queue->ref);
	xa_unlock(&file->queues);
	return queue;
}

static void oac_queue_free(struct kref *ref)
{
	struct oac_queue *queue = container_of(ref, struct oac_queue, ref);

	if (queue->dummy)
		__free_page(queue->dummy);
	oac_context_put(queue->context);
	kfree(queue);
}

void oac_queue_put(struct oac_queue *queue)
{
	kref_put(&queue->ref, oac_queue_free);
}

static struct oac_queue *oac_queue_new(struct oac_context *context,
				       const struct drm_oac_queue_create *args)
{
	struct oac_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);

	if (!queue)
		return NULL;
	/* Here, not in the fault that needs it: that must not fail. */
	queue->dummy = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!queue->dummy) {
		kfree(queue);
		return NULL;
	}
	kref_init(&queue->ref);
	queue->card = context->file->card;
	kref_get(&context->ref);
	queue->context = context;
	INIT_LIST_HEAD(&queue->context_node);
	INIT_LIST_HEAD(&queue->vector_node);
	INIT_LIST_HEAD(&queue->usage_node);
	init_waitqueue_head(&queue->wait);
	queue->kernel_submit = args->flags & DRM_OAC_QUEUE_KERNEL_SUBMIT;
	queue->depth = 1u << args->depth_log2;
	spin_lock_init(&queue->submit_lock);
	INIT_LIST_HEAD(&queue->fences);
	queue->seen.since = jiffies;
	queue->seen.is_woken = true;
	return queue;
}

/* ---- Interrupts ------------------------------------------------------------------------------- */

static void oac_queue_attach(struct oac_queue *queue)
{
	struct oac_card *card = queue->card;
	unsigned long flags;

	queue->vector = &card->vectors[oac_irq_queue_vector(card, queue->hw_id)];
	spin_lock_irqsave(&queue->vector->lock, flags);
	list_add_tail(&queue->vector_node, &queue->vector->queues);
	spin_unlock_irqrestore(&queue->vector->lock, flags);
}

static void oac_queue_detach(struct oac_queue *queue)
{
	struct eventfd_ctx *eventfd;
	unsigned long flags;

	spin_lock_irqsave(&queue->vector->lock, flags);
	list_del_init(&queue->vector_node);
	eventfd = queue->eventfd;
	queue->eventfd = NULL;
	spin_unlock_irqrestore(&queue->vector->lock, flags);
	if (eventfd)
		eventfd_ctx_put(eventfd);
}

/* ---- On the card ------------------------------------------------------------------------------ */

static void oac_queue_count(struct oac_card *card, int change)
{
	mutex_lock(&card->lock);
	card->queues += change;
	mutex_unlock(&card->lock);
}

static int oac_queue_create_on_card(struct oac_queue *queue,
				    const struct drm_oac_queue_create *args)
{
	struct oac_card *card = queue->card;
	u32 vector = oac_irq_queue_vector(card, queue->hw_id);
	dma_addr_t progress = card->progress_dma + queue->hw_id * sizeof(*card->progress);
	struct oac_admin_queue_create create = {
		.sq_va = cpu_to_le64(args->sq_va),
		.cq_va = cpu_to_le64(args->cq_va),
		.tail_va = cpu_to_le64(args->tail_va),
		.progress_addr = cpu_to_le64(progress),
		.queue_id = cpu_to_le16(queue->hw_id),
		.vector = cpu_to_le16(vector),
		.depth_log2 = args->depth_log2,
		.priority = args->priority,
		.weight = cpu_to_le16(args->weight),
	};

	memset(&card->progress[queue->hw_id], 0, sizeof(*card->progress));
	return oac_admin_queue_create(queue->context, &create);
}

/* Under the context lock: is there room for one more? Sets *limit if not. */
static int oac_queue_charge(struct oac_context *context, u32 *limit)
{
	int err = oac_user_check_context(context->file->card, OAC_QUOTA_CONTEXT_QUEUES,
					 context->queue_count, limit);

	return err ?: oac_client_charge(context->file, OAC_QUOTA_QUEUES, limit);
}

/* Under the context lock. Makes the queue known to the card and to the context. */
static int oac_queue_start(struct oac_queue *queue, const struct drm_oac_queue_create *args)
{
	struct oac_context *context = queue->context;
	struct oac_card *card = queue->card;
	u64 depth = 1ull << args->depth_log2;
	int id, err;

	if (context->dead)
		return -ENOENT;
	if (oac_context_lost(context))
		return -ESTALE;
	if (!oac_map_covers(context, args->sq_va, depth * sizeof(struct oac_cmd),
			    DRM_OAC_MAP_READ) ||
	    !oac_map_covers(context, args->cq_va, depth * sizeof(struct oac_completion),
			    DRM_OAC_MAP_WRITE) ||
	    !oac_map_covers(context, args->tail_va, sizeof(struct oac_cq_tail), DRM_OAC_MAP_WRITE))
		return -EINVAL;
	id = ida_alloc_range(&card->queue_ids, 1, le32_to_cpu(card->identify.max_queues),
			     GFP_KERNEL);
	if (id < 0)
		return id;
	queue->hw_id = id;
	err = oac_queue_create_on_card(queue, args);
	if (err) {
		ida_free(&card->queue_ids, id);
		return err;
	}
	oac_queue_attach(queue);
	oac_usage_start(queue);
	context->queue_count++;
	kref_get(&queue->ref);
	list_add_tail(&queue->context_node, &context->queues);
	oac_queue_count(card, 1);
	return 0;
}

/* How far it got; if the card was reset, for good. */
static void oac_queue_keep_progress(struct oac_queue *queue)
{
	const struct oac_progress *line;
	int idx;

	if (!drm_dev_enter(&queue->card->drm, &idx))
		return;
	line = &queue->card->progress[queue->hw_id];
	queue->last.taken = le32_to_cpu(READ_ONCE(line->sq_head));
	queue->last.completed = le32_to_cpu(READ_ONCE(line->completed));
	if (queue->last.completed)
		WRITE_ONCE(queue->card->has_worked, true);
	queue->last.state = le32_to_cpu(READ_ONCE(line->state));
	queue->last.status = le32_to_cpu(READ_ONCE(line->status));
	queue->last.fault_addr = le64_to_cpu(READ_ONCE(line->fault_addr));
	drm_dev_exit(idx);
}

/*
 * Under the context lock. Takes the queue from the card, if that still has it, wakes who waits for
 * it and gives its ids back. It stays its context's, and can be asked how far it got.
 */
void oac_queue_leave(struct oac_queue *queue)
{
	struct oac_card *card = queue->card;

	lockdep_assert_held(&queue->context->lock);
	if (queue->has_left)
		return;
	queue->has_left = true;
	oac_queue_keep_progress(queue);
	/* No store may reach the page's next owner. */
	oac_doorbell_revoke(queue);
	oac_submit_stop(queue);
	if (!oac_queue_is_lost(queue))
		oac_admin_queue_destroy(queue);
	oac_queue_detach(queue);
	oac_fence_cancel(queue);
	wake_up_all(&queue->wait);
	oac_usage_end(queue);
	queue->context->queue_count--;
	oac_client_uncharge(queue->context->file, OAC_QUOTA_QUEUES);
	ida_free(&card->queue_ids, queue->hw_id);
	oac_queue_count(card, -1);
}

/* Under the context lock, once per started queue. Drops the context's reference. */
void oac_queue_destroy(struct oac_queue *queue)
{
	oac_queue_leave(queue);
	list_del_init(&queue->context_node);
	oac_queue_put(queue);
}

/* ---- Ioctls ----------------------------------------------------------------------------------- */

/* What can be told without the card. */
static int oac_queue_check_words(struct oac_card *card, const struct drm_oac_queue_create *args)
{
	int err = oac_check_queue_create(args);

	if (err)
		return err;
	if (args->priority > OAC_PRIORITY_NORMAL && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (!(args->flags & DRM_OAC_QUEUE_KERNEL_SUBMIT) && !card->user_submission)
		return -EOPNOTSUPP;
	return 0;
}

static int oac_queue_check_depth(struct oac_card *card, const struct drm_oac_queue_create *args)
{
	u32 max_depth_log2;

	mutex_lock(&card->lock);
	max_depth_log2 = le32_to_cpu(card->identify.max_depth_log2);
	mutex_unlock(&card->lock);
	return args->depth_log2 > max_depth_log2 ? -EINVAL : 0;
}

static int oac_queue_create(struct oac_file *file, struct oac_context *context,
			    struct drm_oac_queue_create *args)
{
	struct oac_queue *queue = oac_queue_new(context, args);
	int err;

	if (!queue)
		return -ENOMEM;
	/* The id is reserved first and filled last, so that nobody finds a queue half made. */
	err = xa_alloc(&file->queues, &queue->id, NULL, xa_limit_31b, GFP_KERNEL);
	if (err)
		goto out_put;
	if (mutex_lock_killable(&context->lock)) {
		err = -EINTR;
	} else {
		err = oac_queue_charge(context, &args->limit);
		if (!err) {
			err = oac_queue_start(queue, args);
			if (err == -ENOSPC)
				args->limit = DRM_OAC_LIMIT_CARD_QUEUES;
			if (err)
				oac_client_uncharge(file, OAC_QUOTA_QUEUES);
		}
		if (!err) {
			args->queue = queue->id;
			args->doorbell_offset =
				queue->kernel_submit ? 0 : (u64)queue->hw_id << PAGE_SHIFT;
			kref_get(&queue->ref);
			xa_store(&file->queues, queue->id, queue, GFP_KERNEL);
		}
		mutex_unlock(&context->lock);
	}
	if (err)
		xa_release(&file->queues, queue->id);
out_put:
	oac_queue_put(queue);
	return err;
}

int oac_ioctl_queue_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct oac_file *file = drm_file->driver_priv;
	struct drm_oac_queue_create *args = data;
	struct oac_context *context;
	int idx, err;

	args->limit = DRM_OAC_LIMIT_NONE;
	err = oac_queue_check_words(file->card, args);
	if (err)
		return err;
	context = oac_context_get(file, args->context);
	if (!context) {
		err = oac_card_check(file->card);
		return err ?: -ENOENT;
	}
	err = oac_context_check(context);
	if (!err)
		err = oac_queue_check_depth(file->card, args);
	if (!err) {
		err = -ENODEV;
		if (drm_dev_enter(drm, &idx)) {
			err = oac_queue_create(file, context, args);
			drm_dev_exit(idx);
		}
	}
	oac_context_put(context);
	return err;
}

int oac_ioctl_queue_destroy(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct oac_file *file = drm_file->driver_priv;
	struct drm_oac_queue_destroy *args = data;
	struct oac_queue *queue;

	if (args->pad)
		return -EINVAL;
	/* Not xa_erase(): that would also take an id which is only reserved. */
	xa_lock(&file->queues);
	queue = xa_load(&file->queues, args->queue);
	if (queue)
		__xa_erase(&file->queues, args->queue);
	xa_unlock(&file->queues);
	if (!queue)
		return -ENOENT;
	mutex_lock(&queue->context->lock);
	/* Unless the context goes at the same time and was here first. */
	if (!list_empty(&queue->context_node))
		oac_queue_destroy(queue);
	mutex_unlock(&queue->context->lock);
	oac_queue_put(queue);
	return 0;
}
