/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * libaccel: one program for inference accelerator cards behind the oac kernel module, behind a
 * socket, or emulated in its own process (ACCEL_EMU=6 in the environment gives six of them).
 *
 *	accel_device -> accel_context -> { accel_queue, maps of accel_buffer, accel_timeline }
 *
 * How cards are doing (telemetry, health, recovery, events) is in accel_health.h, which this includes.
 *
 * Conventions
 *  - Functions return 0 (or a count where they say so), or -Exxx; errno is neither read nor set.
 *    Results come back through out-parameters, which are untouched on error.
 *    accel_error_text() tells what the last failed call of this thread failed on and what to do.
 *  - Handles are opaque. A create/open/alloc call gives ownership to the caller; the matching
 *    destroy/close takes NULL. Destroy children before parents; closing a parent first is refused
 *    with -EBUSY where the call returns int.
 *  - Device addresses are 64-bit numbers in a context's own 48-bit address space, 0 is never one.
 *  - Sizes and offsets are bytes, times are nanoseconds, unless the name says otherwise.
 *  - Every call that waits for work takes a timeout: ACCEL_TIMEOUT_DEFAULT is finite (30 s). Calls
 *    without one need at most a few answers of the card, each within a limit of the driver or library
 *    (10 s), after which it is lost, and wait 30 s at most for other threads' calls: -ETIMEDOUT. With
 *    the kernel driver they wait for others as long as the card answers those in time, or the process
 *    is killed.
 *  - Errors any call may give: -EINVAL (argument; NULL handle), -ENOMEM, -ENODEV (the card is lost,
 *    for good for this handle), -EHOSTDOWN (its firmware is not running, or it is being recovered),
 *    -ESTALE (the card was reset: this context and what was made in it are lost, destroy them and
 *    make others; host buffers are as good as before, local ones are not), -ETIMEDOUT.
 *  - Threads: any number of threads may use any handle at once, queues included, but for the call
 *    that destroys it and for queues made with ACCEL_QUEUE_ONE_THREAD. A handle may be used until
 *    its destroy call begins.
 *  - fork(): handles stay with the parent. In the child every call with one of them, destroy calls
 *    included, changes nothing for the parent; what returns int gives -ENODEV. Buffers' host
 *    pointers are not there in the child. The child may open cards of its own.
 *  - No function is a cancellation point. A signal handler may run at any time; waits go on after
 *    it until their deadline. dlclose() of the library does nothing.
 */
#ifndef ACCEL_H
#define ACCEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACCEL_API __attribute__((visibility("default")))

typedef struct accel_device_list accel_device_list;
typedef struct accel_device accel_device;
typedef struct accel_context accel_context;
typedef struct accel_buffer accel_buffer;
typedef struct accel_queue accel_queue;
typedef struct accel_timeline accel_timeline;

#define ACCEL_TIMEOUT_DEFAULT	((int64_t)-1)	/* 30 s */
#define ACCEL_TIMEOUT_INFINITE	INT64_MAX
/* Any other value >= 0: nanoseconds; 0 looks once. */

/* "0.1.0": the version of the library, not of the headers. */
ACCEL_API const char *accel_version(void);

/*
 * What the last call of this thread that returned an error failed on, and what to do about it;
 * "" if none has. Valid until the thread's next failing call.
 */
ACCEL_API const char *accel_error_text(void);

/* ---- Devices ------------------------------------------------------------------------------ */

/*
 * Lists cards without opening them: kernel devices, then cards behind sockets (directory in
 * ACCEL_SOCKETS), or, with ACCEL_EMU=N set, only N emulated ones. Fails with -EINVAL on a malformed
 * environment variable; no card at all is an empty list. Free with accel_device_list_free().
 */
ACCEL_API int accel_device_list_create(accel_device_list **list);
ACCEL_API void accel_device_list_free(accel_device_list *list);
ACCEL_API size_t accel_device_list_count(const accel_device_list *list);
/* A name that accel_device_open() takes; owned by the list; NULL if index is out of range. */
ACCEL_API const char *accel_device_list_name(const accel_device_list *list, size_t index);

