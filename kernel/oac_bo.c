// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Buffers as GEM objects: what is common to all kinds, and BO_CREATE. What stands behind a kind is
 * in oac_pages.c, oac_local.c, oac_userptr.c and oac_prime.c. Pages are mapped for DMA when the
 * first context maps them, all at once. CPU mappings of host memory are cached: every host this
 * runs on snoops the card's accesses.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_prime.h>

#include "oac_check.h"
#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_BO_FAULT_PAGES	16	/* mapped per fault, aligned to that many */

/* ---- DMA -------------------------------------------------------------------------------------- */

/*
 * The same pages may be mapped more than once: a program's own memory wrapped twice, or on two
 * cards. With CPU caches that the cards snoop and no bounce buffers there is nothing to sync, and
 * this says so: the DMA API's debugging takes it for a mistake otherwise.
 */
#define OAC_BO_DMA_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

static struct sg_table *oac_bo_sgt_create(struct oac_bo *bo)
{
	struct device *dev = bo->gem.dev->dev;
	struct sg_table *sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	int err;

	if (!sgt)
		return ERR_PTR(-ENOMEM);
	err = sg_alloc_table_from_pages_segment(sgt, bo->pages, oac_bo_page_count(bo), 0,
						bo->gem.size, UINT_MAX & PAGE_MASK, GFP_KERNEL);
	if (err)
		goto err_free;
	err = dma_map_sgtable(dev, sgt, bo->dir, OAC_BO_DMA_ATTRS);
	if (err)
		goto err_table;
	return sgt;

err_table:
	sg_free_table(sgt);
err_free:
	kfree(sgt);
	return ERR_PTR(err);
}

/* Under bo_lock. */
static void oac_bo_sgt_destroy(struct oac_bo *bo)
{
	if (bo->kind == OAC_BO_IMPORT) {
		oac_prime_detach(bo);
		return;
	}
	dma_unmap_sgtable(bo->gem.dev->dev, bo->sgt, bo->dir, OAC_BO_DMA_ATTRS);
	sg_free_table(bo->sgt);
	kfree(bo->sgt);
	bo->sgt = NULL;
}

/* Mapped for DMA from here on; inside drm_dev_enter(). */
void oac_bo_list_add(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);

	mutex_lock(&card->bo_lock);
	list_add(&bo->node, &card->bos);
	mutex_unlock(&card->bo_lock);
}

/* Inside drm_dev_enter(), and with a reference: bo->sgt stays until both are given up. */
int oac_bo_dma_map(struct oac_bo *bo)
{
	struct sg_table *sgt;
	int err = 0;

	/* The one is the card's own, the other was mapped as it came. */
	if (bo->kind == OAC_BO_LOCAL || bo->kind == OAC_BO_IMPORT)
		return 0;
	if (mutex_lock_killable(&bo->lock))
		return -EINTR;
	if (!bo->sgt) {
		sgt = oac_bo_sgt_create(bo);
		err = PTR_ERR_OR_ZERO(sgt);
		if (!err) {
			bo->sgt = sgt;
			oac_bo_list_add(bo);
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
	if (!list_empty(&bo->node)) {
		list_del_init(&bo->node);
		oac_bo_sgt_destroy(bo);
	}
	mutex_unlock(&card->bo_lock);
	switch (bo->kind) {
	case OAC_BO_HOST:
		oac_pages_free(bo);
		break;
	case OAC_BO_LOCAL:
		oac_local_free(bo);
		break;
	case OAC_BO_USERPTR:
		oac_userptr_free(bo);
		break;
	case OAC_BO_IMPORT:
		oac_prime_free(bo);
		break;
	}
	oac_user_uncharge_bo(bo);
	drm_gem_object_release(gem);
	mutex_destroy(&bo->lock);
	kfree(bo);
	oac_count(&card->counts, OAC_COUNT_BUFFERS, -1);
}

/* ---- CPU mappings ----------------------------------------------------------------------------- */

/* Local memory: under doorbell_lock, which orders it against the memory's end. */
static unsigned long oac_bo_pfn(struct oac_bo *bo, pgoff_t page)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);

	if (bo->kind != OAC_BO_LOCAL)
		return page_to_pfn(bo->pages[page]);
	lockdep_assert_held(&card->doorbell_lock);
	if (bo->stale || oac_card_is_lost(card))
		return page_to_pfn(bo->dummy);
	return oac_hw_lmem_pfn(card, bo->range.start) + page;
}

