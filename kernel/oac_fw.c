// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Firmware: from an image, or the card's flash, to a card whose answers have been checked. Probe
 * FIRMWARE_LOAD and recoveries come here, one after the other because each has the turn;
 * oac_card.fw_state keeps them and contexts apart.
 */
#include <linux/bitfield.h>
#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/firmware.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "oac_check.h"
#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_FW_DEFAULT		"oac/oac1.fw"

static char *oac_firmware = OAC_FW_DEFAULT;
module_param_named(firmware, oac_firmware, charp, 0444);
MODULE_PARM_DESC(firmware, "image in /lib/firmware (default oac/oac1.fw), else the flash boots");
MODULE_FIRMWARE(OAC_FW_DEFAULT);

static unsigned int oac_boot_timeout_ms = 30000;
module_param_named(boot_timeout_ms, oac_boot_timeout_ms, uint, 0644);
MODULE_PARM_DESC(boot_timeout_ms, "how long a card may take to boot its firmware (default 30000)");

static const char *oac_fw_fail_text(u32 fail)
{
#define OAC_FAIL_CASE(name, text) case OAC_FAIL_##name: return text;
	switch (fail) {
		/* clang-format off */
	OAC_FAILS(OAC_FAIL_CASE)
		/* clang-format on */
	}
#undef OAC_FAIL_CASE
	return "reason unknown";
}

/* ---- Image ------------------------------------------------------------------------------------ */

static int oac_fw_image_alloc(struct oac_card *card, struct oac_fw_image *image, const void *data,
			      size_t size)
{
	if (!size)
		return -EINVAL;
	if (size > OAC_FW_IMAGE_SIZE_MAX)
		return -EFBIG;
	image->size = size;
	image->data =
		dma_alloc_coherent(&card->pdev->dev, size, &image->addr, GFP_KERNEL | __GFP_NOWARN);
	if (!image->data)
		return -ENOMEM;
	memcpy(image->data, data, size);
	return 0;
}

static void oac_fw_image_free(struct oac_card *card, const struct oac_fw_image *image)
{
	if (image->data)
		dma_free_coherent(&card->pdev->dev, image->size, image->data, image->addr);
}

/* It has booted: it is what a recovery boots, with no need for memory then. */
static void oac_fw_keep(struct oac_card *card, struct oac_fw_image *image)
{
	oac_fw_image_free(card, &card->image);
	card->image = *image;
	memset(image, 0, sizeof(*image));
}

/* The driver lets go of the card, which is silent. */
void oac_fw_forget(struct oac_card *card)
{
	struct oac_fw_image none = {};

	oac_fw_keep(card, &none);
}

/* ---- Boot ------------------------------------------------------------------------------------- */

/* Waits for the boot command's end: 0, -EBADMSG, -ETIME, -EINTR, -EHOSTDOWN or -ENODEV. */
static int oac_fw_wait(struct oac_card *card)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(READ_ONCE(oac_boot_timeout_ms));
	unsigned int pause_us = 0;
	bool late = false;
	u32 state;
	int err;

	card->boot_fail = OAC_FAIL_NONE;
	while (!late) {
		late = time_after(jiffies, deadline) || !oac_time_left(card->boot_deadline_ns);
		if (oac_card_is_lost(card))
			return -ENODEV;
		err = oac_hw_state(card, &state);
		if (err)
			return err;
		if (state == OAC_STATE_RUNNING)
			return 0;
		if (state == OAC_STATE_FAILED) {
			card->boot_fail = oac_hw_boot_fail(card);
			drm_err(&card->drm, "firmware refused: %s (%#x)\n",
				oac_fw_fail_text(card->boot_fail), card->boot_fail);
			return -EBADMSG;
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		oac_hw_pause(&pause_us);
	}
	drm_err(&card->drm, "firmware did not boot in time\n");
	return -ETIME;
}

/*
 * A boot starts in state ROM: there, a later FAILED cannot be an old one, and what the card could
 * reach before is forgotten. Only then it may touch memory again.
 */
static int oac_fw_prepare(struct oac_card *card)
{
	u32 state;
	int err = oac_hw_state(card, &state);

	if (!err && state != OAC_STATE_ROM)
		err = oac_hw_reset(card);
	if (err)
		return err;
	pci_set_master(card->pdev);
	WRITE_ONCE(card->stopped, false);
	return 0;
}

static int oac_fw_boot_flash(struct oac_card *card)
{
	int err = oac_fw_prepare(card);

	if (err)
		return err;
	oac_hw_boot_flash(card);
	return oac_fw_wait(card);
}