/*
 * Opens a card by any of its names: "/dev/accel/accelN", "/dev/dri/renderDN", PCI address
 * "0000:03:00.0", serial number ("0x0ac1..."), "emu:N" (emulated here), "socket:PATH" (served by
 * accel-emu), or an index into the list ("0"). NULL is the first card. A card without running
 * firmware is booted with $ACCEL_FIRMWARE, /lib/firmware/oac/oac1.fw or its flash, in this order;
 * if that fails the device opens all the same, and says so in ACCEL_STRING_STATE.
 * Errors: -ENODEV no such card, -EACCES no right to open its node, -EBUSY a socket card is in use
 * by another process, -EPROTO the card or driver speaks another major version.
 */
ACCEL_API int accel_device_open(const char *name, accel_device **device);
/* -EBUSY while contexts, buffers or event streams of it exist. */
ACCEL_API int accel_device_close(accel_device *device);

/* Texts about a device: append-only list. */
enum accel_string {
	ACCEL_STRING_NAME,		/* as in the list */
	ACCEL_STRING_BACKEND,		/* "kernel" or "direct" */
	ACCEL_STRING_MODEL,
	ACCEL_STRING_SERIAL,		/* "0x" and 16 hex digits */
	ACCEL_STRING_PCI_ADDRESS,	/* absent for a card that is on no bus of this host */
	ACCEL_STRING_FIRMWARE_VERSION,	/* "1.0.0"; absent unless running */
	ACCEL_STRING_STATE,		/* "running", "rom", "failed", ... */
	ACCEL_STRING_FAIL_REASON,	/* why the firmware failed; absent unless failed */
	ACCEL_STRING_NODE,		/* "/dev/accel/accel0" or the socket; absent in-process */
	ACCEL_STRING_PROTOCOL,		/* "1.0": spoken with the card */
};
/* Owned by the device, valid until the next call for the same text. NULL: absent. */
ACCEL_API const char *accel_device_string(accel_device *device, enum accel_string which);

/*
 * Who uses a card, as far as the caller may see: its own user's clients, all with CAP_SYS_ADMIN. On
 * the direct backend this process is the only one.
 */
struct accel_client {
	uint64_t id;
	int32_t pid;		/* 0: not in this pid namespace */
	uint32_t uid;
	uint32_t contexts;
	uint32_t queues;
	uint64_t host_bytes;
	uint64_t local_bytes;
	uint64_t pinned_bytes;	/* wrapped memory */
	uint64_t compute_ns;	/* time on the card's engines */
	uint64_t copy_ns;
	uint64_t commands;	/* completed */
};
/* Returns how many there are; writes at most max of them. max 0: clients may be NULL. */
ACCEL_API int accel_device_clients(accel_device *device, struct accel_client *clients, int max);

/* Numbers about a device: append-only list. */
enum accel_number {
	ACCEL_NUMBER_NUMA_NODE,
	ACCEL_NUMBER_LOCAL_MEMORY_BYTES,
	ACCEL_NUMBER_ENGINES,
	ACCEL_NUMBER_ENGINE_CLOCK_HZ,
	ACCEL_NUMBER_MAX_CONTEXTS,
	ACCEL_NUMBER_MAX_QUEUES,
	ACCEL_NUMBER_MAX_QUEUE_DEPTH,
	ACCEL_NUMBER_POWER_LIMIT_MILLIWATTS,
	ACCEL_NUMBER_SECURITY_VERSION,
	ACCEL_NUMBER_RESET_COUNT,
	ACCEL_NUMBER_CONTEXTS,		/* open now, as far as the driver can see */
	ACCEL_NUMBER_QUEUES,
	ACCEL_NUMBER_FEATURE_INT8,	/* 0 or 1 */
	ACCEL_NUMBER_FEATURE_FP32,
	ACCEL_NUMBER_LOCAL_MEMORY_FREE_BYTES,
	ACCEL_NUMBER_FEATURE_USER_SUBMIT,	/* queues that submit without the driver */
	ACCEL_NUMBER_FEATURE_WRAP,		/* accel_buffer_wrap() */
	ACCEL_NUMBER_FEATURE_SYNC,		/* sync_file and DRM syncobj in and out */
	ACCEL_NUMBER_FEATURE_PEER,		/* it can import another card's local memory */
};
/* -ENODATA: not known for this device. */
ACCEL_API int accel_device_number(accel_device *device, enum accel_number which, uint64_t *value);

