/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * Is it what it may be? Of what users pass in and of what cards say: functions of their arguments
 * alone, so that the same file is also compiled in user space, tested and fuzzed there. Whether the
 * caller may, and whether things exist, is for the callers.
 */
#ifndef OAC_CHECK_H
#define OAC_CHECK_H

#include <linux/types.h>

#include <drm/oac_accel.h>
#include <hw/oac_admin.h>
#include <hw/oac_telemetry.h>

/* Of users: 0 or what the ioctl gives. */
int oac_check_bo_create(const struct drm_oac_bo_create *args);
int oac_check_userptr(const struct drm_oac_bo_userptr *args);
int oac_check_map(const struct drm_oac_map *args);
int oac_check_unmap(const struct drm_oac_unmap *args);
int oac_check_queue_create(const struct drm_oac_queue_create *args);
bool oac_check_part(u64 offset, u64 size, u64 whole);
bool oac_check_tail(u32 tail, u32 rung, u32 completed, u32 depth);

/* Of cards. */
bool oac_check_identify(const struct oac_identify *identify, u32 doorbell_pages);
int oac_check_event(const struct oac_event *from, u64 next, struct drm_oac_event *to);
void oac_check_sensor(const struct oac_sensor_info *info, const struct oac_sensor_value *value,
		      struct drm_oac_info_sensor *sensor);

#endif