static int oac_fw_boot_host(struct oac_card *card, const struct oac_fw_image *image)
{
	int err = oac_fw_prepare(card);

	if (err)
		return err;
	oac_hw_boot_host(card, image->addr, image->size);
	err = oac_fw_wait(card);
	/* Unless the boot came to an end, the card may still be reading. */
	if (err && err != -EBADMSG && oac_hw_reset(card))
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "a boot could not be stopped");
	return err;
}

static int oac_fw_boot_default(struct oac_card *card)
{
	const struct firmware *file;
	struct oac_fw_image image;
	int err;

	err = firmware_request_nowarn(&file, oac_firmware, &card->pdev->dev);
	if (err) {
		drm_info(&card->drm, "no %s (%d): booting from flash\n", oac_firmware, err);
		err = oac_fw_boot_flash(card);
		if (!err)
			oac_fw_forget(card);
		return err;
	}
	err = oac_fw_image_alloc(card, &image, file->data, file->size);
	if (!err) {
		err = oac_fw_boot_host(card, &image);
		if (!err)
			oac_fw_keep(card, &image);
		oac_fw_image_free(card, &image);
	}
	release_firmware(file);
	return err;
}

/* ---- Bring-up --------------------------------------------------------------------------------- */

static int oac_fw_protocol(struct oac_card *card, u32 *protocol)
{
	u32 card_speaks = oac_hw_protocol(card);
	u32 minor = FIELD_GET(OAC_PROTOCOL_MINOR_MASK, card_speaks);

	if (FIELD_GET(OAC_PROTOCOL_MAJOR_MASK, card_speaks) != OAC_PROTOCOL_MAJOR) {
		drm_err(&card->drm, "firmware speaks protocol %#x, this driver major %u\n",
			card_speaks, OAC_PROTOCOL_MAJOR);
		return -EPROTONOSUPPORT;
	}
	minor = min_t(u32, minor, OAC_PROTOCOL_MINOR);
	*protocol = OAC_PROTOCOL_MAJOR << OAC_PROTOCOL_MAJOR_SHIFT | minor;
	return 0;
}

/* From running firmware to a card that contexts can be opened on. */
static int oac_fw_bring_up(struct oac_card *card)
{
	struct oac_identify *identify;
	u32 protocol;
	int err;

	err = oac_fw_protocol(card, &protocol);
	if (err)
		return err;
	identify = kzalloc(sizeof(*identify), GFP_KERNEL);
	if (!identify)
		return -ENOMEM;
	err = oac_admin_enable(card);
	if (!err)
		err = oac_admin_identify(card, identify);
	if (!err && !oac_check_identify(identify, card->doorbell_pages)) {
		drm_err(&card->drm, "firmware describes a card that cannot be\n");
		err = -EPROTO;
	}
	if (!err)
		err = oac_admin_time_sync(card);
	if (!err)
		err = oac_telemetry_start(card, identify);
	if (!err)
		err = oac_local_start(card);
	if (!err) {
		mutex_lock(&card->lock);
		card->identify = *identify;
		card->protocol = protocol;
		mutex_unlock(&card->lock);
		oac_hwmon_start(card);
	}
	kfree(identify);
	/* Nobody else is asked to see to what fails in our own turn, as a look at the sensors may. */
	return err ?: READ_ONCE(card->stopped) ? -EIO : 0;
}

void oac_fw_set_state(struct oac_card *card, enum oac_fw_state state)
{
	mutex_lock(&card->lock);
	card->fw_state = state;
	if (state != OAC_FW_UP) {
		memset(&card->identify, 0, sizeof(card->identify));
		card->protocol = 0;
	}
	mutex_unlock(&card->lock);
}

/* Finishes a boot that ended with err: the state that contexts see follows from it. */
static int oac_fw_finish(struct oac_card *card, int err)
{
	bool booted = !err;

	card->reset_count = oac_hw_reset_count(card);
	oac_events_booted(card);
	if (booted)
		err = oac_fw_bring_up(card);
	if (err) {
		oac_hwmon_stop(card);
		oac_admin_disable(card);
	}
	/* Firmware that nobody drives must not show as running; a refusal's reason stays. */
	if (err && booted && oac_hw_reset(card))
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "a boot could not be undone");
	card->settled = err != 0;
	WRITE_ONCE(card->has_worked, false);
	oac_fw_set_state(card, err ? OAC_FW_DOWN : OAC_FW_UP);
	if (!err)
		oac_events_look(card, true);
	else if (err == -EBADMSG)
		oac_health_set(card, OAC_REASON_BOOT_FAILED, card->boot_fail);
	else
		oac_health_set(card, OAC_REASON_NO_FIRMWARE, 0);
	return err;
}

