// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * The pages of host buffers. As large as the kernel has them at hand, because each piece is a
 * segment on the card; then split, because everything else here and in DRM works on single pages.
 * The caller's memory policy says from which node, its memory cgroup pays.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "oac_drv.h"

#define OAC_PAGES_ORDER		(PMD_SHIFT - PAGE_SHIFT)

/* An error for who asks for too much, not the OOM killer for somebody else. */
static struct page *oac_pages_get(unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT | __GFP_NOWARN;

	return alloc_pages(gfp | (order ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL), order);
}

static int oac_pages_fill(struct oac_bo *bo)
{
	unsigned long count = oac_bo_page_count(bo);
	unsigned int order = OAC_PAGES_ORDER;
	unsigned long done = 0, i;
	struct page *page;

	while (done < count) {
		/* Once a size has run out, it is not asked for again. */
		order = min_t(unsigned int, order, ilog2(count - done));
		page = oac_pages_get(order);
		if (!page && order) {
			order--;
			continue;
		}
		if (!page)
			return -ENOMEM;
		if (order)
			split_page(page, order);
		for (i = 0; i < 1ul << order; i++)
			bo->pages[done++] = page + i;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int oac_pages_alloc(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	int err;

	if (oac_bo_page_count(bo) > totalram_pages())
		return -ENOMEM;
	bo->pages = kvcalloc(oac_bo_page_count(bo), sizeof(*bo->pages),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!bo->pages)
		return -ENOMEM;
	oac_count(&card->counts, OAC_COUNT_HOST_PAGES, oac_bo_page_count(bo));
	err = oac_pages_fill(bo);
	if (err)
		oac_pages_free(bo);
	return err;
}

void oac_pages_free(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	unsigned long i;

	if (!bo->pages)
		return;
	for (i = 0; i < oac_bo_page_count(bo) && bo->pages[i]; i++) {
		__free_page(bo->pages[i]);
		cond_resched();
	}
	kvfree(bo->pages);
	bo->pages = NULL;
	oac_count(&card->counts, OAC_COUNT_HOST_PAGES, -(s64)oac_bo_page_count(bo));
}
