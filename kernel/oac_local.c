// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * The card's local memory: who has which part of it. Each part is scrubbed by the card before it
 * is handed out. It is empty after each boot of firmware: buffers from before are stale then, have
 * no part of it any more, and processes that have them mapped see plain memory. The same plain
 * memory stands in when the card is lost. Other cards that reach a part have it taken away.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "oac_drv.h"
#include "oac_hw.h"

/* Scrubbed with one command: bounds how long others wait for the admin queue. */
#define OAC_SCRUB_CHUNK		((u64)SZ_64M)
/* For fences of other drivers on memory that is taken back, all together: users can add some. */
#define OAC_REVOKE_TIMEOUT_MS	10000

/* Before the first firmware. The registers are the card's word: the window must really be there. */
void oac_local_init(struct oac_card *card)
{
	struct oac_local *local = &card->local;
	u64 size = oac_hw_lmem_size(card);
	u64 window = oac_hw_lmem_window(card);

	if (!size)
		return;
	if (!PAGE_ALIGNED(size) || size > window) {
		drm_err(&card->drm, "%#llx bytes of local memory do not fit a window of %#llx\n",
			size, window);
		return;
	}
	local->size = size;
	drm_mm_init(&local->mm, 0, size);
}

/* All buffers are gone. */
void oac_local_fini(struct oac_card *card)
{
	if (card->local.size)
		drm_mm_takedown(&card->local.mm);
	mutex_destroy(&card->local.lock);
	mutex_destroy(&card->local.scrub_lock);
}

/* Firmware answers. One that cannot scrub would hand one user's data to the next. */
int oac_local_start(struct oac_card *card)
{
	struct oac_local *local = &card->local;
	int err;

	if (!local->size)
		return 0;
	err = oac_admin_scrub(card, 0, PAGE_SIZE);
	if (err == -EOPNOTSUPP) {
		drm_info(&card->drm, "firmware cannot scrub: local memory is not used\n");
		return 0;
	}
	if (err)
		return err;
	mutex_lock(&local->lock);
	local->ready = true;
	mutex_unlock(&local->lock);
	return 0;
}

/* From other cards. scrub_lock keeps the list of those done whole while the lock is not held. */
static void oac_local_revoke_peers(struct oac_card *card)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(OAC_REVOKE_TIMEOUT_MS);
	struct oac_local *local = &card->local;
	struct oac_bo *bo;
	LIST_HEAD(done);

	lockdep_assert_held(&local->scrub_lock);
	mutex_lock(&local->lock);
	while ((bo = list_first_entry_or_null(&local->bos, struct oac_bo, local_node))) {
		list_move(&bo->local_node, &done);
		/* One that is being freed is with nobody. */
		if (!kref_get_unless_zero(&bo->gem.refcount))
			continue;
		mutex_unlock(&local->lock);
		oac_prime_revoke(bo, deadline);
		drm_gem_object_put(&bo->gem);
		mutex_lock(&local->lock);
	}
	list_splice(&done, &local->bos);
	mutex_unlock(&local->lock);
}

/* Faults, and cards that attach, know already; what is mapped goes. */
static void oac_local_revoke_mapped(struct oac_card *card)
{
	/* Faults that did not know yet have mapped their pages when this passes. */
	down_write(&card->doorbell_lock);
	up_write(&card->doorbell_lock);
	/* To the end: host buffers go too, and come back with their next faults. */
	unmap_mapping_range(card->drm.anon_inode->i_mapping,
			    (loff_t)DRM_FILE_PAGE_OFFSET_START << PAGE_SHIFT, 0, 1);
	oac_local_revoke_peers(card);
}

/*
 * The firmware is about to go or went, and no context has a map any more. When this returns, no
 * process and no other card reaches local memory, and none will through a buffer of now.
 */
