/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * What the module's files share: the objects, who owns them, and the locks.
 *
 *   oac_card      one per PCI function; lives until the last file on it is closed
 *   oac_file      one per open file; owns the id spaces
 *   oac_context   a device address space, owned by a file
 *   oac_queue     a user queue, owned by its context; kept in memory by doorbell mappings
 *   oac_bo        a GEM object; kept by handles, CPU mappings, dma-bufs, oac_maps, pending stores
 *   oac_user      a uid on a card; kept by its files and by buffers charged to it
 *   oac_fence     a DRM fence; listed by its queue until it signals, kept by whoever refers to it
 *   oac_store     waits for any fence to raise a word; owned by a file
 *
 * Lock order, outermost first; locks on one line are never held together:
 *   oac_recovery.turn
 *   mmap_lock | oac_bo.lock | oac_telemetry.fetch | oac_local.scrub_lock | oac_file.store_lock |
 *   oac_point_lock | oac_reader.lock
 *     oac_card.bo_lock
 *       a dma-buf's reservation lock
 *         oac_context.lock
 *           oac_local.lock | oac_clients.lock
 *             oac_card.doorbell_lock | oac_admin.lock
 *               oac_card.lock | oac_vector.lock | oac_queue.submit_lock | oac_card.tick_lock |
 *               oac_telemetry.lock |
 *               the xarrays' own locks
 *                 oac_client.lock | oac_users.lock | oac_recovery.lock | oac_health.lock |
 *                 oac_events.lock | oac_errands.lock
 * Of these only turn, reservation, context, fetch, scrub and admin locks are held across a wait
 * for the card, and that wait ends with the admin deadline, or for turn with that of a boot. Who has
 * the turn may take all others; the PCI core's lock on the device comes in front of it, its lock on
 * buses behind it: who holds that one only tries for a turn.
 * Who holds any of the others only asks for a recovery. Nothing that touches user memory runs under
 * any of them. A buffer may be freed with its last reference: none is put under a context's lock.
 * A card that takes its local memory back holds its turn, its scrub lock and the dma-buf's, and waits
 * for another card's context and admin locks, never for that one's turn or scrub lock. Who holds a
 * context's or an admin lock waits for that same card only, and one that is being recovered has
 * stopped: it says no at once. So cards that import from each other can recover at the same time.
 * Fences are signalled with no spinlock of ours held, since their callbacks are anybody's; a
 * fence's lock comes behind store_lock, and our own callback takes no lock under it.
 */
#ifndef OAC_DRV_H
#define OAC_DRV_H

#include <linux/idr.h>
#include <linux/io.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include <drm/oac_accel.h>
#include <hw/oac_admin.h>
#include <hw/oac_firmware.h>
#include <hw/oac_queue.h>
#include <hw/oac_regs.h>
#include <hw/oac_telemetry.h>

#include "oac_compat.h"
#include "oac_health.h"
#include "oac_mem.h"

#ifndef CONFIG_64BIT
#error "oac needs 64-bit stores to doorbells"
#endif
#define OAC_NAME		"oac"
#define OAC_ADMIN_DATA_SIZE	SZ_64K	/* bounce buffer for the data of admin commands */

struct eventfd_ctx;
struct oac_card;

/* The admin ring. One command at a time: user queues carry the load, not this. */
struct oac_admin {
	struct mutex lock;		/* guards all fields but wait */
	wait_queue_head_t wait;		/* woken by each admin interrupt */
	struct oac_admin_cmd *sq;
	struct oac_completion *cq;
	void *data;
	dma_addr_t sq_dma;
	dma_addr_t cq_dma;
	dma_addr_t data_dma;
	u32 tail;			/* commands sent, free-running */
	bool enabled;
	bool waiting;			/* somebody waits for a completion; read in interrupts */
};

/* Sensors as they were last read; readers in a hurry share one reading. */
struct oac_telemetry {
	struct mutex fetch;		/* held by whoever asks the card; guards fetched */
	struct oac_sensor_value fetched[OAC_SENSOR_MAX];
	struct mutex lock;		/* guards the rest */
	unsigned long read_jiffies;
	bool valid;
	unsigned int count;
	struct oac_sensor_info info[OAC_SENSOR_MAX];
	struct oac_sensor_value values[OAC_SENSOR_MAX];
};

/* One MSI-X vector and the queues it stands for. */
struct oac_vector {
	struct oac_card *card;
	spinlock_t lock;		/* guards queues, taken in interrupts */
	struct list_head queues;	/* oac_queue.vector_node */
};

