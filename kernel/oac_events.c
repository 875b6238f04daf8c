// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Events: those of the card and the driver's own, in one stream that is kept over resets. Anybody
 * may add one, in any context; a work item fetches the card's. Readers have a descriptor each,
 * which outlives the card.
 */
#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "oac_check.h"
#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_EVENTS_FETCH	256	/* with one command */
#define OAC_EVENTS_FLOOD	(4 * OAC_EVENTS_FETCH)	/* and with one run of the work */
#define OAC_EVENTS_COPY		32	/* to a reader, between two looks at the ring */

/* ---- The ring --------------------------------------------------------------------------------- */

static const struct oac_event_kind {
	u8 severity;
	u8 action;
} oac_event_kinds[] = {
#define OAC_EVENT_ROW(name, severity, action, text) \
	[OAC_EVENT_##name - OAC_EVENT_DRIVER] = { OAC_SEVERITY_##severity, OAC_ACTION_##action },
	/* clang-format off */
	OAC_DRIVER_EVENTS(OAC_EVENT_ROW)
/* clang-format on */
#undef OAC_EVENT_ROW
};

static void oac_events_push(struct oac_card *card, struct drm_oac_event *event, bool is_last)
{
	struct oac_events *events = &card->events;
	unsigned long flags;

	event->boot_ns = ktime_get_boottime_ns();
	event->generation = READ_ONCE(card->generation);
	spin_lock_irqsave(&events->lock, flags);
	if (!events->ended) {
		event->seq = ++events->last;
		events->ring[event->seq % OAC_EVENTS_KEPT] = *event;
		events->ended = is_last;
	}
	spin_unlock_irqrestore(&events->lock, flags);
	wake_up_all(&events->wait);
}

static void oac_event_fill(struct drm_oac_event *event, u16 code, u64 arg)
{
	const struct oac_event_kind *kind = &oac_event_kinds[code - OAC_EVENT_DRIVER];

	memset(event, 0, sizeof(*event));
	event->arg = arg;
	event->code = code;
	event->severity = kind->severity;
	event->action = kind->action;
}

/* One of the driver's own: OAC_DRIVER_EVENTS. */
void oac_event_add(struct oac_card *card, u16 code, u64 arg, u32 context, u16 queue)
{
	struct drm_oac_event event;

	oac_event_fill(&event, code, arg);
	event.context = context;
	event.queue = queue;
	oac_events_push(card, &event, false);
}

u64 oac_events_last(struct oac_card *card)
{
	struct oac_events *events = &card->events;
	unsigned long flags;
	u64 last;

	spin_lock_irqsave(&events->lock, flags);
	last = events->last;
	spin_unlock_irqrestore(&events->lock, flags);
	return last;
}

static u64 oac_events_oldest_locked(const struct oac_events *events)
{
	return events->last > OAC_EVENTS_KEPT ? events->last - OAC_EVENTS_KEPT + 1 : 1;
}

/*
 * Up to count from *next on, which moves behind them. What the ring has lost meanwhile is one
 * MISSED with the number of the last that is missing.
 */
static u32 oac_events_take(struct oac_events *events, u64 *next, struct drm_oac_event *to,
			   u32 count)
{
	u32 n = 0;
	u64 oldest;

	spin_lock_irq(&events->lock);
	oldest = oac_events_oldest_locked(events);
	if (*next < oldest && count) {
		oac_event_fill(&to[0], OAC_EVENT_MISSED, oldest - *next);
		to[0].seq = oldest - 1;
		to[0].boot_ns = ktime_get_boottime_ns();
		*next = oldest;
		n = 1;
	}
	for (; n < count && *next <= events->last; n++, ++*next)
		to[n] = events->ring[*next % OAC_EVENTS_KEPT];
	spin_unlock_irq(&events->lock);
	return n;
}

/* The newest, oldest first; returns how many. */
u32 oac_events_tail(struct oac_card *card, struct drm_oac_event *events, u32 count)
{
	u64 last = oac_events_last(card);
	u64 next = last > count ? last - count + 1 : 1;

	return oac_events_take(&card->events, &next, events, count);
}

/* ---- The card's ------------------------------------------------------------------------------- */

/*
 * What follows from an event for the card's health. Temperatures are looked at, not believed; who asked
 * for a self-test has its answer, and the event may come after that of the next one.
 */
static void oac_events_judge(struct oac_card *card, const struct drm_oac_event *event)
{
	/* What a reset has mended since is only history. */
	bool is_old = (s32)(lower_32_bits(event->card_seq) - READ_ONCE(card->events.booted)) <= 0;

	switch (event->code) {
	case OAC_EVENT_POWER_BRAKE:
		oac_health_set(card, OAC_REASON_POWER_BRAKE, 0);
		break;
	case OAC_EVENT_POWER_CLEARED:
		oac_health_clear(card, OAC_REASON_POWER_BRAKE);
		break;
	case OAC_EVENT_ECC_LOST:
		if (is_old)
			break;
		oac_health_set(card, OAC_REASON_ECC_LOST, event->arg);
		break;
	}
}

/* Takes over what one command brought. -EPROTO: it cannot be. */
static int oac_events_take_over(struct oac_card *card, const struct oac_event *log, int count)
{
	struct oac_events *events = &card->events;
	struct drm_oac_event event;
	int i, err;

	for (i = 0; i < count; i++) {
		err = oac_check_event(&log[i], events->card_next, &event);
		if (err)
			return err;
		events->card_next = event.card_seq + 1;
		oac_events_push(card, &event, false);
		oac_events_judge(card, &event);
	}
	return 0;
}

/* true: there may be more. */
static bool oac_events_fetch(struct oac_card *card)
{
	struct oac_events *events = &card->events;
	u32 done = 0;
	int got;

	do {
		got = oac_admin_get_log(card, OAC_LOG_EVENTS, events->card_next, events->log,
					OAC_EVENTS_FETCH, sizeof(*events->log));
		if (got > 0 && oac_events_take_over(card, events->log, got)) {
			oac_card_fail(card, OAC_CAUSE_IMPLAUSIBLE, "its event log cannot be");
			got = -EPROTO;
		}
		done += max(got, 0);
	} while (got == OAC_EVENTS_FETCH && done < OAC_EVENTS_FLOOD);
	return got == OAC_EVENTS_FETCH;
}

/* On the slow queue: this waits for the card. Others' work goes on meanwhile. */
static void oac_events_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, events.work);
	bool has_more = false;
	int idx;

	if (!drm_dev_enter(&card->drm, &idx))
		return;
	if (!oac_card_check(card)) {
		if (xchg(&card->events.is_anew, false))
			card->events.card_next = 1;
		/* Reading the number first has the card interrupt again for what comes later. */
		bool has_news = oac_hw_event_seq(card) != lower_32_bits(card->events.card_next - 1);

		if (has_news)
			has_more = oac_events_fetch(card);
		/* Not each time: its own command interrupts, too. */
		if (xchg(&card->events.judge_sensors, false) || has_news)
			oac_telemetry_judge(card);
	}
	drm_dev_exit(idx);
	/* A flood must not keep the worker. Its next turn comes behind others'. */
	if (has_more)
		queue_work(oac_slow_wq, &card->events.work);
}

