/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * The vfio-user wire format, protocol version 0.0, as stock QEMU (>= 11.1) speaks it: the subset
 * that the emulated card serves and libaccel's bus client sends. No sockets and no policy here.
 *
 * One stream socket carries both directions. A message is a 16-byte header, a payload, and file
 * descriptors in one SCM_RIGHTS on the header's first byte. A reply echoes id and cmd; an error
 * reply is the header alone, with VFIO_USER_FLAG_ERROR and a positive errno. All fields are in host
 * byte order (both ends are one machine), naturally aligned, with no padding but what is shown.
 * The client may send further commands before it has read a reply, and answers DMA_READ and
 * DMA_WRITE from the server at any time, also while it waits for a reply of its own (or says in
 * its VERSION that it does not, see VFIO_USER_CLIENT_CAPABILITIES).
 */
#ifndef VFIO_USER_H
#define VFIO_USER_H

#include <assert.h>
#include <stdint.h>

#define VFIO_USER_ASSERT_SIZE(type, size) \
	static_assert(sizeof(type) == (size), #type " has a fixed size")

/* ---- Header ------------------------------------------------------------------------------- */

struct vfio_user_header {
	uint16_t id;		/* chosen by the sender of the command */
	uint16_t cmd;		/* VFIO_USER_* */
	uint32_t size;		/* whole message, header included */
	uint32_t flags;		/* VFIO_USER_TYPE_*, VFIO_USER_FLAG_* */
	uint32_t error;		/* positive errno in an error reply, else 0 */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_header, 16);

#define VFIO_USER_TYPE_MASK		0x0000000fu
#define VFIO_USER_TYPE_COMMAND		0x0u
#define VFIO_USER_TYPE_REPLY		0x1u
#define VFIO_USER_FLAG_NO_REPLY		0x10u	/* command: none is wanted, not even an error */
#define VFIO_USER_FLAG_ERROR		0x20u

/* Client to server but for DMA_READ and DMA_WRITE, which are server to client. */
#define VFIO_USER_VERSION		1
#define VFIO_USER_DMA_MAP		2
#define VFIO_USER_DMA_UNMAP		3
#define VFIO_USER_DEVICE_GET_INFO	4
#define VFIO_USER_DEVICE_GET_REGION_INFO 5
#define VFIO_USER_DEVICE_GET_REGION_IO_FDS 6	/* not served */
#define VFIO_USER_DEVICE_GET_IRQ_INFO	7
#define VFIO_USER_DEVICE_SET_IRQS	8
#define VFIO_USER_REGION_READ		9
#define VFIO_USER_REGION_WRITE		10
#define VFIO_USER_DMA_READ		11
#define VFIO_USER_DMA_WRITE		12
#define VFIO_USER_DEVICE_RESET		13	/* no payload either way */
#define VFIO_USER_REGION_WRITE_MULTI	15	/* not served */

/* ---- Limits ------------------------------------------------------------------------------- */

#define VFIO_USER_MAX_DATA_XFER_SIZE	0x100000u	/* data bytes in one message */
#define VFIO_USER_MAX_FDS		16		/* file descriptors in one message */
/* No message in either direction is longer: header, largest fixed part, data. */
#define VFIO_USER_MAX_MESSAGE_SIZE	(VFIO_USER_MAX_DATA_XFER_SIZE + 0x1000u)
#define VFIO_USER_SOCKET_PATH_MAX	107		/* bytes, without the NUL */

/* ---- VERSION ------------------------------------------------------------------------------ */

/* Followed by a NUL-terminated JSON text, counted in the header's size. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_version, 4);

/*
 * A server whose card has a client answers EBUSY. Ours puts JSON {"holder": PID} behind that header,
 * without a NUL, if it knows the process and the answer gets no longer than the request.
 */
#define VFIO_USER_VERSION_MAJOR		0
#define VFIO_USER_VERSION_MINOR		0
/* QEMU takes a reply no longer than its request (214 bytes); this one is far below that. */
#define VFIO_USER_CAPABILITIES \
	"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576}}"
/*
 * What libaccel says. no_dma_messages is ours alone (other servers ignore keys they do not know):
 * all memory comes with descriptors and nobody would answer a DMA_READ, so an access outside the
 * maps fails at once. A client that leaves the key out answers DMA_READ and DMA_WRITE at any time.
 */
#define VFIO_USER_CLIENT_CAPABILITIES \
	"{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576," \
	"\"no_dma_messages\":true}}"

/* ---- DMA maps ----------------------------------------------------------------------------- */

/* At most one descriptor: memory to map at offset. Without: reachable by DMA messages only. */
struct vfio_user_dma_map {
	uint32_t argsz;		/* sizeof this struct */
	uint32_t flags;		/* VFIO_USER_DMA_MAP_* */
	uint64_t offset;	/* into the descriptor */
	uint64_t address;	/* bus address */
	uint64_t size;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_dma_map, 32);

#define VFIO_USER_DMA_MAP_READ		0x1u	/* the card may read */
#define VFIO_USER_DMA_MAP_WRITE		0x2u	/* the card may write */
#define VFIO_USER_DMA_MAP_FLAGS		0x3u

/* The reply, the same 24 bytes, comes when no access to the range is in flight any more. */
struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_USER_DMA_UNMAP_* */
	uint64_t address;
	uint64_t size;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_dma_unmap, 24);

