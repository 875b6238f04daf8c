// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Buffers shared as dma-bufs. Host buffers go to whoever takes them. Local ones go to other files
 * of the same card, to processes that map them, and to devices that the PCI core knows a path for;
 * they are taken back when the card is lost or gets other firmware. What was imported is not
 * exported again: its exporter decides who else may have it.
 */
#include <linux/anon_inodes.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pci-p2pdma.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_prime.h>

#include "oac_drv.h"
#include "oac_hw.h"

OAC_IMPORT_DMA_BUF;

/* What one entry of a table can hold, and stay aligned. */
#define OAC_PEER_PIECE		((u64)SZ_1G)

static const struct dma_buf_attach_ops oac_attach_ops;

/* ---- Export of local memory to devices -------------------------------------------------------- */

/* Where no path is known, EOPNOTSUPP: data must then go through host memory. */
static int oac_peer_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attach)
{
	struct drm_gem_object *gem = dmabuf->priv;
	struct oac_card *card = to_oac_card(gem->dev);

	if (!attach->peer2peer || pci_p2pdma_distance(card->pdev, attach->dev, false) < 0)
		return -EOPNOTSUPP;
	return 0;
}

/*
 * Local memory never moves, but it may be taken back. Who wants it pinned may not be ready for
 * that; our own importer is.
 */
static int oac_peer_pin(struct dma_buf_attachment *attach)
{
	return attach->importer_ops == &oac_attach_ops ? 0 : -EOPNOTSUPP;
}

static void oac_peer_unpin(struct dma_buf_attachment *attach)
{
}

/* The window has no pages. Whatever addresses its device has to use are in one piece. */
static int oac_peer_fill(struct sg_table *sgt, dma_addr_t addr, u64 size)
{
	struct scatterlist *sg;
	int i, err;

	err = sg_alloc_table(sgt, DIV_ROUND_UP_ULL(size, OAC_PEER_PIECE), GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		u64 length = min(size, OAC_PEER_PIECE);

		sg_set_page(sg, NULL, length, 0);
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = length;
		addr += length;
		size -= length;
	}
	return 0;
}

/* Under the reservation lock: whoever takes the memory back finds what is mapped here. */
static struct sg_table *oac_peer_map(struct dma_buf_attachment *attach, enum dma_data_direction dir)
{
	struct drm_gem_object *gem = attach->dmabuf->priv;
	struct oac_card *card = to_oac_card(gem->dev);
	struct oac_bo *bo = to_oac_bo(gem);
	struct sg_table *sgt;
	dma_addr_t addr;
	int err;

	if (READ_ONCE(bo->stale) || oac_card_is_lost(card))
		return ERR_PTR(oac_card_is_lost(card) ? -ENODEV : -ESTALE);
	sgt = kzalloc(sizeof(*sgt), GFP_KERNEL);
	if (!sgt)
		return ERR_PTR(-ENOMEM);
	addr = dma_map_resource(attach->dev, PFN_PHYS(oac_hw_lmem_pfn(card, bo->range.start)),
				gem->size, dir, DMA_ATTR_SKIP_CPU_SYNC);
	err = dma_mapping_error(attach->dev, addr);
	if (err)
		goto err_free;
	err = oac_peer_fill(sgt, addr, gem->size);
	if (err)
		goto err_unmap;
	return sgt;

err_unmap:
	dma_unmap_resource(attach->dev, addr, gem->size, dir, DMA_ATTR_SKIP_CPU_SYNC);
err_free:
	kfree(sgt);
	return ERR_PTR(err);
}