/*
 * Boots another firmware image; needs the right to (CAP_SYS_ADMIN with the kernel driver).
 * Blocks until the card runs it. Errors: -EPERM, -EBUSY contexts are open (the text names a holder),
 * -EBADMSG the card refused the image: ACCEL_STRING_FAIL_REASON and accel_error_text() say why; it
 * then has no firmware. What is in local memory is gone. With the kernel driver a boot takes no longer
 * than its module parameter boot_timeout_ms either. timeout 0 begins none anywhere: -ETIMEDOUT. A card
 * that is late is reset, and has no firmware then; with the kernel driver that takes 4 s at most.
 */
ACCEL_API int accel_firmware_load(accel_device *device, const void *image, size_t size,
				  int64_t timeout);

/* ---- Contexts, buffers, maps -------------------------------------------------------------- */

/* An isolated device address space. -ENOSPC: the card has none left; -EDQUOT: this user may have no
 * more. Here and below the text names the limit that was met. */
ACCEL_API int accel_context_create(accel_device *device, accel_context **context);
/* -EBUSY while queues or timelines of it exist. Maps go with it. */
ACCEL_API int accel_context_destroy(accel_context *context);

/* What a context holds and has spent. */
struct accel_usage {
	uint64_t queues;
	uint64_t maps;		/* of accel_buffer_map() */
	uint64_t mapped_bytes;
	uint64_t compute_ns;	/* time on the card's engines, ended queues included */
	uint64_t copy_ns;
	uint64_t commands;	/* completed */
	uint64_t errors;	/* of these, failed */
};
ACCEL_API int accel_context_usage(accel_context *context, struct accel_usage *usage);

/*
 * Zeroed host memory that cards can reach, on the card's NUMA node where known. size is rounded up
 * to whole pages. The host pointer is valid until accel_buffer_free().
 */
ACCEL_API int accel_buffer_alloc(accel_device *device, size_t size, accel_buffer **buffer);
/*
 * The same in the card's local memory; zeroed on the card before. The host pointer goes through the
 * card's window: write it front to back and do not read it often. After the card is lost, plain
 * memory is in its place. -ENOSPC: not that much free in one piece, -EDQUOT: this user may have no
 * more, -EOPNOTSUPP: a card without.
 */
ACCEL_API int accel_buffer_alloc_local(accel_device *device, size_t size, accel_buffer **buffer);

#define ACCEL_WRAP_READ_ONLY	0x1u	/* the card will not write it */
/*
 * The caller's own memory, page aligned and whole pages, pinned until accel_buffer_free(); it must
 * stay mapped that long. Counts against RLIMIT_MEMLOCK (-EDQUOT). -EFAULT: not memory of the
 * process, or not writable; -EOPNOTSUPP: the backend (direct) or this kind of memory cannot be
 * wrapped: copy it into a buffer instead.
 */
ACCEL_API int accel_buffer_wrap(accel_device *device, void *host, size_t size, unsigned flags,
				accel_buffer **buffer);

/*
 * A descriptor for the buffer, to be closed by the caller: a dma-buf from the kernel driver, a memory
 * file from the direct backend. It keeps the memory alive. Any process may import it, and so may
 * other drivers where it is a dma-buf. -EOPNOTSUPP: wrapped memory; local memory of a direct card.
 * -EMFILE: made by the direct backend when buffers were more than half the limit of open files.
 */
ACCEL_API int accel_buffer_export(accel_buffer *buffer, int *fd);
/*
 * A buffer on memory of somebody else: what accel_buffer_export() gave, for any card, in any process;
 * a dma-buf (udmabuf, another driver); with the direct backend also a memory file. fd stays the
 * caller's. The host pointer is NULL where the exporter allows no mapping. -EINVAL: fd is none of
 * these, or its size is not whole pages; -EOPNOTSUPP: local memory of a card that has no path to
 * this one: see accel_stage. Where there is a path (kernel driver only; ACCEL_NUMBER_FEATURE_PEER),
 * the card works on the other one's memory directly until that card is lost or gets other firmware:
 * from then on commands that touch it fail, and imports and maps give -ESTALE or -ENODEV.
 */
ACCEL_API int accel_buffer_import(accel_device *device, int fd, accel_buffer **buffer);

enum accel_buffer_kind {
	ACCEL_BUFFER_HOST,
	ACCEL_BUFFER_LOCAL,
	ACCEL_BUFFER_WRAPPED,
	ACCEL_BUFFER_IMPORTED,
};
ACCEL_API enum accel_buffer_kind accel_buffer_kind(const accel_buffer *buffer);