#define VFIO_USER_DMA_UNMAP_ALL		0x2u	/* address and size are 0 */

/* DMA_READ, DMA_WRITE, both ways; data follows in a DMA_WRITE and in the reply to DMA_READ. */
struct vfio_user_dma_access {
	uint64_t address;
	uint64_t count;		/* at most VFIO_USER_MAX_DATA_XFER_SIZE */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_dma_access, 16);

/* ---- Device ------------------------------------------------------------------------------- */

struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_USER_DEVICE_* */
	uint32_t num_regions;
	uint32_t num_irqs;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_device_info, 16);

#define VFIO_USER_DEVICE_CAN_RESET	0x1u
#define VFIO_USER_DEVICE_IS_PCI		0x2u

/* ---- Regions ------------------------------------------------------------------------------ */

#define VFIO_USER_REGION_BAR0		0	/* BAR n is region n */
#define VFIO_USER_REGION_BAR5		5
#define VFIO_USER_REGION_ROM		6
#define VFIO_USER_REGION_CONFIG		7
#define VFIO_USER_REGION_VGA		8
#define VFIO_USER_NUM_REGIONS		9

#define VFIO_USER_CONFIG_SIZE		4096u

/*
 * The reply's argsz is what the whole answer needs. When the request's argsz is smaller, the reply
 * carries this struct alone: ask again. The descriptor comes with both.
 */
struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_USER_REGION_* flags below */
	uint32_t index;
	uint32_t cap_offset;	/* of the first capability, from the start of this; 0: none */
	uint64_t size;		/* 0: no such region */
	uint64_t offset;	/* of the region in its descriptor, for mmap() */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_region_info, 32);

#define VFIO_USER_REGION_CAN_READ	0x1u
#define VFIO_USER_REGION_CAN_WRITE	0x2u
#define VFIO_USER_REGION_CAN_MMAP	0x4u	/* one descriptor comes with the reply */
#define VFIO_USER_REGION_HAS_CAPS	0x8u

struct vfio_user_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next;		/* offset of the next one, 0: last */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_cap_header, 8);

#define VFIO_USER_CAP_SPARSE_MMAP	1
#define VFIO_USER_CAP_SPARSE_MMAP_VERSION 1

/* Followed by nr_areas of struct vfio_user_sparse_area; one descriptor backs all of them. */
struct vfio_user_sparse_mmap {
	struct vfio_user_cap_header header;
	uint32_t nr_areas;
	uint32_t rsvd;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_sparse_mmap, 16);

struct vfio_user_sparse_area {
	uint64_t offset;	/* in the region */
	uint64_t size;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_sparse_area, 16);

/* REGION_READ, REGION_WRITE, both ways; data follows in a write and in the reply to a read. */
struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;		/* at most VFIO_USER_MAX_DATA_XFER_SIZE */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_region_access, 16);

/* ---- Interrupts --------------------------------------------------------------------------- */

#define VFIO_USER_IRQ_INTX		0
#define VFIO_USER_IRQ_MSI		1
#define VFIO_USER_IRQ_MSIX		2
#define VFIO_USER_IRQ_ERR		3
#define VFIO_USER_IRQ_REQ		4
#define VFIO_USER_NUM_IRQS		5

struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;		/* VFIO_USER_IRQ_* flags below */
	uint32_t index;
	uint32_t count;		/* 0: none of this kind */
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_irq_info, 16);

#define VFIO_USER_IRQ_EVENTFD		0x1u
#define VFIO_USER_IRQ_MASKABLE		0x2u
#define VFIO_USER_IRQ_AUTOMASKED	0x4u
#define VFIO_USER_IRQ_NORESIZE		0x8u

/*
 * DATA_EVENTFD | ACTION_TRIGGER with one eventfd per vector connects start .. start + count - 1
 * (more than VFIO_USER_MAX_FDS go in several messages); with no descriptor it disconnects them.
 * DATA_NONE | ACTION_TRIGGER with count 0 disconnects all of the index.
 */
struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;		/* one VFIO_USER_IRQ_SET_DATA_*, one VFIO_USER_IRQ_SET_ACTION_* */
	uint32_t index;
	uint32_t start;
	uint32_t count;
};
VFIO_USER_ASSERT_SIZE(struct vfio_user_irq_set, 20);

#define VFIO_USER_IRQ_SET_DATA_NONE	0x1u
#define VFIO_USER_IRQ_SET_DATA_BOOL	0x2u	/* one byte per vector follows */
#define VFIO_USER_IRQ_SET_DATA_EVENTFD	0x4u
#define VFIO_USER_IRQ_SET_DATA_MASK	0x7u
#define VFIO_USER_IRQ_SET_ACTION_MASK	0x8u
#define VFIO_USER_IRQ_SET_ACTION_UNMASK	0x10u
#define VFIO_USER_IRQ_SET_ACTION_TRIGGER 0x20u
#define VFIO_USER_IRQ_SET_ACTIONS	0x38u

#endif
