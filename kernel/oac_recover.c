// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Recovery: who finds that a card does not work as it should says so here, and a work item climbs
 * the ladder, one rung after the other, one recovery per card at a time. How a rung is carried out
 * is in oac_reset.c. Cards recover independently of each other.
 */
#include <linux/capability.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "oac_drv.h"
#include "oac_hw.h"
#include "oac_trace.h"

#define OAC_RUNGS_ALL		(BIT(OAC_RUNG_COUNT) - 1)

static unsigned int oac_reset_rungs = OAC_RUNGS_ALL;
module_param_named(reset_rungs, oac_reset_rungs, uint, 0644);
MODULE_PARM_DESC(reset_rungs,
		 "rungs of recovery that may be used, bit 0 abort .. bit 6 firmware (default all)");

static bool oac_hold;
module_param_named(hold, oac_hold, bool, 0444);
MODULE_PARM_DESC(hold, "hold each recovery until somebody asks for it (default N)");

static const char *const oac_rungs[OAC_RUNG_COUNT] = {
#define OAC_RUNG_ROW(name, text) [OAC_RUNG_##name] = #name,
	/* clang-format off */
	OAC_RUNGS(OAC_RUNG_ROW)
/* clang-format on */
#undef OAC_RUNG_ROW
};

static const char *const oac_causes[] = {
#define OAC_CAUSE_ROW(name, text) [OAC_CAUSE_##name] = #name,
	/* clang-format off */
	OAC_CAUSES(OAC_CAUSE_ROW)
/* clang-format on */
#undef OAC_CAUSE_ROW
};

const char *oac_rung_word(u32 rung)
{
	return oac_rungs[rung];
}

const char *oac_cause_word(u32 cause)
{
	return oac_causes[cause];
}

/* -EINVAL: no rung is called that. */
int oac_rung_by_word(const char *word)
{
	char name[16];
	int rung;

	for (rung = 0; rung < OAC_RUNG_COUNT; rung++) {
		oac_word(name, sizeof(name), oac_rungs[rung]);
		if (sysfs_streq(word, name))
			return rung;
	}
	return -EINVAL;
}

u32 oac_recover_rungs_allowed(void)
{
	return READ_ONCE(oac_reset_rungs) & OAC_RUNGS_ALL;
}

static bool oac_rung_is_allowed(u32 rung)
{
	return oac_recover_rungs_allowed() & BIT(rung);
}

/* ---- Turns ------------------------------------------------------------------------------------ */

/* Whoever resets or boots the card has the turn; what fails meanwhile is its own to see to. */
void oac_turn_take(struct oac_card *card)
{
	mutex_lock(&card->recovery.turn);
	WRITE_ONCE(card->recovery.owner, current);
}

bool oac_turn_try(struct oac_card *card)
{
	if (!mutex_trylock(&card->recovery.turn))
		return false;
	WRITE_ONCE(card->recovery.owner, current);
	return true;
}

void oac_turn_leave(struct oac_card *card)
{
	WRITE_ONCE(card->recovery.owner, NULL);
	mutex_unlock(&card->recovery.turn);
	smp_mb();	/* before a look at oac_card.owed */
}

void oac_turn_give(struct oac_card *card)
{
	oac_turn_leave(card);
	oac_pci_serve(card);
}

bool oac_turn_is_mine(struct oac_card *card)
{
	return READ_ONCE(card->recovery.owner) == current;
}

/* ---- Asking ----------------------------------------------------------------------------------- */

/* Returns the wish's number; 0: the driver lets go of the card. Takes over the queue's reference. */
static u64 oac_recover_ask(struct oac_card *card, const struct oac_wish *wish)
{
	struct oac_recovery *recovery = &card->recovery;
	struct oac_queue *unused = wish->queue;
	unsigned long flags;
	u64 number = 0;

	spin_lock_irqsave(&recovery->lock, flags);
	if (!recovery->closed) {
		number = ++recovery->asked;
		/* The first counts, but for a card that works no more than its queue, or by hand. */
		if (recovery->wish.cause == OAC_CAUSE_NONE ||
		    recovery->wish.cause == OAC_CAUSE_HANG || wish->cause == OAC_CAUSE_OPERATOR) {
			unused = recovery->wish.queue;
			recovery->wish = *wish;
		}
		queue_work(oac_slow_wq, &recovery->work);
	}
	spin_unlock_irqrestore(&recovery->lock, flags);
	if (unused)
		oac_queue_put(unused);
	return number;
}

