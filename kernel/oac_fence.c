// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * DRM fences on a queue's completions. A fence waits in its queue's list, sorted by count, until
 * the progress line reaches the count, or the queue, the card or its time ends: it always signals.
 * Interrupts drive that; a slow tick looks too, for deadlines and in case an interrupt was lost.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_syncobj.h>

#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_FENCES_MAX		4096	/* pending per queue: they are walked with interrupts off */
#define OAC_FENCE_TICK_MS	100
#define OAC_FENCE_TIMEOUT_MIN	100
#define OAC_FENCE_TIMEOUT_MAX	600000

static unsigned int oac_fence_timeout_ms = 10000;

static int oac_fence_timeout_set(const char *value, const struct kernel_param *param)
{
	return param_set_uint_minmax(value, param, OAC_FENCE_TIMEOUT_MIN, OAC_FENCE_TIMEOUT_MAX);
}

static const struct kernel_param_ops oac_fence_timeout_ops = {
	.set = oac_fence_timeout_set,
	.get = param_get_uint,
};
module_param_cb(fence_timeout_ms, &oac_fence_timeout_ops, &oac_fence_timeout_ms, 0644);
MODULE_PARM_DESC(fence_timeout_ms, "longest life of a pending fence, 100..600000 (default 10000)");

struct oac_fence {
	struct dma_fence base;
	spinlock_t lock;		/* base's own */
	struct list_head node;		/* in oac_queue.fences or a list of due ones: one reference */
	u32 count;
	int error;			/* to signal with */
	ktime_t until;			/* its deadline */
	unsigned long deadline;		/* the same in jiffies, for the look at it */
};

/* ---- The fence as DRM sees it ----------------------------------------------------------------- */

static const char *oac_fence_driver_name(struct dma_fence *base)
{
	return OAC_NAME;
}

static const char *oac_fence_timeline_name(struct dma_fence *base)
{
	return "queue";
}

/* Maybe long after the queue and the card are gone; the module is here until now. */
static void oac_fence_release(struct dma_fence *base)
{
	struct oac_fence *fence = container_of(base, struct oac_fence, base);

	kfree_rcu(fence, base.rcu);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops oac_fence_ops = {
	.get_driver_name = oac_fence_driver_name,
	.get_timeline_name = oac_fence_timeline_name,
	.release = oac_fence_release,
};

static void oac_fence_set_deadline(struct oac_fence *fence, u64 timeout_ns)
{
	u64 most = (u64)READ_ONCE(oac_fence_timeout_ms) * NSEC_PER_MSEC;
	u64 life = timeout_ns ? min(timeout_ns, most) : most;

	fence->until = ktime_add_ns(ktime_get(), life);
	fence->deadline = jiffies + nsecs_to_jiffies(life) + 1;
}

/* A context of its own for each: they need not signal in the order in which they were made. */
static struct oac_fence *oac_fence_new(const struct drm_oac_queue_fence *args)
{
	struct oac_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);

	if (!fence)
		return NULL;
	__module_get(THIS_MODULE);
	spin_lock_init(&fence->lock);
	INIT_LIST_HEAD(&fence->node);
	fence->count = args->count;
	oac_fence_set_deadline(fence, args->timeout_ns);
	dma_fence_init(&fence->base, &oac_fence_ops, &fence->lock, dma_fence_context_alloc(1), 1);
	return fence;
}

/* ---- Who is due: under the vector lock -------------------------------------------------------- */

struct oac_fence_view {
	u32 completed;
	u32 good;			/* commands done before the first that failed */
	bool has_failed;
};

