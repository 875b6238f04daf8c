// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Doorbell pages in processes. A page is mapped by the fault, so that it can be taken away at any
 * time: the next access then faults in a page of plain memory, and nobody gets SIGBUS. The mmap
 * offset is the queue's id on the card times the page size.
 */
#include <linux/mm.h>

#include "oac_drv.h"
#include "oac_hw.h"

static vm_fault_t oac_doorbell_fault(struct vm_fault *vmf)
{
	struct oac_queue *queue = vmf->vma->vm_private_data;
	struct oac_card *card = queue->card;
	unsigned long pfn;
	vm_fault_t ret;

	/* Held over the insertion: whoever revokes waits for it, then takes the page out. */
	down_read(&card->doorbell_lock);
	if (queue->dead || oac_card_is_lost(card) || oac_queue_is_lost(queue))
		pfn = page_to_pfn(queue->dummy);
	else
		pfn = oac_hw_doorbell_pfn(card, queue->hw_id);
	ret = vmf_insert_pfn(vmf->vma, vmf->vma->vm_start, pfn);
	up_read(&card->doorbell_lock);
	return ret;
}

static void oac_doorbell_open(struct vm_area_struct *vma)
{
	struct oac_queue *queue = vma->vm_private_data;

	kref_get(&queue->ref);
}

static void oac_doorbell_close(struct vm_area_struct *vma)
{
	oac_queue_put(vma->vm_private_data);
}

static const struct vm_operations_struct oac_doorbell_vm_ops = {
	.fault = oac_doorbell_fault,
	.open = oac_doorbell_open,
	.close = oac_doorbell_close,
};

/* The file's queue with this id on the card; other files' do not exist for it. */
static struct oac_queue *oac_doorbell_queue(struct oac_file *file, unsigned long hw_id)
{
	struct oac_queue *queue;
	unsigned long id;

	xa_lock(&file->queues);
	xa_for_each(&file->queues, id, queue) {
		/* A dead one's number may be another's by now. */
		if (queue->hw_id == hw_id && !queue->kernel_submit && !READ_ONCE(queue->dead)) {
			kref_get(&queue->ref);
			break;
		}
	}
	xa_unlock(&file->queues);
	return queue;
}

int oac_doorbell_mmap(struct oac_file *file, struct vm_area_struct *vma)
{
	struct oac_queue *queue;

	if (vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	queue = oac_doorbell_queue(file, vma->vm_pgoff);
	if (!queue)
		return -EINVAL;
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_private_data = queue;
	vma->vm_ops = &oac_doorbell_vm_ops;
	return 0;
}

/* When this returns, no process reaches the queue's doorbell, and none will. */
void oac_doorbell_revoke(struct oac_queue *queue)
{
	struct oac_card *card = queue->card;

	down_write(&card->doorbell_lock);
	WRITE_ONCE(queue->dead, true);
	up_write(&card->doorbell_lock);
	unmap_mapping_range(card->drm.anon_inode->i_mapping, (loff_t)queue->hw_id << PAGE_SHIFT,
			    PAGE_SIZE, 1);
}

/* The same for all queues of a lost card. */
void oac_doorbell_revoke_all(struct oac_card *card)
{
	/* Faults that did not see the card lost have mapped their page when this passes. */
	down_write(&card->doorbell_lock);
	up_write(&card->doorbell_lock);
	unmap_mapping_range(card->drm.anon_inode->i_mapping, 0,
			    (loff_t)card->doorbell_pages << PAGE_SHIFT, 1);
}