void oac_recover_want(struct oac_card *card, u32 cause)
{
	struct oac_wish wish = {
		.cause = cause,
		.rung = OAC_RUNG_SOFT_RESET,
		.generation = READ_ONCE(card->generation),
	};

	oac_recover_ask(card, &wish);
}

static u32 oac_recover_reason(u32 cause)
{
	switch (cause) {
	case OAC_CAUSE_HANG:
		return OAC_REASON_HANG;
	case OAC_CAUSE_SELF_RESET:
		return OAC_REASON_SELF_RESET;
	case OAC_CAUSE_CRASHED:
		return OAC_REASON_CRASHED;
	case OAC_CAUSE_IMPLAUSIBLE:
		return OAC_REASON_IMPLAUSIBLE;
	}
	return OAC_REASON_SILENT;
}

/*
 * The card does not work as a whole: it hangs, lies or is silent. Bus mastering goes off first, so
 * that whoever waited for it may free what it could have reached; then all who wait are woken. Any
 * context that may sleep.
 */
void oac_card_fail(struct oac_card *card, u32 cause, const char *why)
{
	if (oac_card_is_lost(card))
		return;
	pci_clear_master(card->pdev);
	if (xchg(&card->stopped, true))
		return;
	wake_up_all(&card->admin.wait);
	drm_err(&card->drm, "card failed: %s\n", why);
	if (oac_turn_is_mine(card))
		return;
	oac_health_set(card, oac_recover_reason(cause), cause);
	oac_recover_want(card, cause);
}

/* A queue has work and does not move; the rest of the card may well. Takes over the reference. */
void oac_card_hangs(struct oac_card *card, struct oac_queue *queue)
{
	struct oac_wish wish = {
		.cause = OAC_CAUSE_HANG,
		.rung = OAC_RUNG_ABORT,
		.generation = READ_ONCE(card->generation),
		.queue = queue,
	};

	drm_err(&card->drm, "queue %u hangs\n", queue->hw_id);
	oac_health_set(card, OAC_REASON_HANG, OAC_CAUSE_HANG);
	oac_recover_ask(card, &wish);
}

/* ---- The ladder ------------------------------------------------------------------------------- */

static void oac_rung_count(struct oac_card *card, u32 rung, u32 cause, u64 began_ns, int err)
{
	struct drm_oac_info_rung *count = &card->recovery.rungs[rung];
	u64 took_ns = ktime_get_ns() - began_ns;

	spin_lock_irq(&card->recovery.lock);
	count->tried++;
	count->helped += !err;
	count->last_cause = cause;
	count->last_ns = took_ns;
	count->longest_ns = max(count->longest_ns, took_ns);
	spin_unlock_irq(&card->recovery.lock);
	trace_oac_rung(card, rung, cause, took_ns, err);
	if (err)
		oac_event_add(card, OAC_EVENT_RUNG, rung, 0, 0);
}

/* Those that take something from one client only. 0: one helped. */
static int oac_recover_mildly(struct oac_card *card, const struct oac_wish *wish, u32 *helped)
{
	int err = -EIO;
	u32 rung;

	for (rung = wish->rung; rung < OAC_RUNG_SOFT_RESET && err; rung++) {
		u64 began_ns = ktime_get_ns();

		if (!oac_rung_is_allowed(rung))
			continue;
		err = oac_reset_mild(card, rung, wish->queue);
		oac_rung_count(card, rung, wish->cause, began_ns, err);
		*helped = rung;
		/* Firmware that does not answer cannot take anything away. */
		if (READ_ONCE(card->stopped) || oac_card_is_lost(card))
			return -EIO;
	}
	return err;
}