/* Where a card is in its life with firmware. */
enum oac_fw_state {
	OAC_FW_DOWN,			/* not running: contexts are refused */
	OAC_FW_BUSY,			/* a boot is under way */
	OAC_FW_UP,
};

struct oac_card {
	struct drm_device drm;
	struct pci_dev *pdev;

	void __iomem *regs;
	void __iomem *doorbells;
	u32 doorbell_pages;
	bool user_submission;		/* doorbells may be mapped: nobody reaches another's */
	u64 serial;

	struct oac_vector *vectors;	/* vector_count of them */
	unsigned int vector_count;

	struct oac_admin admin;
	struct oac_telemetry telemetry;
	struct device *hwmon;		/* changed by probe, remove and who has the turn */
	struct pci_saved_state *config;	/* of the PCI function, as at probe */
	struct oac_fw_image image;	/* that ran last; under the turn, as are the next three */
	u32 boot_fail;			/* OAC_FAIL_* of the last boot */
	u64 boot_deadline_ns;		/* a caller's, for a boot with all its commands; or U64_MAX */
	u32 last_rung;			/* that helped the card as a whole; 0: none yet; as settled */
	bool has_worked;		/* a command has ended since */
	bool settled;			/* no context can be of use: told since the card last worked */

	struct oac_progress *progress;	/* doorbell_pages entries, by queue id; gone after remove */
	dma_addr_t progress_dma;

	struct xarray context_ids;	/* id on the card -> oac_context that has it */
	struct ida queue_ids;
	struct ida group_ids;		/* oac_file.group */

	struct mutex lock;		/* guards the next five */
	enum oac_fw_state fw_state;
	struct oac_identify identify;	/* checked; all zero unless OAC_FW_UP */
	u32 protocol;			/* major << 16 | minor spoken with the firmware */
	u32 contexts;
	u32 queues;

	struct mutex bo_lock;		/* guards bos */
	struct list_head bos;		/* oac_bo.node: those mapped for DMA */

	/* Read: a fault maps a page of a BAR. Write: when it is got, no fault maps any more. */
	struct rw_semaphore doorbell_lock;

	/* The slow look at queues with pending fences: for deadlines and lost interrupts. */
	struct delayed_work fence_tick;
	spinlock_t tick_lock;		/* guards the next two */
	bool tick_set;
	unsigned long tick_jiffies;	/* when it comes */
	struct oac_users users;
	struct oac_clients clients;
	struct oac_local local;
	struct oac_counts counts;
	struct dentry *debugfs;

	struct oac_health health;
	struct oac_events events;
	struct oac_recovery recovery;
	struct oac_errands self_tests;	/* apart: they take longer than a log */
	struct oac_errands logs;
	struct oac_watch watch;

	u32 generation;			/* resets known of; raised by who has the turn */
	u32 reset_count;		/* the card's own, at its last boot */
	bool stopped;			/* no DMA, no commands, until it is booted anew */
	bool dumped;			/* there is evidence of the first failure; under the turn */
	bool loading;			/* FIRMWARE_LOAD has the turn */
	unsigned long away;		/* OAC_AWAY_*: registers are not there for the moment */
	unsigned long owed;		/* OAC_OWED_*: to the PCI core, by the next who has the turn */
	unsigned long away_until;	/* jiffies, of an error of the link; 0: none; under the turn */

	bool lost;			/* gone or given up: see oac_card_lose() */
	struct work_struct lost_work;
};

static inline struct oac_card *to_oac_card(struct drm_device *drm)
{
	return container_of(drm, struct oac_card, drm);
}

struct oac_file {
	struct oac_card *card;
	struct xarray contexts;		/* id -> oac_context, one reference each */
	struct xarray queues;		/* id -> oac_queue, one reference each */
	u32 group;			/* one client, as the card shares itself among them */
	struct mutex store_lock;	/* guards the next two */
	struct list_head stores;	/* oac_store.node: not happened yet */
	u32 store_count;
	struct oac_client client;
};

/* A range of a context's address space; the card knows it as one or more segments. */
struct oac_map {
	struct rb_node node;		/* in oac_context.maps, by va */
	u64 va;
	u64 size;
	u32 flags;			/* DRM_OAC_MAP_*; 0: taken off the card by oac_map_revoke() */
	u32 segments;
	struct oac_bo *bo;		/* one reference */
};

