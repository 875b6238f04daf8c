// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * What the PCI core and power management do to a card: errors of the link, resets by others, sleep.
 * While they have it, its registers are away and no recovery begins; what was on it is lost with no
 * fault of anybody's. When they give it back, a recovery boots it.
 */
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/slab.h>

#include "oac_drv.h"
#include "oac_hw.h"

/* A reset of the link, and a minute that the PCI core waits for a card behind it. */
#define OAC_PCI_PATIENCE_MS	90000

/*
 * The configuration as it was at probe, without bus mastering: the card keeps that from touching
 * memory until it is booted. What it has now may be nothing to go back to.
 */
void oac_pci_restore(struct oac_card *card)
{
	if (!pci_load_saved_state(card->pdev, card->config))
		pci_restore_state(card->pdev);
	pci_clear_master(card->pdev);
}

/* Everything is set up, but for bus mastering. */
int oac_pci_save(struct oac_card *card)
{
	pci_save_state(card->pdev);
	card->config = pci_store_saved_state(card->pdev);
	return card->config ? 0 : -ENOMEM;
}

void oac_pci_forget(struct oac_card *card)
{
	kfree(card->config);
	card->config = NULL;
}

/* Is it our own reset that the PCI core tells us of? */
static bool oac_pci_is_ours(struct oac_card *card)
{
	return READ_ONCE(card->recovery.owner) == current;
}

/* With the turn. Nothing of the card is touched: it may be gone, or frozen. */
static void oac_pci_begin(struct oac_card *card, u32 cause)
{
	oac_health_reset_begins(card, cause);
	oac_reset_quiesce(card);
}

/* With the turn. A card that was given up as gone may be back: the PCI core has just reset it. */
static void oac_pci_end(struct oac_card *card, u32 cause)
{
	WRITE_ONCE(card->away_until, 0);
	clear_bit(OAC_AWAY_PCI, &card->away);
	if (!pci_device_is_present(card->pdev)) {
		oac_card_lose(card, "it did not come back");
		return;
	}
	if (oac_card_is_lost(card)) {
		cancel_work_sync(&card->lost_work);
		WRITE_ONCE(card->lost, false);
		oac_health_clear(card, OAC_REASON_GONE);
	}
	oac_recover_want(card, cause);
}

/*
 * Now and then: a kernel that cannot recover from an error of the link may keep that to itself. If
 * the card comes back all the same, that is as after any reset.
 */
void oac_pci_watch(struct oac_card *card)
{
	unsigned long until = READ_ONCE(card->away_until);

	if (!until || time_before(jiffies, until) || !oac_turn_try(card))
		return;
	if (card->away_until) {
		WRITE_ONCE(card->away_until, 0);
		oac_card_lose(card, "the PCI core does not give it back");
	}
	oac_turn_give(card);
}

/* ---- Errors of the link ----------------------------------------------------------------------- */

/* Unlike a reset, an error need not come to an end that we are told of: hence the patience. */
static void oac_pci_begin_error(struct oac_card *card)
{
	unsigned long until = jiffies + msecs_to_jiffies(OAC_PCI_PATIENCE_MS);

	WRITE_ONCE(card->away_until, until ?: 1);
	oac_pci_begin(card, OAC_CAUSE_PCI_ERROR);
	oac_reset_settle(card, NULL);
}

/*
 * Does what the callbacks below left to do. They hold a lock of the bus that a bus reset takes, too:
 * so they must not wait for a turn, and whoever has it does this for them when it gives it up.
 */
void oac_pci_serve(struct oac_card *card)
{
	while (READ_ONCE(card->owed) && oac_turn_try(card)) {
		if (test_and_clear_bit(OAC_OWED_BEGIN, &card->owed))
			oac_pci_begin_error(card);
		if (test_and_clear_bit(OAC_OWED_END, &card->owed))
			oac_pci_end(card, OAC_CAUSE_PCI_ERROR);
		oac_turn_leave(card);
	}
}

/* From now on whoever has the turn finds the card away, and gives the turn up soon. */
static void oac_pci_freeze(struct oac_card *card)
{
	/* Of an error before this one, if any. */
	clear_bit(OAC_OWED_END, &card->owed);
	set_bit(OAC_AWAY_PCI, &card->away);
	set_bit(OAC_OWED_BEGIN, &card->owed);
	smp_mb__after_atomic();	/* with oac_turn_leave(): it finds this, or we find the turn free */
	oac_pci_serve(card);
}

