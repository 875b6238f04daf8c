// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * DRM_OAC_INFO_GET. Each topic gathers all its elements into kernel memory; one place then copies
 * out what was asked for, in the stride that the caller was built with.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/pci.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_INFO_STRIDE_MAX	PAGE_SIZE

/* What a topic gathered; elements is kvmalloc()ed. */
struct oac_info {
	void *elements;
	u32 count;
	u32 size;		/* of each */
};

static int oac_info_alloc(struct oac_info *info, u32 most, u32 size)
{
	info->size = size;
	info->elements = kvcalloc(most, size, GFP_KERNEL);
	return info->elements ? 0 : -ENOMEM;
}

struct oac_info_topic {
	/* One of: from what the driver knows; from the card, unless it was just asked. */
	int (*gather)(struct oac_file *file, u64 start, struct oac_info *info);
	int (*ask)(struct oac_card *card, u64 start, struct oac_info *info);
	bool (*recall)(struct oac_card *card, struct oac_info *info);
	bool start_is_seq;	/* start has been seen to, else it is an index */
	bool works_lost;	/* of a card that is gone, too */
};

/* ---- DEVICE ----------------------------------------------------------------------------------- */

static void oac_info_fill_identify(struct oac_card *card, struct drm_oac_info_device *device)
{
	const struct oac_identify *identify = &card->identify;
	unsigned int i;

	mutex_lock(&card->lock);
	BUILD_BUG_ON(sizeof(device->model) != sizeof(identify->model));
	memcpy(device->model, identify->model, sizeof(device->model));
	device->features = le64_to_cpu(identify->features);
	for (i = 0; i < OAC_MASK_WORDS; i++) {
		device->cmd_mask[i] = le64_to_cpu(identify->cmd_mask[i]);
		device->op_mask[i] = le64_to_cpu(identify->op_mask[i]);
	}
	for (i = 0; i < ARRAY_SIZE(device->fw_version); i++)
		device->fw_version[i] = le32_to_cpu(identify->fw_version[i]);
	device->security_version = le32_to_cpu(identify->security_version);
	device->engine_count = le32_to_cpu(identify->engine_count);
	device->engine_clock_khz = le32_to_cpu(identify->engine_clock_khz);
	device->max_contexts = le32_to_cpu(identify->max_contexts);
	device->max_queues = le32_to_cpu(identify->max_queues);
	device->max_depth_log2 = le32_to_cpu(identify->max_depth_log2);
	device->sensor_count = le32_to_cpu(identify->sensor_count);
	device->event_capacity = le32_to_cpu(identify->event_capacity);
	device->power_limit_mw = le32_to_cpu(identify->power_limit_mw);
	device->protocol = card->protocol;
	device->contexts = card->contexts;
	device->queues = card->queues;
	mutex_unlock(&card->lock);
}

/* What kernel, module and card can do together. */
u64 oac_info_features(struct oac_card *card)
{
	u64 features = DRM_OAC_FEATURE_KERNEL_SUBMIT | DRM_OAC_FEATURE_SYNC |
		       DRM_OAC_FEATURE_USERPTR | DRM_OAC_FEATURE_DMABUF;

	if (card->user_submission)
		features |= DRM_OAC_FEATURE_USER_SUBMIT;
	if (READ_ONCE(card->local.ready))
		features |= DRM_OAC_FEATURE_LOCAL_MEMORY;
	if (oac_prime_has_peer(card))
		features |= DRM_OAC_FEATURE_PEER;
	return features;
}

static void oac_info_fill_limits(struct oac_card *card, struct drm_oac_info_device *device)
{
	device->lmem_free = oac_local_free_bytes(card);
	device->user_contexts = oac_user_limit(card, OAC_QUOTA_CONTEXTS);
	device->user_queues = oac_user_limit(card, OAC_QUOTA_QUEUES);
	device->user_local_bytes = oac_user_limit(card, OAC_QUOTA_LOCAL);
	device->user_host_bytes = oac_user_limit(card, OAC_QUOTA_HOST);
	device->context_queues = oac_user_limit(card, OAC_QUOTA_CONTEXT_QUEUES);
	device->context_maps = oac_user_limit(card, OAC_QUOTA_CONTEXT_MAPS);
}