struct oac_context {
	struct kref ref;
	struct oac_card *card;
	struct oac_file *file;		/* may be gone once has_left is set */
	u32 hw_id;
	u32 generation;			/* of the card, when it was made */
	u32 lost;			/* OAC_LOST_*, if not by generation: see oac_context_lost() */
	struct mutex lock;		/* guards the next four and orders the context's commands */
	bool dead;
	bool has_left;			/* the card has nothing of it any more, nor can it */
	struct rb_root maps;
	struct list_head queues;	/* oac_queue.context_node, one reference each */
	/* Written under the lock, read by whoever lists contexts. */
	u32 queue_count;
	u32 map_count;
	u64 mapped_bytes;
	struct oac_usage ended;		/* of queues that are gone; guarded by oac_client.lock */
};

/* A queue's progress line, as it was in the end. */
struct oac_last {
	u32 taken;
	u32 completed;
	u32 state;
	u32 status;
	u64 fault_addr;
};

/* And as it was at the watchdog's last look but one. */
struct oac_seen {
	u32 taken;
	u32 completed;
	u32 steps;
	u32 waiting;
	unsigned long since;		/* in jiffies: so since then */
	bool is_told;			/* that it hangs */
	bool is_unheard;		/* what was submitted has not been taken, for a look */
	bool is_woken;			/* whoever waits, for what completed in the end */
};

struct oac_queue {
	struct kref ref;
	struct oac_card *card;
	struct oac_context *context;	/* one reference */
	u32 id;				/* in its file */
	u16 hw_id;			/* on the card; also its doorbell page */
	bool dead;			/* set once, under doorbell_lock */
	bool lost;			/* taken from the card alone, without its context */
	bool has_left;			/* as its context's; under the context's lock */
	struct oac_last last;		/* written before dead is set */
	struct oac_seen seen;		/* the watchdog's own */
	struct list_head context_node;	/* empty once destroyed */
	wait_queue_head_t wait;
	struct oac_vector *vector;
	struct list_head vector_node;
	struct eventfd_ctx *eventfd;	/* guarded by vector->lock */
	atomic_t arm_seq;
	bool kernel_submit;		/* the doorbell is rung by QUEUE_SUBMIT and never mapped */
	u32 depth;
	spinlock_t submit_lock;		/* guards submit_tail and the doorbell against a new owner */
	u32 submit_tail;		/* last value rung */
	struct list_head fences;	/* oac_fence.node by count; guarded by vector->lock, as are */
	u32 fence_count;
	unsigned long fence_jiffies;	/* no deadline of fences is earlier */
	struct page *dummy;		/* mapped in place of the doorbell once it is dead */
	struct list_head usage_node;	/* in oac_client.live; this and the next two: its lock */
	struct oac_usage usage;
	u32 usage_completed;		/* the progress line's count that usage.commands includes */
};

/* oac_drv.c */
extern struct workqueue_struct *oac_wq;
extern struct workqueue_struct *oac_slow_wq;	/* for what waits for cards */
void oac_card_lose(struct oac_card *card, const char *why);
int oac_card_check(struct oac_card *card);

static inline bool oac_card_is_lost(struct oac_card *card)
{
	return READ_ONCE(card->lost);
}

/* Whatever failed on a card that was lost meanwhile failed for that. */
static inline int oac_card_error(struct oac_card *card, int err)
{
	return err && oac_card_is_lost(card) ? -ENODEV : err;
}

/* Bits of oac_card.away. */
#define OAC_AWAY_PCI		0	/* the PCI core resets it, or it sleeps */
#define OAC_AWAY_RESET		1	/* we reset it */

/* Bits of oac_card.owed: see oac_pci_serve(). */
#define OAC_OWED_BEGIN		0	/* the link has an error */
#define OAC_OWED_END		1	/* it works again */

static inline bool oac_card_is_away(struct oac_card *card)
{
	return READ_ONCE(card->away);
}

/* OAC_LOST_*. Reads behind it are of what the card left, if it is lost. */
static inline u32 oac_context_lost(const struct oac_context *context)
{
	u32 lost = smp_load_acquire(&context->lost);

	if (lost || smp_load_acquire(&context->card->generation) == context->generation)
		return lost;
	return OAC_LOST_INNOCENT;
}

static inline bool oac_queue_is_lost(const struct oac_queue *queue)
{
	return smp_load_acquire(&queue->lost) || oac_context_lost(queue->context);
}

