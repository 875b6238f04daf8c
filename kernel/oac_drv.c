// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * The module: PCI driver, DRM driver, file operations, life and loss of a card. What a card does
 * once it is there is in the other files.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>

#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>

#include "oac_drv.h"
#include "oac_hw.h"

/* Ours, so that unload can wait for them. */
struct workqueue_struct *oac_wq;
struct workqueue_struct *oac_slow_wq;

static const struct drm_ioctl_desc oac_ioctls[] = {
	DRM_IOCTL_DEF_DRV(OAC_INFO_GET, oac_ioctl_info_get, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_CONTEXT_CREATE, oac_ioctl_context_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_CONTEXT_DESTROY, oac_ioctl_context_destroy, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_BO_CREATE, oac_ioctl_bo_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_MAP, oac_ioctl_map, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_UNMAP, oac_ioctl_unmap, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_CREATE, oac_ioctl_queue_create, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_DESTROY, oac_ioctl_queue_destroy, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_WAIT, oac_ioctl_queue_wait, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_EVENTFD, oac_ioctl_queue_eventfd, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_FIRMWARE_LOAD, oac_ioctl_firmware_load, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_SUBMIT, oac_ioctl_queue_submit, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_QUEUE_FENCE, oac_ioctl_queue_fence, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_SYNC_STORE, oac_ioctl_sync_store, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_BO_USERPTR, oac_ioctl_bo_userptr, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_EVENTS_OPEN, oac_ioctl_events_open, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_RESET, oac_ioctl_reset, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(OAC_SELF_TEST, oac_ioctl_self_test, DRM_RENDER_ALLOW),
};

/* ---- Life and loss of a card ---------------------------------------------------------------- */

/*
 * Gives the card up: it is not on the bus any more, or is being removed. Every later call gets
 * -ENODEV; only the PCI core can bring it back, by a reset of its own. For a card that is there and
 * does not work, see oac_card_fail(). Bus mastering goes off first, so that whoever sees the card lost may
 * free what the card could have reached. Any context that may sleep for PCI configuration.
 */
void oac_card_lose(struct oac_card *card, const char *why)
{
	pci_clear_master(card->pdev);
	if (xchg(&card->lost, true))
		return;
	if (why) {
		drm_err(&card->drm, "card lost: %s\n", why);
		oac_health_set(card, OAC_REASON_GONE, OAC_CAUSE_GONE);
		oac_event_add(card, OAC_EVENT_GONE, 0, 0, 0);
	}
	wake_up_all(&card->admin.wait);
	schedule_work(&card->lost_work);
}

static void oac_card_lost_work(struct work_struct *work)
{
	struct oac_card *card = container_of(work, struct oac_card, lost_work);

	oac_irq_wake_all(card);
	oac_doorbell_revoke_all(card);
	oac_local_revoke_all(card);
}

/* 0 if contexts and queues can be worked on, else the error to return. */
int oac_card_check(struct oac_card *card)
{
	enum oac_fw_state state;

	if (oac_card_is_lost(card))
		return -ENODEV;
	mutex_lock(&card->lock);
	state = card->fw_state;
	mutex_unlock(&card->lock);
	return state == OAC_FW_UP && !READ_ONCE(card->stopped) ? 0 : -EHOSTDOWN;
}

/* ---- Files ------------------------------------------------------------------------------------ */

static int oac_file_open(struct drm_device *drm, struct drm_file *drm_file)
{
	struct oac_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	int err;

	if (!file)
		return -ENOMEM;
	file->card = to_oac_card(drm);
	err = ida_alloc_min(&file->card->group_ids, 1, GFP_KERNEL);
	if (err < 0)
		goto err_free;
	file->group = err;
	mutex_init(&file->store_lock);
	INIT_LIST_HEAD(&file->stores);
	xa_init_flags(&file->contexts, XA_FLAGS_ALLOC1);
	xa_init_flags(&file->queues, XA_FLAGS_ALLOC1);
	/* Last: from here on a recovery finds it. */
	err = oac_client_open(file, drm_file);
	if (err)
		goto err_group;
	drm_file->driver_priv = file;
	return 0;

err_group:
	ida_free(&file->card->group_ids, file->group);
err_free:
	kfree(file);
	return err;
}

/* Nobody else has the file any more: no call is under way, no doorbell is mapped. */
static void oac_file_close(struct drm_device *drm, struct drm_file *drm_file)
{
	struct oac_file *file = drm_file->driver_priv;
	struct oac_context *context;
	unsigned long id;

	oac_sync_cancel(file);
	xa_for_each(&file->contexts, id, context) {
		xa_erase(&file->contexts, id);
		oac_context_destroy(context);
	}
	xa_destroy(&file->contexts);
	xa_destroy(&file->queues);
	mutex_destroy(&file->store_lock);
	oac_client_close(file);
	ida_free(&file->card->group_ids, file->group);
	kfree(file);
}

/* Doorbells lie below GEM's offsets. */
static int oac_file_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *drm_file = filp->private_data;

	if (vma->vm_pgoff < DRM_FILE_PAGE_OFFSET_START)
		return oac_doorbell_mmap(drm_file->driver_priv, vma);
	return drm_gem_mmap(filp, vma);
}

