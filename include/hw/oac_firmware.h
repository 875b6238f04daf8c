/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 6: the firmware image.
 *
 *   struct oac_fw_header
 *   struct oac_fw_section [section_count]
 *   sections, each at its offset, 64-byte aligned
 *   signature: 64 bytes, Ed25519 over everything before it
 *
 * The boot ROM checks in this order and stops at the first failure: room for a header (TRUNCATED),
 * magic (MAGIC), the size the header says (TRUNCATED), format, table and offsets (FORMAT), family
 * (FAMILY), protocol (PROTOCOL), signature (SIGNATURE), each section's SHA-256 (HASH), security
 * version (ROLLBACK), manifest (MANIFEST).
 * An image whose bytes were damaged after signing fails as SIGNATURE; HASH is what an image signed
 * over wrong hashes gives. A tool that wants to name the damaged section checks hashes first.
 */
#ifndef OAC_HW_FIRMWARE_H
#define OAC_HW_FIRMWARE_H

#include "oac_types.h"
#include "oac_admin.h"
#include "oac_telemetry.h"

#define OAC_FW_MAGIC		0x5746434f41430a1aull	/* detects text-mode damage */
#define OAC_FW_FORMAT		1
#define OAC_FW_FAMILY_OAC1	0x0ac1
#define OAC_FW_SECTIONS_MAX	16
#define OAC_FW_IMAGE_SIZE_MAX	0x4000000u	/* 64 MiB */
#define OAC_FW_ALIGN		64
#define OAC_FW_HASH_SIZE	32
#define OAC_FW_SIGNATURE_SIZE	64
#define OAC_FW_KEY_SIZE		32	/* Ed25519 public key */

struct oac_fw_header {
	__le64 magic;
	__le32 format;
	__le32 family;
	__le64 image_size;	/* bytes, signature included */
	__le32 header_size;	/* this struct and the section table */
	__le32 section_count;
	__le32 version[3];	/* major, minor, patch */
	__le32 security_version;
	__le16 protocol_major;
	__le16 protocol_minor;
	__le32 rsvd[3];
};
OAC_ASSERT_SIZE(struct oac_fw_header, 64);

#define OAC_FW_SECTION_MANIFEST	0x1	/* struct oac_fw_manifest; exactly one */
#define OAC_FW_SECTION_CODE	0x2	/* engine microcode, opaque to the host */
#define OAC_FW_SECTION_NOTES	0x3	/* UTF-8 text for people */
#define OAC_FW_SECTION_TYPES(X) X(MANIFEST) X(CODE) X(NOTES)

struct oac_fw_section {
	__le32 type;		/* OAC_FW_SECTION_* */
	__le32 rsvd;
	__le64 offset;		/* from the start of the image */
	__le64 size;
	__u8 sha256[OAC_FW_HASH_SIZE];
	__le64 rsvd1;
};
OAC_ASSERT_SIZE(struct oac_fw_section, 64);

/* What the firmware makes of the card; struct oac_identify is filled from it. */
struct oac_fw_manifest {
	__u8 model[OAC_MODEL_NAME_SIZE];
	__le64 features;
	__le64 cmd_mask[OAC_MASK_WORDS];
	__le64 op_mask[OAC_MASK_WORDS];
	__le32 engine_count;	/* 1..OAC_FW_ENGINES_MAX */
	__le32 engine_clock_khz;
	__le32 max_contexts;	/* 1..OAC_FW_CONTEXTS_MAX */
	__le32 max_queues;	/* 1..doorbell pages - 1 */
	__le32 max_depth_log2;	/* 1..OAC_FW_DEPTH_LOG2_MAX */
	__le32 max_segments;	/* 1..OAC_FW_SEGMENTS_MAX */
	__le32 max_maps;
	__le32 event_capacity;	/* 1..OAC_FW_EVENTS_MAX */
	__le32 power_limit_mw;
	__le32 idle_power_mw;
	__le32 sensor_count;	/* 0..OAC_SENSOR_MAX */
	__le32 rsvd[3];
	struct oac_sensor_info sensors[OAC_SENSOR_MAX];
};
OAC_ASSERT_SIZE(struct oac_fw_manifest, 1696);

#define OAC_FW_ENGINES_MAX	64
#define OAC_FW_CONTEXTS_MAX	65535
#define OAC_FW_DEPTH_LOG2_MAX	15
#define OAC_FW_SEGMENTS_MAX	4096
#define OAC_FW_MAPS_MAX		0x100000
#define OAC_FW_EVENTS_MAX	65536

#endif