static int oac_recover_rung(struct oac_card *card, u32 rung, struct oac_context *guilty)
{
	int err = oac_reset_card(card, rung);

	/* The first time, reset or not: nobody waits longer than that for what is lost anyway. */
	oac_reset_settle(card, guilty);
	if (!err)
		err = oac_fw_restart(card, rung == OAC_RUNG_FIRMWARE);
	if (err)
		oac_reset_quiesce(card);
	return err;
}

/*
 * Where to begin. A card that hangs again before it has done anything for anybody was not helped by
 * what seemed to help; but no program can make the card unusable by hanging it again and again.
 */
static u32 oac_recover_first(struct oac_card *card, const struct oac_wish *wish)
{
	u32 rung = max_t(u32, wish->rung, OAC_RUNG_SOFT_RESET);

	if (wish->cause == OAC_CAUSE_HANG && card->last_rung && !READ_ONCE(card->has_worked))
		rung = min_t(u32, card->last_rung + 1, OAC_RUNG_FIRMWARE);
	return rung;
}

/* Those that take everything from everybody. */
static int oac_recover_card(struct oac_card *card, const struct oac_wish *wish, u32 *helped)
{
	struct oac_context *guilty = wish->queue ? wish->queue->context : NULL;
	u32 rung = oac_recover_first(card, wish);
	int err = -EACCES;

	oac_health_reset_begins(card, wish->cause);
	oac_reset_quiesce(card);
	for (; rung <= OAC_RUNG_FIRMWARE && err; rung++) {
		u64 began_ns = ktime_get_ns();

		if (oac_card_is_lost(card) || oac_card_is_away(card))
			break;
		if (!oac_rung_is_allowed(rung))
			continue;
		err = oac_recover_rung(card, rung, guilty);
		oac_rung_count(card, rung, wish->cause, began_ns, err);
		*helped = rung;
		if (wish->only)
			break;
	}
	/* Where no rung was allowed, or there was no time for one. */
	if (err)
		oac_reset_settle(card, guilty);
	else
		card->last_rung = *helped;
	return err;
}

/* Nothing helped. The node stays: somebody may ask again, or load firmware. */
static void oac_recover_give_up(struct oac_card *card, const struct oac_wish *wish)
{
	u64 now_ns = ktime_get_ns();

	if (oac_card_is_lost(card) || oac_card_is_away(card))
		return;
	oac_fw_set_state(card, OAC_FW_DOWN);
	oac_rung_count(card, OAC_RUNG_WEDGED, wish->cause, now_ns, 0);
	drm_err(&card->drm, "no rung helped: the card is out of use\n");
	oac_health_set(card, OAC_REASON_WEDGED, wish->cause);
	oac_event_add(card, OAC_EVENT_WEDGED, wish->cause, 0, 0);
}

/* Waits for somebody to look. A card that stopped stays so; one with a queue that hangs works on. */
static void oac_recover_halt(struct oac_card *card, const struct oac_wish *wish)
{
	if (READ_ONCE(card->stopped))
		oac_fw_set_state(card, OAC_FW_DOWN);
	spin_lock_irq(&card->recovery.lock);
	card->recovery.held = true;
	spin_unlock_irq(&card->recovery.lock);
	oac_event_add(card, OAC_EVENT_HELD, wish->cause, 0, 0);
	drm_warn(&card->drm, "recovery is held\n");
}

static bool oac_wish_is_stale(struct oac_card *card, const struct oac_wish *wish)
{
	return wish->cause != OAC_CAUSE_OPERATOR && !READ_ONCE(card->stopped) &&
	       (wish->generation != READ_ONCE(card->generation) || wish->cause != OAC_CAUSE_HANG);
}

