// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * SELF_TEST: who asks for one waits, and a work item has the card carry them out, one after the
 * other, since a command that the card has cannot be taken back. So who has no time left, or is
 * killed, just goes: the card ends what it is at, for nobody, and the next gets an answer of his own.
 */
#include <linux/capability.h>

#include "oac_drv.h"

/* One that is asked for; on the caller's stack. Guarded by oac_self_tests.lock. */
struct oac_self_test {
	struct list_head node;	/* in oac_self_tests.waiting until it is begun */
	bool is_done;
	int err;
	u64 failed;
};

/* ---- The work --------------------------------------------------------------------------------- */

static bool oac_self_test_begin(struct oac_self_tests *tests)
{
	spin_lock(&tests->lock);
	tests->running = list_first_entry_or_null(&tests->waiting, struct oac_self_test, node);
	if (tests->running)
		list_del_init(&tests->running->node);
	spin_unlock(&tests->lock);
	return tests->running;
}

/* What was found is so whether anybody still wants to know it or not. */
static int oac_self_test_run(struct oac_card *card, u64 *failed)
{
	int err = oac_card_check(card);

	if (!err)
		err = oac_admin_self_test(card, failed);
	if (!err && *failed)
		oac_health_set(card, OAC_REASON_SELF_TEST, *failed);
	return err;
}

static void oac_self_test_end(struct oac_self_tests *tests, int err, u64 failed)
{
	spin_lock(&tests->lock);
	if (tests->running) {
		tests->running->err = err;
		tests->running->failed = failed;
		tests->running->is_done = true;
	}
	tests->running = NULL;
	spin_unlock(&tests->lock);
	wake_up_all(&tests->wait);
}

static void oac_self_test_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, self_tests.work);
	struct oac_self_tests *tests = &card->self_tests;

	while (oac_self_test_begin(tests)) {
		u64 failed = 0;
		int err = oac_self_test_run(card, &failed);

		oac_self_test_end(tests, err, failed);
	}
}

/* ---- Who asks --------------------------------------------------------------------------------- */

/* -ENODEV: the driver lets go of the card. */
static int oac_self_test_ask(struct oac_self_tests *tests, struct oac_self_test *test)
{
	int err = 0;

	spin_lock(&tests->lock);
	if (tests->closed) {
		err = -ENODEV;
	} else {
		list_add_tail(&test->node, &tests->waiting);
		queue_work(oac_slow_wq, &tests->work);
	}
	spin_unlock(&tests->lock);
	return err;
}

static bool oac_self_test_is_done(struct oac_self_tests *tests, struct oac_self_test *test)
{
	bool is_done;

	spin_lock(&tests->lock);
	is_done = test->is_done;
	spin_unlock(&tests->lock);
	return is_done;
}

/* From here on nobody has it but its owner. true: there is an answer, late or not. */
static bool oac_self_test_leave(struct oac_self_tests *tests, struct oac_self_test *test)
{
	bool is_done;

	spin_lock(&tests->lock);
	is_done = test->is_done;
	list_del_init(&test->node);
	if (tests->running == test)
		tests->running = NULL;
	spin_unlock(&tests->lock);
	return is_done;
}

static int oac_self_test(struct oac_card *card, u64 deadline_ns, u64 *failed)
{
	struct oac_self_tests *tests = &card->self_tests;
	struct oac_self_test test = { .node = LIST_HEAD_INIT(test.node) };
	int err = oac_card_check(card);

	if (err)
		return err;
	if (!oac_time_left(deadline_ns))
		return -ETIMEDOUT;
	err = oac_self_test_ask(tests, &test);
	if (err)
		return err;
	err = oac_wait_killable(tests->wait, oac_self_test_is_done(tests, &test), deadline_ns);
	if (!oac_self_test_leave(tests, &test))
		return err;
	*failed = test.failed;
	return test.err;
}

int oac_ioctl_self_test(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_oac_self_test *args = data;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (args->flags || args->pad)
		return -EINVAL;
	args->failed = 0;
	return oac_self_test(to_oac_card(drm), args->deadline_ns, &args->failed);
}

/* ---- Begin and end ---------------------------------------------------------------------------- */

void oac_self_test_init(struct oac_card *card)
{
	struct oac_self_tests *tests = &card->self_tests;

	spin_lock_init(&tests->lock);
	init_waitqueue_head(&tests->wait);
	INIT_LIST_HEAD(&tests->waiting);
	INIT_WORK(&tests->work, oac_self_test_work);
}

/* The card is lost, so the one under way ends soon, and those that wait for it do at once. */
void oac_self_test_fini(struct oac_card *card)
{
	struct oac_self_tests *tests = &card->self_tests;

	spin_lock(&tests->lock);
	tests->closed = true;
	spin_unlock(&tests->lock);
	flush_work(&tests->work);
}
