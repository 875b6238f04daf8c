// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * See oac_check.h. Nothing here may need more of the kernel than tests/unit/kernel/shim offers.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include <hw/oac_firmware.h>
#include <hw/oac_health.h>
#include <hw/oac_queue.h>

#include "oac_check.h"

#define OAC_BO_SIZE_MAX		(1ull << 40)
#define OAC_VA_END		(1ull << OAC_VA_BITS)
#define OAC_RING_ALIGN		64

/* ---- Of users --------------------------------------------------------------------------------- */

int oac_check_bo_create(const struct drm_oac_bo_create *args)
{
	if (args->flags & ~DRM_OAC_BO_LOCAL || args->pad || !args->size ||
	    !PAGE_ALIGNED(args->size))
		return -EINVAL;
	return args->size > OAC_BO_SIZE_MAX ? -E2BIG : 0;
}

int oac_check_userptr(const struct drm_oac_bo_userptr *args)
{
	u64 end;

	if (args->flags & ~DRM_OAC_USERPTR_READ_ONLY || args->pad)
		return -EINVAL;
	if (!args->size || !PAGE_ALIGNED(args->addr | args->size) ||
	    check_add_overflow(args->addr, args->size, &end))
		return -EINVAL;
	return 0;
}

int oac_check_map(const struct drm_oac_map *args)
{
	u64 end;

	if (args->pad || args->pad2 || !args->flags ||
	    args->flags & ~(DRM_OAC_MAP_READ | DRM_OAC_MAP_WRITE))
		return -EINVAL;
	if (!args->va || !args->size || !PAGE_ALIGNED(args->va | args->offset | args->size))
		return -EINVAL;
	if (check_add_overflow(args->va, args->size, &end) || end > OAC_VA_END)
		return -EINVAL;
	return 0;
}

int oac_check_unmap(const struct drm_oac_unmap *args)
{
	return args->pad || !args->size || !PAGE_ALIGNED(args->va | args->size) ? -EINVAL : 0;
}

int oac_check_queue_create(const struct drm_oac_queue_create *args)
{
	if (args->flags & ~DRM_OAC_QUEUE_KERNEL_SUBMIT || args->pad)
		return -EINVAL;
	if (args->priority > OAC_PRIORITY_MAX || args->weight > OAC_WEIGHT_MAX ||
	    !args->depth_log2 || args->depth_log2 > OAC_FW_DEPTH_LOG2_MAX)
		return -EINVAL;
	return IS_ALIGNED(args->sq_va | args->cq_va | args->tail_va, OAC_RING_ALIGN) ? 0 : -EINVAL;
}

/* All of offset..offset + size within the whole? */
bool oac_check_part(u64 offset, u64 size, u64 whole)
{
	u64 end;

	return !check_add_overflow(offset, size, &end) && end <= whole;
}

/*
 * May a ring of that depth be rung up to tail, after rung? All are free-running counts: a tail behind
 * the last one is a very large step. completed is the card's word.
 */
bool oac_check_tail(u32 tail, u32 rung, u32 completed, u32 depth)
{
	return tail - rung <= depth && tail - completed <= depth;
}

/* ---- Of cards --------------------------------------------------------------------------------- */

/* What the rest of the module relies on when it sizes and indexes. */
bool oac_check_identify(const struct oac_identify *identify, u32 doorbell_pages)
{
	u32 contexts = le32_to_cpu(identify->max_contexts);
	u32 queues = le32_to_cpu(identify->max_queues);
	u32 depth = le32_to_cpu(identify->max_depth_log2);
	u32 segments = le32_to_cpu(identify->max_segments);
	u32 engines = le32_to_cpu(identify->engine_count);

	/* clang-format off */
	return contexts >= 1 && contexts <= OAC_FW_CONTEXTS_MAX &&
	       queues >= 1 && queues < doorbell_pages &&
	       depth >= 1 && depth <= OAC_FW_DEPTH_LOG2_MAX &&
	       segments >= 1 && segments <= OAC_FW_SEGMENTS_MAX &&
	       engines >= 1 && engines <= OAC_FW_ENGINES_MAX &&
	       le32_to_cpu(identify->max_maps) <= OAC_FW_MAPS_MAX &&
	       le32_to_cpu(identify->sensor_count) <= OAC_SENSOR_MAX &&
	       le32_to_cpu(identify->event_capacity) <= OAC_FW_EVENTS_MAX &&
	       strnlen(identify->model, OAC_MODEL_NAME_SIZE) < OAC_MODEL_NAME_SIZE;
	/* clang-format on */
}