static void oac_fence_look(struct oac_queue *queue, struct oac_fence_view *view)
{
	const struct oac_progress *progress = &queue->card->progress[queue->hw_id];
	u32 taken;

	view->completed = le32_to_cpu(READ_ONCE(progress->completed));
	/* The card writes the counts last: the rest is not older than they are. */
	dma_rmb();
	view->has_failed = READ_ONCE(progress->state) != cpu_to_le32(OAC_QUEUE_RUNNING);
	taken = le32_to_cpu(READ_ONCE(progress->sq_head));
	/* The queue's own failure is a completion for which no command was taken. */
	view->good = (s32)(taken - view->completed) < 0 ? taken : view->completed;
	view->good -= lower_32_bits(le64_to_cpu(READ_ONCE(progress->error_count)));
}

static void oac_fence_take(struct oac_queue *queue, struct oac_fence *fence, int error,
			   struct list_head *due)
{
	fence->error = error;
	list_move_tail(&fence->node, due);
	queue->fence_count--;
}

static void oac_fence_take_all(struct oac_queue *queue, int error, struct list_head *due)
{
	struct oac_fence *fence, *next;

	list_for_each_entry_safe(fence, next, &queue->fences, node)
		oac_fence_take(queue, fence, error, due);
}

static void oac_fence_take_done(struct oac_queue *queue, u32 good, struct list_head *due)
{
	struct oac_fence *fence, *next;

	list_for_each_entry_safe(fence, next, &queue->fences, node) {
		if ((s32)(fence->count - good) > 0)
			break;
		oac_fence_take(queue, fence, 0, due);
	}
}

static void oac_fence_take_late(struct oac_queue *queue, struct list_head *due)
{
	unsigned long now = jiffies, nearest = now + MAX_JIFFY_OFFSET;
	struct oac_fence *fence, *next;

	if (time_before(now, queue->fence_jiffies))
		return;
	list_for_each_entry_safe(fence, next, &queue->fences, node) {
		/* Jiffies may have stood still and caught up: none ends before its time. */
		if (time_after_eq(now, fence->deadline) && ktime_before(ktime_get(), fence->until))
			fence->deadline = now + 1;
		if (time_after_eq(now, fence->deadline))
			oac_fence_take(queue, fence, -ETIMEDOUT, due);
		else if (time_before(fence->deadline, nearest))
			nearest = fence->deadline;
	}
	queue->fence_jiffies = nearest;
}

/*
 * Moves the queue's fences that are to signal to due, and asks for an interrupt for the rest, each
 * time: somebody else's request may have taken the place of the last one. Between probe and remove,
 * or when the card is lost.
 */
void oac_fence_collect(struct oac_queue *queue, struct list_head *due)
{
	struct oac_card *card = queue->card;
	struct oac_fence_view view;

	lockdep_assert_held(&queue->vector->lock);
	if (list_empty(&queue->fences))
		return;
	if (oac_card_is_lost(card)) {
		oac_fence_take_all(queue, -ENODEV, due);
		return;
	}
	oac_fence_look(queue, &view);
	oac_fence_take_done(queue, view.good, due);
	if (view.has_failed)
		oac_fence_take_all(queue, -ECANCELED, due);
	oac_fence_take_late(queue, due);
	if (!list_empty(&queue->fences) && !READ_ONCE(queue->dead))
		oac_hw_queue_arm(card, queue->hw_id, oac_queue_arm_sequence(queue), view.completed);
}

/* With no spinlock held. */
void oac_fence_signal(struct list_head *due)
{
	struct oac_fence *fence, *next;

	list_for_each_entry_safe(fence, next, due, node) {
		list_del_init(&fence->node);
		if (fence->error)
			dma_fence_set_error(&fence->base, fence->error);
		dma_fence_signal(&fence->base);
		dma_fence_put(&fence->base);
	}
}

