// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * hwmon: the card's sensors where sensors(1) and node_exporter look. Which there are, and their
 * labels and limits, comes from the card's own table; units are hwmon's already.
 */
#include <linux/hwmon.h>
#include <linux/slab.h>

#include "oac_drv.h"

#if IS_REACHABLE(CONFIG_HWMON)

/* One hwmon type that we fill, and how its attributes are called there. */
struct oac_hwmon_type {
	enum hwmon_sensor_types type;
	u16 sensor;			/* OAC_SENSOR_* */
	u32 input, label, max, crit;	/* hwmon's attribute numbers */
};

/* clang-format off */
static const struct oac_hwmon_type oac_hwmon_types[] = {
	{ hwmon_temp, OAC_SENSOR_TEMPERATURE,
	  hwmon_temp_input, hwmon_temp_label, hwmon_temp_max, hwmon_temp_crit },
	{ hwmon_power, OAC_SENSOR_POWER,
	  hwmon_power_input, hwmon_power_label, hwmon_power_max, hwmon_power_crit },
	{ hwmon_in, OAC_SENSOR_VOLTAGE,
	  hwmon_in_input, hwmon_in_label, hwmon_in_max, hwmon_in_crit },
	{ hwmon_curr, OAC_SENSOR_CURRENT,
	  hwmon_curr_input, hwmon_curr_label, hwmon_curr_max, hwmon_curr_crit },
};
/* clang-format on */

/* What hwmon is given; lives as long as the hwmon device. */
struct oac_hwmon {
	struct oac_card *card;
	struct hwmon_chip_info chip;
	const struct hwmon_channel_info *channels[ARRAY_SIZE(oac_hwmon_types) + 1];
	struct hwmon_channel_info channel[ARRAY_SIZE(oac_hwmon_types)];
	u32 config[ARRAY_SIZE(oac_hwmon_types)][OAC_SENSOR_MAX + 1];
	/* Per type and channel: index in the card's table. */
	u8 sensor[ARRAY_SIZE(oac_hwmon_types)][OAC_SENSOR_MAX];
	/* The table as it was when the device was made: labels and limits. */
	struct drm_oac_info_sensor info[OAC_SENSOR_MAX];
};

static int oac_hwmon_type_index(enum hwmon_sensor_types type)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(oac_hwmon_types); i++)
		if (oac_hwmon_types[i].type == type)
			return i;
	return -EOPNOTSUPP;
}

static umode_t oac_hwmon_is_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				    int channel)
{
	return 0444;
}

static int oac_hwmon_read_input(struct oac_card *card, unsigned int sensor, long *value)
{
	struct drm_oac_info_sensor *sensors;
	int got;

	sensors = kcalloc(OAC_SENSOR_MAX, sizeof(*sensors), GFP_KERNEL);
	if (!sensors)
		return -ENOMEM;
	got = oac_telemetry_read(card, sensors);
	if (got > 0 && (sensor >= got || sensors[sensor].absent != OAC_ABSENT_NO))
		got = -ENODATA;
	if (got > 0)
		*value = sensors[sensor].value;
	kfree(sensors);
	return got > 0 ? 0 : got ?: -ENODATA;
}

static int oac_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr, int channel,
			  long *value)
{
	struct oac_hwmon *hwmon = dev_get_drvdata(dev);
	int index = oac_hwmon_type_index(type);
	unsigned int sensor;

	if (index < 0)
		return index;
	sensor = hwmon->sensor[index][channel];
	if (attr == oac_hwmon_types[index].input)
		return oac_hwmon_read_input(hwmon->card, sensor, value);
	if (attr == oac_hwmon_types[index].max)
		*value = hwmon->info[sensor].warn;
	else if (attr == oac_hwmon_types[index].crit)
		*value = hwmon->info[sensor].critical;
	else
		return -EOPNOTSUPP;
	return 0;
}

static int oac_hwmon_read_string(struct device *dev, enum hwmon_sensor_types type, u32 attr,
				 int channel, const char **text)
{
	struct oac_hwmon *hwmon = dev_get_drvdata(dev);
	int index = oac_hwmon_type_index(type);

	if (index < 0)
		return index;
	*text = hwmon->info[hwmon->sensor[index][channel]].label;
	return 0;
}

static const struct hwmon_ops oac_hwmon_ops = {
	.is_visible = oac_hwmon_is_visible,
	.read = oac_hwmon_read,
	.read_string = oac_hwmon_read_string,
};

/* Gives one type a channel per sensor of it; returns how many. */
static unsigned int oac_hwmon_fill_type(struct oac_hwmon *hwmon, unsigned int index,
					unsigned int sensors)
{
	const struct oac_hwmon_type *type = &oac_hwmon_types[index];
	unsigned int i, n = 0;

	for (i = 0; i < sensors; i++) {
		const struct drm_oac_info_sensor *info = &hwmon->info[i];

		if (info->type != type->sensor)
			continue;
		hwmon->sensor[index][n] = i;
		hwmon->config[index][n] =
			BIT(type->input) | BIT(type->label) |
			(info->flags & OAC_SENSOR_HAS_WARN ? BIT(type->max) : 0) |
			(info->flags & OAC_SENSOR_HAS_CRITICAL ? BIT(type->crit) : 0);
		n++;
	}
	hwmon->channel[index].type = type->type;
	hwmon->channel[index].config = hwmon->config[index];
	return n;
}

static void oac_hwmon_fill(struct oac_hwmon *hwmon, unsigned int sensors)
{
	unsigned int index, n = 0;

	for (index = 0; index < ARRAY_SIZE(oac_hwmon_types); index++)
		if (oac_hwmon_fill_type(hwmon, index, sensors))
			hwmon->channels[n++] = &hwmon->channel[index];
	hwmon->chip.ops = &oac_hwmon_ops;
	hwmon->chip.info = hwmon->channels;
}

/* A card without hwmon still works: failures are only told. */
void oac_hwmon_start(struct oac_card *card)
{
	struct oac_hwmon *hwmon = kzalloc(sizeof(*hwmon), GFP_KERNEL);
	int sensors;

	if (!hwmon)
		return;
	hwmon->card = card;
	sensors = oac_telemetry_read(card, hwmon->info);
	if (sensors > 0) {
		oac_hwmon_fill(hwmon, sensors);
		card->hwmon = hwmon_device_register_with_info(&card->pdev->dev, OAC_NAME, hwmon,
							      &hwmon->chip, NULL);
		if (!IS_ERR(card->hwmon))
			return;
		drm_warn(&card->drm, "no hwmon (%ld)\n", PTR_ERR(card->hwmon));
		card->hwmon = NULL;
	}
	kfree(hwmon);
}

void oac_hwmon_stop(struct oac_card *card)
{
	struct oac_hwmon *hwmon;

	if (!card->hwmon)
		return;
	hwmon = dev_get_drvdata(card->hwmon);
	hwmon_device_unregister(card->hwmon);
	card->hwmon = NULL;
	kfree(hwmon);
}

#else

void oac_hwmon_start(struct oac_card *card)
{
}

void oac_hwmon_stop(struct oac_card *card)
{
}

#endif