/*
 * An event of the card's as the driver passes it on, taken as far as it can be. next: the lowest
 * number it may have. -EPROTO: it cannot be.
 */
int oac_check_event(const struct oac_event *from, u64 next, struct drm_oac_event *to)
{
	memset(to, 0, sizeof(*to));
	to->arg = le64_to_cpu(from->arg);
	to->card_seq = le64_to_cpu(from->seq);
	to->card_ns = le64_to_cpu(from->card_ns);
	to->context = le32_to_cpu(from->context);
	to->queue = le16_to_cpu(from->queue);
	to->code = le16_to_cpu(from->code);
	to->severity = min_t(u8, from->severity, OAC_SEVERITY_CARD_FATAL);
	to->action = from->action <= OAC_ACTION_REPLACE_CARD ? from->action : OAC_ACTION_NONE;
	/* A code of the driver's would make its events the card's to write. */
	if (to->card_seq < next || to->card_seq == U64_MAX || to->code >= OAC_EVENT_DRIVER)
		return -EPROTO;
	return 0;
}

/* What a value can be, in the unit of its type. */
/* clang-format off */
static const struct oac_sensor_range {
	s64 lowest;
	s64 highest;
} oac_sensor_ranges[] = {
	[OAC_SENSOR_TEMPERATURE] = { -100000, 250000 },
	[OAC_SENSOR_POWER] = { 0, 1000000000 },
	[OAC_SENSOR_VOLTAGE] = { 0, 100000 },
	[OAC_SENSOR_CURRENT] = { 0, 1000000 },
	[OAC_SENSOR_CLOCK] = { 0, 100000000000 },
	[OAC_SENSOR_LOAD] = { 0, 1000000 },
};
/* clang-format on */

static bool oac_sensor_is_plausible(u16 type, s64 value)
{
	const struct oac_sensor_range *range;

	if (type >= ARRAY_SIZE(oac_sensor_ranges))
		return true;
	range = &oac_sensor_ranges[type];
	return type && value >= range->lowest && value <= range->highest;
}

/* A value that cannot be is reported as absent. */
void oac_check_sensor(const struct oac_sensor_info *info, const struct oac_sensor_value *value,
		      struct drm_oac_info_sensor *sensor)
{
	u16 absent = le16_to_cpu(value->absent);

	memset(sensor, 0, sizeof(*sensor));
	sensor->id = le16_to_cpu(info->id);
	sensor->type = le16_to_cpu(info->type);
	sensor->flags = le32_to_cpu(info->flags) & OAC_SENSOR_FLAGS_MASK;
	sensor->warn = (s64)le64_to_cpu(info->warn);
	sensor->critical = (s64)le64_to_cpu(info->critical);
	BUILD_BUG_ON(sizeof(sensor->label) != sizeof(info->label));
	memcpy(sensor->label, info->label, sizeof(info->label) - 1);
	if (value->id != info->id)
		absent = OAC_ABSENT_FAILED;
	if (absent == OAC_ABSENT_NO &&
	    !oac_sensor_is_plausible(sensor->type, (s64)le64_to_cpu(value->value)))
		absent = OAC_ABSENT_FAILED;
	sensor->absent = absent;
	if (absent == OAC_ABSENT_NO) {
		sensor->value = (s64)le64_to_cpu(value->value);
		sensor->card_ns = le64_to_cpu(value->card_ns);
	}
}
