// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * All MMIO of the module. The rules are in include/hw/oac_types.h; nothing here keeps state or
 * decides what a failure means, but a register of all ones makes the card lost.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_RESET_TIMEOUT_MS	2000
#define OAC_POLL_LEAST_US	50
#define OAC_POLL_MOST_US	2000

static u32 oac_read(struct oac_card *card, u32 reg)
{
	return readl(card->regs + reg);
}

static void oac_write(struct oac_card *card, u32 reg, u32 value)
{
	writel(value, card->regs + reg);
}

static u64 oac_read_pair(struct oac_card *card, u32 low, u32 high)
{
	u32 value = oac_read(card, low);

	return (u64)oac_read(card, high) << 32 | value;
}

/* Low half first: the write of the high half takes effect. */
static void oac_write_pair(struct oac_card *card, u32 low, u32 high, u64 value)
{
	oac_write(card, low, lower_32_bits(value));
	oac_write(card, high, upper_32_bits(value));
}

static int oac_hw_map_bars(struct oac_card *card)
{
	struct pci_dev *pdev = card->pdev;

	if (pci_resource_len(pdev, OAC_BAR_REGS) < OAC_BAR_REGS_SIZE ||
	    pci_resource_len(pdev, OAC_BAR_DOORBELL) < 2 * OAC_DB_PAGE_SIZE) {
		drm_err(&card->drm, "BAR sizes are not those of this card\n");
		return -ENODEV;
	}
	/* The MSI-X table behind the registers belongs to the PCI core. */
	card->regs = pci_iomap(pdev, OAC_BAR_REGS, OAC_MSIX_TABLE_OFFSET);
	if (!card->regs)
		return -ENOMEM;
	card->doorbells = pci_iomap(pdev, OAC_BAR_DOORBELL, 0);
	if (!card->doorbells) {
		pci_iounmap(pdev, card->regs);
		return -ENOMEM;
	}
	return 0;
}

/* Is this a card that we can drive? The protocol's minor may differ. */
static int oac_hw_identify(struct oac_card *card)
{
	resource_size_t room = pci_resource_len(card->pdev, OAC_BAR_DOORBELL) / OAC_DB_PAGE_SIZE;
	u32 id = oac_read(card, OAC_REG_ID);
	u32 protocol = oac_hw_protocol(card);
	u32 cap = oac_read(card, OAC_REG_CAP);
	u32 pages = FIELD_GET(OAC_CAP_DOORBELL_PAGES_MASK, cap);

	if (id != OAC_ID_MAGIC) {
		drm_err(&card->drm, "register ID reads %#x: not an OAC card, or it is gone\n", id);
		return -ENODEV;
	}
	if (FIELD_GET(OAC_PROTOCOL_MAJOR_MASK, protocol) != OAC_PROTOCOL_MAJOR) {
		drm_err(&card->drm, "the card's ROM speaks protocol %#x, this driver major %u\n",
			protocol, OAC_PROTOCOL_MAJOR);
		return -EPROTONOSUPPORT;
	}
	/* Waking such a card takes a trapped store, which a mapped BAR cannot make. */
	if (cap & OAC_CAP_DOORBELL_SHARED_MASK) {
		drm_err(&card->drm, "doorbells are polled memory: for user-space drivers only\n");
		return -ENODEV;
	}
	if (pages < 2 || pages > room) {
		drm_err(&card->drm, "%u doorbell pages do not fit BAR %u\n", pages,
			OAC_BAR_DOORBELL);
		return -ENODEV;
	}
	card->doorbell_pages = pages;
	card->serial = oac_read_pair(card, OAC_REG_SERIAL_LO, OAC_REG_SERIAL_HI);
	return 0;
}

int oac_hw_init(struct oac_card *card)
{
	int err = oac_hw_map_bars(card);

	if (err)
		return err;
	err = oac_hw_identify(card);
	if (err)
		oac_hw_fini(card);
	return err;
}