#ifndef OAC_HAS_DRM_SHOW_FDINFO
/* DRM's own keys, then ours. */
static void oac_file_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct drm_file *drm_file = filp->private_data;
	struct oac_file *file = drm_file->driver_priv;
	struct drm_printer p = drm_seq_file_printer(m);

	drm_printf(&p, "drm-driver:\t%s\n", OAC_NAME);
	drm_printf(&p, "drm-client-id:\t%llu\n", file->client.id);
	drm_printf(&p, "drm-pdev:\t%s\n", pci_name(file->card->pdev));
	oac_client_fdinfo(&p, drm_file);
}
#endif

/* Some macros bring their own commas. */
/* clang-format off */
static const struct file_operations oac_fops = {
	.owner = THIS_MODULE,
	.open = OAC_FOPS_OPEN,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = oac_file_mmap,
	OAC_FOPS_FLAGS
	OAC_FOPS_FDINFO
};

static const struct drm_driver oac_drm_driver = {
	.driver_features = OAC_DRIVER_NODE | DRIVER_GEM | DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.open = oac_file_open,
	.postclose = oac_file_close,
	.prime_handle_to_fd = oac_prime_handle_to_fd,
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle,
	.gem_prime_import = oac_prime_import,
	OAC_DRIVER_FDINFO
	.ioctls = oac_ioctls,
	.num_ioctls = ARRAY_SIZE(oac_ioctls),
	.fops = &oac_fops,
	.name = OAC_NAME,
	.desc = "Open accelerator card",
	OAC_DRIVER_DATE
	.major = 1,
	.minor = 0,
};
/* clang-format on */

/* ---- PCI -------------------------------------------------------------------------------------- */

static int oac_dma_init(struct oac_card *card)
{
	struct device *dev = &card->pdev->dev;
	static const u8 bits[] = { 64, 48, 32 };
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(bits[i]));
		if (!err)
			break;
	}
	if (err)
		return err;
	dma_set_max_seg_size(dev, UINT_MAX);
	/* Queues never pass through the kernel, so nothing could copy to and from bounce buffers. */
	if (dma_addressing_limited(dev) || dma_max_mapping_size(dev) != SIZE_MAX) {
		drm_err(&card->drm, "the card cannot reach all memory without bounce buffers\n");
		return -EIO;
	}
	return 0;
}

static int oac_pci_init(struct oac_card *card)
{
	struct pci_dev *pdev = card->pdev;
	int err = pci_enable_device_mem(pdev);

	if (err)
		return err;
	err = pci_request_mem_regions(pdev, OAC_NAME);
	if (err)
		goto err_disable;
	err = oac_hw_init(card);
	if (err)
		goto err_regions;
	err = oac_dma_init(card);
	if (err)
		goto err_hw;
	return 0;

err_hw:
	oac_hw_fini(card);
err_regions:
	pci_release_mem_regions(pdev);
err_disable:
	pci_disable_device(pdev);
	return err;
}

static void oac_pci_fini(struct oac_card *card)
{
	oac_hw_fini(card);
	pci_release_mem_regions(card->pdev);
	pci_disable_device(card->pdev);
}

