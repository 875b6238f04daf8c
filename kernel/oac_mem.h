/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * Memory and accounting: buffers of every kind, the card's local memory, who holds and spent what.
 * Part of oac_drv.h, where the objects' owners and the lock order are.
 */
#ifndef OAC_MEM_H
#define OAC_MEM_H

#include <linux/atomic.h>
#include <linux/dma-direction.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include <drm/drm_gem.h>
#include <drm/drm_mm.h>

struct dma_buf;
struct dma_buf_attachment;
struct drm_device;
struct drm_file;
struct drm_printer;
struct mm_struct;
struct oac_card;
struct oac_context;
struct oac_file;
struct oac_queue;
struct page;
struct pid;
struct sg_table;

/* ---- What there is, for leak tests: debugfs file objects -------------------------------------- */

/* X(name, key in the file). All are back where they were once the clients are gone. */
#define OAC_COUNTS(X) \
	X(FILES, files) X(CONTEXTS, contexts) X(QUEUES, queues) X(BUFFERS, buffers) X(MAPS, maps) X(SEGMENTS, segments) \
	X(HOST_PAGES, host_pages) X(PINNED_PAGES, pinned_pages) X(LOCAL_BYTES, local_bytes) \
	X(IMPORTS, imports) X(EXPORTS, exports)

enum oac_count {
#define OAC_COUNT_ENUM(name, key) OAC_COUNT_##name,
	/* clang-format off */
	OAC_COUNTS(OAC_COUNT_ENUM)
/* clang-format on */
#undef OAC_COUNT_ENUM
		OAC_COUNT_KINDS,
};

struct oac_counts {
	atomic64_t value[OAC_COUNT_KINDS];
};

static inline void oac_count(struct oac_counts *counts, enum oac_count what, s64 change)
{
	atomic64_add(change, &counts->value[what]);
}

/* ---- Users and clients ------------------------------------------------------------------------ */

enum oac_quota {
	OAC_QUOTA_CONTEXTS,		/* per user and card, from here on */
	OAC_QUOTA_QUEUES,
	OAC_QUOTA_LOCAL,		/* bytes */
	OAC_QUOTA_HOST,			/* bytes */
	OAC_QUOTA_USER_KINDS,
	OAC_QUOTA_CONTEXT_QUEUES = OAC_QUOTA_USER_KINDS,	/* per context, from here on */
	OAC_QUOTA_CONTEXT_MAPS,
	OAC_QUOTA_KINDS,
};

struct oac_users {
	spinlock_t lock;		/* guards the list and its users */
	struct list_head list;
};

/* A uid on one card, kept by its open files and by what is charged to it. */
struct oac_user {
	struct list_head node;
	struct oac_card *card;
	kuid_t uid;
	u32 refs;
	u64 used[OAC_QUOTA_USER_KINDS];
};

/* Card time and commands, as the card's progress lines tell. */
struct oac_usage {
	u64 compute_ns;
	u64 copy_ns;
	u64 commands;
	u64 errors;
};

struct oac_clients {
	struct mutex lock;		/* guards the list */
	struct list_head list;
};

/* The open file as others see it. */
struct oac_client {
	struct list_head node;		/* in oac_card.clients */
	struct oac_user *user;		/* of the opener, one reference */
	struct pid *pid;
	u64 id;				/* drm-client-id */
	atomic64_t held[OAC_QUOTA_USER_KINDS];
	atomic64_t pinned_bytes;
	spinlock_t lock;		/* guards live, ended and all usage of this file's objects */
	struct list_head live;		/* oac_queue.usage_node */
	struct oac_usage ended;		/* of queues that are gone */
};

/* ---- Local memory ----------------------------------------------------------------------------- */

struct oac_local {
	/* Held while memory is scrubbed, so that none of it changes hands with the firmware. */
	struct mutex scrub_lock;
	struct mutex lock;		/* guards the rest */
	struct drm_mm mm;		/* in bytes of local memory */
	struct list_head bos;		/* oac_bo.local_node: those with a range */
	u64 size;			/* 0: none that could be used; set at probe */
	u64 used;
	bool ready;			/* firmware runs and can scrub */
};

/* ---- Buffers ---------------------------------------------------------------------------------- */

enum oac_bo_kind {
	OAC_BO_HOST,
	OAC_BO_LOCAL,
	OAC_BO_USERPTR,
	OAC_BO_IMPORT,
};

struct oac_bo {
	struct drm_gem_object gem;
	enum oac_bo_kind kind;
	enum dma_data_direction dir;	/* DMA_TO_DEVICE: the card may only read it */
	struct oac_user *user;		/* who it is charged to, one reference; NULL: nobody */