static void oac_peer_unmap(struct dma_buf_attachment *attach, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	struct drm_gem_object *gem = attach->dmabuf->priv;

	dma_unmap_resource(attach->dev, sg_dma_address(sgt->sgl), gem->size, dir,
			   DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	kfree(sgt);
}

/*
 * Takes a local buffer back from all devices. It is stale, or the card is lost: no device maps it
 * any more. Another driver's device may work on it until its fences signal, or the deadline.
 */
void oac_prime_revoke(struct oac_bo *bo, unsigned long deadline)
{
	struct dma_resv *resv = bo->gem.resv;
	unsigned long now, timeout;

	dma_resv_lock(resv, NULL);
	if (bo->exported) {
		oac_dma_buf_invalidate(bo->exported);
		now = jiffies;
		timeout = time_before(now, deadline) ? deadline - now : 0;
		if (dma_resv_wait_timeout(resv, DMA_RESV_USAGE_BOOKKEEP, false, timeout) <= 0)
			drm_err_ratelimited(bo->gem.dev,
					    "a device does not let go of local memory\n");
	}
	dma_resv_unlock(resv);
}

/* Is there another card whose local memory this one has a path to? */
bool oac_prime_has_peer(struct oac_card *card)
{
	struct pci_dev *other = NULL;
	bool is_found = false;

	do {
		other = pci_get_device(OAC_PCI_VENDOR_ID, OAC_PCI_DEVICE_ID, other);
		if (other && other != card->pdev)
			is_found = pci_p2pdma_distance(other, &card->pdev->dev, false) >= 0;
	} while (other && !is_found);
	pci_dev_put(other);
	return is_found;
}

/* ---- Export ----------------------------------------------------------------------------------- */

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
static int oac_dmabuf_mmap_local(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct drm_gem_object *gem = dmabuf->priv;
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

/* Not drm_gem_dmabuf_mmap(): older kernels want a callback of the driver for it. */
static int oac_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return drm_gem_prime_mmap(dmabuf->priv, vma);
}

static void oac_dmabuf_release(struct dma_buf *dmabuf)
{
	struct drm_gem_object *gem = dmabuf->priv;

	dma_resv_lock(gem->resv, NULL);
	to_oac_bo(gem)->exported = NULL;
	dma_resv_unlock(gem->resv);
	oac_count(&to_oac_card(gem->dev)->counts, OAC_COUNT_EXPORTS, -1);
	drm_gem_dmabuf_release(dmabuf);
}

static const struct dma_buf_ops oac_dmabuf_ops = {
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.release = oac_dmabuf_release,
	.mmap = oac_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

static const struct dma_buf_ops oac_dmabuf_local_ops = {
	.attach = oac_peer_attach,
	.pin = oac_peer_pin,
	.unpin = oac_peer_unpin,
	.map_dma_buf = oac_peer_map,
	.unmap_dma_buf = oac_peer_unmap,
	.release = oac_dmabuf_release,
	.mmap = oac_dmabuf_mmap_local,
};

struct dma_buf *oac_prime_export(struct drm_gem_object *gem, int flags)
{
	enum oac_bo_kind kind = to_oac_bo(gem)->kind;
	struct dma_buf *dmabuf;

	if (kind != OAC_BO_HOST && kind != OAC_BO_LOCAL)
		return ERR_PTR(-EOPNOTSUPP);
	dmabuf = drm_gem_prime_export(gem, flags);
	if (IS_ERR(dmabuf))
		return dmabuf;
	dmabuf->ops = kind == OAC_BO_LOCAL ? &oac_dmabuf_local_ops : &oac_dmabuf_ops;
	dma_resv_lock(gem->resv, NULL);
	to_oac_bo(gem)->exported = dmabuf;
	dma_resv_unlock(gem->resv);
	oac_count(&to_oac_card(gem->dev)->counts, OAC_COUNT_EXPORTS, 1);
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

/*
 * The exporter takes the memory back, under the reservation lock: from the card first, then the
 * mapping goes. A pin keeps everybody from doing so just to move it.
 */
static void oac_attach_invalidate(struct dma_buf_attachment *attach)
{
	struct oac_bo *bo = attach->importer_priv;

	/* Not mapped yet, or not any more. */
	if (!bo->sgt)
		return;
	WRITE_ONCE(bo->stale, true);
	oac_map_revoke(bo);
	dma_buf_unmap_attachment(attach, bo->sgt, DMA_BIDIRECTIONAL);
	bo->sgt = NULL;
}

static const struct dma_buf_attach_ops oac_attach_ops = {
	.allow_peer2peer = true,
	OAC_ATTACH_INVALIDATE = oac_attach_invalidate,
};

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
	return total >= dmabuf->size;
}

/* For as long as the card has it: user queues work on it at any time. */
static int oac_prime_map(struct dma_buf_attachment *attach, struct oac_bo *bo)
{
	struct dma_buf *dmabuf = attach->dmabuf;
	struct sg_table *sgt;
	int err;

	dma_resv_lock(dmabuf->resv, NULL);
	err = dma_buf_pin(attach);
	if (err)
		goto unlock;
	sgt = dma_buf_map_attachment(attach, DMA_BIDIRECTIONAL);
	err = PTR_ERR_OR_ZERO(sgt);
	if (!err && !oac_prime_is_sane(dmabuf, sgt)) {
		dma_buf_unmap_attachment(attach, sgt, DMA_BIDIRECTIONAL);
		err = -EINVAL;
	}
	if (err)
		dma_buf_unpin(attach);
	else
		bo->sgt = sgt;
unlock:
	dma_resv_unlock(dmabuf->resv);
	return err;
}

static int oac_prime_attach(struct oac_bo *bo, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	int err;

	attach = dma_buf_dynamic_attach(dmabuf, bo->gem.dev->dev, &oac_attach_ops, bo);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	err = oac_prime_map(attach, bo);
	if (err) {
		dma_buf_detach(dmabuf, attach);
		return err;
	}
	get_dma_buf(dmabuf);
	bo->dmabuf = dmabuf;
	bo->attach = attach;
	bo->gem.import_attach = attach;
	bo->gem.resv = dmabuf->resv;
	oac_bo_list_add(bo);
	oac_count(&to_oac_card(bo->gem.dev)->counts, OAC_COUNT_IMPORTS, 1);
	return 0;
}

static struct drm_gem_object *oac_prime_import_other(struct oac_card *card, struct dma_buf *dmabuf)
{
	struct oac_bo *bo;
	int err;

	if (!dmabuf->size || !PAGE_ALIGNED(dmabuf->size))
		return ERR_PTR(-EINVAL);
	bo = oac_bo_new(card, OAC_BO_IMPORT, dmabuf->size);
	if (IS_ERR(bo))
		return ERR_CAST(bo);
	err = oac_prime_attach(bo, dmabuf);
	if (!err)
		return &bo->gem;
	drm_gem_object_put(&bo->gem);
	return ERR_PTR(err);
}

struct drm_gem_object *oac_prime_import(struct drm_device *drm, struct dma_buf *dmabuf)
{
	struct drm_gem_object *gem;
	int idx;

	if (dmabuf->ops == &oac_dmabuf_ops || dmabuf->ops == &oac_dmabuf_local_ops) {
		gem = dmabuf->priv;
		if (gem->dev == drm) {
			drm_gem_object_get(gem);
			return gem;
		}
	}
	/* Its pages are mapped for the card at once: not while the driver goes. */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	gem = oac_prime_import_other(to_oac_card(drm), dmabuf);
	drm_dev_exit(idx);
	return gem;
}

/* Under bo_lock, at free or at remove: the card's use of the pages ends. */
void oac_prime_detach(struct oac_bo *bo)
{
	struct dma_buf *dmabuf = bo->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	if (bo->sgt)
		dma_buf_unmap_attachment(bo->attach, bo->sgt, DMA_BIDIRECTIONAL);
	bo->sgt = NULL;
	dma_buf_unpin(bo->attach);
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, bo->attach);
	bo->attach = NULL;
	bo->gem.import_attach = NULL;
}

/* Not under bo_lock: if the exporter is another card, this may free its buffer. */
void oac_prime_free(struct oac_bo *bo)
{
	if (!bo->dmabuf)
		return;
	bo->gem.resv = &bo->gem._resv;
	oac_count(&to_oac_card(bo->gem.dev)->counts, OAC_COUNT_IMPORTS, -1);
	dma_buf_put(bo->dmabuf);
}
