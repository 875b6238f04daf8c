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

	/* With none that are known, nobody looks at what is described. */
	mutex_lock(&telemetry->fetch);
	mutex_lock(&telemetry->lock);
	telemetry->valid = false;
	telemetry->count = 0;
	mutex_unlock(&telemetry->lock);
	if (count)
		got = oac_admin_get_log(card, OAC_LOG_SENSOR_INFO, 0, telemetry->info, count,
					sizeof(*telemetry->info));
	if (got >= 0 && got != count) {
		drm_err(&card->drm, "%d sensors described, %u promised\n", got, count);
		got = -EPROTO;
	}
	mutex_lock(&telemetry->lock);
	if (got >= 0)
		telemetry->count = count;
	mutex_unlock(&telemetry->lock);
	mutex_unlock(&telemetry->fetch);
	return got < 0 ? got : 0;
}

static bool oac_telemetry_is_fresh_locked(const struct oac_telemetry *telemetry)
{
	unsigned long age = msecs_to_jiffies(OAC_TELEMETRY_AGE_MS);

	lockdep_assert_held(&telemetry->lock);
	return !telemetry->count ||
	       (telemetry->valid && time_before(jiffies, telemetry->read_jiffies + age));
}

/* What is known, if that is fresh enough; false: the card has to be asked. */
bool oac_telemetry_known(struct oac_card *card, struct drm_oac_info_sensor *sensors, int *count)
{
	struct oac_telemetry *telemetry = &card->telemetry;
	bool is_fresh;
	unsigned int i;

	mutex_lock(&telemetry->lock);
	is_fresh = oac_telemetry_is_fresh_locked(telemetry);
	if (is_fresh) {
		for (i = 0; i < telemetry->count; i++)
			oac_check_sensor(&telemetry->info[i], &telemetry->values[i], &sensors[i]);
		*count = telemetry->count;
	}
	mutex_unlock(&telemetry->lock);
	return is_fresh;
}

static void oac_telemetry_keep(struct oac_telemetry *telemetry)
{
	mutex_lock(&telemetry->lock);
	memcpy(telemetry->values, telemetry->fetched, sizeof(telemetry->values));
	telemetry->read_jiffies = jiffies;
	telemetry->valid = true;
	mutex_unlock(&telemetry->lock);
}

/* Asks the card, unless somebody else just has. Whoever reads what is known need not wait for it. */
static int oac_telemetry_refresh(struct oac_card *card)
{
	struct oac_telemetry *telemetry = &card->telemetry;
	unsigned int count;
	bool is_fresh;
	int got = 0;

	if (mutex_lock_killable(&telemetry->fetch))
		return -EINTR;
	mutex_lock(&telemetry->lock);
	is_fresh = oac_telemetry_is_fresh_locked(telemetry);
	count = telemetry->count;
	mutex_unlock(&telemetry->lock);
	if (!is_fresh) {
		got = oac_admin_get_log(card, OAC_LOG_SENSOR_VALUES, 0, telemetry->fetched, count,
					sizeof(*telemetry->fetched));
		if (got == count)
			oac_telemetry_keep(telemetry);
		else if (got >= 0)
			got = -EPROTO;
	}
	mutex_unlock(&telemetry->fetch);
	return min(got, 0);
}

unsigned int oac_telemetry_count(struct oac_card *card)
{
	unsigned int count;

	mutex_lock(&card->lock);
	count = le32_to_cpu(card->identify.sensor_count);
	mutex_unlock(&card->lock);
	return count;
}

/* All sensors into an array of OAC_SENSOR_MAX; returns how many there are. Waits for the card. */
int oac_telemetry_read(struct oac_card *card, struct drm_oac_info_sensor *sensors)
{
	int count, err;

	while (!oac_telemetry_known(card, sensors, &count)) {
		err = oac_telemetry_refresh(card);
		if (err)
			return err;
	}
	return count;
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
