// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * What a card shows in sysfs, beside its PCI function's own files: serial number, and the folder
 * health, in the words of include/hw. Reading waits for nobody.
 */
#include <linux/capability.h>
#include <linux/sysfs.h>

#include "oac_drv.h"

/* The same number as in /dev/accel/by-id, with or without firmware. */
static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct oac_card *card = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%016llx\n", card->serial);
}
static DEVICE_ATTR_RO(serial);

static struct attribute *oac_attrs[] = {
	&dev_attr_serial.attr,
	NULL,
};

static const struct attribute_group oac_group = {
	.attrs = oac_attrs,
};

/* ---- health ----------------------------------------------------------------------------------- */

static ssize_t oac_emit_word(char *buf, const char *name)
{
	char word[32];

	oac_word(word, sizeof(word), name);
	return sysfs_emit(buf, "%s\n", word);
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_health health;

	oac_health_read(dev_get_drvdata(dev), &health);
	return oac_emit_word(buf, oac_health_state_word(health.state));
}
static DEVICE_ATTR_RO(state);

static ssize_t reason_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_health health;

	oac_health_read(dev_get_drvdata(dev), &health);
	return oac_emit_word(buf, oac_health_reason_word(health.reason));
}
static DEVICE_ATTR_RO(reason);

static ssize_t action_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_health health;

	oac_health_read(dev_get_drvdata(dev), &health);
	return oac_emit_word(buf, oac_health_action_word(health.action));
}
static DEVICE_ATTR_RO(action);

static ssize_t since_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_health health;

	oac_health_read(dev_get_drvdata(dev), &health);
	return sysfs_emit(buf, "%llu\n", health.since_ns);
}
static DEVICE_ATTR_RO(since);

static ssize_t generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_health health;

	oac_health_read(dev_get_drvdata(dev), &health);
	return sysfs_emit(buf, "%u\n", health.generation);
}
static DEVICE_ATTR_RO(generation);

/* Which rung to begin with; returns when the card works again. */
static ssize_t reset_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	int rung = oac_rung_by_word(buf);
	u32 helped;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (rung < 0)
		return rung;
	err = oac_recover_by_hand(dev_get_drvdata(dev), rung, false, U64_MAX, &helped);
	return err ?: (ssize_t)count;
}
static DEVICE_ATTR_WO(reset);

static ssize_t recovery_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  oac_recover_is_by_hand(dev_get_drvdata(dev)) ? "held" : "auto");
}

static ssize_t recovery_store(struct device *dev, struct device_attribute *attr, const char *buf,
			      size_t count)
{
	static const char *const words[] = { "auto", "held" };
	int by_hand = sysfs_match_string(words, buf);

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (by_hand < 0)
		return by_hand;
	oac_recover_hold(dev_get_drvdata(dev), by_hand);
	return count;
}
static DEVICE_ATTR_RW(recovery);

/* A line per rung: name, allowed or forbidden, tried, helped, last and longest in ns, last cause. */
static ssize_t rungs_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_oac_info_rung rungs[OAC_RUNG_COUNT];
	u32 allowed = oac_recover_rungs_allowed();
	char name[16], cause[16];
	int rung, at = 0;

	oac_recover_rungs(dev_get_drvdata(dev), rungs);
	for (rung = 0; rung < OAC_RUNG_COUNT; rung++) {
		oac_word(name, sizeof(name), oac_rung_word(rung));
		oac_word(cause, sizeof(cause), oac_cause_word(rungs[rung].last_cause));
		at += sysfs_emit_at(buf, at, "%s %s %llu %llu %llu %llu %s\n", name,
				    allowed & BIT(rung) ? "allowed" : "forbidden",
				    rungs[rung].tried, rungs[rung].helped, rungs[rung].last_ns,
				    rungs[rung].longest_ns, cause);
	}
	return at;
}
static DEVICE_ATTR_RO(rungs);

static struct attribute *oac_health_attrs[] = {
	&dev_attr_state.attr,	 &dev_attr_reason.attr,	    &dev_attr_action.attr,
	&dev_attr_since.attr,	 &dev_attr_generation.attr, &dev_attr_reset.attr,
	&dev_attr_recovery.attr, &dev_attr_rungs.attr,	    NULL,
};

static const struct attribute_group oac_health_group = {
	.name = "health",
	.attrs = oac_health_attrs,
};

const struct attribute_group *oac_groups[] = {
	&oac_group,
	&oac_health_group,
	NULL,
};