/* DRM allows mappings of the object's beginning only; after a split, pgoff still tells the page. */
static vm_fault_t oac_bo_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct oac_bo *bo = to_oac_bo(vma->vm_private_data);
	struct oac_card *card = to_oac_card(bo->gem.dev);
	pgoff_t start = vma->vm_pgoff - drm_vma_node_start(&bo->gem.vma_node);
	pgoff_t end = start + vma_pages(vma);
	pgoff_t wanted = start + ((vmf->address - vma->vm_start) >> PAGE_SHIFT);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	pgoff_t i;

	end = min3(end, (pgoff_t)oac_bo_page_count(bo), ALIGN(wanted + 1, OAC_BO_FAULT_PAGES));
	down_read(&card->doorbell_lock);
	for (i = max(start, ALIGN_DOWN(wanted, OAC_BO_FAULT_PAGES)); i < end; i++) {
		vm_fault_t one = vmf_insert_pfn(vma, vma->vm_start + ((i - start) << PAGE_SHIFT),
						oac_bo_pfn(bo, i));

		/* The neighbours are a courtesy: only the page asked for can fail the fault. */
		if (i == wanted)
			ret = one;
	}
	up_read(&card->doorbell_lock);
	return ret;
}

static int oac_bo_mmap(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	/* A private copy of memory that the card works on is never what is meant. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* DRM has checked that the range is inside the object. */
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	if (to_oac_bo(gem)->kind == OAC_BO_LOCAL) {
		vm_flags_set(vma, VM_IO);
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	}
	return 0;
}

static const struct vm_operations_struct oac_bo_vm_ops = {
	.fault = oac_bo_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

/* ---- For those who import it ------------------------------------------------------------------ */

static struct sg_table *oac_bo_get_sg_table(struct drm_gem_object *gem)
{
	struct oac_bo *bo = to_oac_bo(gem);

	if (bo->kind != OAC_BO_HOST)
		return ERR_PTR(-EOPNOTSUPP);
	return drm_prime_pages_to_sg(gem->dev, bo->pages, oac_bo_page_count(bo));
}

static int oac_bo_vmap(struct drm_gem_object *gem, struct iosys_map *map)
{
	struct oac_bo *bo = to_oac_bo(gem);
	void *addr;

	if (bo->kind != OAC_BO_HOST)
		return -EOPNOTSUPP;
	addr = vmap(bo->pages, oac_bo_page_count(bo), VM_MAP, PAGE_KERNEL);
	if (!addr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, addr);
	return 0;
}

static void oac_bo_vunmap(struct drm_gem_object *gem, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

/* ---- Making one ------------------------------------------------------------------------------- */

static const struct drm_gem_object_funcs oac_bo_funcs = {
	.free = oac_bo_free,
	.open = oac_client_bo_open,
	.close = oac_client_bo_close,
	.export = oac_prime_export,
	.get_sg_table = oac_bo_get_sg_table,
	.vmap = oac_bo_vmap,
	.vunmap = oac_bo_vunmap,
	.mmap = oac_bo_mmap,
	.vm_ops = &oac_bo_vm_ops,
};

/* An object without memory yet. size is whole pages. */
struct oac_bo *oac_bo_new(struct oac_card *card, enum oac_bo_kind kind, size_t size)
{
	struct oac_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL);

	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->kind = kind;
	bo->dir = DMA_BIDIRECTIONAL;
	mutex_init(&bo->lock);
	INIT_LIST_HEAD(&bo->node);
	INIT_LIST_HEAD(&bo->local_node);
	bo->gem.funcs = &oac_bo_funcs;
	drm_gem_private_object_init(&card->drm, &bo->gem, size);
	oac_count(&card->counts, OAC_COUNT_BUFFERS, 1);
	return bo;
}

static int oac_bo_fill(struct oac_bo *bo, struct oac_file *file, u32 *limit)
{
	int idx, err;

	err = oac_user_charge_bo(bo, file->client.user, limit);
	if (err)
		return err;
	if (bo->kind == OAC_BO_HOST) {
		err = oac_pages_alloc(bo);
	} else if (drm_dev_enter(bo->gem.dev, &idx)) {
		err = oac_local_alloc(bo);
		drm_dev_exit(idx);
	} else {
		err = -ENODEV;
	}
	if (err == -ENOSPC)
		*limit = DRM_OAC_LIMIT_LOCAL_MEMORY;
	return err ?: drm_gem_create_mmap_offset(&bo->gem);
}

int oac_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_bo_create *args = data;
	struct oac_card *card = to_oac_card(drm);
	struct oac_bo *bo;
	int err;

	args->limit = DRM_OAC_LIMIT_NONE;
	err = oac_check_bo_create(args) ?: oac_card_check(card);
	if (err)
		return err;
	bo = oac_bo_new(card, args->flags & DRM_OAC_BO_LOCAL ? OAC_BO_LOCAL : OAC_BO_HOST,
			args->size);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	err = oac_bo_fill(bo, file->driver_priv, &args->limit);
	if (!err) {
		args->mmap_offset = drm_vma_node_offset_addr(&bo->gem.vma_node);
		/* Last: from here on another thread may use, and close, the handle. */
		err = drm_gem_handle_create(file, &bo->gem, &args->handle);
	}
	drm_gem_object_put(&bo->gem);
	return err;
}