/* The queue is gone from the card and from its vector: no new fence gets in. */
void oac_fence_cancel(struct oac_queue *queue)
{
	struct oac_fence_view view;
	unsigned long flags;
	LIST_HEAD(due);
	int idx;

	spin_lock_irqsave(&queue->vector->lock, flags);
	/* After remove there is no progress line, and the list is empty. */
	if (drm_dev_enter(&queue->card->drm, &idx)) {
		oac_fence_look(queue, &view);
		oac_fence_take_done(queue, view.good, &due);
		drm_dev_exit(idx);
	}
	oac_fence_take_all(queue, oac_card_is_lost(queue->card) ? -ENODEV : -ECANCELED, &due);
	spin_unlock_irqrestore(&queue->vector->lock, flags);
	oac_fence_signal(&due);
}

/* ---- Tick ------------------------------------------------------------------------------------- */

static void oac_fence_tick_at(struct oac_card *card, unsigned long when)
{
	unsigned long now = jiffies, flags;

	spin_lock_irqsave(&card->tick_lock, flags);
	if (!card->tick_set || time_before(when, card->tick_jiffies)) {
		card->tick_set = true;
		card->tick_jiffies = when;
		mod_delayed_work(oac_wq, &card->fence_tick, time_after(when, now) ? when - now : 0);
	}
	spin_unlock_irqrestore(&card->tick_lock, flags);
}

/* true: fences are still pending, and want a look at *when or before. */
static bool oac_fence_tick_vector(struct oac_vector *vector, unsigned long *when)
{
	struct oac_queue *queue;
	bool is_pending = false;
	unsigned long flags;
	LIST_HEAD(due);

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		oac_fence_collect(queue, &due);
		if (list_empty(&queue->fences))
			continue;
		is_pending = true;
		if (time_before(queue->fence_jiffies, *when))
			*when = queue->fence_jiffies;
	}
	spin_unlock_irqrestore(&vector->lock, flags);
	oac_fence_signal(&due);
	return is_pending;
}

static void oac_fence_tick_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, fence_tick.work);
	unsigned long when = jiffies + msecs_to_jiffies(OAC_FENCE_TICK_MS);
	bool is_pending = false;
	unsigned int i;
	u32 status;
	int idx;

	/* First: whoever comes in meanwhile sets the tick anew. */
	spin_lock_irq(&card->tick_lock);
	card->tick_set = false;
	spin_unlock_irq(&card->tick_lock);
	if (!drm_dev_enter(&card->drm, &idx))
		return;
	/* A card that is gone sends no interrupt; this makes it lost. */
	if (!oac_card_is_lost(card))
		oac_hw_status(card, &status);
	for (i = 0; i < card->vector_count; i++)
		is_pending |= oac_fence_tick_vector(&card->vectors[i], &when);
	if (is_pending)
		oac_fence_tick_at(card, when);
	drm_dev_exit(idx);
}

void oac_fence_init(struct oac_card *card)
{
	spin_lock_init(&card->tick_lock);
	INIT_DELAYED_WORK(&card->fence_tick, oac_fence_tick_work);
}

/* When nobody makes fences any more. */
void oac_fence_fini(struct oac_card *card)
{
	cancel_delayed_work_sync(&card->fence_tick);
}

/* ---- QUEUE_FENCE ------------------------------------------------------------------------------ */

/* Counts come mostly in order, so the place is found from the end. */
static void oac_fence_insert(struct oac_queue *queue, struct oac_fence *fence)
{
	struct list_head *place = &queue->fences;
	struct oac_fence *other;

	list_for_each_entry_reverse(other, &queue->fences, node) {
		if ((s32)(fence->count - other->count) >= 0) {
			place = &other->node;
			break;
		}
	}
	if (list_empty(&queue->fences) || time_before(fence->deadline, queue->fence_jiffies))
		queue->fence_jiffies = fence->deadline;
	list_add(&fence->node, place);
	queue->fence_count++;
	dma_fence_get(&fence->base);
}

/* Under the vector lock, inside drm_dev_enter(). */
static int oac_fence_enqueue(struct oac_queue *queue, struct oac_fence *fence,
			     struct list_head *due)
{
	struct oac_fence_view view;

