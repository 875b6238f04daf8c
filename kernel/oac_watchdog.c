// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Looks at each card now and then: whether firmware lives, whether it is the firmware that was
 * booted, whether queues with work move, how fast the link is. Registers and progress lines only:
 * nothing here asks the card and waits, so one that hangs is found in time.
 */
#include <linux/bitfield.h>
#include <linux/jiffies.h>
#include <linux/module.h>

#include "oac_drv.h"
#include "oac_hw.h"
#include "oac_trace.h"

#define OAC_WATCH_MISSES	2	/* of the heartbeat in a row */
#define OAC_WATCH_LINK_EVERY	8	/* looks */
#define OAC_WATCH_HANGS		8	/* queues told of at one look */

static unsigned int oac_watchdog_ms = 1000;
module_param_named(watchdog_ms, oac_watchdog_ms, uint, 0644);
MODULE_PARM_DESC(watchdog_ms, "how often cards are looked at; 0: not at all (default 1000)");

static unsigned int oac_hang_ms = 10000;
module_param_named(hang_ms, oac_hang_ms, uint, 0644);
MODULE_PARM_DESC(hang_ms,
		 "how long a queue with work may stand still; 0: for ever (default 10000)");

/* While no looks are wanted: how soon a new value of the parameter counts. */
#define OAC_WATCH_IDLE_MS	1000

/* ---- Firmware --------------------------------------------------------------------------------- */

static void oac_watch_heart(struct oac_card *card)
{
	struct oac_watch *watch = &card->watch;
	u32 beat = oac_hw_heartbeat(card);

	if (beat != watch->heartbeat) {
		watch->heartbeat = beat;
		watch->misses = 0;
	} else if (++watch->misses >= OAC_WATCH_MISSES) {
		watch->misses = 0;
		oac_card_fail(card, OAC_CAUSE_KEEP_ALIVE, "its heartbeat stands still");
	}
}

/* true: it runs, and is the firmware that was booted. */
static bool oac_watch_firmware(struct oac_card *card)
{
	u32 status, state;

	/* All ones makes the card lost. */
	if (oac_hw_status(card, &status))
		return false;
	state = FIELD_GET(OAC_STATUS_STATE_MASK, status);
	if (state == OAC_STATE_CRASHED)
		oac_card_fail(card, OAC_CAUSE_CRASHED, "its firmware gave up");
	else if (state != OAC_STATE_RUNNING || oac_hw_reset_count(card) != card->reset_count)
		oac_card_fail(card, OAC_CAUSE_SELF_RESET, "it has reset itself");
	else if (status & OAC_STATUS_ADMIN_ERROR_MASK)
		oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "it cannot use the admin ring");
	else
		oac_watch_heart(card);
	return !READ_ONCE(card->stopped);
}

/* ---- Queues ----------------------------------------------------------------------------------- */

static struct oac_seen oac_watch_read(struct oac_queue *queue)
{
	const struct oac_progress *line = &queue->card->progress[queue->hw_id];

	return (struct oac_seen){
		.taken = le32_to_cpu(READ_ONCE(line->sq_head)),
		.completed = le32_to_cpu(READ_ONCE(line->completed)),
		.steps = le32_to_cpu(READ_ONCE(line->steps)),
		.waiting = le32_to_cpu(READ_ONCE(line->waiting)),
		.since = jiffies,
	};
}

static bool oac_watch_has_moved(const struct oac_seen *seen, const struct oac_seen *now)
{
	return now->taken != seen->taken || now->completed != seen->completed ||
	       now->steps != seen->steps;
}

/* A command is at hand that does not rightly wait. */
static bool oac_watch_is_at_work(const struct oac_seen *now)
{
	return (s32)(now->taken - now->completed) > 0 && !now->waiting;
}

/* What was submitted has not been taken. Of user queues the driver does not know. */
static bool oac_watch_is_unheard(struct oac_queue *queue, const struct oac_seen *now)
{
	return queue->kernel_submit && now->taken == now->completed &&
	       READ_ONCE(queue->submit_tail) != now->taken;
}