	struct page **pages;		/* HOST, USERPTR: for the object's whole life */
	struct mutex lock;		/* guards sgt; IMPORT: the dma-buf's reservation lock does */
	struct sg_table *sgt;		/* all but LOCAL: mapped for DMA, from the first map on */
	struct list_head node;		/* in oac_card.bos while mapped for DMA */

	struct drm_mm_node range;	/* LOCAL: where it is, while it is not stale */
	struct list_head local_node;
	/* Set once: the memory is not its own any more. LOCAL: under doorbell_lock. */
	bool stale;
	struct page *dummy;		/* LOCAL: mapped once the memory is gone */
	struct dma_buf *exported;	/* LOCAL: no reference; guarded by gem.resv */

	struct mm_struct *mm;		/* USERPTR: whose pinned_vm counts it */
	unsigned long pinned;		/* USERPTR: pages */

	struct dma_buf *dmabuf;		/* IMPORT: one reference */
	struct dma_buf_attachment *attach;	/* IMPORT: until remove */
};

static inline struct oac_bo *to_oac_bo(struct drm_gem_object *gem)
{
	return container_of(gem, struct oac_bo, gem);
}

static inline unsigned long oac_bo_page_count(const struct oac_bo *bo)
{
	return bo->gem.size >> PAGE_SHIFT;
}

/* oac_bo.c */
struct oac_bo *oac_bo_new(struct oac_card *card, enum oac_bo_kind kind, size_t size);
int oac_bo_dma_map(struct oac_bo *bo);
void *oac_bo_kernel_address(struct oac_bo *bo, u64 offset);
void oac_bo_dma_unmap_all(struct oac_card *card);
void oac_bo_list_add(struct oac_bo *bo);
int oac_ioctl_bo_create(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_pages.c */
int oac_pages_alloc(struct oac_bo *bo);
void oac_pages_free(struct oac_bo *bo);

/* oac_local.c */
void oac_local_init(struct oac_card *card);
void oac_local_fini(struct oac_card *card);
int oac_local_start(struct oac_card *card);
void oac_local_stop(struct oac_card *card);
void oac_local_revoke_all(struct oac_card *card);
u64 oac_local_free_bytes(struct oac_card *card);
int oac_local_alloc(struct oac_bo *bo);
void oac_local_free(struct oac_bo *bo);

/* oac_userptr.c */
void oac_userptr_free(struct oac_bo *bo);
int oac_ioctl_bo_userptr(struct drm_device *drm, void *data, struct drm_file *file);

/* oac_prime.c */
int oac_prime_handle_to_fd(struct drm_device *drm, struct drm_file *file, u32 handle, u32 flags,
			   int *fd);
struct dma_buf *oac_prime_export(struct drm_gem_object *gem, int flags);
struct drm_gem_object *oac_prime_import(struct drm_device *drm, struct dma_buf *dmabuf);
bool oac_prime_has_peer(struct oac_card *card);
void oac_prime_revoke(struct oac_bo *bo, unsigned long deadline);
void oac_prime_detach(struct oac_bo *bo);
void oac_prime_free(struct oac_bo *bo);

/* oac_user.c */
void oac_users_init(struct oac_card *card);
struct oac_user *oac_user_get(struct oac_card *card, kuid_t uid);
void oac_user_put(struct oac_user *user);
bool oac_user_is_capable(int capability);
u64 oac_user_limit(struct oac_card *card, enum oac_quota what);
int oac_user_charge(struct oac_user *user, enum oac_quota what, u64 amount, u32 *limit);
void oac_user_uncharge(struct oac_user *user, enum oac_quota what, u64 amount);
int oac_user_check_context(struct oac_card *card, enum oac_quota what, u64 has, u32 *limit);
int oac_user_charge_bo(struct oac_bo *bo, struct oac_user *user, u32 *limit);
void oac_user_uncharge_bo(struct oac_bo *bo);

/* oac_client.c */
void oac_clients_init(struct oac_card *card);
int oac_client_open(struct oac_file *file, struct drm_file *drm_file);
void oac_client_close(struct oac_file *file);
int oac_client_charge(struct oac_file *file, enum oac_quota what, u32 *limit);
void oac_client_uncharge(struct oac_file *file, enum oac_quota what);
int oac_client_bo_open(struct drm_gem_object *gem, struct drm_file *drm_file);
void oac_client_bo_close(struct drm_gem_object *gem, struct drm_file *drm_file);
void oac_usage_start(struct oac_queue *queue);
void oac_usage_end(struct oac_queue *queue);
void oac_usage_of_file(struct oac_file *file, struct oac_usage *sum);
void oac_usage_of_context(struct oac_context *context, struct oac_usage *sum);
void oac_client_fdinfo(struct drm_printer *p, struct drm_file *drm_file);

/* oac_debugfs.c */
void oac_debugfs_init(void);
void oac_debugfs_fini(void);
void oac_debugfs_add(struct oac_card *card);
void oac_debugfs_remove(struct oac_card *card);

#endif
