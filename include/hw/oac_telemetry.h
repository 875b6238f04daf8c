/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Copyright the OAC authors */
/*
 * The card's contract, part 5: sensors, counters, events. Which sensors a card has, their labels
 * and limits come from the firmware's manifest; units follow from the type.
 */
#ifndef OAC_HW_TELEMETRY_H
#define OAC_HW_TELEMETRY_H

#include "oac_types.h"

/* Sensor types and the unit of their values: X(name, unit). */
#define OAC_SENSOR_TEMPERATURE	0x1
#define OAC_SENSOR_POWER	0x2
#define OAC_SENSOR_VOLTAGE	0x3
#define OAC_SENSOR_CURRENT	0x4
#define OAC_SENSOR_CLOCK	0x5
#define OAC_SENSOR_LOAD		0x6
#define OAC_SENSOR_TYPES(X) \
	X(TEMPERATURE, "millidegree Celsius") X(POWER, "microwatt") X(VOLTAGE, "millivolt") \
	X(CURRENT, "milliampere") X(CLOCK, "hertz") X(LOAD, "parts per million")

/* What is measured: X(name, type). The id is the sensor's name for ever. */
#define OAC_SENSOR_ID_CHIP_TEMP		0x01
#define OAC_SENSOR_ID_MEMORY_TEMP	0x02
#define OAC_SENSOR_ID_CARD_POWER	0x03
#define OAC_SENSOR_ID_CORE_VOLTAGE	0x04
#define OAC_SENSOR_ID_CORE_CURRENT	0x05
#define OAC_SENSOR_ID_ENGINE_CLOCK	0x06
#define OAC_SENSOR_ID_ENGINE_LOAD	0x07
#define OAC_SENSOR_IDS(X) \
	X(CHIP_TEMP, TEMPERATURE) X(MEMORY_TEMP, TEMPERATURE) X(CARD_POWER, POWER) \
	X(CORE_VOLTAGE, VOLTAGE) X(CORE_CURRENT, CURRENT) X(ENGINE_CLOCK, CLOCK) X(ENGINE_LOAD, LOAD)

#define OAC_SENSOR_LABEL_SIZE	24
#define OAC_SENSOR_MAX		32	/* sensors a manifest may list */

struct oac_sensor_info {
	__le16 id;		/* OAC_SENSOR_ID_* */
	__le16 type;		/* OAC_SENSOR_* */
	__le32 flags;		/* OAC_SENSOR_HAS_* */
	__le64 warn;		/* signed, unit of the type */
	__le64 critical;
	__u8 label[OAC_SENSOR_LABEL_SIZE];	/* ASCII, NUL terminated */
};
OAC_ASSERT_SIZE(struct oac_sensor_info, 48);
#define OAC_SENSOR_HAS_WARN	0x1u
#define OAC_SENSOR_HAS_CRITICAL	0x2u
#define OAC_SENSOR_FLAGS_MASK	0x3u

struct oac_sensor_value {
	__le16 id;
	__le16 absent;		/* OAC_ABSENT_*; value counts only when NO */
	__le32 rsvd;
	__le64 value;		/* signed */
	__le64 card_ns;		/* when it was measured */
};
OAC_ASSERT_SIZE(struct oac_sensor_value, 24);

/* Why a value is not there: X(name, text). Never a sentinel. */
#define OAC_ABSENT_NO		0x0
#define OAC_ABSENT_NOT_READY	0x1
#define OAC_ABSENT_FAILED	0x2
#define OAC_ABSENTS(X) \
	X(NO, "the value is there") X(NOT_READY, "not measured yet") X(FAILED, "the sensor does not answer")

