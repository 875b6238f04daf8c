// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * /sys/kernel/debug/oac/<PCI address>: objects, how many of everything there are, so that a test can
 * tell a leak; state, what the driver thinks of the card. For people and tests, no interface.
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

static void oac_state_show_queues(struct seq_file *file, struct oac_vector *vector)
{
	struct oac_queue *queue;
	unsigned long flags;

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		const struct oac_progress *line = &queue->card->progress[queue->hw_id];

		seq_printf(file, "queue %u context %u taken %u completed %u state %u waiting %u\n",
			   queue->hw_id, queue->context->hw_id,
			   le32_to_cpu(READ_ONCE(line->sq_head)),
			   le32_to_cpu(READ_ONCE(line->completed)),
			   le32_to_cpu(READ_ONCE(line->state)),
			   le32_to_cpu(READ_ONCE(line->waiting)));
	}
	spin_unlock_irqrestore(&vector->lock, flags);
}

static int oac_state_show(struct seq_file *file, void *unused)
{
	struct oac_card *card = file->private;
	struct drm_oac_info_health health;
	unsigned int i;

	oac_health_read(card, &health);
	seq_printf(file, "health %s %s, generation %u\n", oac_health_state_word(health.state),
		   oac_health_reason_word(health.reason), health.generation);
	seq_printf(file, "firmware %u stopped %u away %lx lost %u held %u settled %u\n",
		   READ_ONCE(card->fw_state), READ_ONCE(card->stopped), READ_ONCE(card->away),
		   oac_card_is_lost(card), health.is_held, READ_ONCE(card->settled));
	seq_printf(file, "contexts %u queues %u admin %u events %llu\n", READ_ONCE(card->contexts),
		   READ_ONCE(card->queues), READ_ONCE(card->admin.tail), health.events);
	for (i = 0; i < card->vector_count; i++)
		oac_state_show_queues(file, &card->vectors[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(oac_state);

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
	debugfs_create_file("state", 0400, card->debugfs, card, &oac_state_fops);
}

void oac_debugfs_remove(struct oac_card *card)
{
	debugfs_remove_recursive(card->debugfs);
}
