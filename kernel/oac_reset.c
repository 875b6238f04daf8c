// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * How the rungs of the ladder are carried out, and what a reset means for those who use the card.
 * Callers have the turn. Nothing is let go that the card could still reach: first it may not touch
 * memory any more, then it is reset, then everybody learns what is lost.
 */
#include <linux/jiffies.h>

#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_ABORT_TIMEOUT_MS	500

/* ---- The card --------------------------------------------------------------------------------- */

/* No DMA, no commands, no new contexts. Whoever waits for an answer gets an error at once. */
void oac_reset_quiesce(struct oac_card *card)
{
	pci_clear_master(card->pdev);
	WRITE_ONCE(card->stopped, true);
	wake_up_all(&card->admin.wait);
	oac_fw_set_state(card, OAC_FW_BUSY);
	oac_hwmon_stop(card);
	oac_admin_disable(card);
}

/* The function's own reset. What other parts of the kernel see of it they see as EHOSTDOWN. */
static int oac_reset_function(struct oac_card *card)
{
	struct pci_dev *pdev = card->pdev;
	u32 can;
	int err;

	if (pcie_capability_read_dword(pdev, PCI_EXP_DEVCAP, &can) || !(can & PCI_EXP_DEVCAP_FLR) ||
	    !pci_device_is_present(pdev))
		return -EOPNOTSUPP;
	set_bit(OAC_AWAY_RESET, &card->away);
	pci_cfg_access_lock(pdev);
	err = pcie_flr(pdev);
	oac_pci_restore(card);
	pci_cfg_access_unlock(pdev);
	clear_bit(OAC_AWAY_RESET, &card->away);
	return err;
}

/* Only where nobody else is on the bus. The PCI core calls our own reset handlers meanwhile. */
static int oac_reset_bus(struct oac_card *card)
{
	struct pci_bus *bus = card->pdev->bus;
	int err;

	if (pci_is_root_bus(bus) || !list_is_singular(&bus->devices))
		return -EOPNOTSUPP;
	set_bit(OAC_AWAY_RESET, &card->away);
	err = pci_reset_bus(card->pdev);
	if (!err)
		oac_pci_restore(card);
	clear_bit(OAC_AWAY_RESET, &card->away);
	return err;
}

/* Resets the card, and looks whether that has happened. */
int oac_reset_card(struct oac_card *card, u32 rung)
{
	u32 count;
	int err;

	/* It may have lost its configuration with a reset of its own. */
	if (!oac_hw_is_there(card))
		oac_pci_restore(card);
	count = oac_hw_reset_count(card);
	switch (rung) {
	case OAC_RUNG_SOFT_RESET:
	case OAC_RUNG_FIRMWARE:
		return oac_hw_reset(card);
	case OAC_RUNG_FLR:
		err = oac_reset_function(card);
		break;
	case OAC_RUNG_BUS_RESET:
		err = oac_reset_bus(card);
		break;
	default:
		return -EINVAL;
	}
	return err ?: oac_hw_await_reset(card, count);
}

/*
 * All contexts are lost, once until the card works again: the one that was the cause is guilty. From the new
 * generation on progress lines are final, so whoever waits is woken and finds in them what was done.
 */
void oac_reset_settle(struct oac_card *card, struct oac_context *guilty)
{
	if (card->settled)
		return;
	card->settled = true;
	if (guilty)
		smp_store_release(&guilty->lost, OAC_LOST_GUILTY);
	/* Orders the card's silence in front of what others conclude from it: oac_context_lost(). */
	smp_store_release(&card->generation, card->generation + 1);
	oac_irq_wake_all(card);
	oac_context_lose_all(card);
	oac_local_stop(card);
}

/* ---- One client only -------------------------------------------------------------------------- */

static bool oac_reset_queue_is_over(struct oac_queue *queue)
{
	const struct oac_progress *line = &queue->card->progress[queue->hw_id];

	return READ_ONCE(queue->dead) || READ_ONCE(line->state) != cpu_to_le32(OAC_QUEUE_RUNNING);
}

/* The queue fails like with any command that does; its context and all else go on. */
static int oac_reset_abort(struct oac_queue *queue)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(OAC_ABORT_TIMEOUT_MS);
	unsigned int pause_us = 0;
	bool late = false;
	int err = oac_admin_queue_abort(queue);

	while (!err && !oac_reset_queue_is_over(queue)) {
		if (late)
			return -ETIME;
		late = time_after(jiffies, deadline);
		oac_hw_pause(&pause_us);
	}
	return err;
}

/* Under the context lock. */
static int oac_reset_take_queue(struct oac_queue *queue)
{
	int err;

	if (queue->has_left)
		return 0;
	err = oac_admin_queue_take(queue);
	if (err)
		return err;
	smp_store_release(&queue->lost, true);
	oac_queue_leave(queue);
	return 0;
}

static int oac_reset_take_context(struct oac_context *context, struct rb_root *maps)
{
	int err;

	if (context->has_left)
		return 0;
	err = oac_admin_context_take(context);
	if (err)
		return err;
	smp_store_release(&context->lost, OAC_LOST_GUILTY);
	*maps = oac_context_leave(context);
	return 0;
}

/* ABORT, QUEUE, CONTEXT. 0: it helped. */
int oac_reset_mild(struct oac_card *card, u32 rung, struct oac_queue *queue)
{
	struct oac_context *context = queue->context;
	struct rb_root maps = RB_ROOT;
	int err;

	if (rung == OAC_RUNG_ABORT)
		return oac_reset_abort(queue);
	mutex_lock(&context->lock);
	err = rung == OAC_RUNG_QUEUE ? oac_reset_take_queue(queue) :
				       oac_reset_take_context(context, &maps);
	mutex_unlock(&context->lock);
	oac_map_free_all(&maps);
	return err;
}