/* -EBUSY while it is mapped. */
ACCEL_API int accel_buffer_free(accel_buffer *buffer);
ACCEL_API void *accel_buffer_host(const accel_buffer *buffer);
ACCEL_API size_t accel_buffer_size(const accel_buffer *buffer);

#define ACCEL_MAP_READ	0x1u	/* the card may read */
#define ACCEL_MAP_WRITE	0x2u	/* the card may write */

/*
 * Gives a context access to bytes [offset, offset + size) of a buffer of the same device; offset and
 * size are whole pages, size 0 means up to the end. *address is the device address of offset.
 * Errors: -ENOSPC address space or segment limit, -EDQUOT, -EACCES ACCEL_MAP_WRITE of read-only
 * memory, -EXDEV buffer of another device: export it and import it there.
 */
ACCEL_API int accel_buffer_map(accel_context *context, accel_buffer *buffer, size_t offset,
			       size_t size, unsigned flags, uint64_t *address);
/*
 * address as given by accel_buffer_map(). Commands that still use it fault. -ENOENT: not mapped. -ENODEV:
 * the card is lost; the map is gone all the same.
 */
ACCEL_API int accel_buffer_unmap(accel_context *context, uint64_t address);

/* ---- Queues ------------------------------------------------------------------------------- */

/*
 * A queue of depth commands (power of two, 2..ACCEL_NUMBER_MAX_QUEUE_DEPTH; 0 = 256). Commands run in
 * order; queues run concurrently. Submitting and reaping makes no system call.
 * priority: 0 lowest .. 3, 1 normal; above normal may need a privilege (-EPERM). -ENOSPC: none left,
 * -EDQUOT: this user or context may have no more.
 */
ACCEL_API int accel_queue_create(accel_context *context, unsigned depth, unsigned priority,
				 accel_queue **queue);

/* One thread at a time uses the queue: saves a lock per call. Otherwise any number may. */
#define ACCEL_QUEUE_ONE_THREAD		0x1u
/*
 * Submits through the driver: a system call each time. Chosen by itself where a card or its driver
 * does not allow the other way (ACCEL_NUMBER_FEATURE_USER_SUBMIT), and for queues made without
 * options also by ACCEL_SUBMIT=driver in the environment.
 */
#define ACCEL_QUEUE_DRIVER_SUBMIT	0x2u

/* Zero it before filling: a zero means the default. */
struct accel_queue_options {
	uint32_t depth;		/* 0 = 256 */
	uint32_t flags;		/* ACCEL_QUEUE_* */
	uint32_t has_priority;	/* 1: priority counts, else normal */
	uint32_t priority;
	uint32_t weight;	/* 1..1024 among queues of this process and priority; 0 = 64 */
	uint32_t reserved[11];	/* zero */
};
ACCEL_API int accel_queue_create_with(accel_context *context,
				      const struct accel_queue_options *options,
				      accel_queue **queue);
/* Commands not yet completed are dropped. */
ACCEL_API void accel_queue_destroy(accel_queue *queue);

/*
 * Commands: each writes one entry and returns 0, or -EAGAIN when depth commands are outstanding
 * (reap some). Nothing reaches the card before accel_queue_submit(). tag comes back in the
 * completion; any value but UINT32_MAX. Wrong addresses are found by the card: typed completion.
 */
ACCEL_API int accel_queue_nop(accel_queue *queue, uint32_t tag);
ACCEL_API int accel_queue_barrier(accel_queue *queue, uint32_t tag);
ACCEL_API int accel_queue_copy(accel_queue *queue, uint64_t destination, uint64_t source,
			       uint64_t size, uint32_t tag);
/* rows of row_size bytes, their starts pitch bytes apart. */
ACCEL_API int accel_queue_copy_2d(accel_queue *queue, uint64_t destination,
				  uint64_t destination_pitch, uint64_t source,
				  uint64_t source_pitch, uint64_t row_size, uint32_t rows,
				  uint32_t tag);
/* pattern_size: 1, 2, 4 or 8; size is a multiple of it. */
ACCEL_API int accel_queue_fill(accel_queue *queue, uint64_t destination, uint64_t size,
			       uint64_t pattern, unsigned pattern_size, uint32_t tag);
/* Card time in ns to the 8 bytes at address (0 = nowhere) and to accel_completion.info. */
ACCEL_API int accel_queue_timestamp(accel_queue *queue, uint64_t address, uint32_t tag);
ACCEL_API int accel_queue_signal(accel_queue *queue, accel_timeline *timeline, uint64_t value,
				 uint32_t tag);
