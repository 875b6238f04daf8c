// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/* SELF_TEST: an errand, since it takes the card as long as its engines are busy with other work. */
#include <linux/capability.h>
#include <linux/slab.h>

#include "oac_drv.h"

struct oac_self_test {
	struct oac_errand errand;
	u64 failed;
};

/* What was found is so whether anybody still wants to know it or not. */
static int oac_self_test_run(struct oac_card *card, struct oac_errand *errand)
{
	struct oac_self_test *test = container_of(errand, struct oac_self_test, errand);
	int err = oac_card_check(card);

	if (!err)
		err = oac_admin_self_test(card, &test->failed);
	if (err)
		return err;
	if (test->failed)
		oac_health_set(card, OAC_REASON_SELF_TEST, test->failed);
	else
		oac_health_clear(card, OAC_REASON_SELF_TEST);
	return 0;
}

static void oac_self_test_release(struct kref *ref)
{
	kfree(container_of(ref, struct oac_self_test, errand.ref));
}

static int oac_self_test(struct oac_card *card, u64 deadline_ns, u64 *failed)
{
	int err = oac_card_check(card);
	struct oac_self_test *test;
	bool is_done;

	if (err)
		return err;
	test = kzalloc(sizeof(*test), GFP_KERNEL);
	if (!test)
		return -ENOMEM;
	oac_errand_init(&test->errand, oac_self_test_run, oac_self_test_release);
	err = oac_errand_send(&card->self_tests, &test->errand, deadline_ns, &is_done);
	if (is_done)
		*failed = test->failed;
	oac_errand_put(&test->errand);
	return err;
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