	if (oac_card_is_lost(queue->card))
		return -ENODEV;
	if (oac_queue_is_lost(queue))
		return -ESTALE;
	if (list_empty(&queue->vector_node))
		return -ENOENT;
	oac_fence_look(queue, &view);
	if ((s32)(fence->count - view.completed) > (s32)queue->depth)
		return -EINVAL;
	if (queue->fence_count >= OAC_FENCES_MAX)
		return -EDQUOT;
	oac_fence_insert(queue, fence);
	/* Looks again behind the arming: a completion before it is seen, one after it interrupts. */
	oac_fence_collect(queue, due);
	return 0;
}

static int oac_fence_start(struct oac_queue *queue, struct oac_fence *fence)
{
	struct oac_card *card = queue->card;
	unsigned long flags;
	LIST_HEAD(due);
	int idx, err;

	if (!drm_dev_enter(&card->drm, &idx))
		return -ENODEV;
	spin_lock_irqsave(&queue->vector->lock, flags);
	err = oac_fence_enqueue(queue, fence, &due);
	spin_unlock_irqrestore(&queue->vector->lock, flags);
	if (!err) {
		unsigned long when = jiffies + msecs_to_jiffies(OAC_FENCE_TICK_MS);

		oac_fence_signal(&due);
		oac_fence_tick_at(card,
				  time_before(fence->deadline, when) ? fence->deadline : when);
	}
	drm_dev_exit(idx);
	return err;
}

/*
 * From the look at a timeline's end to the new one, so that of callers who race for a point one gets
 * it. For all cards: a syncobj may be on many. DRM's own SYNCOBJ_TIMELINE_SIGNAL does not know it.
 */
static DEFINE_MUTEX(oac_point_lock);

/* A timeline only grows. */
static bool oac_fence_point_is_new(struct drm_syncobj *syncobj, u64 point)
{
	struct dma_fence *last = drm_syncobj_fence_get(syncobj);
	struct dma_fence_chain *chain = to_dma_fence_chain(last);
	bool is_new = !chain || point > chain->base.seqno;

	dma_fence_put(last);
	return is_new;
}

static int oac_fence_add_point(struct oac_queue *queue, struct drm_syncobj *syncobj,
			       struct oac_fence *fence, u64 point)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();
	int err;

	if (!chain)
		return -ENOMEM;
	mutex_lock(&oac_point_lock);
	err = oac_fence_point_is_new(syncobj, point) ? oac_fence_start(queue, fence) : -EINVAL;
	if (!err)
		drm_syncobj_add_point(syncobj, chain, &fence->base, point);
	mutex_unlock(&oac_point_lock);
	if (err)
		dma_fence_chain_free(chain);
	return err;
}

static int oac_fence_make(struct oac_queue *queue, struct drm_syncobj *syncobj,
			  const struct drm_oac_queue_fence *args)
{
	struct oac_fence *fence = oac_fence_new(args);
	int err;

	if (!fence)
		return -ENOMEM;
	if (args->point) {
		err = oac_fence_add_point(queue, syncobj, fence, args->point);
	} else {
		err = oac_fence_start(queue, fence);
		if (!err)
			drm_syncobj_replace_fence(syncobj, &fence->base);
	}
	dma_fence_put(&fence->base);
	return err;
}

int oac_ioctl_queue_fence(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	const struct drm_oac_queue_fence *args = data;
	struct drm_syncobj *syncobj;
	struct oac_queue *queue;
	int err = -ENOENT;

	if (args->flags)
		return -EINVAL;
	queue = oac_queue_get(drm_file->driver_priv, args->queue);
	if (!queue)
		return -ENOENT;
	syncobj = drm_syncobj_find(drm_file, args->syncobj);
	if (syncobj) {
		err = oac_fence_make(queue, syncobj, args);
		drm_syncobj_put(syncobj);
	}
	oac_queue_put(queue);
	return err;
}