/* true: it has work, and stands still. Takes note of what it does. */
static bool oac_watch_stands_still(struct oac_queue *queue)
{
	const struct oac_progress *line = &queue->card->progress[queue->hw_id];
	struct oac_seen now = oac_watch_read(queue);
	bool is_at_work = oac_watch_is_at_work(&now);
	struct oac_seen *seen = &queue->seen;

	if (oac_watch_has_moved(seen, &now)) {
		WRITE_ONCE(queue->card->has_worked, queue->card->has_worked || now.completed);
		queue->card->watch.busy = jiffies;
		*seen = now;
		return false;
	}
	if (is_at_work)
		queue->card->watch.busy = jiffies;
	/* Interrupts, and requests for one, may get lost, too. */
	if (!seen->is_woken)
		oac_queue_interrupt(queue);
	seen->is_woken = true;
	if (READ_ONCE(line->state) == cpu_to_le32(OAC_QUEUE_RUNNING) &&
	    (is_at_work || oac_watch_is_unheard(queue, &now)))
		return true;
	/* Nothing at hand, or rightly waiting, is as good as moving. */
	seen->since = jiffies;
	seen->is_told = false;
	return false;
}

/* Long enough? What has not been taken may have to wait for others: then these are at work. */
static bool oac_watch_is_overdue(struct oac_queue *queue, unsigned long limit)
{
	const struct oac_seen *seen = &queue->seen;

	return !time_before(jiffies, seen->since + limit) &&
	       (oac_watch_is_at_work(seen) ||
		!time_before(jiffies, queue->card->watch.busy + limit));
}

/* Under the vector lock. true: it hangs, and nobody has been told yet. */
static bool oac_watch_queue(struct oac_queue *queue, unsigned long limit)
{
	struct oac_seen *seen = &queue->seen;

	if (READ_ONCE(queue->dead) || oac_queue_is_lost(queue) || !oac_watch_stands_still(queue))
		return false;
	seen->is_unheard = oac_watch_is_unheard(queue, seen);
	if (!limit || seen->is_told || !oac_watch_is_overdue(queue, limit))
		return false;
	/* Once more: it may have moved while we were kept from looking. */
	dma_rmb();
	seen->is_told = oac_watch_stands_still(queue);
	return seen->is_told;
}

/* Fills hung with those that hang, a reference each; returns how many. */
static u32 oac_watch_vector(struct oac_vector *vector, struct oac_queue **hung, u32 room,
			    unsigned long limit)
{
	struct oac_queue *queue;
	unsigned long flags;
	u32 count = 0;

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		if (count == room)
			break;
		if (!oac_watch_queue(queue, limit))
			continue;
		kref_get(&queue->ref);
		hung[count++] = queue;
	}
	spin_unlock_irqrestore(&vector->lock, flags);
	return count;
}

/* One of those that the last look found unheard, a reference; NULL: no more. */
static struct oac_queue *oac_watch_next_unheard(struct oac_vector *vector)
{
	struct oac_queue *queue, *found = NULL;
	unsigned long flags;

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		if (!queue->seen.is_unheard)
			continue;
		queue->seen.is_unheard = false;
		kref_get(&queue->ref);
		found = queue;
		break;
	}
	spin_unlock_irqrestore(&vector->lock, flags);
	return found;
}

/* With no lock of interrupts held: submit_lock is not for those. */
static void oac_watch_ring(struct oac_vector *vector)
{
	struct oac_queue *queue;

	while ((queue = oac_watch_next_unheard(vector))) {
		trace_oac_ring_again(queue);
		oac_submit_again(queue);
		oac_queue_put(queue);
	}
}

static void oac_watch_queues(struct oac_card *card)
{
	unsigned long limit = msecs_to_jiffies(READ_ONCE(oac_hang_ms));
	struct oac_queue *hung[OAC_WATCH_HANGS];
	u32 count = 0, i;

	/* Engines stand still while they are too hot: that is no hang. */
	if (oac_health_holds(card, OAC_REASON_TOO_HOT))
		return;
	for (i = 0; i < card->vector_count; i++) {
		count += oac_watch_vector(&card->vectors[i], hung + count, ARRAY_SIZE(hung) - count,
					  limit);
		oac_watch_ring(&card->vectors[i]);
	}
	for (i = 0; i < count; i++) {
		trace_oac_hang(hung[i]);
		oac_card_hangs(card, hung[i]);
	}
}