/* There may be news from the card. Any context. */
void oac_events_look(struct oac_card *card, bool sensors_too)
{
	if (sensors_too)
		WRITE_ONCE(card->events.judge_sensors, true);
	if (!oac_card_is_lost(card))
		queue_work(oac_slow_wq, &card->events.work);
}

int oac_events_init(struct oac_card *card)
{
	struct oac_events *events = &card->events;

	spin_lock_init(&events->lock);
	init_waitqueue_head(&events->wait);
	INIT_WORK(&events->work, oac_events_work);
	events->ring = kvcalloc(OAC_EVENTS_KEPT, sizeof(*events->ring), GFP_KERNEL | __GFP_NOWARN);
	events->log = kvcalloc(OAC_EVENTS_FETCH, sizeof(*events->log), GFP_KERNEL | __GFP_NOWARN);
	return events->ring && events->log ? 0 : -ENOMEM;
}

/* The registers are there. What the card did before is not news. */
void oac_events_start(struct oac_card *card)
{
	card->events.card_next = (u64)oac_hw_event_seq(card) + 1;
}

/* With the turn, at each boot. A card that had no power has forgotten its numbers. */
void oac_events_booted(struct oac_card *card)
{
	struct oac_events *events = &card->events;
	u32 seq = oac_hw_event_seq(card);

	WRITE_ONCE(events->booted, seq);
	if ((s32)(seq - lower_32_bits(READ_ONCE(events->card_next) - 1)) < 0)
		WRITE_ONCE(events->is_anew, true);
}

