// SPDX-License-Identifier: GPL-2.0-only
// Copyright the OAC authors
/*
 * Evidence of the first failure, as a device coredump in the form of <drm/oac_dump.h>. Made before
 * anything is reset; what cannot be had is left out and says why. No user's data.
 */
#include <linux/cred.h>
#include <linux/devcoredump.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include <drm/oac_dump.h>

#include "oac_drv.h"
#include "oac_hw.h"

#define OAC_DUMP_EVENTS_MOST	256
#define OAC_DUMP_QUEUES_MOST	1024
#define OAC_DUMP_CONFIG_WORDS	256	/* the first KiB: all that cards have */
#define OAC_ADMIN_SQ_ENTRIES	(OAC_PAGE_SIZE / sizeof(struct oac_admin_cmd))
#define OAC_ADMIN_CQ_ENTRIES	(OAC_PAGE_SIZE / sizeof(struct oac_completion))

static const u16 oac_dump_regs[] = {
#define OAC_DUMP_RO(name) OAC_REG_##name,
#define OAC_DUMP_RW(name) OAC_REG_##name,
#define OAC_DUMP_WO(name)
#define OAC_DUMP_REG(name, access) OAC_DUMP_##access(name)
	/* clang-format off */
	OAC_REGS(OAC_DUMP_REG)
	/* clang-format on */
};

/* The size of the largest dump: there is room for everything that is appended. */
#define OAC_DUMP_SIZE                                                                    \
	(sizeof(struct oac_dump_header) + 9 * sizeof(struct oac_dump_section) +          \
	 ARRAY_SIZE(oac_dump_regs) * sizeof(struct oac_dump_register) +                  \
	 OAC_DUMP_CONFIG_WORDS * sizeof(struct oac_dump_config) + 2 * OAC_PAGE_SIZE +    \
	 (OAC_DUMP_QUEUES_MOST + 1) * sizeof(struct oac_dump_queue) +                    \
	 OAC_FW_LINES * sizeof(struct oac_fw_line) +                                     \
	 OAC_DUMP_EVENTS_MOST * sizeof(struct oac_dump_event) +                          \
	 OAC_RUNG_COUNT * sizeof(struct oac_dump_rung))

struct oac_dump_writer {
	struct oac_dump_header *header;
	struct oac_dump_section *section;
	size_t at;
};

/* ---- Sections --------------------------------------------------------------------------------- */

/* Room for elements of a new section; zeroed. */
static void *oac_dump_begin(struct oac_dump_writer *writer, u32 type, u32 stride)
{
	writer->section = (void *)writer->header + writer->at;
	writer->section->type = cpu_to_le32(type);
	writer->section->stride = cpu_to_le32(stride);
	writer->at += sizeof(*writer->section);
	le32_add_cpu(&writer->header->section_count, 1);
	return writer->section + 1;
}

/* That many there were, or an errno. */
static void oac_dump_end(struct oac_dump_writer *writer, int count)
{
	u64 size = (u64)max(count, 0) * le32_to_cpu(writer->section->stride);

	writer->section->count = cpu_to_le32(max(count, 0));
	writer->section->error = cpu_to_le32(max(-count, 0));
	writer->section->size = cpu_to_le64(size);
	writer->at += size;
}

static void oac_dump_registers(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_dump_register *one = oac_dump_begin(writer, OAC_DUMP_REGISTERS, sizeof(*one));
	u32 status;
	int err = oac_hw_status(card, &status);
	int i;

	for (i = 0; i < ARRAY_SIZE(oac_dump_regs) && !err; i++, one++) {
		one->offset = cpu_to_le32(oac_dump_regs[i]);
		one->value = cpu_to_le32(oac_hw_register(card, oac_dump_regs[i]));
	}
	oac_dump_end(writer, err ?: i);
}

static void oac_dump_config(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_dump_config *one = oac_dump_begin(writer, OAC_DUMP_CONFIG, sizeof(*one));
	u32 word;
	int i;

	for (i = 0; i < OAC_DUMP_CONFIG_WORDS; i++) {
		if (pci_read_config_dword(card->pdev, i * sizeof(word), &word))
			break;
		one[i].word = cpu_to_le32(word);
	}
	oac_dump_end(writer, i);
}