/* ---- Link ------------------------------------------------------------------------------------- */

static u32 oac_watch_link_can(struct pci_dev *pdev, u32 mask)
{
	u32 can = 0;

	pcie_capability_read_dword(pdev, PCI_EXP_LNKCAP, &can);
	return can & mask;
}

/*
 * Speed and width against what both ends can: a slot that is narrower than the card is as it was
 * built, and no fault. 0: as good as it can be; else both as PCI_EXP_LNKSTA has them. Numbers that
 * cannot be are no reason to complain.
 */
static u32 oac_watch_link_degraded(struct oac_card *card)
{
	struct pci_dev *pdev = card->pdev, *port = pci_upstream_bridge(pdev);
	u32 speed, width, is_speed, is_width;
	u16 status = 0;

	if (!port || pcie_capability_read_word(pdev, PCI_EXP_LNKSTA, &status) || status == U16_MAX)
		return 0;
	speed = min(oac_watch_link_can(pdev, PCI_EXP_LNKCAP_SLS),
		    oac_watch_link_can(port, PCI_EXP_LNKCAP_SLS));
	width = min(oac_watch_link_can(pdev, PCI_EXP_LNKCAP_MLW),
		    oac_watch_link_can(port, PCI_EXP_LNKCAP_MLW)) >>
		PCI_EXP_LNKSTA_NLW_SHIFT;
	is_speed = FIELD_GET(PCI_EXP_LNKSTA_CLS, status);
	is_width = FIELD_GET(PCI_EXP_LNKSTA_NLW, status);
	if (!is_speed || !is_width || (is_speed >= speed && is_width >= width))
		return 0;
	return status & (PCI_EXP_LNKSTA_CLS | PCI_EXP_LNKSTA_NLW);
}

static void oac_watch_link(struct oac_card *card)
{
	u32 degraded = oac_watch_link_degraded(card);

	if (degraded == card->watch.link_degraded)
		return;
	card->watch.link_degraded = degraded;
	if (degraded) {
		drm_warn(&card->drm,
			 "the link is slower or narrower than it can be: x%lu, speed %lu\n",
			 FIELD_GET(PCI_EXP_LNKSTA_NLW, degraded),
			 FIELD_GET(PCI_EXP_LNKSTA_CLS, degraded));
		oac_event_add(card, OAC_EVENT_LINK_DEGRADED, degraded, 0, 0);
		oac_health_set(card, OAC_REASON_LINK_DEGRADED, degraded);
	} else {
		oac_health_clear(card, OAC_REASON_LINK_DEGRADED);
	}
}

/* ---- Looks ------------------------------------------------------------------------------------ */

static void oac_watch_look(struct oac_card *card)
{
	oac_pci_watch(card);
	if (oac_card_check(card) || oac_card_is_away(card) || !oac_watch_firmware(card))
		return;
	oac_watch_queues(card);
	if (card->watch.looks++ % OAC_WATCH_LINK_EVERY == 0)
		oac_watch_link(card);
	/* Interrupts may get lost; what this asks for waits elsewhere. */
	oac_events_look(card, true);
}

static void oac_watch_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, watch.work.work);
	unsigned int ms = READ_ONCE(oac_watchdog_ms);
	int idx;

	if (!drm_dev_enter(&card->drm, &idx))
		return;
	if (ms)
		oac_watch_look(card);
	drm_dev_exit(idx);
	queue_delayed_work(oac_wq, &card->watch.work, msecs_to_jiffies(ms ?: OAC_WATCH_IDLE_MS));
}

void oac_watchdog_init(struct oac_card *card)
{
	INIT_DELAYED_WORK(&card->watch.work, oac_watch_work);
	card->watch.busy = jiffies;
}

void oac_watchdog_start(struct oac_card *card)
{
	queue_delayed_work(oac_wq, &card->watch.work, 0);
}

void oac_watchdog_fini(struct oac_card *card)
{
	cancel_delayed_work_sync(&card->watch.work);
}