/* The last event of all; readers get what is left, then the end. The card is lost. */
void oac_events_end(struct oac_card *card)
{
	struct drm_oac_event event;

	cancel_work_sync(&card->events.work);
	oac_event_fill(&event, OAC_EVENT_REMOVED, 0);
	oac_events_push(card, &event, true);
}

/* Nobody reads any more. */
void oac_events_fini(struct oac_card *card)
{
	kvfree(card->events.log);
	kvfree(card->events.ring);
}

/* ---- Readers ---------------------------------------------------------------------------------- */

struct oac_reader {
	struct oac_card *card;		/* a reference on its DRM device */
	struct mutex lock;		/* guards next */
	u64 next;
};

static bool oac_reader_has_news(struct oac_reader *reader)
{
	struct oac_events *events = &reader->card->events;
	bool has_news;

	spin_lock_irq(&events->lock);
	has_news = READ_ONCE(reader->next) <= events->last || events->ended;
	spin_unlock_irq(&events->lock);
	return has_news;
}

/* Bytes copied; 0: there is nothing. What could not be copied is there for the next call. */
static ssize_t oac_reader_copy(struct oac_reader *reader, char __user *to, size_t count)
{
	struct drm_oac_event *some;
	ssize_t done = 0;

	some = kmalloc_array(OAC_EVENTS_COPY, sizeof(*some), GFP_KERNEL);
	if (!some)
		return -ENOMEM;
	while (count - done >= sizeof(*some)) {
		u32 room = min_t(size_t, (count - done) / sizeof(*some), OAC_EVENTS_COPY);
		u64 next = reader->next;
		u32 got = oac_events_take(&reader->card->events, &next, some, room);

		if (!got)
			break;
		if (copy_to_user(to + done, some, got * sizeof(*some))) {
			done = done ?: -EFAULT;
			break;
		}
		WRITE_ONCE(reader->next, next);
		done += got * sizeof(*some);
	}
	kfree(some);
	return done;
}

static ssize_t oac_reader_read(struct file *filp, char __user *to, size_t count, loff_t *pos)
{
	struct oac_reader *reader = filp->private_data;
	struct oac_events *events = &reader->card->events;
	ssize_t ret;

	if (count < sizeof(struct drm_oac_event))
		return -EINVAL;
	for (;;) {
		/* Before the look: if that then finds nothing, nothing will come. */
		bool has_ended = smp_load_acquire(&events->ended);

		if (mutex_lock_interruptible(&reader->lock))
			return -ERESTARTSYS;
		ret = oac_reader_copy(reader, to, count);
		mutex_unlock(&reader->lock);
		if (ret || has_ended)
			return ret;
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(events->wait, oac_reader_has_news(reader)))
			return -ERESTARTSYS;
	}
}

static __poll_t oac_reader_poll(struct file *filp, poll_table *wait)
{
	struct oac_reader *reader = filp->private_data;
	struct oac_events *events = &reader->card->events;
	__poll_t mask = 0;

	poll_wait(filp, &events->wait, wait);
	if (oac_reader_has_news(reader))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(events->ended))
		mask |= EPOLLHUP;
	return mask;
}

static int oac_reader_release(struct inode *inode, struct file *filp)
{
	struct oac_reader *reader = filp->private_data;

	mutex_destroy(&reader->lock);
	drm_dev_put(&reader->card->drm);
	kfree(reader);
	return 0;
}

static const struct file_operations oac_reader_fops = {
	.owner = THIS_MODULE,
	.read = oac_reader_read,
	.poll = oac_reader_poll,
	.release = oac_reader_release,
	.llseek = noop_llseek,
};

static struct oac_reader *oac_reader_new(struct oac_card *card, u64 from)
{
	struct oac_reader *reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);

	if (!reader)
		return NULL;
	mutex_init(&reader->lock);
	reader->card = card;
	drm_dev_get(&card->drm);
	reader->next = from ?: oac_events_last(card) + 1;
	return reader;
}

int oac_ioctl_events_open(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_events_open *args = data;
	struct oac_reader *reader;
	int fd;

	if (args->flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	reader = oac_reader_new(to_oac_card(drm), args->from);
	if (!reader)
		return -ENOMEM;
	fd = anon_inode_getfd("[oac-events]", &oac_reader_fops, reader,
			      O_RDONLY | (args->flags & (O_CLOEXEC | O_NONBLOCK)));
	if (fd < 0) {
		mutex_destroy(&reader->lock);
		drm_dev_put(drm);
		kfree(reader);
		return fd;
	}
	args->fd = fd;
	return 0;
}
