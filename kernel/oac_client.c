// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Who is on the card: each open file, what it holds, and the card time it spent. Times come from
 * the progress lines of its queues. The card writes those, so they are not believed: sums only
 * grow and cannot overflow. Nothing here asks the card or waits for anybody.
 */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "oac_drv.h"

/* ---- Card time -------------------------------------------------------------------------------- */

static void oac_usage_add(struct oac_usage *sum, const struct oac_usage *one)
{
	sum->compute_ns = size_add(sum->compute_ns, one->compute_ns);
	sum->copy_ns = size_add(sum->copy_ns, one->copy_ns);
	sum->commands = size_add(sum->commands, one->commands);
	sum->errors = size_add(sum->errors, one->errors);
}

/* Takes in what the card says now, if it is not less than it said before. */
static void oac_usage_refresh(struct oac_queue *queue)
{
	struct oac_card *card = queue->card;
	struct oac_usage *usage = &queue->usage;
	struct oac_progress *line;
	s32 more;
	int idx;

	if (!drm_dev_enter(&card->drm, &idx))
		return;
	line = &card->progress[queue->hw_id];
	usage->compute_ns = max(usage->compute_ns, le64_to_cpu(READ_ONCE(line->compute_ns)));
	usage->copy_ns = max(usage->copy_ns, le64_to_cpu(READ_ONCE(line->copy_ns)));
	usage->errors = max(usage->errors, le64_to_cpu(READ_ONCE(line->error_count)));
	/* A free-running 32-bit count; somebody looks at it more often than it goes round. */
	more = (s32)(le32_to_cpu(READ_ONCE(line->completed)) - queue->usage_completed);
	drm_dev_exit(idx);
	if (more > 0) {
		usage->commands += more;
		queue->usage_completed += more;
	}
}

/* The queue has its line, zeroed. */
void oac_usage_start(struct oac_queue *queue)
{
	struct oac_client *client = &queue->context->file->client;

	spin_lock(&client->lock);
	list_add(&queue->usage_node, &client->live);
	spin_unlock(&client->lock);
}

/* The card writes the line no more; it is still this queue's. */
void oac_usage_end(struct oac_queue *queue)
{
	struct oac_client *client = &queue->context->file->client;

	spin_lock(&client->lock);
	oac_usage_refresh(queue);
	list_del(&queue->usage_node);
	oac_usage_add(&client->ended, &queue->usage);
	oac_usage_add(&queue->context->ended, &queue->usage);
	spin_unlock(&client->lock);
}

void oac_usage_of_file(struct oac_file *file, struct oac_usage *sum)
{
	struct oac_client *client = &file->client;
	struct oac_queue *queue;

	spin_lock(&client->lock);
	*sum = client->ended;
	list_for_each_entry(queue, &client->live, usage_node) {
		oac_usage_refresh(queue);
		oac_usage_add(sum, &queue->usage);
	}
	spin_unlock(&client->lock);
}

void oac_usage_of_context(struct oac_context *context, struct oac_usage *sum)
{
	struct oac_client *client = &context->file->client;
	struct oac_queue *queue;

	spin_lock(&client->lock);
	*sum = context->ended;
	list_for_each_entry(queue, &client->live, usage_node) {
		if (queue->context != context)
			continue;
		oac_usage_refresh(queue);
		oac_usage_add(sum, &queue->usage);
	}
	spin_unlock(&client->lock);
}

/* ---- Files ------------------------------------------------------------------------------------ */

void oac_clients_init(struct oac_card *card)
{
	mutex_init(&card->clients.lock);
	INIT_LIST_HEAD(&card->clients.list);
}

int oac_client_open(struct oac_file *file, struct drm_file *drm_file)
{
	struct oac_client *client = &file->client;
	struct oac_card *card = file->card;

	client->user = oac_user_get(card, current_euid());
	if (!client->user)
		return -ENOMEM;
	client->pid = get_pid(task_tgid(current));
	client->id = oac_client_id(drm_file);
	spin_lock_init(&client->lock);
	INIT_LIST_HEAD(&client->live);
	mutex_lock(&card->clients.lock);
	list_add_tail(&client->node, &card->clients.list);
	mutex_unlock(&card->clients.lock);
	oac_count(&card->counts, OAC_COUNT_FILES, 1);
	return 0;
}