static pci_ers_result_t oac_pci_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	drm_warn(&card->drm, "the link has an error, channel state %u\n", (__force u32)state);
	oac_event_add(card, OAC_EVENT_PCI_ERROR, (__force u32)state, 0, 0);
	if (state == pci_channel_io_perm_failure) {
		oac_card_lose(card, "the PCI core gave it up");
		return PCI_ERS_RESULT_DISCONNECT;
	}
	/* The link works: maybe nobody has lost anything. */
	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	oac_pci_freeze(card);
	return PCI_ERS_RESULT_NEED_RESET;
}

/* Is it what it was? */
static pci_ers_result_t oac_pci_mmio_enabled(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);
	u32 state;

	/* Who resets or boots it just now finds out what became of it. */
	if (oac_card_is_away(card) || oac_card_check(card))
		return PCI_ERS_RESULT_RECOVERED;
	if (oac_hw_state(card, &state))
		return PCI_ERS_RESULT_NEED_RESET;
	if (oac_hw_reset_count(card) == card->reset_count)
		return PCI_ERS_RESULT_RECOVERED;
	oac_card_fail(card, OAC_CAUSE_SELF_RESET, "it has reset itself");
	return PCI_ERS_RESULT_RECOVERED;
}

static pci_ers_result_t oac_pci_slot_reset(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	/* Not known before if the error was not a fatal one. */
	if (!test_bit(OAC_AWAY_PCI, &card->away))
		oac_pci_freeze(card);
	oac_pci_restore(card);
	if (pci_device_is_present(pdev) && oac_hw_is_there(card))
		return PCI_ERS_RESULT_RECOVERED;
	oac_card_lose(card, "it did not come back from a reset");
	/* No DISCONNECT: with that, the cards beside it would be given up, too. */
	return PCI_ERS_RESULT_NONE;
}

static void oac_pci_resume(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	/* Else nothing was lost. */
	if (!test_bit(OAC_AWAY_PCI, &card->away))
		return;
	set_bit(OAC_OWED_END, &card->owed);
	smp_mb__after_atomic();	/* as above */
	oac_pci_serve(card);
}

/* ---- Resets by others: sysfs reset ------------------------------------------------------------ */

/* The device's lock is held by who resets. */
static void oac_pci_reset_prepare(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	if (oac_pci_is_ours(card))
		return;
	/* First: whoever has the turn finds out, and gives it up soon. */
	set_bit(OAC_AWAY_PCI, &card->away);
	oac_turn_take(card);
	oac_pci_begin(card, OAC_CAUSE_OPERATOR);
	oac_turn_give(card);
}

static void oac_pci_reset_done(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	if (oac_pci_is_ours(card))
		return;
	oac_turn_take(card);
	oac_reset_settle(card, NULL);
	oac_pci_restore(card);
	oac_pci_end(card, OAC_CAUSE_OPERATOR);
	oac_turn_give(card);
}

const struct pci_error_handlers oac_pci_errors = {
	.error_detected = oac_pci_error_detected,
	.mmio_enabled = oac_pci_mmio_enabled,
	.slot_reset = oac_pci_slot_reset,
	.resume = oac_pci_resume,
	.reset_prepare = oac_pci_reset_prepare,
	.reset_done = oac_pci_reset_done,
};

/* ---- Sleep ------------------------------------------------------------------------------------ */

/* Processes are frozen. Local memory and whatever ran on the card does not survive. */
static int oac_pci_suspend(struct device *dev)
{
	struct oac_card *card = dev_get_drvdata(dev);

	oac_turn_take(card);
	oac_reset_quiesce(card);
	/* It has no power soon: that it does not take the reset is no reason to stay awake. */
	if (!oac_card_is_lost(card) && oac_hw_reset(card))
		drm_warn(&card->drm, "it goes to sleep without a reset\n");
	oac_reset_settle(card, NULL);
	oac_turn_give(card);
	set_bit(OAC_AWAY_PCI, &card->away);
	return 0;
}

static int oac_pci_wake(struct device *dev)
{
	struct oac_card *card = dev_get_drvdata(dev);

	pci_clear_master(card->pdev);
	if (oac_card_is_lost(card))
		return 0;
	oac_turn_take(card);
	oac_pci_end(card, OAC_CAUSE_RESUME);
	oac_turn_give(card);
	return 0;
}

const struct dev_pm_ops oac_pm_ops = { SYSTEM_SLEEP_PM_OPS(oac_pci_suspend, oac_pci_wake) };