/* Holds the queue until the timeline is at value or above. */
ACCEL_API int accel_queue_wait_timeline(accel_queue *queue, accel_timeline *timeline,
					uint64_t value, uint32_t tag);

enum accel_type {
	ACCEL_TYPE_F32,
	ACCEL_TYPE_S8,
	ACCEL_TYPE_S32,		/* output of S8 operators: the plain accumulator */
};

/* int8 requantisation: q = clamp((acc * multiplier + 2^(shift-1)) >> shift). */
struct accel_requant {
	int32_t multiplier;	/* 1 .. INT32_MAX */
	uint32_t shift;		/* 1 .. 62 */
};

/*
 * Operators: tensors are dense, row-major, channels last; addresses are device addresses. Zero a
 * struct before filling it: zero in a field added later means today's behaviour.
 */
struct accel_gemm {			/* out[m][n] = a[m][k] * b[k][n] + bias[n] */
	enum accel_type type;		/* of a and b: F32 or S8 */
	enum accel_type out_type;	/* F32; or S8 or S32 with type S8 */
	uint64_t a, b, bias, requant,
		out; /* bias 0: none. requant: struct accel_requant[], S8 out */
	uint32_t m, n, k;
	uint8_t b_transposed;		/* b is [n][k] */
	uint8_t relu;
	uint8_t per_channel;		/* requant has n elements instead of one */
};

struct accel_conv2d {			/* in [n][h][w][ic], weights [oc][kh][kw][ic], out [n][oh][ow][oc] */
	enum accel_type type, out_type;
	uint64_t in, weights, bias, requant, out;
	uint32_t n, h, w, ic, oc;
	uint16_t kh, kw, stride_h, stride_w, pad_top, pad_bottom, pad_left, pad_right;
	uint8_t relu, per_channel;
};

struct accel_max_pool {			/* in [n][h][w][c]; no padding */
	enum accel_type type;		/* F32 or S8 */
	uint64_t in, out;
	uint32_t n, h, w, c;
	uint16_t kh, kw, stride_h, stride_w;
};

ACCEL_API int accel_queue_gemm(accel_queue *queue, const struct accel_gemm *gemm, uint32_t tag);
ACCEL_API int accel_queue_conv2d(accel_queue *queue, const struct accel_conv2d *conv, uint32_t tag);
ACCEL_API int accel_queue_max_pool(accel_queue *queue, const struct accel_max_pool *pool,
				   uint32_t tag);
/* out = max(a, 0); type F32 or S8; out may be a. */
ACCEL_API int accel_queue_relu(accel_queue *queue, enum accel_type type, uint64_t out, uint64_t a,
			       uint64_t count, uint32_t tag);
/* out = a + b, S8 saturating; out may be a or b. */
ACCEL_API int accel_queue_add(accel_queue *queue, enum accel_type type, uint64_t out, uint64_t a,
			      uint64_t b, uint64_t count, uint32_t tag);
/* Over each row of in[rows][cols], F32. */
ACCEL_API int accel_queue_softmax(accel_queue *queue, uint64_t out, uint64_t in, uint32_t rows,
				  uint32_t cols, uint32_t tag);

/*
 * Hands all written commands, of whichever thread, to the card. 0, or -ENODEV. Through the driver also
 * -EIO: the queue is in error and takes nothing more; what was written is not with the card.
 */
ACCEL_API int accel_queue_submit(accel_queue *queue);

struct accel_completion {
	uint32_t tag;
	int32_t result;		/* 0, or -Exxx: the kind of failure */
	uint32_t code;		/* the card's status code: accel_code_text() */
	uint32_t reserved;
	uint64_t info;		/* timestamp, or the faulting device address */
};

/*
 * Takes up to max completions without blocking. Returns how many (0: none), or -ENODEV. Each completion
 * goes to one caller; of several threads none knows whose command it gets, but by the tag.
 * After a reset of the card every command still gets its completion: what was done as it was,
 * -ECANCELED for what had not begun, -EIO for what is not known. Then -ESTALE.
 * -EPROTO: the card posted what cannot be, and nothing of this queue can be believed any more.
 */
ACCEL_API int accel_queue_reap(accel_queue *queue, struct accel_completion *completions, int max);
/*
 * As reap, but waits (polls a little, then sleeps) for at least one. Returns 1..max, -ETIMEDOUT, or
 * -EIO: the queue is in error and has nothing more to deliver; accel_error_text() says why. Several
 * threads may wait: what comes goes to whoever takes it first, the others go on until their deadlines.
 */
