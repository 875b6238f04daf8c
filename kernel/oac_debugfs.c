// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * /sys/kernel/debug/oac/<PCI address>/objects: how many of everything there are, so that a test
 * can tell a leak. For people and tests, no interface.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "oac_drv.h"

static struct dentry *oac_debugfs_root;

static const char *const oac_count_keys[OAC_COUNT_KINDS] = {
#define OAC_COUNT_KEY(name, key) [OAC_COUNT_##name] = #key,
	/* clang-format off */
	OAC_COUNTS(OAC_COUNT_KEY)
/* clang-format on */
#undef OAC_COUNT_KEY
};

static int oac_objects_show(struct seq_file *file, void *unused)
{
	struct oac_card *card = file->private;
	unsigned int i;

	for (i = 0; i < OAC_COUNT_KINDS; i++)
		seq_printf(file, "%s %lld\n", oac_count_keys[i],
			   (long long)atomic64_read(&card->counts.value[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(oac_objects);

void oac_debugfs_init(void)
{
	oac_debugfs_root = debugfs_create_dir(OAC_NAME, NULL);
}

void oac_debugfs_fini(void)
{
	debugfs_remove_recursive(oac_debugfs_root);
}

void oac_debugfs_add(struct oac_card *card)
{
	card->debugfs = debugfs_create_dir(pci_name(card->pdev), oac_debugfs_root);
	debugfs_create_file("objects", 0444, card->debugfs, card, &oac_objects_fops);
}

void oac_debugfs_remove(struct oac_card *card)
{
	debugfs_remove_recursive(card->debugfs);
}