void oac_hw_fini(struct oac_card *card)
{
	pci_iounmap(card->pdev, card->doorbells);
	pci_iounmap(card->pdev, card->regs);
}

int oac_hw_status(struct oac_card *card, u32 *status)
{
	*status = OAC_REG_ALL_ONES;
	if (pci_dev_is_disconnected(card->pdev)) {
		oac_card_lose(card, "it was removed");
		return -ENODEV;
	}
	if (oac_card_is_away(card))
		return -EHOSTDOWN;
	*status = oac_read(card, OAC_REG_STATUS);
	if (*status != OAC_REG_ALL_ONES)
		return 0;
	/* Frozen, and the PCI core is about to tell; or a reset has begun since. */
	if (pci_channel_offline(card->pdev) || oac_card_is_away(card))
		return -EHOSTDOWN;
	/* On the bus, without the addresses that it was given: that is mended with the reset. */
	if (pci_device_is_present(card->pdev)) {
		oac_card_fail(card, OAC_CAUSE_SELF_RESET, "its registers are not where they were");
		return -EHOSTDOWN;
	}
	oac_card_lose(card, "registers read all ones");
	return -ENODEV;
}

int oac_hw_state(struct oac_card *card, u32 *state)
{
	u32 status;
	int err = oac_hw_status(card, &status);

	*state = FIELD_GET(OAC_STATUS_STATE_MASK, status);
	return err;
}

bool oac_hw_admin_failed(struct oac_card *card)
{
	u32 status;

	return oac_hw_status(card, &status) || status & OAC_STATUS_ADMIN_ERROR_MASK;
}

u32 oac_hw_protocol(struct oac_card *card)
{
	return oac_read(card, OAC_REG_PROTOCOL);
}

u32 oac_hw_boot_fail(struct oac_card *card)
{
	return oac_read(card, OAC_REG_BOOT_FAIL);
}

u32 oac_hw_boot_progress(struct oac_card *card)
{
	return oac_read(card, OAC_REG_BOOT_PROGRESS);
}

u32 oac_hw_reset_count(struct oac_card *card)
{
	return oac_read(card, OAC_REG_RESET_COUNT);
}

/* Answers the right card? Even while it is away. */
bool oac_hw_is_there(struct oac_card *card)
{
	return oac_read(card, OAC_REG_ID) == OAC_ID_MAGIC;
}

u32 oac_hw_event_seq(struct oac_card *card)
{
	return oac_read(card, OAC_REG_EVENT_SEQ);
}

u32 oac_hw_heartbeat(struct oac_card *card)
{
	return oac_read(card, OAC_REG_HEARTBEAT);
}

/* One register of OAC_REGS that may be read, for a dump. */
u32 oac_hw_register(struct oac_card *card, u32 reg)
{
	return oac_read(card, reg);
}

u64 oac_hw_lmem_size(struct oac_card *card)
{
	return oac_read_pair(card, OAC_REG_LMEM_SIZE_LO, OAC_REG_LMEM_SIZE_HI);
}

/* May one process have one queue's doorbell page? With larger pages it would get its neighbours'. */
bool oac_hw_doorbells_are_isolated(struct oac_card *card)
{
	return PAGE_SIZE == OAC_DB_PAGE_SIZE &&
	       oac_read(card, OAC_REG_CAP) & OAC_CAP_DOORBELL_ISOLATED_MASK;
}

/* Bytes of local memory that BAR2 has room for. */
u64 oac_hw_lmem_window(struct oac_card *card)
{
	return pci_resource_len(card->pdev, OAC_BAR_LMEM);
}

unsigned long oac_hw_lmem_pfn(struct oac_card *card, u64 offset)
{
	return PHYS_PFN(pci_resource_start(card->pdev, OAC_BAR_LMEM) + offset);
}

