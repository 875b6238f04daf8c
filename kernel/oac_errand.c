// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Errands: what has the card asked something that may take it long, or for ever. Who sends one waits,
 * and a work item runs them, one after the other, since a command that the card has cannot be taken
 * back. So who has no time left, or is killed, just goes: the card ends what it is at, for nobody,
 * and the next gets an answer of his own.
 */
#include "oac_drv.h"

/* With a reference for whoever sends it. */
void oac_errand_init(struct oac_errand *errand,
		     int (*run)(struct oac_card *card, struct oac_errand *errand),
		     void (*release)(struct kref *ref))
{
	kref_init(&errand->ref);
	INIT_LIST_HEAD(&errand->node);
	errand->run = run;
	errand->release = release;
}

void oac_errand_put(struct oac_errand *errand)
{
	kref_put(&errand->ref, errand->release);
}

/* The next, with a reference of the work's own; NULL: no more. */
static struct oac_errand *oac_errand_take(struct oac_errands *errands)
{
	struct oac_errand *errand;

	spin_lock(&errands->lock);
	errand = list_first_entry_or_null(&errands->waiting, struct oac_errand, node);
	if (errand) {
		list_del_init(&errand->node);
		kref_get(&errand->ref);
	}
	spin_unlock(&errands->lock);
	return errand;
}

static void oac_errand_work(struct work_struct *work)
{
	struct oac_errands *errands = container_of(work, struct oac_errands, work);
	struct oac_errand *errand;

	while ((errand = oac_errand_take(errands))) {
		errand->err = errand->run(errands->card, errand);
		/* Results come before it, as who waits sees it. */
		smp_store_release(&errand->is_done, true);
		wake_up_all(&errands->wait);
		oac_errand_put(errand);
	}
}

/* -ENODEV: the driver lets go of the card. */
static int oac_errand_add(struct oac_errands *errands, struct oac_errand *errand)
{
	int err = 0;

	spin_lock(&errands->lock);
	if (errands->closed) {
		err = -ENODEV;
	} else {
		list_add_tail(&errand->node, &errands->waiting);
		queue_work(oac_slow_wq, &errands->work);
	}
	spin_unlock(&errands->lock);
	return err;
}

/*
 * Has it run and waits for that until an absolute CLOCK_MONOTONIC deadline. Results are the sender's
 * to read if this gives what run() did, that is unless *is_done is false.
 */
int oac_errand_send(struct oac_errands *errands, struct oac_errand *errand, u64 deadline_ns,
		    bool *is_done)
{
	int err = -ETIMEDOUT;

	*is_done = false;
	if (!oac_time_left(deadline_ns))
		return err;
	err = oac_errand_add(errands, errand);
	if (err)
		return err;
	err = oac_wait_killable(errands->wait, smp_load_acquire(&errand->is_done), deadline_ns);
	/* From here on none begins it. */
	spin_lock(&errands->lock);
	list_del_init(&errand->node);
	spin_unlock(&errands->lock);
	*is_done = smp_load_acquire(&errand->is_done);
	return *is_done ? errand->err : err;
}

void oac_errands_init(struct oac_errands *errands, struct oac_card *card)
{
	errands->card = card;
	spin_lock_init(&errands->lock);
	init_waitqueue_head(&errands->wait);
	INIT_LIST_HEAD(&errands->waiting);
	INIT_WORK(&errands->work, oac_errand_work);
}

/* The card is lost, so the one under way ends soon, and those that wait for it do at once. */
void oac_errands_fini(struct oac_errands *errands)
{
	spin_lock(&errands->lock);
	errands->closed = true;
	spin_unlock(&errands->lock);
	flush_work(&errands->work);
}
