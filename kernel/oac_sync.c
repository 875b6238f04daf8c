// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * SYNC_STORE: any fence, ours or another driver's, raises a word of host memory that a card's WAIT
 * command polls. The fence's callback, in whatever context, does the store itself; what may sleep
 * is left to a work item.
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>

#include <drm/drm_syncobj.h>

#include "oac_drv.h"

#define OAC_STORES_MAX		4096	/* not happened yet, per file */

struct oac_store {
	struct dma_fence_cb cb;
	struct work_struct done_work;
	struct list_head node;		/* in oac_file.stores */
	struct oac_file *file;
	struct dma_fence *fence;	/* one reference */
	struct oac_bo *bo;		/* one reference: keeps word there */
	__le64 *word;
	u64 value;
};

/* A chain does not take over the error of the fence at its point. */
static bool oac_store_fence_is_good(struct dma_fence *fence)
{
	return !READ_ONCE(fence->error) && !READ_ONCE(dma_fence_chain_contained(fence)->error);
}

/* Raises the word, unless the fence signalled an error. Card and user may write it meanwhile. */
static void oac_store_raise(struct oac_store *store)
{
	__le64 old = READ_ONCE(*store->word);

	if (!oac_store_fence_is_good(store->fence))
		return;
	while (le64_to_cpu(old) < store->value &&
	       !try_cmpxchg(store->word, &old, cpu_to_le64(store->value)))
		;
}

/* Under the store lock; the fence has no use for it any more. */
static void oac_store_free_locked(struct oac_store *store)
{
	lockdep_assert_held(&store->file->store_lock);
	list_del(&store->node);
	store->file->store_count--;
	dma_fence_put(store->fence);
	drm_gem_object_put(&store->bo->gem);
	kfree(store);
}

static void oac_store_done_work(struct work_struct *work)
{
	struct oac_store *store = container_of(work, struct oac_store, done_work);
	struct mutex *lock = &store->file->store_lock;

	mutex_lock(lock);
	oac_store_free_locked(store);
	mutex_unlock(lock);
}

/* Under the fence's lock, any context. */
static void oac_store_callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct oac_store *store = container_of(cb, struct oac_store, cb);

	oac_store_raise(store);
	queue_work(oac_wq, &store->done_work);
}

/* The file closes: takes back what has not happened, and waits for what is happening. */
void oac_sync_cancel(struct oac_file *file)
{
	struct oac_store *store, *next;

	mutex_lock(&file->store_lock);
	list_for_each_entry_safe(store, next, &file->stores, node) {
		/* Else its callback has run, and its work, maybe waiting for us, frees it. */
		if (dma_fence_remove_callback(store->fence, &store->cb))
			oac_store_free_locked(store);
	}
	mutex_unlock(&file->store_lock);
	flush_workqueue(oac_wq);
}

/* ---- SYNC_STORE ------------------------------------------------------------------------------- */

/* Takes over both references if it succeeds. */
static int oac_store_add(struct oac_file *file, struct dma_fence *fence, struct oac_bo *bo,
			 const struct drm_oac_sync_store *args)
{
	struct oac_store *store = kzalloc(sizeof(*store), GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!store)
		return -ENOMEM;
	INIT_WORK(&store->done_work, oac_store_done_work);
	store->file = file;
	store->fence = fence;
	store->bo = bo;
	store->word = oac_bo_kernel_address(bo, args->offset);
	store->value = args->value;
	mutex_lock(&file->store_lock);
	if (file->store_count >= OAC_STORES_MAX) {
		err = -EDQUOT;
		kfree(store);
	} else {
		file->store_count++;
		list_add_tail(&store->node, &file->stores);
		/* Signalled already: it happens here and now. */
		if (dma_fence_add_callback(fence, &store->cb, oac_store_callback)) {
			oac_store_raise(store);
			oac_store_free_locked(store);
		}
	}
	mutex_unlock(&file->store_lock);
	return err;
}

static int oac_store_check_bo(struct drm_device *drm, struct drm_gem_object *gem, u64 offset)
{
	if (!IS_ALIGNED(offset, sizeof(__le64)) || offset >= gem->size)
		return -EINVAL;
	/* Not what is imported, local, or the caller's own but read-only. */
	if (gem->dev != drm || to_oac_bo(gem)->dir == DMA_TO_DEVICE ||
	    !oac_bo_kernel_address(to_oac_bo(gem), offset))
		return -EOPNOTSUPP;
	return 0;
}

int oac_ioctl_sync_store(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	const struct drm_oac_sync_store *args = data;
	struct drm_gem_object *gem;
	struct dma_fence *fence;
	int err;

	if (args->flags || args->pad)
		return -EINVAL;
	gem = drm_gem_object_lookup(drm_file, args->handle);
	if (!gem)
		return -ENOENT;
	err = oac_store_check_bo(drm, gem, args->offset);
	if (err)
		goto err_gem;
	err = drm_syncobj_find_fence(drm_file, args->syncobj, args->point, 0, &fence);
	if (err)
		goto err_gem;
	err = oac_store_add(drm_file->driver_priv, fence, to_oac_bo(gem), args);
	if (!err)
		return 0;
	dma_fence_put(fence);
err_gem:
	drm_gem_object_put(gem);
	return err;
}