/* From registers and what is known: this topic waits for nobody. */
static int oac_info_device(struct oac_file *file, u64 start, struct oac_info *info)
{
	struct oac_card *card = file->card;
	struct drm_oac_info_device *device;
	struct pci_dev *pdev = card->pdev;
	u32 state;
	int err;

	err = oac_hw_state(card, &state);
	/* Away for the moment: it will be there as one that is to be booted. */
	if (err == -EHOSTDOWN) {
		state = OAC_STATE_ROM;
		err = 0;
	}
	if (!err)
		err = oac_info_alloc(info, 1, sizeof(*device));
	if (err)
		return err;
	info->count = 1;
	device = info->elements;
	oac_info_fill_identify(card, device);
	device->serial = card->serial;
	device->lmem_size = oac_hw_lmem_size(card);
	device->driver_features = oac_info_features(card);
	device->state = state;
	device->boot_fail = oac_hw_boot_fail(card);
	device->boot_progress = oac_hw_boot_progress(card);
	device->reset_count = oac_hw_reset_count(card);
	if (!device->protocol)
		device->protocol = oac_hw_protocol(card);
	device->numa_node = dev_to_node(&pdev->dev);
	device->pci_domain = pci_domain_nr(pdev->bus);
	device->pci_bus = pdev->bus->number;
	device->pci_device = PCI_SLOT(pdev->devfn);
	device->pci_function = PCI_FUNC(pdev->devfn);
	oac_info_fill_limits(card, device);
	return 0;
}

/* ---- SENSORS, COUNTERS, EVENTS: the card is asked --------------------------------------------- */

static bool oac_info_sensors_recall(struct oac_card *card, struct oac_info *info)
{
	int count;

	if (oac_info_alloc(info, OAC_SENSOR_MAX, sizeof(struct drm_oac_info_sensor)) ||
	    !oac_telemetry_known(card, info->elements, &count))
		return false;
	info->count = count;
	return true;
}

static int oac_info_sensors(struct oac_card *card, u64 start, struct oac_info *info)
{
	int got = oac_info_alloc(info, OAC_SENSOR_MAX, sizeof(struct drm_oac_info_sensor));

	if (!got)
		got = oac_telemetry_read(card, info->elements);
	if (got < 0)
		return got;
	info->count = got;
	return 0;
}

static int oac_info_counters(struct oac_card *card, u64 start, struct oac_info *info)
{
	u32 most = OAC_ADMIN_DATA_SIZE / sizeof(struct oac_counter);
	struct drm_oac_info_counter *counter;
	struct oac_counter *log;
	int i, got;

	/* Same size, other byte order on some hosts: converted in place. */
	BUILD_BUG_ON(sizeof(*counter) != sizeof(*log));
	got = oac_info_alloc(info, most, sizeof(*counter));
	if (got)
		return got;
	log = info->elements;
	got = oac_admin_get_log(card, OAC_LOG_COUNTERS, 0, log, most, sizeof(*log));
	if (got < 0)
		return got;
	counter = info->elements;
	for (i = 0; i < got; i++) {
		struct oac_counter one = log[i];

		counter[i].id = le32_to_cpu(one.id);
		counter[i].pad = 0;
		counter[i].value = le64_to_cpu(one.value);
	}
	info->count = got;
	return 0;
}

static void oac_info_convert_event(const struct oac_event *from, struct drm_oac_info_event *to)
{
	memset(to, 0, sizeof(*to));
	to->seq = le64_to_cpu(from->seq);
	to->card_ns = le64_to_cpu(from->card_ns);
	to->arg = le64_to_cpu(from->arg);
	to->context = le32_to_cpu(from->context);
	to->queue = le16_to_cpu(from->queue);
	to->code = le16_to_cpu(from->code);
	to->severity = from->severity;
	to->action = from->action;
}

/* As many commands as it takes, each for what one buffer holds. */
static int oac_info_fetch_events(struct oac_card *card, u64 start, struct oac_event *log, u32 most,
				 struct oac_info *info)
{
	u32 chunk = OAC_ADMIN_DATA_SIZE / sizeof(*log);
	struct drm_oac_info_event *events = info->elements;
	int i, got;

	do {
		got = oac_admin_get_log(card, OAC_LOG_EVENTS, start, log,
					min(chunk, most - info->count), sizeof(*log));
		if (got < 0)
			return got;
		for (i = 0; i < got; i++) {
			u64 seq = le64_to_cpu(log[i].seq);

			if (seq < start) {
				oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE,
					      "its event log runs backwards");
				return -EPROTO;
			}
			start = seq + 1;
			oac_info_convert_event(&log[i], &events[info->count++]);
		}
	} while (got && info->count < most);
	return 0;
}

static int oac_info_events(struct oac_card *card, u64 start, struct oac_info *info)
{
	struct oac_event *log;
	u32 most;
	int err;

	mutex_lock(&card->lock);
	most = le32_to_cpu(card->identify.event_capacity);
	mutex_unlock(&card->lock);
	if (!most)
		return 0;
	err = oac_info_alloc(info, most, sizeof(struct drm_oac_info_event));
	if (err)
		return err;
	log = kvmalloc(OAC_ADMIN_DATA_SIZE, GFP_KERNEL);
	if (!log)
		return -ENOMEM;
	err = oac_info_fetch_events(card, start, log, most, info);
	kvfree(log);
	return err;
}