/* 64-bit counters since power-on, kept over resets: X(name, text). */
#define OAC_COUNTER_COMMANDS		0x01
#define OAC_COUNTER_COMMAND_ERRORS	0x02
#define OAC_COUNTER_OPERATORS		0x03
#define OAC_COUNTER_BYTES_FROM_HOST	0x04
#define OAC_COUNTER_BYTES_TO_HOST	0x05
#define OAC_COUNTER_INTERRUPTS		0x06
#define OAC_COUNTER_ACCESS_FAULTS	0x07
#define OAC_COUNTER_BOOTS		0x08
#define OAC_COUNTER_BOOT_FAILURES	0x09
#define OAC_COUNTER_RESETS		0x0a
#define OAC_COUNTER_ENGINE_BUSY_NS	0x0b
#define OAC_COUNTER_ENERGY_UJ		0x0c
#define OAC_COUNTER_SCRUBBED_BYTES	0x0d
#define OAC_COUNTER_LMEM_ECC_CORRECTED	0x0e
#define OAC_COUNTER_LMEM_ECC_LOST	0x0f
#define OAC_COUNTER_SRAM_ECC_CORRECTED	0x10
#define OAC_COUNTER_SRAM_ECC_LOST	0x11
#define OAC_COUNTER_HOT_NS		0x12
#define OAC_COUNTER_BRAKE_NS		0x13
#define OAC_COUNTER_DMA_ERRORS		0x14
#define OAC_COUNTER_CRASHES		0x15
#define OAC_COUNTERS(X) \
	X(COMMANDS, "user commands completed") \
	X(COMMAND_ERRORS, "user commands completed with an error") \
	X(OPERATORS, "operators executed") \
	X(BYTES_FROM_HOST, "bytes read from host memory for commands") \
	X(BYTES_TO_HOST, "bytes written to host memory for commands") \
	X(INTERRUPTS, "interrupts raised") \
	X(ACCESS_FAULTS, "accesses outside a context's maps") \
	X(BOOTS, "successful firmware boots") \
	X(BOOT_FAILURES, "failed firmware boots") \
	X(RESETS, "resets of the function") \
	X(ENGINE_BUSY_NS, "nanoseconds an engine was busy, over all engines") \
	X(ENERGY_UJ, "energy used in microjoule") \
	X(SCRUBBED_BYTES, "bytes of local memory zeroed before another use") \
	X(LMEM_ECC_CORRECTED, "errors in local memory that were corrected") \
	X(LMEM_ECC_LOST, "errors in local memory that lost data") \
	X(SRAM_ECC_CORRECTED, "errors in the engines' memory that were corrected") \
	X(SRAM_ECC_LOST, "errors in the engines' memory that lost data") \
	X(HOT_NS, "nanoseconds slowed down by temperature") \
	X(BRAKE_NS, "nanoseconds slowed down by the power brake") \
	X(DMA_ERRORS, "transfers that the host refused") \
	X(CRASHES, "times that firmware gave up")

struct oac_counter {
	__le32 id;		/* OAC_COUNTER_* */
	__le32 rsvd;
	__le64 value;
};
OAC_ASSERT_SIZE(struct oac_counter, 16);

/* Severities and recommended actions, smallest first. */
#define OAC_SEVERITY_INFO		0x0
#define OAC_SEVERITY_WARNING		0x1
#define OAC_SEVERITY_CONTEXT_FATAL	0x2
#define OAC_SEVERITY_CARD_FATAL		0x3
#define OAC_SEVERITIES(X) X(INFO) X(WARNING) X(CONTEXT_FATAL) X(CARD_FATAL)

#define OAC_ACTION_NONE			0x0
#define OAC_ACTION_FIX_PROGRAM		0x1
#define OAC_ACTION_RELOAD_FIRMWARE	0x2
#define OAC_ACTION_CHECK_COOLING	0x3
#define OAC_ACTION_WAIT			0x4
#define OAC_ACTION_RESET_CARD		0x5
#define OAC_ACTION_CHECK_POWER		0x6
#define OAC_ACTION_CHECK_LINK		0x7
#define OAC_ACTION_RESCAN		0x8
#define OAC_ACTION_POWER_CYCLE		0x9
#define OAC_ACTION_REPLACE_CARD		0xa
#define OAC_ACTIONS(X) \
	X(NONE, "nothing to do") \
	X(FIX_PROGRAM, "correct the program that did it") \
	X(RELOAD_FIRMWARE, "load a firmware image: accelctl fw load") \
	X(CHECK_COOLING, "check fans, air flow and inlet temperature") \
	X(WAIT, "wait: it ends by itself") \
	X(RESET_CARD, "reset the card: accelctl reset") \
	X(CHECK_POWER, "check the host's power supply and limits") \
	X(CHECK_LINK, "check slot, riser and cable") \
	X(RESCAN, "remove the PCI function and rescan its bus") \
	X(POWER_CYCLE, "switch the host's or the slot's power off and on") \
	X(REPLACE_CARD, "take the card out of service")

