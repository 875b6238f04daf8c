// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * The caller's own memory as a buffer. Its pages are pinned for as long as the buffer lives and
 * count as locked memory of the process that pinned them. Nothing is locked while pinning: that
 * may wait for the caller's memory as long as that likes, but not longer than the caller lives.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "oac_check.h"
#include "oac_drv.h"

#define OAC_PIN_CHUNK		512	/* pages between two looks at signals */

static int oac_userptr_charge(struct oac_bo *bo, u32 *limit)
{
	unsigned long most = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	unsigned long count = oac_bo_page_count(bo);
	u64 now = atomic64_add_return(count, &current->mm->pinned_vm);

	if (now > most && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(count, &current->mm->pinned_vm);
		*limit = DRM_OAC_LIMIT_PINNED;
		return -EDQUOT;
	}
	mmgrab(current->mm);
	bo->mm = current->mm;
	return 0;
}

static void oac_userptr_uncharge(struct oac_bo *bo)
{
	if (!bo->mm)
		return;
	atomic64_sub(oac_bo_page_count(bo), &bo->mm->pinned_vm);
	mmdrop(bo->mm);
	bo->mm = NULL;
}

/*
 * Private memory must get pages of its own first, or the card would go on reading what was there
 * before the next store. Where pinning for reading does not see to that, a forced write does; that
 * fails on shared memory, which needs no such thing. What may not be read is found out before:
 * force knows no rights.
 */
static int oac_userptr_pin_to_read(unsigned long addr, int count, struct page **pages)
{
	int got = pin_user_pages_fast(addr, count, FOLL_LONGTERM, pages);
	int forced;

	if (OAC_PIN_UNSHARES || got <= 0)
		return got;
	unpin_user_pages(pages, got);
	forced = pin_user_pages_fast(addr, got, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE, pages);
	if (forced != -EFAULT)
		return forced;
	return pin_user_pages_fast(addr, got, FOLL_LONGTERM, pages);
}

/* Pages pinned, or -errno. */
static int oac_userptr_pin_chunk(struct oac_bo *bo, unsigned long addr, int count,
				 struct page **pages)
{
	if (bo->dir == DMA_TO_DEVICE)
		return oac_userptr_pin_to_read(addr, count, pages);
	return pin_user_pages_fast(addr, count, FOLL_LONGTERM | FOLL_WRITE, pages);
}

static int oac_userptr_pin(struct oac_bo *bo, unsigned long addr)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	unsigned long count = oac_bo_page_count(bo);
	int got;

	while (bo->pinned < count) {
		got = oac_userptr_pin_chunk(bo, addr + (bo->pinned << PAGE_SHIFT),
					    min(count - bo->pinned, (ulong)OAC_PIN_CHUNK),
					    bo->pages + bo->pinned);
		if (got <= 0)
			return got ?: -EFAULT;
		bo->pinned += got;
		oac_count(&card->counts, OAC_COUNT_PINNED_PAGES, got);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Also of one that is half made. The card reaches it no more. */
void oac_userptr_free(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	unsigned long done, some;

	for (done = 0; done < bo->pinned; done += some) {
		some = min(bo->pinned - done, (ulong)OAC_PIN_CHUNK);
		unpin_user_pages_dirty_lock(bo->pages + done, some, bo->dir != DMA_TO_DEVICE);
		cond_resched();
	}
	oac_count(&card->counts, OAC_COUNT_PINNED_PAGES, -(s64)bo->pinned);
	kvfree(bo->pages);
	oac_userptr_uncharge(bo);
}

static int oac_userptr_fill(struct oac_bo *bo, const struct drm_oac_bo_userptr *args, u32 *limit)
{
	int err;

	if (args->flags & DRM_OAC_USERPTR_READ_ONLY)
		bo->dir = DMA_TO_DEVICE;
	err = oac_userptr_charge(bo, limit);
	if (err)
		return err;
	if (oac_bo_page_count(bo) > totalram_pages())
		return -ENOMEM;
	bo->pages = kvmalloc_array(oac_bo_page_count(bo), sizeof(*bo->pages),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bo->pages)
		return -ENOMEM;
	return oac_userptr_pin(bo, args->addr);
}

int oac_ioctl_bo_userptr(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_bo_userptr *args = data;
	struct oac_bo *bo;
	int err;

	args->limit = DRM_OAC_LIMIT_NONE;
	err = oac_check_userptr(args) ?: oac_card_check(to_oac_card(drm));
	if (err)
		return err;
	bo = oac_bo_new(to_oac_card(drm), OAC_BO_USERPTR, args->size);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	err = oac_userptr_fill(bo, args, &args->limit);
	/* Last: from here on another thread may use, and close, the handle. */
	if (!err)
		err = drm_gem_handle_create(file, &bo->gem, &args->handle);
	drm_gem_object_put(&bo->gem);
	return err;
}
