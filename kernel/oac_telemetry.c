// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Sensors, for the INFO ioctl and hwmon alike. A reading is shared for OAC_TELEMETRY_AGE_MS, so
 * that any number of monitors costs the card ten commands a second. A value that cannot be is
 * reported as absent.
 */
#include <linux/jiffies.h>
#include <linux/string.h>

#include "oac_check.h"
#include "oac_drv.h"

#define OAC_TELEMETRY_AGE_MS	100

/* Fetches the table of sensors: once per boot, it comes from the manifest. */
int oac_telemetry_start(struct oac_card *card, const struct oac_identify *identify)
{
	struct oac_telemetry *telemetry = &card->telemetry;
	u32 count = le32_to_cpu(identify->sensor_count);
	int got = 0;

	mutex_lock(&telemetry->lock);
	telemetry->valid = false;
	telemetry->count = 0;
	if (count)
		got = oac_admin_get_log(card, OAC_LOG_SENSOR_INFO, 0, telemetry->info, count,
					sizeof(*telemetry->info));
	if (got >= 0 && got != count) {
		drm_err(&card->drm, "%d sensors described, %u promised\n", got, count);
		got = -EPROTO;
	}
	if (got >= 0)
		telemetry->count = count;
	mutex_unlock(&telemetry->lock);
	return got < 0 ? got : 0;
}

static int oac_telemetry_refresh_locked(struct oac_card *card)
{
	struct oac_telemetry *telemetry = &card->telemetry;
	unsigned long age = msecs_to_jiffies(OAC_TELEMETRY_AGE_MS);
	int got;

	lockdep_assert_held(&telemetry->lock);
	if (telemetry->valid && time_before(jiffies, telemetry->read_jiffies + age))
		return 0;
	telemetry->valid = false;
	got = oac_admin_get_log(card, OAC_LOG_SENSOR_VALUES, 0, telemetry->values, telemetry->count,
				sizeof(*telemetry->values));
	if (got < 0)
		return got;
	if (got != telemetry->count)
		return -EPROTO;
	telemetry->read_jiffies = jiffies;
	telemetry->valid = true;
	return 0;
}

unsigned int oac_telemetry_count(struct oac_card *card)
{
	unsigned int count;

	mutex_lock(&card->lock);
	count = le32_to_cpu(card->identify.sensor_count);
	mutex_unlock(&card->lock);
	return count;
}

/* All sensors into an array of OAC_SENSOR_MAX; returns how many there are. */
int oac_telemetry_read(struct oac_card *card, struct drm_oac_info_sensor *sensors)
{
	struct oac_telemetry *telemetry = &card->telemetry;
	unsigned int i;
	int ret;

	if (mutex_lock_killable(&telemetry->lock))
		return -EINTR;
	ret = telemetry->count ? oac_telemetry_refresh_locked(card) : 0;
	if (!ret) {
		for (i = 0; i < telemetry->count; i++)
			oac_check_sensor(&telemetry->info[i], &telemetry->values[i], &sensors[i]);
		ret = telemetry->count;
	}
	mutex_unlock(&telemetry->lock);
	return ret;
}

/* ---- Health ----------------------------------------------------------------------------------- */

/* One reason holds as long as any sensor gives cause; which one is its argument. */
static void oac_telemetry_report(struct oac_card *card, u32 reason, u16 sensor)
{
	if (sensor)
		oac_health_set(card, reason, sensor);
	else if (oac_health_holds(card, reason))
		oac_health_clear(card, reason);
}

/* Engines that were stopped by heat start with the firmware only. */
static void oac_telemetry_restart(struct oac_card *card)
{
	oac_health_set(card, OAC_REASON_HANG, OAC_CAUSE_HANG);
	oac_recover_want(card, OAC_CAUSE_HANG);
}

/* What the sensors mean for the card's health. Waits for the card. */
void oac_telemetry_judge(struct oac_card *card)
{
	struct drm_oac_info_sensor *sensors, *one;
	u16 hot = 0, too_hot = 0, dead = 0;
	int got;

	sensors = kcalloc(OAC_SENSOR_MAX, sizeof(*sensors), GFP_KERNEL);
	if (!sensors)
		return;
	got = oac_telemetry_read(card, sensors);
	for (one = sensors; one < sensors + max(got, 0); one++) {
		if (one->absent == OAC_ABSENT_FAILED)
			dead = one->id;
		if (one->type != OAC_SENSOR_TEMPERATURE || one->absent != OAC_ABSENT_NO)
			continue;
		if (one->flags & OAC_SENSOR_HAS_CRITICAL && one->value >= one->critical)
			too_hot = one->id;
		else if (one->flags & OAC_SENSOR_HAS_WARN && one->value >= one->warn)
			hot = one->id;
	}
	if (got >= 0) {
		oac_telemetry_report(card, OAC_REASON_SENSOR_DEAD, dead);
		oac_telemetry_report(card, OAC_REASON_HOT, hot);
		if (!too_hot && oac_health_holds(card, OAC_REASON_TOO_HOT))
			oac_telemetry_restart(card);
		oac_telemetry_report(card, OAC_REASON_TOO_HOT, too_hot);
	}
	kfree(sensors);
}