/* With the turn. */
static int oac_recover_run(struct oac_card *card, const struct oac_wish *wish, u32 *helped)
{
	u32 context = wish->queue ? wish->queue->context->hw_id : 0;
	u16 queue = wish->queue ? wish->queue->hw_id : 0;
	int err;

	*helped = OAC_RUNG_WEDGED;
	if (oac_card_is_lost(card))
		return -ENODEV;
	/* The PCI core has it, and asks again when it gives it back; or it was reset since. */
	if (oac_card_is_away(card))
		return -EHOSTDOWN;
	if (oac_wish_is_stale(card, wish))
		return 0;
	oac_dump(card, wish->cause, wish->queue);
	if (oac_recover_is_by_hand(card) && wish->cause != OAC_CAUSE_OPERATOR) {
		oac_recover_halt(card, wish);
		return -EHOSTDOWN;
	}
	oac_event_add(card, OAC_EVENT_RECOVERY, wish->cause, context, queue);
	err = -EIO;
	if (wish->queue && !READ_ONCE(card->stopped))
		err = oac_recover_mildly(card, wish, helped);
	if (err)
		err = oac_recover_card(card, wish, helped);
	/* Health first: whoever reads the event finds the card as it says. */
	if (err)
		oac_recover_give_up(card, wish);
	oac_health_reset_ends(card, !err);
	if (err)
		return oac_card_error(card, err);
	oac_event_add(card, OAC_EVENT_RECOVERED, *helped, 0, 0);
	drm_info(&card->drm, "recovered by %s, cause %s\n", oac_rungs[*helped],
		 oac_causes[wish->cause]);
	return 0;
}

static bool oac_recover_take(struct oac_recovery *recovery, struct oac_wish *wish, u64 *number)
{
	spin_lock_irq(&recovery->lock);
	*wish = recovery->wish;
	*number = recovery->asked;
	memset(&recovery->wish, 0, sizeof(recovery->wish));
	recovery->busy = wish->cause != OAC_CAUSE_NONE;
	if (wish->cause == OAC_CAUSE_OPERATOR)
		recovery->held = false;
	spin_unlock_irq(&recovery->lock);
	return wish->cause != OAC_CAUSE_NONE;
}

static void oac_recover_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, recovery.work);
	struct oac_recovery *recovery = &card->recovery;
	struct oac_wish wish;
	u64 number;
	u32 helped;
	int err;

	while (oac_recover_take(recovery, &wish, &number)) {
		oac_turn_take(card);
		err = oac_recover_run(card, &wish, &helped);
		oac_turn_give(card);
		if (wish.queue)
			oac_queue_put(wish.queue);
		spin_lock_irq(&recovery->lock);
		recovery->ended = number;
		recovery->busy = false;
		recovery->err = err;
		recovery->helped = helped;
		spin_unlock_irq(&recovery->lock);
		wake_up_all(&recovery->wait);
	}
}

/* ---- By hand ---------------------------------------------------------------------------------- */

static bool oac_recover_has_ended(struct oac_card *card, u64 number, int *err, u32 *helped)
{
	struct oac_recovery *recovery = &card->recovery;
	bool has_ended;

	spin_lock_irq(&recovery->lock);
	has_ended = recovery->ended >= number || recovery->closed;
	*err = recovery->closed ? -ENODEV : recovery->err;
	*helped = recovery->helped;
	spin_unlock_irq(&recovery->lock);
	return has_ended;
}

/* true: it is the caller's turn to ask, or nobody's any more. */
static bool oac_operator_try(struct oac_recovery *recovery)
{
	bool is_free;

	spin_lock_irq(&recovery->lock);
	is_free = !recovery->has_operator || recovery->closed;
	if (is_free)
		recovery->has_operator = true;
	spin_unlock_irq(&recovery->lock);
	return is_free;
}

static void oac_operator_give(struct oac_recovery *recovery)
{
	spin_lock_irq(&recovery->lock);
	recovery->has_operator = false;
	spin_unlock_irq(&recovery->lock);
	wake_up_all(&recovery->wait);
}