/* Nobody has the card yet. */
int oac_fw_start(struct oac_card *card)
{
	int err;

	oac_turn_take(card);
	err = oac_fw_finish(card, oac_fw_boot_default(card));
	oac_health_reset_ends(card, !err);
	oac_turn_give(card);
	return err;
}

/* Boots what ran last, or the default image. The card was reset; the caller has the turn. */
int oac_fw_restart(struct oac_card *card, bool use_default)
{
	int err;

	if (use_default || !card->image.data)
		err = oac_fw_boot_default(card);
	else
		err = oac_fw_boot_host(card, &card->image);
	return oac_fw_finish(card, err);
}

/* The card is lost. */
void oac_fw_stop(struct oac_card *card)
{
	oac_hwmon_stop(card);
	oac_admin_disable(card);
	oac_fw_set_state(card, OAC_FW_DOWN);
}

/* ---- FIRMWARE_LOAD ---------------------------------------------------------------------------- */

/* Some process with a context, in the caller's pid namespace. 0: none is known, or visible. */
static pid_t oac_fw_holder(struct oac_card *card)
{
	struct oac_client *client;
	pid_t pid = 0;

	mutex_lock(&card->clients.lock);
	list_for_each_entry(client, &card->clients.list, node) {
		if (atomic64_read(&client->held[OAC_QUOTA_CONTEXTS]))
			pid = pid_vnr(client->pid);
		if (pid)
			break;
	}
	mutex_unlock(&card->clients.lock);
	return pid;
}

/* Takes the card from all others, for a boot. Contexts that are lost do not count. */
static int oac_fw_claim(struct oac_card *card)
{
	int err = 0;

	mutex_lock(&card->lock);
	if (card->contexts || card->fw_state == OAC_FW_BUSY)
		err = -EBUSY;
	else
		card->fw_state = OAC_FW_BUSY;
	mutex_unlock(&card->lock);
	return err;
}

/* With the turn. The image is kept if it boots. */
static int oac_fw_change(struct oac_card *card, struct oac_fw_image *image)
{
	int err = oac_fw_claim(card);

	if (err)
		return err;
	oac_health_reset_begins(card, OAC_CAUSE_OPERATOR);
	oac_reset_quiesce(card);
	oac_reset_settle(card, NULL);
	err = oac_fw_boot_host(card, image);
	if (!err)
		oac_fw_keep(card, image);
	err = oac_fw_finish(card, err);
	oac_health_reset_ends(card, !err);
	return err;
}

static int oac_fw_load(struct oac_card *card, const void *data, u64 deadline_ns,
		       struct drm_oac_firmware_load *args)
{
	struct oac_fw_image image;
	int err;

	/* What can fail without the card does so while the old firmware still runs. */
	err = oac_fw_image_alloc(card, &image, data, args->size);
	if (err)
		return err;
	err = oac_card_is_lost(card) ? -ENODEV : -EBUSY;
	if (err == -EBUSY && oac_turn_try(card)) {
		WRITE_ONCE(card->loading, true);
		card->boot_deadline_ns = deadline_ns;
		err = oac_card_error(card, oac_fw_change(card, &image));
		args->fail = err == -EBADMSG ? card->boot_fail : OAC_FAIL_NONE;
		card->boot_deadline_ns = U64_MAX;
		WRITE_ONCE(card->loading, false);
		oac_turn_give(card);
	}
	oac_fw_image_free(card, &image);
	return err;
}

int oac_ioctl_firmware_load(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_firmware_load *args = data;
	struct oac_card *card = to_oac_card(drm);
	u64 deadline_ns = U64_MAX;
	void *image;
	int idx, err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (args->flags || !args->size)
		return -EINVAL;
	if (args->size > OAC_FW_IMAGE_SIZE_MAX)
		return -EFBIG;
	args->fail = OAC_FAIL_NONE;
	args->holder = 0;
	if (args->timeout_ms)
		deadline_ns = ktime_get_ns() + args->timeout_ms * (u64)NSEC_PER_MSEC;
	/* Before drm_dev_enter(): this may wait for the caller's memory as long as that likes. */
	image = vmemdup_user(u64_to_user_ptr(args->data), args->size);
	if (IS_ERR(image))
		return PTR_ERR(image);
	err = -ENODEV;
	if (drm_dev_enter(drm, &idx)) {
		err = oac_fw_load(card, image, deadline_ns, args);
		if (err == -EBUSY)
			args->holder = oac_fw_holder(card);
		drm_dev_exit(idx);
	}
	kvfree(image);
	return err;
}