/* oac_fw.c */
int oac_fw_start(struct oac_card *card);
int oac_fw_restart(struct oac_card *card, bool use_default);
void oac_fw_set_state(struct oac_card *card, enum oac_fw_state state);
void oac_fw_forget(struct oac_card *card);
void oac_fw_stop(struct oac_card *card);
int oac_ioctl_firmware_load(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_admin.c */
int oac_admin_init(struct oac_card *card);
void oac_admin_fini(struct oac_card *card);
int oac_admin_enable(struct oac_card *card);
void oac_admin_disable(struct oac_card *card);
int oac_admin_identify(struct oac_card *card, struct oac_identify *identify);
int oac_admin_time_sync(struct oac_card *card);
int oac_admin_context_create(const struct oac_context *context, u32 group);
int oac_admin_context_take(const struct oac_context *context);
void oac_admin_context_destroy(const struct oac_context *context);
int oac_admin_map(const struct oac_context *context, u64 va, u32 flags,
		  const struct oac_segment *segments, u32 count);
void oac_admin_unmap(const struct oac_context *context, u64 va, u64 length);
int oac_admin_scrub(struct oac_card *card, u64 offset, u64 length);
int oac_admin_queue_create(const struct oac_context *context,
			   const struct oac_admin_queue_create *create);
int oac_admin_queue_abort(const struct oac_queue *queue);
int oac_admin_queue_take(const struct oac_queue *queue);
void oac_admin_queue_destroy(const struct oac_queue *queue);
int oac_admin_self_test(struct oac_card *card, u64 *failed);
int oac_admin_get_log(struct oac_card *card, u32 page, u64 start, void *entries, u32 count,
		      u32 size);

/* oac_irq.c */
int oac_irq_init(struct oac_card *card);
void oac_irq_fini(struct oac_card *card);
void oac_irq_wake_all(struct oac_card *card);
unsigned int oac_irq_queue_vector(struct oac_card *card, u16 queue);

/* oac_context.c */
struct oac_context *oac_context_get(struct oac_file *file, u32 id);
struct oac_context *oac_context_get_next(struct oac_card *card, unsigned long *hw_id);
void oac_context_put(struct oac_context *context);
void oac_context_destroy(struct oac_context *context);
int oac_context_check(const struct oac_context *context);
struct rb_root oac_context_leave(struct oac_context *context);
void oac_context_lose_all(struct oac_card *card);
int oac_ioctl_context_create(struct drm_device *drm, void *data, struct drm_file *file);
int oac_ioctl_context_destroy(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_map.c */
bool oac_map_covers(struct oac_context *context, u64 va, u64 size, u32 rights);
struct rb_root oac_map_take_all(struct oac_context *context);
void oac_map_free_all(struct rb_root *maps);
void oac_map_revoke(struct oac_bo *bo);
int oac_ioctl_map(struct drm_device *drm, void *data, struct drm_file *file);
int oac_ioctl_unmap(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_queue.c */
struct oac_queue *oac_queue_get(struct oac_file *file, u32 id);
void oac_queue_put(struct oac_queue *queue);
void oac_queue_leave(struct oac_queue *queue);
void oac_queue_destroy(struct oac_queue *queue);
int oac_ioctl_queue_create(struct drm_device *drm, void *data, struct drm_file *file);
int oac_ioctl_queue_destroy(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_submit.c */
void oac_submit_init(struct oac_card *card);
void oac_submit_again(struct oac_queue *queue);
void oac_submit_stop(struct oac_queue *queue);
int oac_ioctl_queue_submit(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_fence.c */
void oac_fence_init(struct oac_card *card);
void oac_fence_fini(struct oac_card *card);
void oac_fence_collect(struct oac_queue *queue, struct list_head *due);
void oac_fence_signal(struct list_head *due);
void oac_fence_cancel(struct oac_queue *queue);
int oac_ioctl_queue_fence(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_sync.c */
void oac_sync_cancel(struct oac_file *file);
int oac_ioctl_sync_store(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_wait.c */
u32 oac_queue_arm_sequence(struct oac_queue *queue);
void oac_queue_interrupt(struct oac_queue *queue);
int oac_ioctl_queue_wait(struct drm_device *drm, void *data, struct drm_file *file);
int oac_ioctl_queue_eventfd(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_doorbell.c */
int oac_doorbell_mmap(struct oac_file *file, struct vm_area_struct *vma);
void oac_doorbell_revoke(struct oac_queue *queue);
void oac_doorbell_revoke_all(struct oac_card *card);

/* oac_telemetry.c */
int oac_telemetry_start(struct oac_card *card, const struct oac_identify *identify);
unsigned int oac_telemetry_count(struct oac_card *card);
int oac_telemetry_read(struct oac_card *card, struct drm_oac_info_sensor *sensors);
bool oac_telemetry_known(struct oac_card *card, struct drm_oac_info_sensor *sensors, int *count);
void oac_telemetry_judge(struct oac_card *card);

/* oac_info.c */
u64 oac_info_features(struct oac_card *card);
int oac_ioctl_info_get(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_hwmon.c */
void oac_hwmon_start(struct oac_card *card);
void oac_hwmon_stop(struct oac_card *card);

#endif