/* Event catalogue: X(name, severity, action, text). */
#define OAC_EVENT_BOOTED		0x01
#define OAC_EVENT_BOOT_FAILED		0x02
#define OAC_EVENT_RESET			0x03
#define OAC_EVENT_QUEUE_ERROR		0x10
#define OAC_EVENT_ACCESS_FAULT		0x11
#define OAC_EVENT_DOORBELL		0x12
#define OAC_EVENT_THERMAL_WARNING	0x20
#define OAC_EVENT_THERMAL_CLEARED	0x21
#define OAC_EVENT_THERMAL_TRIP		0x22
#define OAC_EVENT_POWER_BRAKE		0x23
#define OAC_EVENT_POWER_CLEARED		0x24
#define OAC_EVENT_SENSOR_DEAD		0x25
#define OAC_EVENT_ECC_CORRECTED		0x30
#define OAC_EVENT_ECC_LOST		0x31
#define OAC_EVENT_ENGINE_ERROR		0x32
#define OAC_EVENT_SELF_TEST_FAILED	0x33
#define OAC_EVENT_CRASHED		0x34
#define OAC_EVENT_DMA_ERROR		0x35
#define OAC_EVENTS(X) \
	X(BOOTED, INFO, NONE, "firmware is running") \
	X(BOOT_FAILED, CARD_FATAL, RELOAD_FIRMWARE, "firmware did not start; arg is the failure reason") \
	X(RESET, INFO, NONE, "the function was reset") \
	X(QUEUE_ERROR, CONTEXT_FATAL, FIX_PROGRAM, "a command failed; arg is the completion status") \
	X(ACCESS_FAULT, CONTEXT_FATAL, FIX_PROGRAM, "an access outside the context; arg is the address") \
	X(DOORBELL, CONTEXT_FATAL, FIX_PROGRAM, "a doorbell value out of range; arg is the value") \
	X(THERMAL_WARNING, WARNING, CHECK_COOLING, "a temperature is over its limit; arg is the sensor") \
	X(THERMAL_CLEARED, INFO, NONE, "the temperature is below its limit again; arg is the sensor") \
	X(THERMAL_TRIP, CARD_FATAL, CHECK_COOLING, \
	  "a temperature is critical: engines stand still; arg is the sensor") \
	X(POWER_BRAKE, WARNING, CHECK_POWER, "the host asserts the power brake: clocks are low") \
	X(POWER_CLEARED, INFO, NONE, "the power brake is off") \
	X(SENSOR_DEAD, WARNING, NONE, "a sensor does not answer; arg is the sensor") \
	X(ECC_CORRECTED, INFO, NONE, "a memory error was corrected; arg is OAC_HEAP_*") \
	X(ECC_LOST, CONTEXT_FATAL, RESET_CARD, \
	  "a memory error lost data: its page is out of use; arg is OAC_HEAP_*") \
	X(ENGINE_ERROR, CONTEXT_FATAL, NONE, "an engine failed under a command; arg is the engine") \
	X(SELF_TEST_FAILED, CARD_FATAL, REPLACE_CARD, \
	  "engines gave wrong answers and are out of use; arg is their mask") \
	X(CRASHED, CARD_FATAL, RESET_CARD, "firmware gave up; arg is its own code") \
	X(DMA_ERROR, CONTEXT_FATAL, NONE, "the host refused a transfer; arg is the bus address")

/* Kinds of memory with error correction. */
#define OAC_HEAP_LMEM			0x0
#define OAC_HEAP_SRAM			0x1
#define OAC_HEAPS(X) X(LMEM) X(SRAM)

struct oac_event {
	__le64 seq;		/* 1, 2, 3 ... since power-on, kept over resets */
	__le64 card_ns;
	__le64 arg;
	__le32 context;		/* 0 = none */
	__le16 queue;		/* 0 = none */
	__le16 code;		/* OAC_EVENT_*, below OAC_EVENT_DRIVER */
	__u8 severity;		/* OAC_SEVERITY_* */
	__u8 action;		/* OAC_ACTION_* */
	__le16 rsvd[3];
};
OAC_ASSERT_SIZE(struct oac_event, 40);

#endif