/* Commands and answers, of which none carries data. */
static void oac_dump_admin(struct oac_card *card, struct oac_dump_writer *writer)
{
	const struct oac_admin *admin = &card->admin;

	memcpy(oac_dump_begin(writer, OAC_DUMP_ADMIN_SQ, sizeof(*admin->sq)), admin->sq,
	       OAC_PAGE_SIZE);
	oac_dump_end(writer, OAC_ADMIN_SQ_ENTRIES);
	memcpy(oac_dump_begin(writer, OAC_DUMP_ADMIN_CQ, sizeof(*admin->cq)), admin->cq,
	       OAC_PAGE_SIZE);
	oac_dump_end(writer, OAC_ADMIN_CQ_ENTRIES);
}

static void oac_dump_queue(struct oac_queue *queue, struct oac_dump_queue *to)
{
	const struct oac_progress *line = &queue->card->progress[queue->hw_id];
	const struct oac_client *client = &queue->context->file->client;

	to->context = cpu_to_le32(queue->context->hw_id);
	to->queue = cpu_to_le16(queue->hw_id);
	to->vector = cpu_to_le16(queue->vector - queue->card->vectors);
	to->depth = cpu_to_le32(queue->depth);
	to->submit_tail = cpu_to_le32(READ_ONCE(queue->submit_tail));
	to->pid = cpu_to_le32(pid_nr(client->pid));
	to->uid = cpu_to_le32(from_kuid_munged(&init_user_ns, client->user->uid));
	to->flags = cpu_to_le32(queue->kernel_submit ? DRM_OAC_QUEUE_KERNEL_SUBMIT : 0);
	to->still_ms = cpu_to_le32(jiffies_to_msecs(jiffies - queue->seen.since));
	to->sq_head = READ_ONCE(line->sq_head);
	to->completed = READ_ONCE(line->completed);
	to->state = READ_ONCE(line->state);
	to->status = READ_ONCE(line->status);
	to->fault_addr = READ_ONCE(line->fault_addr);
	to->error_count = READ_ONCE(line->error_count);
	to->compute_ns = READ_ONCE(line->compute_ns);
	to->copy_ns = READ_ONCE(line->copy_ns);
	to->waiting = READ_ONCE(line->waiting);
	to->steps = READ_ONCE(line->steps);
}

/* A queue on a vector's list has a file. */
static u32 oac_dump_vector(struct oac_vector *vector, struct oac_dump_queue *to, u32 room)
{
	struct oac_queue *queue;
	unsigned long flags;
	u32 count = 0;

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(queue, &vector->queues, vector_node) {
		if (count == room)
			break;
		oac_dump_queue(queue, &to[count++]);
	}
	spin_unlock_irqrestore(&vector->lock, flags);
	return count;
}

static void oac_dump_queues(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_dump_queue *to = oac_dump_begin(writer, OAC_DUMP_QUEUES, sizeof(*to));
	u32 count = 0, i;

	for (i = 0; i < card->vector_count; i++)
		count += oac_dump_vector(&card->vectors[i], to + count,
					 OAC_DUMP_QUEUES_MOST - count);
	oac_dump_end(writer, count);
}

static void oac_dump_guilty(struct oac_queue *queue, struct oac_dump_writer *writer)
{
	struct oac_dump_queue *to = oac_dump_begin(writer, OAC_DUMP_GUILTY, sizeof(*to));
	unsigned long flags;
	bool is_there = false;

	if (queue) {
		spin_lock_irqsave(&queue->vector->lock, flags);
		is_there = !list_empty(&queue->vector_node);
		if (is_there)
			oac_dump_queue(queue, to);
		spin_unlock_irqrestore(&queue->vector->lock, flags);
	}
	oac_dump_end(writer, is_there);
}

/* Only firmware that still answers can tell. */
static void oac_dump_firmware_log(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_fw_line *to = oac_dump_begin(writer, OAC_DUMP_FIRMWARE_LOG, sizeof(*to));

	oac_dump_end(writer,
		     oac_admin_get_log(card, OAC_LOG_FIRMWARE, 0, to, OAC_FW_LINES, sizeof(*to)));
}

