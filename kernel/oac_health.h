/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * Health, events and recovery: what a card is good for, what has happened to it, and how it is
 * brought back. Part of oac_drv.h, where the objects' owners and the lock order are.
 */
#ifndef OAC_HEALTH_H
#define OAC_HEALTH_H

#include <linux/bitmap.h>
#include <linux/dma-direction.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/oac_accel.h>
#include <hw/oac_health.h>

struct attribute_group;
struct drm_device;
struct drm_file;
struct oac_card;
struct oac_context;
struct oac_queue;
struct pci_dev;
struct task_struct;

/* ---- Health ----------------------------------------------------------------------------------- */

#define OAC_REASON_END		0x48	/* behind the last OAC_REASON_* */

/* All that is wrong at once; what is told of it follows. */
struct oac_health {
	spinlock_t lock;		/* guards all but work; taken in any context */
	DECLARE_BITMAP(holds, OAC_REASON_END);
	u64 args[OAC_REASON_END];
	u32 reason;			/* the one that counts */
	u64 arg;
	u64 since_ns;			/* CLOCK_BOOTTIME */
	bool announced;			/* the node is there: uevents may be sent */
	u32 told;			/* reason of the last uevent; work's own, as is the next */
	u32 told_generation;
	struct work_struct work;	/* sends uevents */
};

/* ---- Events ----------------------------------------------------------------------------------- */

#define OAC_EVENTS_KEPT		4096

struct oac_events {
	spinlock_t lock;		/* guards the next three; taken in any context */
	struct drm_oac_event *ring;	/* OAC_EVENTS_KEPT, by sequence number */
	u64 last;			/* sequence number of the newest; 0: none yet */
	bool ended;			/* no more will come */
	wait_queue_head_t wait;
	struct work_struct work;	/* fetches the card's, looks at sensors */
	struct oac_event *log;		/* what one command brings; work's own, as is the next */
	u64 card_next;			/* the card's number wanted next; work's own */
	bool judge_sensors;		/* wanted of the work */
	u32 booted;			/* low half of the last number before this boot */
	bool is_anew;			/* the card's numbers have begun again */
};

/* ---- Recovery --------------------------------------------------------------------------------- */

/* What is wanted of the ladder. */
struct oac_wish {
	u32 cause;			/* OAC_CAUSE_*; NONE: nothing */
	u32 rung;			/* the first to try */
	bool only;			/* and no other */
	u32 generation;			/* of the card, when it was asked for */
	struct oac_queue *queue;	/* the one that hangs, one reference; or NULL */
};

struct oac_recovery {
	struct mutex turn;		/* held by whoever resets or boots the card */
	struct task_struct *owner;	/* who that is */
	struct work_struct work;
	wait_queue_head_t wait;		/* a recovery has ended, or is held */
	spinlock_t lock;		/* guards the rest; taken in any context */
	bool closed;			/* the driver lets go of the card */
	bool by_hand;			/* sysfs recovery: held */
	bool held;			/* one waits for somebody to look */
	bool busy;			/* one is under way */
	bool has_operator;		/* somebody asks by hand: one at a time */
	struct oac_wish wish;
	u64 asked;			/* wishes, counted */
	u64 ended;			/* those that have been seen to */
	int err;			/* how the last one ended */
	u32 helped;			/* by which rung */
	struct drm_oac_info_rung rungs[OAC_RUNG_COUNT];
};

/* ---- Errands ---------------------------------------------------------------------------------- */

/* One thing that the card is asked; part of what holds the answer. See oac_errand.c. */
struct oac_errand {
	struct kref ref;
	struct list_head node;		/* in oac_errands.waiting until it is begun */
	int (*run)(struct oac_card *card, struct oac_errand *errand);
	void (*release)(struct kref *ref);
	bool is_done;
	int err;			/* once it is done */
};

struct oac_errands {
	struct oac_card *card;
	spinlock_t lock;		/* guards the next two */
	bool closed;			/* the driver lets go of the card */
	struct list_head waiting;	/* oac_errand.node: not begun */
	wait_queue_head_t wait;		/* one is done */
	struct work_struct work;
};

/* ---- Waits ------------------------------------------------------------------------------------ */

/* Until an absolute CLOCK_MONOTONIC deadline; 0: none. */
static inline ktime_t oac_time_left(u64 deadline_ns)
{
	u64 now_ns = ktime_get_ns();

	return deadline_ns > now_ns ? min_t(u64, deadline_ns - now_ns, KTIME_MAX) : 0;
}

/* Until the condition holds: 0; -ETIMEDOUT; -EINTR: the caller was killed. Other signals wait. */
#define oac_wait_killable(queue, condition, deadline_ns)				\
({											\
	ktime_t __left = oac_time_left(deadline_ns);					\
	int __err = 0;									\
											\
	might_sleep();									\
	if (!(condition))								\
		__err = __wait_event_hrtimeout(queue, condition, __left, TASK_KILLABLE); \
	__err == -ETIME ? -ETIMEDOUT : __err ? -EINTR : 0;				\
})

