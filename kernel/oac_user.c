// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Quotas. What a user has on a card is charged to the uid that opened the file, whoever works with
 * the descriptor; whether a limit binds is asked of the caller. Contexts have two limits of their
 * own, which are counted where the things are.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "oac_drv.h"

static unsigned int oac_quotas[OAC_QUOTA_KINDS];
module_param_named(user_contexts, oac_quotas[OAC_QUOTA_CONTEXTS], uint, 0644);
MODULE_PARM_DESC(user_contexts,
		 "contexts a user without CAP_SYS_RESOURCE may have per card (0: half of all)");
module_param_named(user_queues, oac_quotas[OAC_QUOTA_QUEUES], uint, 0644);
MODULE_PARM_DESC(user_queues,
		 "queues a user without CAP_SYS_RESOURCE may have per card (0: half of all)");
module_param_named(user_local_mib, oac_quotas[OAC_QUOTA_LOCAL], uint, 0644);
MODULE_PARM_DESC(user_local_mib,
		 "MiB of local memory a user without CAP_SYS_RESOURCE may have per card (0: half)");
module_param_named(user_host_mib, oac_quotas[OAC_QUOTA_HOST], uint, 0644);
MODULE_PARM_DESC(
	user_host_mib,
	"MiB of host buffers a user without CAP_SYS_RESOURCE may have per card (0: no limit)");
module_param_named(context_queues, oac_quotas[OAC_QUOTA_CONTEXT_QUEUES], uint, 0644);
MODULE_PARM_DESC(context_queues,
		 "queues per context without CAP_SYS_RESOURCE (0: no limit of its own)");
module_param_named(context_maps, oac_quotas[OAC_QUOTA_CONTEXT_MAPS], uint, 0644);
MODULE_PARM_DESC(context_maps,
		 "maps per context without CAP_SYS_RESOURCE (0: no limit of its own)");

static const u32 oac_quota_limits[OAC_QUOTA_KINDS] = {
	[OAC_QUOTA_CONTEXTS] = DRM_OAC_LIMIT_USER_CONTEXTS,
	[OAC_QUOTA_QUEUES] = DRM_OAC_LIMIT_USER_QUEUES,
	[OAC_QUOTA_LOCAL] = DRM_OAC_LIMIT_USER_LOCAL,
	[OAC_QUOTA_HOST] = DRM_OAC_LIMIT_USER_HOST,
	[OAC_QUOTA_CONTEXT_QUEUES] = DRM_OAC_LIMIT_CONTEXT_QUEUES,
	[OAC_QUOTA_CONTEXT_MAPS] = DRM_OAC_LIMIT_CONTEXT_MAPS,
};

/* ---- Users ------------------------------------------------------------------------------------ */

void oac_users_init(struct oac_card *card)
{
	spin_lock_init(&card->users.lock);
	INIT_LIST_HEAD(&card->users.list);
}

static struct oac_user *oac_user_find_locked(struct oac_card *card, kuid_t uid)
{
	struct oac_user *user;

	lockdep_assert_held(&card->users.lock);
	list_for_each_entry(user, &card->users.list, node) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/* NULL: no memory. */
struct oac_user *oac_user_get(struct oac_card *card, kuid_t uid)
{
	struct oac_user *made = kzalloc(sizeof(*made), GFP_KERNEL);
	struct oac_user *user;

	if (!made)
		return NULL;
	made->card = card;
	made->uid = uid;
	spin_lock(&card->users.lock);
	user = oac_user_find_locked(card, uid);
	if (!user) {
		user = made;
		made = NULL;
		list_add(&user->node, &card->users.list);
	}
	user->refs++;
	spin_unlock(&card->users.lock);
	kfree(made);
	return user;
}

void oac_user_put(struct oac_user *user)
{
	struct oac_card *card = user->card;
	bool last;

	spin_lock(&card->users.lock);
	last = !--user->refs;
	if (last)
		list_del(&user->node);
	spin_unlock(&card->users.lock);
	if (last)
		kfree(user);
}

/* ---- Limits ----------------------------------------------------------------------------------- */

/* Not having it is no offence that anybody should find in an audit log. */
bool oac_user_is_capable(int capability)
{
	return ns_capable_noaudit(&init_user_ns, capability);
}

/* Where no parameter is set: nobody gets all of what there is little of. */
static u64 oac_user_default(struct oac_card *card, enum oac_quota what)
{
	u64 all = 0;

	mutex_lock(&card->lock);
	if (what == OAC_QUOTA_CONTEXTS)
		all = le32_to_cpu(card->identify.max_contexts);
	else if (what == OAC_QUOTA_QUEUES)
		all = le32_to_cpu(card->identify.max_queues);
	mutex_unlock(&card->lock);
	if (what == OAC_QUOTA_LOCAL)
		all = card->local.size;
	return all > 1 ? all / 2 : all;
}

/* The limit that binds the caller; 0: none. */
u64 oac_user_limit(struct oac_card *card, enum oac_quota what)
{
	u64 limit = READ_ONCE(oac_quotas[what]);

	if (oac_user_is_capable(CAP_SYS_RESOURCE))
		return 0;
	if (!limit)
		return oac_user_default(card, what);
	return what == OAC_QUOTA_LOCAL || what == OAC_QUOTA_HOST ? limit << 20 : limit;
}

/* *limit is set with EDQUOT. */
int oac_user_charge(struct oac_user *user, enum oac_quota what, u64 amount, u32 *limit)
{
	u64 most = oac_user_limit(user->card, what);
	int err = 0;

	spin_lock(&user->card->users.lock);
	if (most && (amount > most || user->used[what] > most - amount))
		err = -EDQUOT;
	else
		user->used[what] += amount;
	spin_unlock(&user->card->users.lock);
	if (err)
		*limit = oac_quota_limits[what];
	return err;
}

void oac_user_uncharge(struct oac_user *user, enum oac_quota what, u64 amount)
{
	spin_lock(&user->card->users.lock);
	WARN_ON_ONCE(user->used[what] < amount);
	user->used[what] -= amount;
	spin_unlock(&user->card->users.lock);
}

/* May a context that has so many get one more? */
int oac_user_check_context(struct oac_card *card, enum oac_quota what, u64 has, u32 *limit)
{
	u64 most = oac_user_limit(card, what);

	if (!most || has < most)
		return 0;
	*limit = oac_quota_limits[what];
	return -EDQUOT;
}

/* ---- Buffers ---------------------------------------------------------------------------------- */

static enum oac_quota oac_user_bo_quota(const struct oac_bo *bo)
{
	return bo->kind == OAC_BO_LOCAL ? OAC_QUOTA_LOCAL : OAC_QUOTA_HOST;
}

/* A buffer may outlive the file it was made with, hence the reference. */
int oac_user_charge_bo(struct oac_bo *bo, struct oac_user *user, u32 *limit)
{
	int err = oac_user_charge(user, oac_user_bo_quota(bo), bo->gem.size, limit);

	if (err)
		return err;
	spin_lock(&user->card->users.lock);
	user->refs++;
	spin_unlock(&user->card->users.lock);
	bo->user = user;
	return 0;
}

void oac_user_uncharge_bo(struct oac_bo *bo)
{
	if (!bo->user)
		return;
	oac_user_uncharge(bo->user, oac_user_bo_quota(bo), bo->gem.size);
	oac_user_put(bo->user);
	bo->user = NULL;
}