struct oac_info_errand {
	struct oac_errand errand;
	int (*ask)(struct oac_card *card, u64 start, struct oac_info *info);
	u64 start;
	struct oac_info info;
};

static int oac_info_errand_run(struct oac_card *card, struct oac_errand *errand)
{
	struct oac_info_errand *of = container_of(errand, struct oac_info_errand, errand);

	return of->ask(card, of->start, &of->info);
}

static void oac_info_errand_release(struct kref *ref)
{
	struct oac_info_errand *of = container_of(ref, struct oac_info_errand, errand.ref);

	kvfree(of->info.elements);
	kfree(of);
}

/* The caller need not wait for as long as the card may take. */
static int oac_info_ask(struct oac_card *card, const struct oac_info_topic *topic, u64 start,
			u64 deadline_ns, struct oac_info *info)
{
	struct oac_info_errand *of;
	bool is_done;
	int err;

	if (topic->recall && topic->recall(card, info))
		return 0;
	of = kzalloc(sizeof(*of), GFP_KERNEL);
	if (!of)
		return -ENOMEM;
	oac_errand_init(&of->errand, oac_info_errand_run, oac_info_errand_release);
	of->ask = topic->ask;
	of->start = start;
	err = oac_errand_send(&card->logs, &of->errand, deadline_ns, &is_done);
	if (is_done)
		swap(*info, of->info);
	oac_errand_put(&of->errand);
	return err;
}

/* ---- CLIENTS, CONTEXTS ------------------------------------------------------------------------ */

/* Others' work is nobody's business but the same user's and the administrator's. */
static bool oac_info_may_see(const struct oac_client *client)
{
	return uid_eq(client->user->uid, current_euid()) || oac_user_is_capable(CAP_SYS_ADMIN);
}

static void oac_info_fill_client(struct oac_file *of, struct drm_oac_info_client *to)
{
	struct oac_client *client = &of->client;
	struct oac_usage usage;

	oac_usage_of_file(of, &usage);
	to->id = client->id;
	to->pid = pid_vnr(client->pid);
	to->uid = from_kuid_munged(current_user_ns(), client->user->uid);
	to->contexts = atomic64_read(&client->held[OAC_QUOTA_CONTEXTS]);
	to->queues = atomic64_read(&client->held[OAC_QUOTA_QUEUES]);
	to->host_bytes = atomic64_read(&client->held[OAC_QUOTA_HOST]);
	to->local_bytes = atomic64_read(&client->held[OAC_QUOTA_LOCAL]);
	to->pinned_bytes = atomic64_read(&client->pinned_bytes);
	to->compute_ns = usage.compute_ns;
	to->copy_ns = usage.copy_ns;
	to->commands = usage.commands;
}

static int oac_info_clients(struct oac_file *file, u64 start, struct oac_info *info)
{
	struct oac_clients *clients = &file->card->clients;
	struct drm_oac_info_client *to;
	struct oac_file *one;
	u32 most = 0;
	int err;

	mutex_lock(&clients->lock);
	list_for_each_entry(one, &clients->list, client.node)
		most += oac_info_may_see(&one->client);
	err = oac_info_alloc(info, most, sizeof(*to));
	to = info->elements;
	list_for_each_entry(one, &clients->list, client.node) {
		/* The caller's user may change in between, the list cannot. */
		if (!err && info->count < most && oac_info_may_see(&one->client))
			oac_info_fill_client(one, &to[info->count++]);
	}
	mutex_unlock(&clients->lock);
	return err;
}

static void oac_info_fill_context(struct oac_context *context, u32 id,
				  struct drm_oac_info_context *to)
{
	struct oac_usage usage;

	oac_usage_of_context(context, &usage);
	to->context = id;
	to->queues = READ_ONCE(context->queue_count);
	to->maps = READ_ONCE(context->map_count);
	to->mapped_bytes = READ_ONCE(context->mapped_bytes);
	to->compute_ns = usage.compute_ns;
	to->copy_ns = usage.copy_ns;
	to->commands = usage.commands;
	to->errors = usage.errors;
	to->lost = oac_context_lost(context);
	to->generation = context->generation;
}

static int oac_info_contexts(struct oac_file *file, u64 start, struct oac_info *info)
{
	u32 most = atomic64_read(&file->client.held[OAC_QUOTA_CONTEXTS]);
	struct drm_oac_info_context *to;
	struct oac_context *context;
	unsigned long id;
	int err;

	err = oac_info_alloc(info, most, sizeof(*to));
	if (err)
		return err;
	to = info->elements;
	xa_lock(&file->contexts);
	/* Those that came since do not count. */
	xa_for_each(&file->contexts, id, context) {
		if (info->count == most)
			break;
		oac_info_fill_context(context, id, &to[info->count++]);
	}
	xa_unlock(&file->contexts);
	return 0;
}

