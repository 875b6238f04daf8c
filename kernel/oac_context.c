// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Contexts: device address spaces. The host picks their ids on the card; a file sees ids of its
 * own, so that another file's do not exist for it.
 */
#include <linux/slab.h>

#include "oac_drv.h"

struct oac_context *oac_context_get(struct oac_file *file, u32 id)
{
	struct oac_context *context;

	xa_lock(&file->contexts);
	context = xa_load(&file->contexts, id);
	if (context)
		kref_get(&context->ref);
	xa_unlock(&file->contexts);
	return context;
}

/* The one with the lowest id on the card from *hw_id on, with its id; NULL: no more. */
struct oac_context *oac_context_get_next(struct oac_card *card, unsigned long *hw_id)
{
	struct oac_context *context;

	xa_lock(&card->context_ids);
	context = xa_find(&card->context_ids, hw_id, ULONG_MAX, XA_PRESENT);
	if (context)
		kref_get(&context->ref);
	xa_unlock(&card->context_ids);
	return context;
}

static void oac_context_free(struct kref *ref)
{
	struct oac_context *context = container_of(ref, struct oac_context, ref);

	mutex_destroy(&context->lock);
	kfree(context);
}

void oac_context_put(struct oac_context *context)
{
	kref_put(&context->ref, oac_context_free);
}

/* Counts the context before the card has it: from here on no firmware load can begin. */
static int oac_context_claim(struct oac_context *context, u32 *max_contexts)
{
	struct oac_card *card = context->card;
	int err = 0;

	mutex_lock(&card->lock);
	if (oac_card_is_lost(card))
		err = -ENODEV;
	else if (card->fw_state != OAC_FW_UP)
		err = -EHOSTDOWN;
	else
		card->contexts++;
	/* It changes only while the state is BUSY. */
	context->generation = card->generation;
	*max_contexts = le32_to_cpu(card->identify.max_contexts);
	mutex_unlock(&card->lock);
	return err;
}

static void oac_context_unclaim(struct oac_card *card)
{
	mutex_lock(&card->lock);
	card->contexts--;
	mutex_unlock(&card->lock);
}

/* Under the context lock: the card has nothing of it. */
static void oac_context_give_id(struct oac_context *context)
{
	if (context->has_left)
		return;
	xa_erase(&context->card->context_ids, context->hw_id);
	oac_context_unclaim(context->card);
	WRITE_ONCE(context->has_left, true);
}

static int oac_context_create_on_card(struct oac_context *context)
{
	struct oac_card *card = context->card;
	u32 max_contexts;
	int err;

	err = oac_context_claim(context, &max_contexts);
	if (err)
		return err;
	err = xa_alloc(&card->context_ids, &context->hw_id, context, XA_LIMIT(1, max_contexts),
		       GFP_KERNEL);
	if (err) {
		err = err == -EBUSY ? -ENOSPC : err;
		goto err_unclaim;
	}
	err = oac_admin_context_create(context, context->file->group);
	/* Reset in between: that is not the caller's context's fate, it has none yet. */
	if (err == -ESTALE)
		err = -EHOSTDOWN;
	if (!err)
		return 0;
	mutex_lock(&context->lock);
	oac_context_give_id(context);
	mutex_unlock(&context->lock);
	return err;

err_unclaim:
	oac_context_unclaim(card);
	return err;
}

static struct oac_context *oac_context_new(struct oac_file *file, u32 *limit)
{
	struct oac_context *context = kzalloc(sizeof(*context), GFP_KERNEL);
	int err;

	if (!context)
		return ERR_PTR(-ENOMEM);
	kref_init(&context->ref);
	context->file = file;
	context->card = file->card;
	mutex_init(&context->lock);
	context->maps = RB_ROOT;
	INIT_LIST_HEAD(&context->queues);
	err = oac_client_charge(file, OAC_QUOTA_CONTEXTS, limit);
	if (err)
		goto err_put;
	err = oac_context_create_on_card(context);
	if (!err)
		return context;
	if (err == -ENOSPC)
		*limit = DRM_OAC_LIMIT_CARD_CONTEXTS;
	oac_client_uncharge(file, OAC_QUOTA_CONTEXTS);
err_put:
	oac_context_put(context);
	return ERR_PTR(err);
}

