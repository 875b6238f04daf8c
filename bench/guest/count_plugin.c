/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * A QEMU plugin: counts the guest's instructions between marks that guest_bench leaves in its code, at
 * all privilege levels, interrupt handlers included, idle time not. A mark is a seven-byte nop that
 * nothing else emits; its tag is 1 (begin), 2 (end: adds to the sum) or 3 (writes the sum as one
 * line, and begins anew). Where vfio-user cards make icount useless, because the machine then waits
 * for another process, this still works: waiting executes nothing.
 *
 *	qemu-system-x86_64 -accel tcg -plugin count_plugin.so,out=FILE ...
 *
 * Debian ships no qemu-plugin.h, so the few declarations used are repeated here: version 7 of the
 * interface, QEMU 11.1.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} qemu_plugin_u64;

typedef void (*translate_callback)(struct qemu_plugin_tb *block, void *userdata);
typedef void (*execute_callback)(unsigned int cpu, void *userdata);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translate_callback callback,
						  void *userdata);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block,
							size_t index);
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t size);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
						   execute_callback callback, int flags,
						   void *userdata);
extern void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
								int operation,
								qemu_plugin_u64 entry,
								uint64_t amount);
extern struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
extern uint64_t qemu_plugin_u64_sum(qemu_plugin_u64 entry);

/* Of the interface, not of the plugin. A QEMU that speaks another one refuses it with both numbers. */
EXPORT int qemu_plugin_version = 7;

enum { NO_REGISTERS = 0, INLINE_ADD = 0 };
enum { TAG_BEGIN = 1, TAG_END = 2, TAG_LINE = 3 };
enum { MARK_SIZE = 7, MARK_TAG = 3 };

/* The bytes of a mark, its tag left out. */
static const unsigned char mark[MARK_SIZE] = { 0x0f, 0x1f, 0x80, 0, 0x1e, 0xcc, 0x0a };

static qemu_plugin_u64 count;
static uint64_t begin, sum;
static FILE *out;

static void on_mark(unsigned int cpu, void *tag)
{
	uint64_t now = qemu_plugin_u64_sum(count);

	(void)cpu;
	switch ((uintptr_t)tag) {
	case TAG_BEGIN:
		begin = now;
		break;
	case TAG_END:
		sum += now - begin;
		break;
	case TAG_LINE:
		fprintf(out, "%llu\n", (unsigned long long)sum);
		fflush(out);
		sum = 0;
		break;
	}
}

/* The tag, or 0 if the instruction is no mark. */
static unsigned char tag_of(const struct qemu_plugin_insn *insn)
{
	unsigned char bytes[MARK_SIZE + 1], tag;

	if (qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) != MARK_SIZE)
		return 0;
	tag = bytes[MARK_TAG];
	bytes[MARK_TAG] = 0;
	return memcmp(bytes, mark, MARK_SIZE) ? 0 : tag;
}

static void on_translate(struct qemu_plugin_tb *block, void *userdata)
{
	(void)userdata;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
		unsigned char tag = tag_of(insn);

		/* A mark does not count, whichever way it is told. */
		if (tag)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, NO_REGISTERS,
							       (void *)(uintptr_t)tag);
		else
			qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD, count,
									    1);
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
			       char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "count_plugin: give it out=FILE, a file that can be written\n");
		return 1;
	}
	count.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
	count.offset = 0;
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
	return 0;
}