static void oac_card_release(struct drm_device *drm, void *unused)
{
	struct oac_card *card = to_oac_card(drm);

	oac_local_fini(card);
	oac_events_fini(card);
	mutex_destroy(&card->recovery.turn);
	mutex_destroy(&card->clients.lock);
	xa_destroy(&card->context_ids);
	ida_destroy(&card->queue_ids);
	ida_destroy(&card->group_ids);
	mutex_destroy(&card->lock);
	mutex_destroy(&card->bo_lock);
	mutex_destroy(&card->telemetry.lock);
	mutex_destroy(&card->telemetry.fetch);
	mutex_destroy(&card->admin.lock);
}

static struct oac_card *oac_card_alloc(struct pci_dev *pdev)
{
	struct oac_card *card =
		devm_drm_dev_alloc(&pdev->dev, &oac_drm_driver, struct oac_card, drm);
	int err;

	if (IS_ERR(card))
		return card;
	card->pdev = pdev;
	card->boot_deadline_ns = U64_MAX;
	mutex_init(&card->lock);
	mutex_init(&card->bo_lock);
	mutex_init(&card->telemetry.fetch);
	mutex_init(&card->telemetry.lock);
	mutex_init(&card->admin.lock);
	init_waitqueue_head(&card->admin.wait);
	init_rwsem(&card->doorbell_lock);
	INIT_LIST_HEAD(&card->bos);
	oac_users_init(card);
	oac_clients_init(card);
	mutex_init(&card->local.scrub_lock);
	mutex_init(&card->local.lock);
	INIT_LIST_HEAD(&card->local.bos);
	INIT_WORK(&card->lost_work, oac_card_lost_work);
	xa_init_flags(&card->context_ids, XA_FLAGS_ALLOC1);
	ida_init(&card->queue_ids);
	ida_init(&card->group_ids);
	oac_fence_init(card);
	oac_health_init(card);
	oac_recover_init(card);
	oac_errands_init(&card->self_tests, card);
	oac_errands_init(&card->logs, card);
	oac_watchdog_init(card);
	err = drmm_add_action_or_reset(&card->drm, oac_card_release, NULL);
	if (!err)
		err = oac_events_init(card);
	return err ? ERR_PTR(err) : card;
}

static size_t oac_progress_size(struct oac_card *card)
{
	return array_size(card->doorbell_pages, sizeof(*card->progress));
}

static int oac_progress_init(struct oac_card *card)
{
	card->progress = dma_alloc_coherent(&card->pdev->dev, oac_progress_size(card),
					    &card->progress_dma, GFP_KERNEL);
	return card->progress ? 0 : -ENOMEM;
}

static void oac_progress_fini(struct oac_card *card)
{
	dma_free_coherent(&card->pdev->dev, oac_progress_size(card), card->progress,
			  card->progress_dma);
	card->progress = NULL;
}

/* The card is lost: what works on it by itself ends, and nothing of that begins again. */
static void oac_card_close(struct oac_card *card)
{
	oac_watchdog_fini(card);
	oac_recover_fini(card);
	oac_errands_fini(&card->self_tests);
	oac_errands_fini(&card->logs);
	oac_events_end(card);
	oac_health_fini(card);
}

/* Makes the card forget host memory, whether it still answers or not. */
static void oac_card_silence(struct oac_card *card)
{
	oac_fw_stop(card);
	oac_hw_reset(card);
	pci_clear_master(card->pdev);
	oac_fw_forget(card);
}

static int oac_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct oac_card *card = oac_card_alloc(pdev);
	int err;

	if (IS_ERR(card))
		return PTR_ERR(card);
	pci_set_drvdata(pdev, card);
	err = oac_pci_init(card);
	if (err)
		return err;
	oac_submit_init(card);
	oac_local_init(card);
	oac_events_start(card);
	err = oac_progress_init(card);
	if (err)
		goto err_pci;
	err = oac_admin_init(card);
	if (err)
		goto err_progress;
	err = oac_irq_init(card);
	if (err)
		goto err_admin;
	err = oac_pci_save(card);
	if (err)
		goto err_irq;
	/* Without firmware there is a device all the same: to see why, and to load another. */
	err = oac_fw_start(card);
	if (err)
		drm_err(&card->drm, "firmware is not running (%d)\n", err);
	err = drm_dev_register(&card->drm, 0);
	if (err)
		goto err_silence;
	oac_health_announce(card);
	oac_watchdog_start(card);
	oac_debugfs_add(card);
	drm_info(&card->drm, "card %016llx, %u doorbells, %u interrupts\n", card->serial,
		 card->doorbell_pages - 1, card->vector_count);
	return 0;