/*
 * Under the context lock. Takes everything from the card, or only from our books if that was reset:
 * then it knows nothing of it, and its memory is not touched any more. What is left is for the file:
 * queues that can be asked how far they got. Returns its maps, to be freed without the lock.
 */
struct rb_root oac_context_leave(struct oac_context *context)
{
	struct oac_queue *queue;

	lockdep_assert_held(&context->lock);
	if (context->has_left)
		return RB_ROOT;
	list_for_each_entry(queue, &context->queues, context_node)
		oac_queue_leave(queue);
	if (!oac_context_lost(context))
		oac_admin_context_destroy(context);
	oac_context_give_id(context);
	/* The card has let go of them, or may not touch memory any more. */
	return oac_map_take_all(context);
}

/* Takes over the caller's reference. The card may be lost, the file closing. */
void oac_context_destroy(struct oac_context *context)
{
	struct oac_queue *queue, *next;
	struct rb_root maps;

	mutex_lock(&context->lock);
	context->dead = true;
	maps = oac_context_leave(context);
	list_for_each_entry_safe(queue, next, &context->queues, context_node) {
		struct xarray *ids = &context->file->queues;

		/* Whoever takes the id away drops its reference; the id may be another's by now. */
		if (xa_cmpxchg(ids, queue->id, queue, NULL, GFP_KERNEL) == queue)
			oac_queue_put(queue);
		oac_queue_destroy(queue);
	}
	mutex_unlock(&context->lock);
	oac_map_free_all(&maps);
	oac_client_uncharge(context->file, OAC_QUOTA_CONTEXTS);
	oac_context_put(context);
}

/* ---- Loss ------------------------------------------------------------------------------------- */

/* 0 if work on the context may begin, else the error to return. */
int oac_context_check(const struct oac_context *context)
{
	if (oac_card_is_lost(context->card))
		return -ENODEV;
	if (oac_context_lost(context))
		return -ESTALE;
	return oac_card_check(context->card);
}

/* The card was reset. One that is just being made is among them: its maker sees that it is lost. */
void oac_context_lose_all(struct oac_card *card)
{
	struct oac_context *context;
	struct rb_root maps;
	unsigned long hw_id;

	for (hw_id = 0; (context = oac_context_get_next(card, &hw_id)); hw_id++) {
		if (oac_context_lost(context)) {
			oac_event_add(card, OAC_EVENT_CONTEXT_LOST, oac_context_lost(context),
				      hw_id, 0);
			mutex_lock(&context->lock);
			maps = oac_context_leave(context);
			mutex_unlock(&context->lock);
			oac_map_free_all(&maps);
		}
		oac_context_put(context);
	}
}

/* ---- Ioctls ----------------------------------------------------------------------------------- */

int oac_ioctl_context_create(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct oac_file *file = drm_file->driver_priv;
	struct drm_oac_context_create *args = data;
	struct oac_context *context;
	int err;

	args->limit = DRM_OAC_LIMIT_NONE;
	if (args->flags || args->pad)
		return -EINVAL;
	err = oac_card_check(file->card);
	if (err)
		return err;
	context = oac_context_new(file, &args->limit);
	if (IS_ERR(context))
		return PTR_ERR(context);
	/* Last: from here on another thread may use, and destroy, the context. */
	err = xa_alloc(&file->contexts, &args->context, context, xa_limit_31b, GFP_KERNEL);
	if (err)
		oac_context_destroy(context);
	return err;
}

int oac_ioctl_context_destroy(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct oac_file *file = drm_file->driver_priv;
	struct drm_oac_context_destroy *args = data;
	struct oac_context *context;

	if (args->pad)
		return -EINVAL;
	/* Not xa_erase(): of an id that is not there, that makes 0 one that xa_alloc() gives out. */
	xa_lock(&file->contexts);
	context = xa_load(&file->contexts, args->context);
	if (context)
		__xa_erase(&file->contexts, args->context);
	xa_unlock(&file->contexts);
	if (!context)
		return -ENOENT;
	oac_context_destroy(context);
	return 0;
}