static int oac_recover_by_wish(struct oac_card *card, const struct oac_wish *wish, u64 deadline_ns,
			       u32 *helped)
{
	struct oac_recovery *recovery = &card->recovery;
	u64 number = oac_recover_ask(card, wish);
	int err = -ENODEV, late;

	if (!number)
		return -ENODEV;
	late = oac_wait_killable(recovery->wait, oac_recover_has_ended(card, number, &err, helped),
				 deadline_ns);
	if (late)
		return late;
	return err && err != -ENODEV ? -EIO : err;
}

/*
 * Resets the card and waits until that has come to an end. Who is killed meanwhile, or has no more
 * time, leaves it to go on without him. U64_MAX: for ever.
 */
int oac_recover_by_hand(struct oac_card *card, u32 rung, bool only, u64 deadline_ns, u32 *helped)
{
	struct oac_wish wish = { .cause = OAC_CAUSE_OPERATOR, .rung = rung, .only = only };
	int err;

	if (rung < OAC_RUNG_SOFT_RESET || rung > OAC_RUNG_FIRMWARE)
		return -EINVAL;
	if (!oac_rung_is_allowed(rung))
		return -EACCES;
	if (oac_card_is_lost(card))
		return -ENODEV;
	if (READ_ONCE(card->loading))
		return -EBUSY;
	if (!oac_time_left(deadline_ns))
		return -ETIMEDOUT;
	err = oac_wait_killable(card->recovery.wait, oac_operator_try(&card->recovery),
				deadline_ns);
	if (err)
		return err;
	err = oac_recover_by_wish(card, &wish, deadline_ns, helped);
	oac_operator_give(&card->recovery);
	return err;
}

void oac_recover_hold(struct oac_card *card, bool by_hand)
{
	spin_lock_irq(&card->recovery.lock);
	card->recovery.by_hand = by_hand;
	spin_unlock_irq(&card->recovery.lock);
}

bool oac_recover_is_by_hand(struct oac_card *card)
{
	return READ_ONCE(card->recovery.by_hand);
}

bool oac_recover_is_held(struct oac_card *card)
{
	return READ_ONCE(card->recovery.held);
}

void oac_recover_rungs(struct oac_card *card, struct drm_oac_info_rung *rungs)
{
	spin_lock_irq(&card->recovery.lock);
	memcpy(rungs, card->recovery.rungs, sizeof(card->recovery.rungs));
	spin_unlock_irq(&card->recovery.lock);
}

int oac_ioctl_reset(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct oac_card *card = to_oac_card(drm);
	struct drm_oac_reset *args = data;
	u32 helped;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (args->flags & ~DRM_OAC_RESET_ONLY || args->pad)
		return -EINVAL;
	err = oac_recover_by_hand(card, args->rung, args->flags & DRM_OAC_RESET_ONLY,
				  args->deadline_ns, &helped);
	args->generation = READ_ONCE(card->generation);
	if (!err)
		args->rung = helped;
	return err;
}

/* ---- Begin and end ---------------------------------------------------------------------------- */

void oac_recover_init(struct oac_card *card)
{
	struct oac_recovery *recovery = &card->recovery;
	u32 rung;

	mutex_init(&recovery->turn);
	spin_lock_init(&recovery->lock);
	init_waitqueue_head(&recovery->wait);
	INIT_WORK(&recovery->work, oac_recover_work);
	recovery->by_hand = oac_hold;
	for (rung = 0; rung < OAC_RUNG_COUNT; rung++)
		recovery->rungs[rung].rung = rung;
}

/* The card is lost, so what is under way ends soon; nothing else begins. */
void oac_recover_fini(struct oac_card *card)
{
	struct oac_recovery *recovery = &card->recovery;

	spin_lock_irq(&recovery->lock);
	recovery->closed = true;
	spin_unlock_irq(&recovery->lock);
	wake_up_all(&recovery->wait);
	cancel_work_sync(&recovery->work);
	if (recovery->wish.queue)
		oac_queue_put(recovery->wish.queue);
	recovery->wish.queue = NULL;
}