void oac_local_stop(struct oac_card *card)
{
	struct oac_local *local = &card->local;
	struct oac_bo *bo, *next;

	if (!local->size)
		return;
	mutex_lock(&local->scrub_lock);
	mutex_lock(&local->lock);
	local->ready = false;
	down_write(&card->doorbell_lock);
	list_for_each_entry(bo, &local->bos, local_node)
		WRITE_ONCE(bo->stale, true);
	up_write(&card->doorbell_lock);
	mutex_unlock(&local->lock);
	oac_local_revoke_mapped(card);
	mutex_lock(&local->lock);
	list_for_each_entry_safe(bo, next, &local->bos, local_node) {
		list_del_init(&bo->local_node);
		drm_mm_remove_node(&bo->range);
	}
	local->used = 0;
	mutex_unlock(&local->lock);
	mutex_unlock(&local->scrub_lock);
}

/* The card is lost. */
void oac_local_revoke_all(struct oac_card *card)
{
	if (!card->local.size)
		return;
	mutex_lock(&card->local.scrub_lock);
	oac_local_revoke_mapped(card);
	mutex_unlock(&card->local.scrub_lock);
}

u64 oac_local_free_bytes(struct oac_card *card)
{
	struct oac_local *local = &card->local;
	u64 bytes = 0;

	mutex_lock(&local->lock);
	if (local->ready)
		bytes = local->size - local->used;
	mutex_unlock(&local->lock);
	return bytes;
}

/* ---- Buffers ---------------------------------------------------------------------------------- */

static int oac_local_reserve(struct oac_bo *bo)
{
	struct oac_local *local = &to_oac_card(bo->gem.dev)->local;
	int err;

	mutex_lock(&local->lock);
	if (local->ready)
		err = drm_mm_insert_node_generic(&local->mm, &bo->range, bo->gem.size, PAGE_SIZE, 0,
						 DRM_MM_INSERT_BEST);
	else
		err = -EOPNOTSUPP;
	if (!err) {
		list_add(&bo->local_node, &local->bos);
		local->used += bo->gem.size;
	}
	mutex_unlock(&local->lock);
	return err;
}

static int oac_local_scrub_chunk(struct oac_bo *bo, u64 offset, u64 size)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	int err;

	if (mutex_lock_killable(&card->local.scrub_lock))
		return -EINTR;
	/* Or it would be somebody else's memory by now. */
	err = bo->stale ? -EHOSTDOWN : oac_admin_scrub(card, bo->range.start + offset, size);
	mutex_unlock(&card->local.scrub_lock);
	return err;
}

static int oac_local_scrub(struct oac_bo *bo)
{
	u64 done = 0;
	int err = 0;

	while (done < bo->gem.size && !err) {
		u64 size = min(bo->gem.size - done, OAC_SCRUB_CHUNK);

		err = oac_local_scrub_chunk(bo, done, size);
		done += size;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* On failure, the rest is oac_local_free()'s. Inside drm_dev_enter(). */
int oac_local_alloc(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	int err;

	/* Here, not in the fault that needs it: that must not fail. */
	bo->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!bo->dummy)
		return -ENOMEM;
	err = oac_local_reserve(bo);
	if (err)
		return err;
	oac_count(&card->counts, OAC_COUNT_LOCAL_BYTES, bo->gem.size);
	return oac_local_scrub(bo);
}

void oac_local_free(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	struct oac_local *local = &card->local;
	bool was_reserved;

	mutex_lock(&local->lock);
	was_reserved = bo->stale || !list_empty(&bo->local_node);
	if (!list_empty(&bo->local_node)) {
		list_del_init(&bo->local_node);
		drm_mm_remove_node(&bo->range);
		local->used -= bo->gem.size;
	}
	mutex_unlock(&local->lock);
	if (was_reserved)
		oac_count(&card->counts, OAC_COUNT_LOCAL_BYTES, -(s64)bo->gem.size);
	if (bo->dummy)
		__free_page(bo->dummy);
}
