// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Maps: which buffer stands where in a context's address space. The tree here and the card's own
 * agree, because both change under the context lock. A buffer's pages are let go only after the
 * card has let go of them.
 */
#include <linux/dma-mapping.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "oac_check.h"
#include "oac_drv.h"

/* ---- The tree --------------------------------------------------------------------------------- */

/* The first map that ends behind va. */
static struct oac_map *oac_map_at_or_after(struct oac_context *context, u64 va)
{
	struct rb_node *node = context->maps.rb_node;
	struct oac_map *found = NULL;

	while (node) {
		struct oac_map *map = rb_entry(node, struct oac_map, node);

		if (map->va + map->size > va) {
			found = map;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

/* Under the context lock. */
static void oac_map_count(struct oac_context *context, const struct oac_map *map, int sign)
{
	WRITE_ONCE(context->map_count, context->map_count + sign);
	WRITE_ONCE(context->mapped_bytes, context->mapped_bytes + sign * (s64)map->size);
	oac_count(&context->card->counts, OAC_COUNT_MAPS, sign);
	oac_count(&context->card->counts, OAC_COUNT_SEGMENTS, sign * (s64)map->segments);
}

static void oac_map_free(struct oac_map *map)
{
	drm_gem_object_put(&map->bo->gem);
	kfree(map);
}

static void oac_map_insert(struct oac_context *context, struct oac_map *map)
{
	struct rb_node **link = &context->maps.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		parent = *link;
		if (map->va < rb_entry(parent, struct oac_map, node)->va)
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&map->node, parent, link);
	rb_insert_color(&map->node, &context->maps);
	oac_map_count(context, map, 1);
}

static void oac_map_remove(struct oac_context *context, struct oac_map *map)
{
	rb_erase(&map->node, &context->maps);
	oac_map_count(context, map, -1);
}

/* Is all of the range mapped, by maps that give these rights? */
bool oac_map_covers(struct oac_context *context, u64 va, u64 size, u32 rights)
{
	u64 end;

	lockdep_assert_held(&context->lock);
	if (check_add_overflow(va, size, &end))
		return false;
	while (va < end) {
		struct oac_map *map = oac_map_at_or_after(context, va);

		if (!map || map->va > va || (map->flags & rights) != rights)
			return false;
		va = map->va + map->size;
	}
	return true;
}

/* Leaves a context without maps. They are freed when its lock is not held any more. */
struct rb_root oac_map_take_all(struct oac_context *context)
{
	struct rb_root maps = context->maps;
	struct rb_node *node;

	lockdep_assert_held(&context->lock);
	for (node = rb_first(&maps); node; node = rb_next(node))
		oac_map_count(context, rb_entry(node, struct oac_map, node), -1);
	context->maps = RB_ROOT;
	return maps;
}

void oac_map_free_all(struct rb_root *maps)
{
	struct oac_map *map, *next;

	rbtree_postorder_for_each_entry_safe(map, next, maps, node)
		oac_map_free(map);
	*maps = RB_ROOT;
}

static void oac_map_revoke_in(struct oac_context *context, const struct oac_bo *bo)
{
	struct rb_node *node;

	mutex_lock(&context->lock);
	for (node = rb_first(&context->maps); node; node = rb_next(node)) {
		struct oac_map *map = rb_entry(node, struct oac_map, node);

		if (map->bo != bo || !map->flags)
			continue;
		oac_admin_unmap(context, map->va, map->size);
		map->flags = 0;
	}
	mutex_unlock(&context->lock);
}

/*
 * The memory of a buffer, which is stale, is taken back. When this returns no context of the card
 * reaches it, and none will: whoever has not seen yet that it is stale holds his context's lock.
 * The maps stay where they are without rights, until they are unmapped.
 */
void oac_map_revoke(struct oac_bo *bo)
{
	struct oac_card *card = to_oac_card(bo->gem.dev);
	struct oac_context *context;
	unsigned long hw_id;

	for (hw_id = 0; (context = oac_context_get_next(card, &hw_id)); hw_id++) {
		oac_map_revoke_in(context, bo);
		oac_context_put(context);
	}
}

/* ---- Segments --------------------------------------------------------------------------------- */

/* Walks the part of a buffer that a map shows, in pieces that are contiguous for the card. */
struct oac_piece {
	struct scatterlist *sg;
	u64 skip;		/* of sg, in bytes */
	u64 left;		/* of the map */
	u64 local;		/* without sg: where in local memory, in one piece */
};

static void oac_piece_start(struct oac_piece *piece, struct oac_bo *bo, u64 offset, u64 size)
{
	struct scatterlist *sg;

	*piece = (struct oac_piece){ .left = size };
	if (bo->kind == OAC_BO_LOCAL) {
		piece->local = bo->range.start + offset;
		return;
	}
	sg = bo->sgt->sgl;
	while (offset >= sg_dma_len(sg)) {
		offset -= sg_dma_len(sg);
		sg = sg_next(sg);
	}
	piece->sg = sg;
	piece->skip = offset;
}

static u64 oac_piece_take_local(struct oac_piece *piece, struct oac_segment *segment)
{
	u64 bytes = piece->left;

	segment->target = cpu_to_le64(piece->local);
	segment->length = cpu_to_le64(bytes);
	piece->left = 0;
	return bytes;
}

/* Up to count segments; returns how many, and the bytes they hold in *bytes. */
static u32 oac_piece_take(struct oac_piece *piece, struct oac_segment *segments, u32 count,
			  u64 *bytes)
{
	u32 n;

	if (!piece->sg) {
		*bytes = oac_piece_take_local(piece, segments);
		return 1;
	}
	*bytes = 0;
	for (n = 0; n < count && piece->left; n++) {
		u64 length = min(sg_dma_len(piece->sg) - piece->skip, piece->left);

		segments[n].target = cpu_to_le64(sg_dma_address(piece->sg) + piece->skip);
		segments[n].length = cpu_to_le64(length);
		*bytes += length;
		piece->left -= length;
		piece->skip = 0;
		piece->sg = sg_next(piece->sg);
	}
	return n;
}

static u32 oac_map_card_flags(const struct oac_map *map)
{
	return (map->flags & DRM_OAC_MAP_READ ? OAC_MAP_READ : 0) |
	       (map->flags & DRM_OAC_MAP_WRITE ? OAC_MAP_WRITE : 0) |
	       (map->bo->kind == OAC_BO_LOCAL ? OAC_MAP_LOCAL : 0);
}

/* Tells the card, in as many commands as that takes; all or nothing. */
static int oac_map_on_card(struct oac_context *context, struct oac_map *map, u64 offset)
{
	struct oac_card *card = context->card;
	u32 most = min_t(u32, le32_to_cpu(READ_ONCE(card->identify.max_segments)),
			 OAC_ADMIN_DATA_SIZE / sizeof(struct oac_segment));
	struct oac_segment *segments;
	struct oac_piece piece;
	u64 done = 0;
	int err = 0;

	segments = kvmalloc_array(most, sizeof(*segments), GFP_KERNEL);
	if (!segments)
		return -ENOMEM;
	oac_piece_start(&piece, map->bo, offset, map->size);
	while (piece.left) {
		u64 bytes;
		u32 count = oac_piece_take(&piece, segments, most, &bytes);

		err = oac_admin_map(context, map->va + done, oac_map_card_flags(map), segments,
				    count);
		if (err)
			break;
		done += bytes;
		map->segments += count;
	}
	if (err && done)
		oac_admin_unmap(context, map->va, done);
	kvfree(segments);
	return err;
}

/* ---- Ioctls ----------------------------------------------------------------------------------- */

static int oac_map_add(struct oac_context *context, struct oac_map *map, u64 offset, u32 *limit)
{
	struct oac_map *next;
	int err;

	if (mutex_lock_killable(&context->lock))
		return -EINTR;
	next = oac_map_at_or_after(context, map->va);
	if (context->dead)
		err = -ENOENT;
	else if (oac_context_lost(context))
		err = -ESTALE;
	else if (next && next->va < map->va + map->size)
		err = -EEXIST;
	else if (READ_ONCE(map->bo->stale))
		err = -ESTALE;
	else
		err = oac_user_check_context(context->card, OAC_QUOTA_CONTEXT_MAPS,
					     context->map_count, limit);
	if (!err)
		err = oac_map_on_card(context, map, offset);
	if (!err)
		oac_map_insert(context, map);
	mutex_unlock(&context->lock);
	return err;
}

static int oac_map_create(struct oac_context *context, struct oac_bo *bo, struct drm_oac_map *args)
{
	struct oac_map *map;
	int err;

	if (!oac_check_part(args->offset, args->size, bo->gem.size))
		return -EINVAL;
	if (args->flags & DRM_OAC_MAP_WRITE && bo->dir == DMA_TO_DEVICE)
		return -EACCES;
	err = oac_context_check(context);
	if (!err)
		err = oac_bo_dma_map(bo);
	if (err)
		return err;
	map = kzalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	map->va = args->va;
	map->size = args->size;
	map->flags = args->flags;
	map->bo = bo;
	drm_gem_object_get(&bo->gem);
	err = oac_map_add(context, map, args->offset, &args->limit);
	if (err == -ENOSPC)
		args->limit = DRM_OAC_LIMIT_CARD_SEGMENTS;
	if (err)
		oac_map_free(map);
	return err;
}

int oac_ioctl_map(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_oac_map *args = data;
	struct oac_context *context;
	struct drm_gem_object *gem;
	int idx, err;

	args->limit = DRM_OAC_LIMIT_NONE;
	err = oac_check_map(args);
	if (err)
		return err;
	context = oac_context_get(drm_file->driver_priv, args->context);
	if (!context)
		return -ENOENT;
	gem = drm_gem_object_lookup(drm_file, args->handle);
	err = -ENOENT;
	if (gem) {
		err = -ENODEV;
		if (drm_dev_enter(drm, &idx)) {
			err = oac_map_create(context, to_oac_bo(gem), args);
			drm_dev_exit(idx);
		}
		drm_gem_object_put(gem);
	}
	oac_context_put(context);
	return err;
}

int oac_ioctl_unmap(struct drm_device *drm, void *data, struct drm_file *drm_file)
{
	struct drm_oac_unmap *args = data;
	struct oac_context *context;
	struct oac_map *map;
	int err = oac_check_unmap(args);

	if (err)
		return err;
	context = oac_context_get(drm_file->driver_priv, args->context);
	if (!context)
		return -ENOENT;
	if (mutex_lock_killable(&context->lock)) {
		oac_context_put(context);
		return -EINTR;
	}
	map = oac_map_at_or_after(context, args->va);
	if (oac_context_lost(context)) {
		map = NULL;
		err = -ESTALE;
	} else if (map && map->va == args->va && map->size == args->size) {
		if (map->flags)
			oac_admin_unmap(context, map->va, map->size);
		oac_map_remove(context, map);
	} else {
		map = NULL;
		err = -ENOENT;
	}
	mutex_unlock(&context->lock);
	if (map)
		oac_map_free(map);
	oac_context_put(context);
	return err;
}