ACCEL_API int accel_queue_wait(accel_queue *queue, struct accel_completion *completions, int max,
			       int64_t timeout);
/* Commands written and not yet reaped; while other threads submit or reap, what was so just now. */
ACCEL_API unsigned accel_queue_outstanding(const accel_queue *queue);

/*
 * For event loops: a file descriptor, owned by the queue, that polls readable after an interrupt. One
 * event is for one reader: where several threads poll it, or others wait, one may find nothing to
 * reap, or read an event too many.
 */
ACCEL_API int accel_queue_fd(accel_queue *queue, int *fd);
/*
 * Asks for one interrupt at the next completion. Returns 1 if completions are there already (reap
 * them instead of sleeping), 0 if armed, or -ENODEV. Read 8 bytes from the fd after it fired.
 */
ACCEL_API int accel_queue_arm(accel_queue *queue);

/* What a code means; never NULL. */
ACCEL_API const char *accel_code_text(uint32_t code);

/* ---- Timelines ---------------------------------------------------------------------------- */

/* A 64-bit value, 0 at first, that queues of the context and the host signal and wait for. */
ACCEL_API int accel_timeline_create(accel_context *context, accel_timeline **timeline);
/*
 * From now on queues of this context, too, may signal it and wait for it; the context may be on
 * another card and must outlive the timeline. 0 also if that is so already. Waits of the host then
 * give -ENODEV as soon as one of the cards is lost. -EOPNOTSUPP: made without the kernel driver, to
 * be shared with a card of it: make it there.
 */
ACCEL_API int accel_timeline_share(accel_timeline *timeline, accel_context *context);
/* Commands that still use it fault. */
ACCEL_API void accel_timeline_destroy(accel_timeline *timeline);
ACCEL_API uint64_t accel_timeline_value(const accel_timeline *timeline);
/* Raises the value; -EINVAL if it would go back. */
ACCEL_API int accel_timeline_signal(accel_timeline *timeline, uint64_t value);
/* Waits until the timeline is at value or above: 0, -ETIMEDOUT or -ENODEV. */
ACCEL_API int accel_timeline_wait(accel_timeline *timeline, uint64_t value, int64_t timeout);

/*
 * Fences of the rest of Linux (kernel driver; else -EOPNOTSUPP). Out: a fence that signals when all
 * commands submitted to the queue so far have completed; with an error if they fail or do not
 * complete within the driver's time limit. In: the timeline rises to value once the fence signals;
 * not if that signals an error: waits for it have deadlines.
 */
/* *fd: a sync_file, to be closed by the caller; polls readable once signalled. */
ACCEL_API int accel_queue_export_sync_file(accel_queue *queue, int *fd);
ACCEL_API int accel_timeline_import_sync_file(accel_timeline *timeline, int fd, uint64_t value);
/* syncobj_fd: a DRM syncobj of any driver; point 0: its one fence, else a point of its timeline. */
ACCEL_API int accel_queue_signal_syncobj(accel_queue *queue, int syncobj_fd, uint64_t point);
ACCEL_API int accel_timeline_import_syncobj(accel_timeline *timeline, int syncobj_fd,
					    uint64_t point, uint64_t value);

/* ---- Between cards ------------------------------------------------------------------------ */

/*
 * Copies from one context to another, usually of two cards, whatever the platform can do. Direct: a
 * card reads the other's memory through an imported buffer and this object is not needed. Staged:
 * through host memory that both reach, in pieces, both cards working at once. Any thread, one copy
 * at a time per object. Both contexts outlive it.
 */
typedef struct accel_stage accel_stage;
ACCEL_API int accel_stage_create(accel_context *source, accel_context *destination,
				 accel_stage **stage);
ACCEL_API void accel_stage_destroy(accel_stage *stage);
/*
 * Blocks. -EIO: a card refused, usually a wrong address: the text says which side. A copy that fails or
 * takes too long is taken from the cards before this returns: from a silent one by a reset, after 2 s.
 */
ACCEL_API int accel_stage_copy(accel_stage *stage, uint64_t destination, uint64_t source,
			       uint64_t size, int64_t timeout);

#ifdef __cplusplus
}
#endif

#include "accel_health.h"

#endif