err_silence:
	oac_card_lose(card, NULL);
	oac_card_close(card);
	oac_card_silence(card);
	oac_pci_forget(card);
	cancel_work_sync(&card->lost_work);
	oac_fence_fini(card);
err_irq:
	oac_irq_fini(card);
err_admin:
	oac_admin_fini(card);
err_progress:
	oac_progress_fini(card);
err_pci:
	oac_pci_fini(card);
	return err;
}

/*
 * Files may be open and mapped. The order: wake everybody with -ENODEV, wait until nobody is
 * inside drm_dev_enter(), stop the card, then take back what it could reach. Open files keep
 * memory only: their host buffers stay readable, doorbells and local memory become dummy pages.
 */
static void oac_remove(struct pci_dev *pdev)
{
	struct oac_card *card = pci_get_drvdata(pdev);

	oac_debugfs_remove(card);
	oac_card_lose(card, NULL);
	oac_card_close(card);
	drm_dev_unplug(&card->drm);
	oac_card_silence(card);
	oac_irq_fini(card);
	cancel_work_sync(&card->events.work);
	cancel_work_sync(&card->lost_work);
	oac_irq_wake_all(card);
	oac_fence_fini(card);
	oac_doorbell_revoke_all(card);
	oac_local_revoke_all(card);
	oac_bo_dma_unmap_all(card);
	oac_admin_fini(card);
	oac_progress_fini(card);
	oac_pci_forget(card);
	oac_pci_fini(card);
}

/* kexec must not find the card writing into the new kernel. */
static void oac_shutdown(struct pci_dev *pdev)
{
	oac_card_lose(pci_get_drvdata(pdev), NULL);
}

static const struct pci_device_id oac_pci_ids[] = {
	{ PCI_DEVICE(OAC_PCI_VENDOR_ID, OAC_PCI_DEVICE_ID) },
	{},
};
MODULE_DEVICE_TABLE(pci, oac_pci_ids);

static struct pci_driver oac_pci_driver = {
	.name = OAC_NAME,
	.id_table = oac_pci_ids,
	.probe = oac_probe,
	.remove = oac_remove,
	.shutdown = oac_shutdown,
	.dev_groups = oac_groups,
	.err_handler = &oac_pci_errors,
	.driver.pm = pm_sleep_ptr(&oac_pm_ops),
	/* A boot takes seconds; cards boot side by side. */
	.driver.probe_type = PROBE_PREFER_ASYNCHRONOUS,
};

static int __init oac_module_init(void)
{
	int err;

	oac_wq = alloc_workqueue(OAC_NAME, WQ_UNBOUND, 0);
	if (!oac_wq)
		return -ENOMEM;
	oac_slow_wq = alloc_workqueue(OAC_NAME "-slow", WQ_UNBOUND, 0);
	err = -ENOMEM;
	if (!oac_slow_wq)
		goto err_wq;
	oac_debugfs_init();
	err = pci_register_driver(&oac_pci_driver);
	if (!err)
		return 0;
	oac_debugfs_fini();
	destroy_workqueue(oac_slow_wq);
err_wq:
	destroy_workqueue(oac_wq);
	return err;
}
module_init(oac_module_init);

static void __exit oac_module_exit(void)
{
	pci_unregister_driver(&oac_pci_driver);
	oac_debugfs_fini();
	destroy_workqueue(oac_slow_wq);
	destroy_workqueue(oac_wq);
	/* Whoever dropped the last reference to a fence may be on its way out of our code. */
	synchronize_rcu();
}
module_exit(oac_module_exit);

MODULE_DESCRIPTION("Open accelerator card");
MODULE_AUTHOR("the OAC authors");
MODULE_LICENSE("GPL");