void oac_hw_boot_host(struct oac_card *card, dma_addr_t image, u32 size)
{
	oac_write_pair(card, OAC_REG_BOOT_ADDR_LO, OAC_REG_BOOT_ADDR_HI, image);
	oac_write(card, OAC_REG_BOOT_SIZE, size);
	/* writel() orders this behind the stores that filled the image. */
	oac_write(card, OAC_REG_BOOT_COMMAND, OAC_BOOT_HOST);
}

void oac_hw_boot_flash(struct oac_card *card)
{
	oac_write(card, OAC_REG_BOOT_COMMAND, OAC_BOOT_FLASH);
}

/*
 * Between two looks at what the card is at. It begins with 0 and becomes longer: what is fast is seen
 * at once, what takes seconds costs few looks.
 */
void oac_hw_pause(unsigned int *us)
{
	*us = clamp_t(unsigned int, 2 * *us, OAC_POLL_LEAST_US, OAC_POLL_MOST_US);
	usleep_range(*us, 2 * *us);
}

/*
 * Waits until a reset has happened: the card is in state ROM, and its count of resets, which tells
 * that from the ROM before, is not what it was.
 */
int oac_hw_await_reset(struct oac_card *card, u32 count)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(OAC_RESET_TIMEOUT_MS);
	unsigned int pause_us = 0;
	bool late = false;
	u32 state;
	int err;

	while (!late) {
		late = time_after(jiffies, deadline);
		err = oac_hw_state(card, &state);
		if (err)
			return err;
		if (state == OAC_STATE_ROM && oac_hw_reset_count(card) != count)
			return 0;
		oac_hw_pause(&pause_us);
	}
	return -ETIME;
}

/* Back to state ROM; when this returns, the card makes no more use of host memory. */
int oac_hw_reset(struct oac_card *card)
{
	u32 count = oac_hw_reset_count(card);

	oac_write(card, OAC_REG_RESET, OAC_RESET_MAGIC);
	return oac_hw_await_reset(card, count);
}

void oac_hw_admin_enable(struct oac_card *card, dma_addr_t sq, dma_addr_t cq, u32 depth)
{
	oac_write_pair(card, OAC_REG_ADMIN_SQ_LO, OAC_REG_ADMIN_SQ_HI, sq);
	oac_write_pair(card, OAC_REG_ADMIN_CQ_LO, OAC_REG_ADMIN_CQ_HI, cq);
	oac_write(card, OAC_REG_ADMIN_DEPTH, depth);
	oac_write(card, OAC_REG_ADMIN_CONTROL, OAC_ADMIN_CONTROL_ENABLE_MASK);
}

void oac_hw_admin_disable(struct oac_card *card)
{
	oac_write(card, OAC_REG_ADMIN_CONTROL, 0);
}

/* Publishes admin commands: writel() orders it behind the stores to the ring. */
void oac_hw_admin_ring(struct oac_card *card, u32 tail)
{
	writel(tail, card->doorbells + OAC_DB_SQ_TAIL);
}

/* Publishes a queue's commands: writel() orders it behind what the caller has seen stored. */
void oac_hw_queue_ring(struct oac_card *card, u16 queue, u32 tail)
{
	if (READ_ONCE(card->stopped))
		return;
	writel(tail, card->doorbells + (size_t)queue * OAC_DB_PAGE_SIZE + OAC_DB_SQ_TAIL);
}

/* Asks for one interrupt as soon as the queue's completions differ from seen. */
void oac_hw_queue_arm(struct oac_card *card, u16 queue, u32 sequence, u32 seen)
{
	if (READ_ONCE(card->stopped))
		return;
	writeq((u64)sequence << OAC_DB_ARM_SEQ_SHIFT | seen,
	       card->doorbells + (size_t)queue * OAC_DB_PAGE_SIZE + OAC_DB_ARM);
}

unsigned long oac_hw_doorbell_pfn(struct oac_card *card, u16 queue)
{
	return PHYS_PFN(pci_resource_start(card->pdev, OAC_BAR_DOORBELL)) + queue;
}