/* ---- Firmware and watchdog -------------------------------------------------------------------- */

/* An image where the card can read it, in one piece; NULL: none, the flash boots. */
struct oac_fw_image {
	void *data;
	dma_addr_t addr;
	u32 size;
};

/* What the watchdog saw last: its own. */
struct oac_watch {
	struct delayed_work work;
	u32 heartbeat;
	unsigned int misses;		/* looks in a row at which it stood still */
	unsigned int looks;
	unsigned long busy;		/* in jiffies: when a queue last moved, or was at work */
	u32 link_degraded;		/* speed and width as they are; 0: as they can be */
};

/* oac_health.c */
void oac_health_init(struct oac_card *card);
void oac_health_announce(struct oac_card *card);
void oac_health_fini(struct oac_card *card);
void oac_health_set(struct oac_card *card, u32 reason, u64 arg);
void oac_health_clear(struct oac_card *card, u32 reason);
void oac_health_reset_begins(struct oac_card *card, u32 cause);
void oac_health_reset_ends(struct oac_card *card, bool works);
bool oac_health_holds(struct oac_card *card, u32 reason);
void oac_health_read(struct oac_card *card, struct drm_oac_info_health *info);
void oac_word(char *to, size_t size, const char *name);
const char *oac_health_state_word(u32 state);
const char *oac_health_reason_word(u32 reason);
const char *oac_health_action_word(u32 action);

/* oac_sysfs.c */
extern const struct attribute_group *oac_groups[];

/* oac_events.c */
int oac_events_init(struct oac_card *card);
void oac_events_start(struct oac_card *card);
void oac_events_booted(struct oac_card *card);
void oac_events_end(struct oac_card *card);
void oac_events_fini(struct oac_card *card);
void oac_events_look(struct oac_card *card, bool sensors_too);
void oac_event_add(struct oac_card *card, u16 code, u64 arg, u32 context, u16 queue);
u64 oac_events_last(struct oac_card *card);
u32 oac_events_tail(struct oac_card *card, struct drm_oac_event *events, u32 count);
int oac_ioctl_events_open(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_watchdog.c */
void oac_watchdog_init(struct oac_card *card);
void oac_watchdog_start(struct oac_card *card);
void oac_watchdog_fini(struct oac_card *card);

/* oac_recover.c */
void oac_recover_init(struct oac_card *card);
void oac_recover_fini(struct oac_card *card);
void oac_turn_take(struct oac_card *card);
bool oac_turn_try(struct oac_card *card);
bool oac_turn_is_mine(struct oac_card *card);
void oac_turn_leave(struct oac_card *card);
void oac_turn_give(struct oac_card *card);
void oac_card_fail(struct oac_card *card, u32 cause, const char *why);
void oac_card_hangs(struct oac_card *card, struct oac_queue *queue);
void oac_recover_want(struct oac_card *card, u32 cause);
int oac_recover_by_hand(struct oac_card *card, u32 rung, bool only, u64 deadline_ns, u32 *helped);
void oac_recover_hold(struct oac_card *card, bool by_hand);
bool oac_recover_is_by_hand(struct oac_card *card);
bool oac_recover_is_held(struct oac_card *card);
u32 oac_recover_rungs_allowed(void);
void oac_recover_rungs(struct oac_card *card, struct drm_oac_info_rung *rungs);
const char *oac_rung_word(u32 rung);
const char *oac_cause_word(u32 cause);
int oac_rung_by_word(const char *word);
int oac_ioctl_reset(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_errand.c */
void oac_errands_init(struct oac_errands *errands, struct oac_card *card);
void oac_errands_fini(struct oac_errands *errands);
void oac_errand_init(struct oac_errand *errand,
		     int (*run)(struct oac_card *card, struct oac_errand *errand),
		     void (*release)(struct kref *ref));
int oac_errand_send(struct oac_errands *errands, struct oac_errand *errand, u64 deadline_ns,
		    bool *is_done);
void oac_errand_put(struct oac_errand *errand);

/* oac_self_test.c */
int oac_ioctl_self_test(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_reset.c */
void oac_reset_quiesce(struct oac_card *card);
int oac_reset_card(struct oac_card *card, u32 rung);
void oac_reset_settle(struct oac_card *card, struct oac_context *guilty);
int oac_reset_mild(struct oac_card *card, u32 rung, struct oac_queue *queue);

/* oac_pci.c */
extern const struct pci_error_handlers oac_pci_errors;
extern const struct dev_pm_ops oac_pm_ops;
int oac_pci_save(struct oac_card *card);
void oac_pci_restore(struct oac_card *card);
void oac_pci_forget(struct oac_card *card);
void oac_pci_serve(struct oac_card *card);
void oac_pci_watch(struct oac_card *card);

/* oac_dump.c */
void oac_dump(struct oac_card *card, u32 cause, struct oac_queue *queue);

#endif
