// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Buffers: host memory in GEM objects. Pages are shmem's and stay for the object's life; they are
 * mapped for DMA when the first context maps them, all at once. CPU mappings are cached: every
 * host this runs on snoops the card's accesses.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "oac_drv.h"

#define OAC_BO_SIZE_MAX		SZ_1T
#define OAC_BO_FAULT_PAGES	16	/* mapped per fault, aligned to that many */

/* ---- DMA -------------------------------------------------------------------------------------- */

static struct sg_table *oac_bo_sgt_create(struct oac_bo *bo)
{
	struct device *dev = bo->gem.dev->dev;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	int err;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table_from_pages_segment(sgt, bo->pages, bo->gem.size >> PAGE_SHIFT, 0,
						bo->gem.size, UINT_MAX & PAGE_MASK, GFP_KERNEL);
	if (err)
		goto err_free;
	err = dma_map_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
	if (err)
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(err);
}

static void oac_bo_sgt_destroy(struct oac_bo *bo)
{
	dma_unmap_sgtable(bo->gem.dev->dev, bo->sgt, DMA_BIDIRECTIONAL, 0);
	sg_free_table(bo->sgt);
	kfree(bo->sgt);
	bo->sgt = NULL;
}

/* Inside drm_dev_enter(), and with a reference: bo->sgt stays until both are given up. */
int oac_bo_dma_map(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	struct sg_table *sgt;
	int err = 0;

	if (mutex_lock_killable(&bo->lock))
		return -EINTR;
	if (!bo->sgt) {
		sgt = oac_bo_sgt_create(bo);
		err = PTR_ERR_OR_ZERO(sgt);
		if (!err) {
			bo->sgt = sgt;
			mutex_lock(&card->bo_lock);
			list_add(&bo->node, &card->bos);
			mutex_unlock(&card->bo_lock);
		}
	}
	mutex_unlock(&bo->lock);
	return err;
}

/* At remove, when the card is silent: a DMA mapping must not outlive the driver's binding. */
void oac_bo_dma_unmap_all(struct oac_card *card)
{
	struct oac_bo *bo, *next;

	mutex_lock(&card->bo_lock);
	list_for_each_entry_safe(bo, next, &card->bos, node) {
		list_del_init(&bo->node);
		oac_bo_sgt_destroy(bo);
	}
	mutex_unlock(&card->bo_lock);
}

/* Where the kernel reaches the byte at offset, which is inside; NULL: memory it has no address of. */
void *oac_bo_kernel_address(struct oac_bo *bo, u64 offset)
{
	if (!bo->pages)
		return NULL;
	return page_address(bo->pages[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

/* ---- GEM object ------------------------------------------------------------------------------- */

static void oac_bo_free(struct drm_gem_object *gem)
{
	struct oac_card *card = to_oac_card(gem->dev);
	struct oac_bo *bo = to_oac_bo(gem);

	/* No map is left, so no card knows the pages; remove may be at the list right now. */
	mutex_lock(&card->bo_lock);
	if (bo->sgt) {
		list_del(&bo->node);
		oac_bo_sgt_destroy(bo);
	}
	mutex_unlock(&card->bo_lock);
	if (bo->pages)
		drm_gem_put_pages(gem, bo->pages, true, false);
	drm_gem_object_release(gem);
	mutex_destroy(&bo->lock);
	kfree(bo);
}

/* DRM allows mappings of the object's beginning only; after a split, pgoff still tells the page. */
static vm_fault_t oac_bo_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct oac_bo *bo = to_oac_bo(vma->vm_private_data);
	pgoff_t start = vma->vm_pgoff - drm_vma_node_start(&bo->gem.vma_node);
	pgoff_t end = start + vma_pages(vma);
	pgoff_t wanted = start + ((vmf->address - vma->vm_start) >> PAGE_SHIFT);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	pgoff_t i;

	end = min3(end, (pgoff_t)(bo->gem.size >> PAGE_SHIFT),
		   ALIGN(wanted + 1, OAC_BO_FAULT_PAGES));
	for (i = max(start, ALIGN_DOWN(wanted, OAC_BO_FAULT_PAGES)); i < end; i++) {
		vm_fault_t one = vmf_insert_pfn(vma, vma->vm_start + ((i - start) << PAGE_SHIFT),
						page_to_pfn(bo->pages[i]));

		/* The neighbours are a courtesy: only the page asked for can fail the fault. */
		if (i == wanted)
			ret = one;
	}
	return ret;
}

static int oac_bo_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	/* A private copy of memory that the card works on is never what is meant. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* DRM has checked that the range is inside the object. */
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

static const struct vm_operations_struct oac_bo_vm_ops = {
	.fault = oac_bo_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static const struct drm_gem_object_funcs oac_bo_funcs = {
	.free = oac_bo_free,
	.mmap = oac_bo_mmap,
	.vm_ops = &oac_bo_vm_ops,
};

static struct oac_bo *oac_bo_new(struct oac_card *card, size_t size)
{
	struct oac_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);
	struct page **pages;
	int err;

	if (!bo)
		return ERR_PTR(-ENOMEM);
	mutex_init(&bo->lock);
	INIT_LIST_HEAD(&bo->node);
	bo->gem.funcs = &oac_bo_funcs;
	err = drm_gem_object_init(&card->drm, &bo->gem, size);
	if (err) {
		mutex_destroy(&bo->lock);
		kfree(bo);
		return ERR_PTR(err);
	}
	/* An error for who asks for too much, not the OOM killer for somebody else. */
	mapping_set_gfp_mask(bo->gem.filp->f_mapping,
			     GFP_HIGHUSER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	pages = drm_gem_get_pages(&bo->gem);
	if (IS_ERR(pages)) {
		drm_gem_object_put(&bo->gem);
		return ERR_CAST(pages);
	}
	bo->pages = pages;
	err = drm_gem_create_mmap_offset(&bo->gem);
	if (err) {
		drm_gem_object_put(&bo->gem);
		return ERR_PTR(err);
	}
	return bo;
}

int oac_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_bo_create *args = data;
	struct oac_card *card = to_oac_card(drm);
	struct oac_bo *bo;
	int err;

	if (args->flags || !args->size || !PAGE_ALIGNED(args->size))
		return -EINVAL;
	if (args->size > OAC_BO_SIZE_MAX)
		return -E2BIG;
	if (args->size >> PAGE_SHIFT > totalram_pages())
		return -ENOMEM;
	err = oac_card_check(card);
	if (err)
		return err;
	bo = oac_bo_new(card, args->size);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	args->mmap_offset = drm_vma_node_offset_addr(&bo->gem.vma_node);
	/* Last: from here on another thread may use, and close, the handle. */
	err = drm_gem_handle_create(file, &bo->gem, &args->handle);
	drm_gem_object_put(&bo->gem);
	return err;
}
