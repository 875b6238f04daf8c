// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Buffers shared as dma-bufs. Host buffers go to whoever takes them. Local ones go to other files
 * of the same card, and to processes that map them: other devices have no way to them. What was
 * imported is not exported again: its exporter decides who else may have it.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/module.h>
#include <linux/scatterlist.h>

#include <drm/drm_prime.h>

#include "oac_drv.h"

OAC_IMPORT_DMA_BUF;

/* ---- Export ----------------------------------------------------------------------------------- */

static int oac_dmabuf_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct drm_gem_object *gem = dmabuf->priv;

	if (to_oac_bo(gem)->kind == OAC_BO_LOCAL)
		return -EOPNOTSUPP;
	return drm_gem_map_attach(dmabuf, attach);
}

static int oac_local_file_release(struct inode *inode, struct file *file)
{
	drm_dev_put(file->private_data);
	return 0;
}

static const struct file_operations oac_local_file_ops = {
	.owner = THIS_MODULE,
	.release = oac_local_file_release,
};

/*
 * Puts a mapping of the dma-buf among those of the card's nodes, where it is found when the card's
 * memory is taken away from all.
 */
static int oac_dmabuf_mmap_local(struct drm_gem_object *gem, struct vm_area_struct *vma)
{
	struct file *file;
	int err;

	file = anon_inode_getfile("[oac-local]", &oac_local_file_ops, gem->dev, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	drm_dev_get(gem->dev);
	file->f_mapping = gem->dev->anon_inode->i_mapping;
	err = drm_gem_prime_mmap(gem, vma);
	if (!err)
		vma_set_file(vma, file);
	fput(file);
	return err;
}

static int oac_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct drm_gem_object *gem = dmabuf->priv;

	if (to_oac_bo(gem)->kind == OAC_BO_LOCAL)
		return oac_dmabuf_mmap_local(gem, vma);
	return drm_gem_prime_mmap(gem, vma);
}

static void oac_dmabuf_release(struct dma_buf *dmabuf)
{
	struct drm_gem_object *gem = dmabuf->priv;

	oac_count(&to_oac_card(gem->dev)->counts, OAC_COUNT_EXPORTS, -1);
	drm_gem_dmabuf_release(dmabuf);
}

static const struct dma_buf_ops oac_dmabuf_ops = {
	.attach = oac_dmabuf_attach,
	.detach = drm_gem_map_detach,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.release = oac_dmabuf_release,
	.mmap = oac_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

struct dma_buf *oac_prime_export(struct drm_gem_object *gem, int flags)
{
	enum oac_bo_kind kind = to_oac_bo(gem)->kind;
	struct dma_buf *dmabuf;

	if (kind != OAC_BO_HOST && kind != OAC_BO_LOCAL)
		return ERR_PTR(-EOPNOTSUPP);
	dmabuf = drm_gem_prime_export(gem, flags);
	if (!IS_ERR(dmabuf)) {
		dmabuf->ops = &oac_dmabuf_ops;
		oac_count(&to_oac_card(gem->dev)->counts, OAC_COUNT_EXPORTS, 1);
	}
	return dmabuf;
}

/* DRM would hand out an import's own dma-buf again. */
int oac_prime_handle_to_fd(struct drm_device *drm, struct drm_file *file, u32 handle, u32 flags,
			   int *fd)
{
	struct drm_gem_object *gem = drm_gem_object_lookup(file, handle);
	bool is_import;

	if (!gem)
		return -ENOENT;
	is_import = to_oac_bo(gem)->kind == OAC_BO_IMPORT;
	drm_gem_object_put(gem);
	return is_import ? -EOPNOTSUPP : drm_gem_prime_handle_to_fd(drm, file, handle, flags, fd);
}

/* ---- Import ----------------------------------------------------------------------------------- */

struct drm_gem_object *oac_prime_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *gem;
	int idx;

	if (dmabuf->ops == &oac_dmabuf_ops) {
		gem = dmabuf->priv;
		if (gem->dev == drm) {
			drm_gem_object_get(gem);
			return gem;
		}
	}
	/* Its pages are mapped for the card at once: not while the driver goes. */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	gem = drm_gem_prime_import(drm, dmabuf);
	drm_dev_exit(idx);
	return gem;
}

/* Whole pages only, and as many as were promised: maps are cut from them. */
static bool oac_prime_is_sane(struct dma_buf *dmabuf, struct sg_table *sgt)
{
	struct scatterlist *sg;
	u64 total = 0;
	int i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!PAGE_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg)))
			return false;
		total += sg_dma_len(sg);
	}
	return dmabuf->size && PAGE_ALIGNED(dmabuf->size) && total >= dmabuf->size;
}

struct drm_gem_object *oac_prime_import_sg_table(struct drm_device *drm,
						 struct dma_buf_attachment *attach,
						 struct sg_table *sgt)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct oac_bo *bo;

	if (!oac_prime_is_sane(dmabuf, sgt))
		return ERR_PTR(-EINVAL);
	bo = oac_bo_new(to_oac_card(drm), OAC_BO_IMPORT, dmabuf->size);
	if (IS_ERR(bo))
		return ERR_CAST(bo);
	/* DRM took this reference, and leaves it to the object. */
	bo->dmabuf = dmabuf;
	bo->attach = attach;
	bo->sgt = sgt;
	oac_bo_list_add(bo);
	oac_count(&to_oac_card(drm)->counts, OAC_COUNT_IMPORTS, 1);
	return &bo->gem;
}

/* Under bo_lock, at free or at remove: the card's use of the pages ends. */
void oac_prime_detach(struct oac_bo *bo)
{
	dma_buf_unmap_attachment_unlocked(bo->attach, bo->sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(bo->dmabuf, bo->attach);
	bo->attach = NULL;
	bo->gem.import_attach = NULL;
	bo->sgt = NULL;
}

/* Not under bo_lock: if the exporter is another card, this may free its buffer. */
void oac_prime_free(struct oac_bo *bo)
{
	if (!bo->dmabuf)
		return;
	oac_count(&to_oac_card(bo->gem.dev)->counts, OAC_COUNT_IMPORTS, -1);
	dma_buf_put(bo->dmabuf);
}