static void oac_dump_events(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_dump_event *to = oac_dump_begin(writer, OAC_DUMP_EVENTS, sizeof(*to));
	struct drm_oac_event *events;
	int count = -ENOMEM, i;

	events = kvmalloc_array(OAC_DUMP_EVENTS_MOST, sizeof(*events), GFP_KERNEL | __GFP_NOWARN);
	if (events)
		count = oac_events_tail(card, events, OAC_DUMP_EVENTS_MOST);
	for (i = 0; i < count; i++, to++) {
		to->seq = cpu_to_le64(events[i].seq);
		to->boot_ns = cpu_to_le64(events[i].boot_ns);
		to->arg = cpu_to_le64(events[i].arg);
		to->card_seq = cpu_to_le64(events[i].card_seq);
		to->card_ns = cpu_to_le64(events[i].card_ns);
		to->generation = cpu_to_le32(events[i].generation);
		to->context = cpu_to_le32(events[i].context);
		to->queue = cpu_to_le16(events[i].queue);
		to->code = cpu_to_le16(events[i].code);
		to->severity = events[i].severity;
		to->action = events[i].action;
	}
	kvfree(events);
	oac_dump_end(writer, count);
}

static void oac_dump_rungs(struct oac_card *card, struct oac_dump_writer *writer)
{
	struct oac_dump_rung *to = oac_dump_begin(writer, OAC_DUMP_RUNGS, sizeof(*to));
	struct drm_oac_info_rung rungs[OAC_RUNG_COUNT];
	int i;

	oac_recover_rungs(card, rungs);
	for (i = 0; i < OAC_RUNG_COUNT; i++, to++) {
		to->rung = cpu_to_le32(rungs[i].rung);
		to->last_cause = cpu_to_le32(rungs[i].last_cause);
		to->tried = cpu_to_le64(rungs[i].tried);
		to->helped = cpu_to_le64(rungs[i].helped);
		to->last_ns = cpu_to_le64(rungs[i].last_ns);
		to->longest_ns = cpu_to_le64(rungs[i].longest_ns);
	}
	oac_dump_end(writer, OAC_RUNG_COUNT);
}

/* ---- All of it -------------------------------------------------------------------------------- */

static void oac_dump_header(struct oac_card *card, struct oac_dump_header *header, u32 cause)
{
	header->magic = cpu_to_le64(OAC_DUMP_MAGIC);
	header->version = cpu_to_le32(OAC_DUMP_VERSION);
	header->header_size = cpu_to_le32(sizeof(*header));
	header->serial = cpu_to_le64(card->serial);
	header->boot_ns = cpu_to_le64(ktime_get_boottime_ns());
	header->real_ns = cpu_to_le64(ktime_get_real_ns());
	header->cause = cpu_to_le32(cause);
	header->generation = cpu_to_le32(card->generation);
	strscpy(header->kernel, init_utsname()->release, sizeof(header->kernel));
	strscpy(header->module, THIS_MODULE->version ?: "", sizeof(header->module));
	strscpy(header->device, pci_name(card->pdev), sizeof(header->device));
}

/* With the turn, before anything is reset. Where the kernel takes no dumps, it frees it. */
void oac_dump(struct oac_card *card, u32 cause, struct oac_queue *queue)
{
	struct oac_dump_writer writer = {};

	if (card->dumped || cause == OAC_CAUSE_OPERATOR || cause == OAC_CAUSE_RESUME)
		return;
	writer.header = __vmalloc(OAC_DUMP_SIZE, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!writer.header)
		return;
	card->dumped = true;
	writer.at = sizeof(*writer.header);
	oac_dump_header(card, writer.header, cause);
	oac_dump_registers(card, &writer);
	oac_dump_config(card, &writer);
	oac_dump_admin(card, &writer);
	oac_dump_queues(card, &writer);
	oac_dump_guilty(queue, &writer);
	oac_dump_firmware_log(card, &writer);
	oac_dump_events(card, &writer);
	oac_dump_rungs(card, &writer);
	writer.header->size = cpu_to_le64(writer.at);
	dev_coredumpv(&card->pdev->dev, writer.header, writer.at, GFP_KERNEL);
}