/* ---- HEALTH, RUNGS ---------------------------------------------------------------------------- */

static int oac_info_health(struct oac_file *file, u64 start, struct oac_info *info)
{
	int err = oac_info_alloc(info, 1, sizeof(struct drm_oac_info_health));

	if (err)
		return err;
	oac_health_read(file->card, info->elements);
	info->count = 1;
	return 0;
}

static int oac_info_rungs(struct oac_file *file, u64 start, struct oac_info *info)
{
	int err = oac_info_alloc(info, OAC_RUNG_COUNT, sizeof(struct drm_oac_info_rung));

	if (err)
		return err;
	oac_recover_rungs(file->card, info->elements);
	info->count = OAC_RUNG_COUNT;
	return 0;
}

/* ---- Dispatch --------------------------------------------------------------------------------- */

static const struct oac_info_topic oac_info_topics[] = {
	[DRM_OAC_INFO_DEVICE] = { .gather = oac_info_device },
	[DRM_OAC_INFO_SENSORS] = { .ask = oac_info_sensors, .recall = oac_info_sensors_recall },
	[DRM_OAC_INFO_COUNTERS] = { .ask = oac_info_counters },
	[DRM_OAC_INFO_EVENTS] = { .ask = oac_info_events, .start_is_seq = true },
	[DRM_OAC_INFO_CLIENTS] = { .gather = oac_info_clients },
	[DRM_OAC_INFO_CONTEXTS] = { .gather = oac_info_contexts },
	[DRM_OAC_INFO_HEALTH] = { .gather = oac_info_health, .works_lost = true },
	[DRM_OAC_INFO_RUNGS] = { .gather = oac_info_rungs, .works_lost = true },
};

static int oac_info_fill(struct oac_file *file, const struct oac_info_topic *topic,
			 const struct drm_oac_info_get *args, struct oac_info *info)
{
	struct oac_card *card = file->card;
	int err = oac_card_check(card);

	/* Without firmware the card has no elements. */
	if (err == -EHOSTDOWN && topic->gather)
		err = 0;
	if (err == -ENODEV && topic->works_lost)
		err = 0;
	if (err)
		return err;
	if (topic->gather)
		return topic->gather(file, args->start, info);
	return oac_info_ask(card, topic, args->start, args->deadline_ns ?: U64_MAX, info);
}

static int oac_info_gather(struct oac_file *file, const struct oac_info_topic *topic,
			   const struct drm_oac_info_get *args, struct oac_info *info)
{
	struct oac_card *card = file->card;
	int idx, err;

	if (!drm_dev_enter(&card->drm, &idx))
		return -ENODEV;
	err = oac_info_fill(file, topic, args, info);
	/* It may also stop while it is being asked. */
	if (err == -EHOSTDOWN) {
		info->count = 0;
		err = 0;
	}
	drm_dev_exit(idx);
	return err;
}

/* Elements from first on, in the caller's stride: what that has beyond ours is zeroed. */
static int oac_info_copy(const struct oac_info *info, u64 first, struct drm_oac_info_get *args)
{
	u32 left = first < info->count ? info->count - first : 0;
	u32 size = min(args->stride, info->size);
	u8 __user *to = u64_to_user_ptr(args->data);
	u32 i;

	if (!args->count) {
		args->count = left;
		return 0;
	}
	args->count = min(args->count, left);
	for (i = 0; i < args->count; i++, to += args->stride) {
		if (copy_to_user(to, info->elements + (first + i) * info->size, size) ||
		    clear_user(to + size, args->stride - size))
			return -EFAULT;
	}
	return 0;
}

int oac_ioctl_info_get(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_info_get *args = data;
	const struct oac_info_topic *topic;
	struct oac_info info = {};
	int err;

	if (args->pad || args->topic >= ARRAY_SIZE(oac_info_topics))
		return -EINVAL;
	topic = &oac_info_topics[array_index_nospec(args->topic, ARRAY_SIZE(oac_info_topics))];
	if (!topic->gather && !topic->ask)
		return -EINVAL;
	if (args->count && (!args->stride || args->stride > OAC_INFO_STRIDE_MAX))
		return -EINVAL;
	err = oac_info_gather(file->driver_priv, topic, args, &info);
	if (!err)
		err = oac_info_copy(&info, topic->start_is_seq ? 0 : args->start, args);
	kvfree(info.elements);
	return err;
}
