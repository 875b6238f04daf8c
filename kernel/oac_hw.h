/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright the OAC authors */
/*
 * The card's registers and doorbells as functions. Callers keep the BARs mapped by being between
 * probe and remove or inside drm_dev_enter().
 */
#ifndef OAC_HW_H
#define OAC_HW_H

#include <linux/types.h>

struct oac_card;

void oac_hw_pause(unsigned int *us);

int oac_hw_init(struct oac_card *card);
void oac_hw_fini(struct oac_card *card);

int oac_hw_status(struct oac_card *card, u32 *status);
int oac_hw_state(struct oac_card *card, u32 *state);
bool oac_hw_admin_failed(struct oac_card *card);
u32 oac_hw_protocol(struct oac_card *card);
u32 oac_hw_boot_fail(struct oac_card *card);
u32 oac_hw_boot_progress(struct oac_card *card);
u32 oac_hw_reset_count(struct oac_card *card);
bool oac_hw_is_there(struct oac_card *card);
u32 oac_hw_event_seq(struct oac_card *card);
u32 oac_hw_heartbeat(struct oac_card *card);
u32 oac_hw_register(struct oac_card *card, u32 reg);
u64 oac_hw_lmem_size(struct oac_card *card);
bool oac_hw_doorbells_are_isolated(struct oac_card *card);
u64 oac_hw_lmem_window(struct oac_card *card);
unsigned long oac_hw_lmem_pfn(struct oac_card *card, u64 offset);

void oac_hw_boot_host(struct oac_card *card, dma_addr_t image, u32 size);
void oac_hw_boot_flash(struct oac_card *card);
int oac_hw_reset(struct oac_card *card);
int oac_hw_await_reset(struct oac_card *card, u32 count);

void oac_hw_admin_enable(struct oac_card *card, dma_addr_t sq, dma_addr_t cq, u32 depth);
void oac_hw_admin_disable(struct oac_card *card);
void oac_hw_admin_ring(struct oac_card *card, u32 tail);

void oac_hw_queue_ring(struct oac_card *card, u16 queue, u32 tail);
void oac_hw_queue_arm(struct oac_card *card, u16 queue, u32 sequence, u32 seen);
unsigned long oac_hw_doorbell_pfn(struct oac_card *card, u16 queue);

#endif
