// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * MSI-X. Vector 0 is the admin queue's; user queues share the others evenly, or vector 0 when
 * there is no other. A handler only wakes: what happened is read from rings and progress lines.
 */
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>

#include "oac_drv.h"
#include "oac_trace.h"

/* Enough that queues seldom share a vector, few enough to leave some to other cards. */
#define OAC_VECTORS_PER_CPU	4

static unsigned int oac_vectors;
module_param_named(vectors, oac_vectors, uint, 0444);
MODULE_PARM_DESC(vectors, "interrupts per card at most (default 0: by the number of CPUs)");

static void oac_irq_wake(struct oac_vector *vector)
{
	struct oac_queue *queue;
	unsigned long flags;
	LIST_HEAD(due);

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		oac_queue_interrupt(queue);
		oac_fence_collect(queue, &due);
	}
	spin_unlock_irqrestore(&vector->lock, flags);
	oac_fence_signal(&due);
}

/* For what no interrupt will tell: the card is lost. */
void oac_irq_wake_all(struct oac_card *card)
{
	unsigned int i;

	for (i = 0; i < card->vector_count; i++)
		oac_irq_wake(&card->vectors[i]);
}

static irqreturn_t oac_irq_handler(int irq, void *data)
{
	struct oac_vector *vector = data;
	struct oac_card *card = vector->card;

	trace_oac_irq(card, vector - card->vectors);
	/* An answer, or an event: one interrupt for both. Where it is for both, the watchdog looks. */
	if (vector == &card->vectors[OAC_MSIX_ADMIN_VECTOR]) {
		if (!READ_ONCE(card->admin.waiting))
			oac_events_look(card, false);
		wake_up(&card->admin.wait);
	}
	oac_irq_wake(vector);
	return IRQ_HANDLED;
}

static void oac_irq_free(struct oac_card *card, unsigned int count)
{
	while (count--)
		pci_free_irq(card->pdev, count, &card->vectors[count]);
}

static int oac_irq_request(struct oac_card *card)
{
	unsigned int i;
	int err;

	for (i = 0; i < card->vector_count; i++) {
		struct oac_vector *vector = &card->vectors[i];

		vector->card = card;
		spin_lock_init(&vector->lock);
		INIT_LIST_HEAD(&vector->queues);
		err = pci_request_irq(card->pdev, i, oac_irq_handler, NULL, vector, "%s-%u:%s",
				      OAC_NAME, i, pci_name(card->pdev));
		if (err) {
			oac_irq_free(card, i);
			return err;
		}
	}
	return 0;
}

int oac_irq_init(struct oac_card *card)
{
	unsigned int most = min_t(unsigned int, OAC_MSIX_VECTORS, card->doorbell_pages);
	int count, err;

	most = min(most, 1 + OAC_VECTORS_PER_CPU * num_online_cpus());
	if (oac_vectors)
		most = min(most, oac_vectors);
	count = pci_alloc_irq_vectors(card->pdev, 1, most, PCI_IRQ_MSIX);
	if (count < 0)
		return count;
	card->vector_count = count;
	/* Queues point here until the last file is closed, which may be after remove. */
	card->vectors = drmm_kcalloc(&card->drm, count, sizeof(*card->vectors), GFP_KERNEL);
	err = card->vectors ? oac_irq_request(card) : -ENOMEM;
	if (err)
		pci_free_irq_vectors(card->pdev);
	return err;
}

void oac_irq_fini(struct oac_card *card)
{
	oac_irq_free(card, card->vector_count);
	pci_free_irq_vectors(card->pdev);
}

unsigned int oac_irq_queue_vector(struct oac_card *card, u16 queue)
{
	if (card->vector_count == 1)
		return OAC_MSIX_ADMIN_VECTOR;
	return 1 + (queue - 1) % (card->vector_count - 1);
}