void oac_client_close(struct oac_file *file)
{
	struct oac_client *client = &file->client;
	struct oac_card *card = file->card;

	mutex_lock(&card->clients.lock);
	list_del(&client->node);
	mutex_unlock(&card->clients.lock);
	put_pid(client->pid);
	oac_user_put(client->user);
	oac_count(&card->counts, OAC_COUNT_FILES, -1);
}

/* Contexts and queues: one more for user and client. */
int oac_client_charge(struct oac_file *file, enum oac_quota what, u32 *limit)
{
	int err = oac_user_charge(file->client.user, what, 1, limit);

	if (err)
		return err;
	atomic64_inc(&file->client.held[what]);
	oac_count(&file->card->counts,
		  what == OAC_QUOTA_CONTEXTS ? OAC_COUNT_CONTEXTS : OAC_COUNT_QUEUES, 1);
	return 0;
}

void oac_client_uncharge(struct oac_file *file, enum oac_quota what)
{
	oac_count(&file->card->counts,
		  what == OAC_QUOTA_CONTEXTS ? OAC_COUNT_CONTEXTS : OAC_COUNT_QUEUES, -1);
	atomic64_dec(&file->client.held[what]);
	oac_user_uncharge(file->client.user, what, 1);
}

static void oac_client_count_bo(struct oac_file *file, const struct oac_bo *bo, int sign)
{
	struct oac_client *client = &file->client;
	s64 bytes = sign * (s64)bo->gem.size;

	if (bo->kind == OAC_BO_HOST)
		atomic64_add(bytes, &client->held[OAC_QUOTA_HOST]);
	else if (bo->kind == OAC_BO_LOCAL)
		atomic64_add(bytes, &client->held[OAC_QUOTA_LOCAL]);
	else if (bo->kind == OAC_BO_USERPTR)
		atomic64_add(bytes, &client->pinned_bytes);
}

/* A file holds what it has handles of; shared memory is held by each that shares it. */
int oac_client_bo_open(struct drm_gem_object *gem, struct drm_file *drm_file)
{
	oac_client_count_bo(drm_file->driver_priv, to_oac_bo(gem), 1);
	return 0;
}

void oac_client_bo_close(struct drm_gem_object *gem, struct drm_file *drm_file)
{
	oac_client_count_bo(drm_file->driver_priv, to_oac_bo(gem), -1);
}

/* ---- fdinfo ----------------------------------------------------------------------------------- */

/* One memory region of Documentation/gpu/drm-usage-stats.rst. */
struct oac_region {
	u64 total;
	u64 shared;
	u64 resident;
};

static void oac_region_add(struct oac_region *region, struct drm_gem_object *gem)
{
	region->total += gem->size;
	if (READ_ONCE(gem->handle_count) > 1 || READ_ONCE(gem->dma_buf))
		region->shared += gem->size;
	if (!READ_ONCE(to_oac_bo(gem)->stale))
		region->resident += gem->size;
}

static void oac_region_print(struct drm_printer *p, const char *name,
			     const struct oac_region *region)
{
	drm_printf(p, "drm-total-%s:\t%llu KiB\n", name, region->total >> 10);
	drm_printf(p, "drm-shared-%s:\t%llu KiB\n", name, region->shared >> 10);
	drm_printf(p, "drm-resident-%s:\t%llu KiB\n", name, region->resident >> 10);
}

/* The keys that follow those of DRM itself. */
void oac_client_fdinfo(struct drm_printer *p, struct drm_file *drm_file)
{
	struct oac_region memory = {}, local = {};
	struct drm_gem_object *gem;
	struct oac_usage usage;
	int id;

	oac_usage_of_file(drm_file->driver_priv, &usage);
	drm_printf(p, "drm-engine-compute:\t%llu ns\n", usage.compute_ns);
	drm_printf(p, "drm-engine-copy:\t%llu ns\n", usage.copy_ns);
	spin_lock(&drm_file->table_lock);
	idr_for_each_entry(&drm_file->object_idr, gem, id)
		oac_region_add(to_oac_bo(gem)->kind == OAC_BO_LOCAL ? &local : &memory, gem);
	spin_unlock(&drm_file->table_lock);
	oac_region_print(p, "memory", &memory);
	oac_region_print(p, "local", &local);
}
