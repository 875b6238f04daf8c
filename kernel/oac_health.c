// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * What a card is good for. Whoever learns that something is wrong, or is right again, says so here;
 * of all that holds at once the worst counts. Reading takes one spinlock that nobody holds for
 * long: it waits neither for the card nor for any of its clients.
 */
#include <linux/ctype.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>
#include <linux/timekeeping.h>

#include "oac_drv.h"
#include "oac_trace.h"

/* ---- The lists of include/hw ------------------------------------------------------------------ */

static const struct oac_reason {
	const char *name;
	u8 state;
	u8 action;
} oac_reasons[OAC_REASON_END] = {
#define OAC_REASON_ROW(name, state, action, text) \
	[OAC_REASON_##name] = { #name, OAC_HEALTH_##state, OAC_ACTION_##action },
	/* clang-format off */
	OAC_REASONS(OAC_REASON_ROW)
/* clang-format on */
#undef OAC_REASON_ROW
};

static const char *const oac_states[] = {
#define OAC_STATE_ROW(name, text) [OAC_HEALTH_##name] = #name,
	/* clang-format off */
	OAC_HEALTHS(OAC_STATE_ROW)
/* clang-format on */
#undef OAC_STATE_ROW
};

static const char *const oac_actions[] = {
#define OAC_ACTION_ROW(name, text) [OAC_ACTION_##name] = #name,
	/* clang-format off */
	OAC_ACTIONS(OAC_ACTION_ROW)
/* clang-format on */
#undef OAC_ACTION_ROW
};

const char *oac_health_state_word(u32 state)
{
	return oac_states[state];
}

const char *oac_health_reason_word(u32 reason)
{
	return oac_reasons[reason].name;
}

const char *oac_health_action_word(u32 action)
{
	return oac_actions[action];
}

/* A name of those lists in lower case. */
void oac_word(char *to, size_t size, const char *name)
{
	size_t i;

	for (i = 0; i + 1 < size && name[i]; i++)
		to[i] = tolower(name[i]);
	to[i] = '\0';
}

/* ---- What holds ------------------------------------------------------------------------------- */

static u32 oac_health_worst_locked(const struct oac_health *health)
{
	u32 worst = OAC_REASON_NONE, reason;

	lockdep_assert_held(&health->lock);
	for_each_set_bit(reason, health->holds, OAC_REASON_END) {
		/* Reasons come in order: of equals the last wins. */
		if (OAC_HEALTH_BADNESS(oac_reasons[reason].state) >=
		    OAC_HEALTH_BADNESS(oac_reasons[worst].state))
			worst = reason;
	}
	return worst;
}

/* Under the lock: true if what is told is now something else. */
static bool oac_health_update_locked(struct oac_card *card)
{
	struct oac_health *health = &card->health;
	u32 reason = oac_health_worst_locked(health);
	u64 arg = health->args[reason];

	health->arg = arg;
	if (reason == health->reason)
		return false;
	trace_oac_health(card, oac_reasons[reason].state, reason, arg);
	health->reason = reason;
	health->since_ns = ktime_get_boottime_ns();
	if (health->announced)
		queue_work(oac_wq, &health->work);
	return true;
}

void oac_health_set(struct oac_card *card, u32 reason, u64 arg)
{
	struct oac_health *health = &card->health;
	unsigned long flags;
	bool is_news;
	u32 now;

	spin_lock_irqsave(&health->lock, flags);
	__set_bit(reason, health->holds);
	health->args[reason] = arg;
	is_news = oac_health_update_locked(card);
	now = health->reason;
	spin_unlock_irqrestore(&health->lock, flags);
	if (is_news)
		oac_event_add(card, OAC_EVENT_HEALTH, now, 0, 0);
}

static void oac_health_clear_many(struct oac_card *card, const unsigned long *reasons, u32 set,
				  u64 arg)
{
	struct oac_health *health = &card->health;
	unsigned long flags;
	bool is_news;
	u32 now;

	spin_lock_irqsave(&health->lock, flags);
	bitmap_andnot(health->holds, health->holds, reasons, OAC_REASON_END);
	if (set) {
		__set_bit(set, health->holds);
		health->args[set] = arg;
	}
	is_news = oac_health_update_locked(card);
	now = health->reason;
	spin_unlock_irqrestore(&health->lock, flags);
	if (is_news)
		oac_event_add(card, OAC_EVENT_HEALTH, now, 0, 0);
}

void oac_health_clear(struct oac_card *card, u32 reason)
{
	DECLARE_BITMAP(reasons, OAC_REASON_END) = {};

	__set_bit(reason, reasons);
	oac_health_clear_many(card, reasons, OAC_REASON_NONE, 0);
}

/*
 * The card is being reset or booted: what was wrong with it is seen to; it may be again, later. But a
 * wrong answer is not forgotten by a reset: only another self-test can take that back.
 */
void oac_health_reset_begins(struct oac_card *card, u32 cause)
{
	DECLARE_BITMAP(reasons, OAC_REASON_END) = {};

	bitmap_fill(reasons, OAC_REASON_END);
	__clear_bit(OAC_REASON_GONE, reasons);
	__clear_bit(OAC_REASON_LINK_DEGRADED, reasons);
	__clear_bit(OAC_REASON_POWER_BRAKE, reasons);
	__clear_bit(OAC_REASON_SELF_TEST, reasons);
	oac_health_clear_many(card, reasons, OAC_REASON_STARTING, cause);
}

/* It came to an end. If the card works, what was said of it meanwhile does not count. */
void oac_health_reset_ends(struct oac_card *card, bool works)
{
	DECLARE_BITMAP(reasons, OAC_REASON_END) = {};
	u32 reason;

	for (reason = 0; works && reason < OAC_REASON_END; reason++)
		if (oac_reasons[reason].state >= OAC_HEALTH_NEEDS_RESET)
			__set_bit(reason, reasons);
	__clear_bit(OAC_REASON_TOO_HOT, reasons);
	__clear_bit(OAC_REASON_SELF_TEST, reasons);
	__set_bit(OAC_REASON_STARTING, reasons);
	oac_health_clear_many(card, reasons, OAC_REASON_NONE, 0);
}

bool oac_health_holds(struct oac_card *card, u32 reason)
{
	return test_bit(reason, card->health.holds);
}

void oac_health_read(struct oac_card *card, struct drm_oac_info_health *info)
{
	struct oac_health *health = &card->health;
	unsigned long flags;

	memset(info, 0, sizeof(*info));
	spin_lock_irqsave(&health->lock, flags);
	info->reason = health->reason;
	info->arg = health->arg;
	info->since_ns = health->since_ns;
	spin_unlock_irqrestore(&health->lock, flags);
	info->state = oac_reasons[info->reason].state;
	info->action = oac_reasons[info->reason].action;
	info->generation = READ_ONCE(card->generation);
	info->events = oac_events_last(card);
	info->rungs_allowed = oac_recover_rungs_allowed();
	info->is_held = oac_recover_is_held(card);
}

/* ---- Uevents ---------------------------------------------------------------------------------- */

/* KEY=word, the word in lower case: the form of every word that leaves the driver. */
static void oac_health_word(char *to, size_t size, const char *key, const char *name)
{
	int at = scnprintf(to, size, "%s=", key);

	oac_word(to + at, size - at, name);
}

/* DRM's own word for what may help; its function for that wants a node that ours do not have. */
static const char *oac_health_wedged(u32 reason)
{
	switch (reason) {
	case OAC_REASON_WEDGED:
		return "WEDGED=rebind,bus-reset";
	case OAC_REASON_GONE:
		return "WEDGED=unknown";
	}
	return NULL;
}

/* Changes that follow fast are told as one, a reset by its outcome; the events have them all. */
static void oac_health_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, health.work);
	struct kobject *node = &oac_node_device(&card->drm)->kobj;
	char state[48], reason[48], action[48];
	struct drm_oac_info_health health;
	char *words[5] = { state, reason, action };

	oac_health_read(card, &health);
	if (health.reason == card->health.told && health.generation == card->health.told_generation)
		return;
	card->health.told = health.reason;
	card->health.told_generation = health.generation;
	oac_health_word(state, sizeof(state), "OAC_HEALTH", oac_states[health.state]);
	oac_health_word(reason, sizeof(reason), "OAC_REASON", oac_reasons[health.reason].name);
	oac_health_word(action, sizeof(action), "OAC_ACTION", oac_actions[health.action]);
	words[3] = (char *)oac_health_wedged(health.reason);
	kobject_uevent_env(node, KOBJ_CHANGE, words);
	sysfs_notify(&card->pdev->dev.kobj, "health", "state");
}

void oac_health_init(struct oac_card *card)
{
	spin_lock_init(&card->health.lock);
	INIT_WORK(&card->health.work, oac_health_work);
	__set_bit(OAC_REASON_STARTING, card->health.holds);
	card->health.reason = OAC_REASON_STARTING;
	card->health.since_ns = ktime_get_boottime_ns();
}

/* The node is there. */
void oac_health_announce(struct oac_card *card)
{
	spin_lock_irq(&card->health.lock);
	card->health.announced = true;
	queue_work(oac_wq, &card->health.work);
	spin_unlock_irq(&card->health.lock);
}

/* The node is about to go: what is still to be told is told, and nothing later. */
void oac_health_fini(struct oac_card *card)
{
	spin_lock_irq(&card->health.lock);
	card->health.announced = false;
	spin_unlock_irq(&card->health.lock);
	flush_work(&card->health.work);
}
