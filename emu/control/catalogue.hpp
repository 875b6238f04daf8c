// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The catalogue: every fault the emulated card can produce, once, with its parameters and what it
// means; and the parameters, each with one meaning whichever fault takes it. Requests, the tool's
// list and the manual are made from it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oac::emu::control
{

/* Things that happen in a card: a trigger counts them, and a fault may act on them. */
#define OAC_HAPPENINGS(X) \
	X(none, "") \
	X(access, "the host reads or writes a register, the configuration space or a trapped doorbell") \
	X(doorbell, "a store into a doorbell page is seen") \
	X(dma, "the card looks for host memory or transfers to or from it") \
	X(interrupt, "the card raises an interrupt") \
	X(command, "a queue begins a command") \
	X(completion, "a queue posts a completion") \
	X(admin, "an admin command is taken") \
	X(answer, "an engine has computed") \
	X(booting, "the ROM begins to check an image") \
	X(boot, "firmware has started") \
	X(reset, "the host resets the card")

enum class happening {
#define OAC_HAPPENING_ENUM(name, text) name,
	OAC_HAPPENINGS(OAC_HAPPENING_ENUM)
#undef OAC_HAPPENING_ENUM
};

/* X(name, words, min, max, text): words in their order from 0 on, or empty for a number. */
#define OAC_FAULT_PARAMETERS(X) \
	X(queue, "", 0, 65535, "only in this queue; 0: the admin queue, which is else left alone") \
	X(context, "", 1, 65535, "only in queues of this context") \
	X(opcode, "", 0, 255, "only this command, by number: OAC_CMD_* or OAC_ADMIN_*") \
	X(vector, "", 0, 63, "this MSI-X vector") \
	X(engine, "", 0, 63, "this engine") \
	X(until, "abort|queue|context|soft_reset|flr|bus_reset|power|never", 0, 7, \
	  "the mildest thing that heals it; clear always does") \
	X(for_ms, "", 1, 3600000, "heals by itself after so long") \
	X(us, "", 1, 10000000, "microseconds") \
	X(ms, "", 1, 3600000, "milliseconds") \
	X(factor, "", 2, 1000, "how many times as long") \
	X(code, "", 0, UINT32_MAX, "firmware's own number") \
	X(reason, \
	  "none|no_image|dma|truncated|magic|format|family|protocol|signature|hash|rollback|" \
	  "manifest|self_test", 1, 12, "why the boot fails: OAC_FAIL_*") \
	X(state, "loading|verifying|starting", 0, 2, "how far the boot gets") \
	X(address, "", 0, INT64_MAX, "bus address, register, or byte of local memory; else random") \
	X(write, "no|yes", 0, 1, "whether it writes") \
	X(heap, "lmem|sram", 0, 1, "which memory") \
	X(sensor, \
	  "none|chip_temp|memory_temp|card_power|core_voltage|core_current|engine_clock|engine_load", \
	  1, 7, "which sensor") \
	X(value, "", INT64_MIN, INT64_MAX, "what is shown; else random") \
	X(rate, "", 1, 1000000, "so many a second") \
	X(count, "", 1, 1000000, "so many in all") \
	X(queues, "go_on|stop", 0, 1, "what queues do meanwhile") \
	X(level, "soft_reset|flr|bus_reset", 0, 2, "resets up to this one") \
	X(severity, "correctable|nonfatal|fatal", 0, 2, "which error of the link") \
	X(field, "", 0, 0, "what is wrong: a word of the fault's own list")

enum class parameter : unsigned {
#define OAC_PARAMETER_ENUM(name, words, min, max, text) name,
	OAC_FAULT_PARAMETERS(OAC_PARAMETER_ENUM)
#undef OAC_PARAMETER_ENUM
		COUNT
};

/*
 * X(name, on, is_lasting, parameters, fields, text). on: what it acts on; none: on the card, when it
 * fires. Lasting: it holds until it heals, where times says how often it fires in all.
 */
#define OAC_FAULTS(X) \
	X(hang_command, command, true, "queue context opcode until=abort for_ms", "", \
	  "an engine freezes under a command; until abort, QUEUE_ABORT frees it, else that says BUSY") \
	X(hang_firmware, none, true, "queues=go_on until=soft_reset for_ms", "", \
	  "admin commands stay unanswered and the heartbeat stands still") \
	X(hang_admin, none, true, "until=soft_reset for_ms", "", \
	  "admin commands stay unanswered, the heartbeat moves") \
	X(lost_interrupt, interrupt, false, "vector", "", "an interrupt is not raised") \
	X(spurious_interrupt, none, false, "vector=0", "", "an interrupt without a reason") \
	X(interrupt_storm, none, false, "vector=0 rate=10000 count=1000", "", \
	  "many interrupts without a reason, one batch after the other") \
	X(early_interrupt, completion, false, "queue us=1000", "", \
	  "the interrupt of a completion comes before it; nothing tells of it then") \
	X(lost_doorbell, doorbell, false, "queue", "", "a store into a doorbell page is not seen") \
	X(lost_completion, completion, false, "queue opcode", "", \
	  "a command, or admin command, ends and nothing tells of it") \
	X(corrupt_completion, completion, false, "queue opcode field=status value", \
	  "status|tag|info|phase", "a completion with a wrong field") \
	X(duplicate_completion, completion, false, "queue opcode", "", "a completion comes twice") \
	X(reorder_completion, completion, false, "queue", "", \
	  "a completion comes after the next one, or a millisecond late") \
	X(replay_completion, completion, false, "queue", "", \
	  "one of the last 16 completions of the queue comes again before the one due") \
	X(corrupt_tail, completion, false, "queue value", "", \
	  "the published tail is off by value, or anything") \
	X(corrupt_progress, completion, false, "queue field=completed value", \
	  "sq_head|completed|state|status|error_count|waiting|steps", \
	  "the progress line with a wrong field") \
	X(engine_error, command, false, "queue context opcode engine=0", "", \
	  "an engine fails under a command, which ends as ENGINE_ERROR") \
	X(boot_hang, none, true, "state=verifying until=soft_reset for_ms", "", "a boot does not get on") \
	X(boot_fail, booting, false, "reason=self_test", "", "a boot fails") \
	X(crash, none, false, "code=1", "", "firmware gives up: state CRASHED") \
	X(crash_after, boot, false, "ms=10 code=1", "", "firmware gives up so long after it has started") \
	X(self_reset, none, false, "", "", "the card resets itself and tells nobody") \
	X(dead, none, true, "until=never for_ms", "", \
	  "reads are all ones, writes are lost, no transfers, no interrupts; alive again it is reset") \
	X(reset_ignored, reset, false, "level=soft_reset", "", "a reset has no effect") \
	X(ecc_corrected, none, false, "heap=lmem address", "", "a memory error that was corrected") \
	X(ecc_lost, none, false, "heap=lmem address", "", \
	  "a memory error: reads of its page fail until it is scrubbed; in sram: the next EXEC fails") \
	X(thermal, none, true, "sensor=chip_temp value=120000 until=never for_ms", "", \
	  "a sensor shows this value, with what follows from its limits: warning, trip") \
	X(power_brake, none, true, "until=never for_ms", "", "the host brakes: clocks are a quarter") \
	X(sensor_dead, none, true, "sensor=chip_temp until=never for_ms", "", "a sensor does not answer") \
	X(dma_bad_address, none, false, "address=0xdead0000000 write=no", "", "a transfer to nowhere") \
	X(dma_refused, dma, false, "", "", "a transfer fails as if the host refused it") \
	X(dma_late, none, true, "write=no us=1000 until=never for_ms", "", \
	  "memory is touched once more that was unmapped so long ago") \
	X(slow_mmio, none, true, "us=1000 until=never for_ms", "", "register accesses take so much longer") \
	X(slow_dma, none, true, "us=100 until=never for_ms", "", "transfers take so much longer") \
	X(slow_all, none, true, "factor=10 until=never for_ms", "", "all work takes so many times as long") \
	X(aer, none, false, "severity=nonfatal value", "", \
	  "an error of the link in AER status (value: its bits); a root port's message is not part") \
	X(config_garbage, none, true, "field=random until=never for_ms", \
	  "random|ones|vendor|capability_loop|vectors|link", \
	  "the configuration space shows garbage; link: half as fast and a quarter as wide") \
	X(register_garbage, access, false, "address value", "", \
	  "the register at this offset, or any, shows this value, or any") \
	X(wrong_answer, none, true, "engine=0 until=never for_ms", "", \
	  "an engine computes wrong and does not know it; SELF_TEST finds it") \
	X(lie, admin, false, "opcode field=engine_count value", \
	  "lmem_size|cmd_mask|op_mask|engine_count|max_contexts|max_queues|max_depth_log2|" \
	  "max_segments|max_maps|sensor_count|event_capacity|model|entry_count|entry_id|entries|status|cid", \
	  "IDENTIFY, GET_LOG or any answer (status, cid) says what is not so") \
	X(malicious, none, true, "until=never for_ms", "", \
	  "any completion, tail, progress line, admin answer or register may lie; probability says how often")

enum class fault {
#define OAC_FAULT_ENUM(name, on, is_lasting, parameters, fields, text) name,
	OAC_FAULTS(OAC_FAULT_ENUM)
#undef OAC_FAULT_ENUM
};

struct parameter_kind {
	parameter id;
	std::string_view name, words;
	std::int64_t min, max;
	std::string_view text;
};

struct fault_kind {
	fault id;
	std::string_view name;
	happening on;
	bool is_lasting;
	std::string_view parameters; /* "name name=preset ..." */
	std::string_view fields; /* words, a bar between them */
	std::string_view text;

	bool takes(parameter which) const;
	/* What it is if nobody says, as written in the list; empty: nothing. */
	std::string_view preset(parameter which) const;
	/* The words a parameter may have here. */
	std::string_view words(const parameter_kind &of) const;
};

/* Values of one fault; words as their place in their list. */
class arguments
{
public:
	void set(parameter which, std::int64_t value) { values_[index(which)] = value; }
	bool has(parameter which) const { return values_[index(which)].has_value(); }
	std::int64_t get(parameter which, std::int64_t otherwise) const
	{
		return values_[index(which)].value_or(otherwise);
	}

private:
	static std::size_t index(parameter which) { return static_cast<std::size_t>(which); }

	std::array<std::optional<std::int64_t>, static_cast<std::size_t>(parameter::COUNT)>
		values_{};
};

const std::vector<fault_kind> &all_faults();
const std::vector<parameter_kind> &all_parameters();
const std::vector<std::string_view> &all_happenings();

struct happening_kind {
	std::string_view name, text;
};
/* All but none. */
std::vector<happening_kind> counted_happenings();

const fault_kind *find_fault(std::string_view name);
const parameter_kind *find_parameter(std::string_view name);
const parameter_kind &kind_of(parameter which);
std::optional<happening> find_happening(std::string_view name);
std::string_view name_of(happening which);

/* The words of "a|b|c" or "a b c". */
std::vector<std::string_view> words_of(std::string_view list, char between = '|');
/* Place of a word in such a list. */
std::optional<std::size_t> find_word(std::string_view list, std::string_view word);
/* "a, b, c" for error texts. */
std::string listed(const std::vector<std::string_view> &words);
/* A decimal or 0x number, all of the text. */
std::optional<std::int64_t> number_of(std::string_view text);
/* The value of a parameter as a user writes it. Throws std::invalid_argument that says what is legal. */
std::int64_t parse_value(const fault_kind &of, const parameter_kind &which, std::string_view text);

} // namespace oac::emu::control
