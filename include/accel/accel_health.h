/* SPDX-License-Identifier: MIT */
/* Copyright the OAC authors */
/*
 * libaccel: how cards are doing: what they measure, what they are good for, what was done about them,
 * and what they report. Part of accel.h, which has the conventions and includes this.
 */
#ifndef ACCEL_HEALTH_H
#define ACCEL_HEALTH_H

#include "accel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Telemetry ---------------------------------------------------------------------------- */

typedef struct accel_telemetry accel_telemetry;

/*
 * One consistent snapshot of sensors and counters, which the card is asked for. Needs no context and no
 * privilege.
 */
ACCEL_API int accel_telemetry_read(accel_device *device, accel_telemetry **snapshot);
/*
 * For who watches many cards: if the card does not answer in time, the last snapshot that was read
 * with this handle. -ETIMEDOUT: there is none. The kernel driver has a limit of its own.
 */
ACCEL_API int accel_telemetry_read_within(accel_device *device, int64_t timeout,
					  accel_telemetry **snapshot);
/* Nanoseconds; 0: it was read by the call that gave it. */
ACCEL_API uint64_t accel_telemetry_age(const accel_telemetry *snapshot);
ACCEL_API void accel_telemetry_free(accel_telemetry *snapshot);

/* Sensors: name "chip_temp", label for people, unit: celsius, watts, volts, amperes, hertz, ratio. */
ACCEL_API size_t accel_telemetry_sensors(const accel_telemetry *snapshot);
ACCEL_API const char *accel_telemetry_sensor_name(const accel_telemetry *snapshot, size_t index);
ACCEL_API const char *accel_telemetry_sensor_label(const accel_telemetry *snapshot, size_t index);
ACCEL_API const char *accel_telemetry_sensor_unit(const accel_telemetry *snapshot, size_t index);
/* 0 and *value in that unit; or -ENODATA and *reason (reason may be NULL). */
ACCEL_API int accel_telemetry_sensor_value(const accel_telemetry *snapshot, size_t index,
					   double *value, const char **reason);
/* Limits: -ENODATA when the sensor has none. */
ACCEL_API int accel_telemetry_sensor_warn(const accel_telemetry *snapshot, size_t index,
					  double *value);
ACCEL_API int accel_telemetry_sensor_critical(const accel_telemetry *snapshot, size_t index,
					      double *value);

/* Counters since power-on: name "commands", text for people. */
ACCEL_API size_t accel_telemetry_counters(const accel_telemetry *snapshot);
ACCEL_API const char *accel_telemetry_counter_name(const accel_telemetry *snapshot, size_t index);
ACCEL_API const char *accel_telemetry_counter_text(const accel_telemetry *snapshot, size_t index);
ACCEL_API uint64_t accel_telemetry_counter_value(const accel_telemetry *snapshot, size_t index);

/* ---- Health and recovery ------------------------------------------------------------------ */

/* State, reason and action are numbers of one closed list each: see the names below. */
struct accel_health {
	uint32_t state;
	uint32_t reason;
	uint32_t action;
	uint32_t generation;	/* resets of the card the driver knows of */
	uint64_t since_ns;	/* CLOCK_BOOTTIME: so since then */
	uint64_t argument;	/* as the reason has it: sensor, failure, cause, engines */
	uint32_t is_held;	/* 1: recovery waits for accel_device_recover() */
	uint32_t rungs_allowed;	/* mask over enum accel_rung */
};
/* Waits neither for the card nor for any of its clients. Works on a lost card, too. */
ACCEL_API int accel_device_health(accel_device *device, struct accel_health *health);
/* "needs_reset" and what it means; "hang"; "reset_card": words for machines and people. Never NULL. */
ACCEL_API const char *accel_health_state_name(uint32_t state);
ACCEL_API const char *accel_health_state_text(uint32_t state);
ACCEL_API const char *accel_health_reason_name(uint32_t reason);
ACCEL_API const char *accel_health_reason_text(uint32_t reason);
ACCEL_API const char *accel_health_action_name(uint32_t action);
ACCEL_API const char *accel_health_action_text(uint32_t action);

enum accel_rung {
	ACCEL_RUNG_ABORT,
	ACCEL_RUNG_QUEUE,
	ACCEL_RUNG_CONTEXT,
	ACCEL_RUNG_SOFT_RESET,
	ACCEL_RUNG_FLR,
	ACCEL_RUNG_BUS_RESET,
	ACCEL_RUNG_FIRMWARE,
	ACCEL_RUNG_WEDGED,
	ACCEL_RUNG_COUNT,
};
struct accel_rung_history {
	uint64_t tried;
	uint64_t helped;
	uint64_t last_ns;	/* how long it took */
	uint64_t longest_ns;
	uint32_t last_cause;
	uint32_t reserved;
};
ACCEL_API int accel_device_rung(accel_device *device, enum accel_rung rung,
				struct accel_rung_history *history);
/* "soft_reset" and what it costs; "hang". Never NULL. */
ACCEL_API const char *accel_rung_name(uint32_t rung);
ACCEL_API const char *accel_rung_text(uint32_t rung);
ACCEL_API const char *accel_cause_name(uint32_t cause);
ACCEL_API const char *accel_cause_text(uint32_t cause);

/*
 * Returns 0 as soon as the card works: at once if it does, else after the recovery that is under way,
 * else after one that this begins (-EPERM: with the kernel driver that needs CAP_SYS_ADMIN).
 * -EIO: no rung helped. -ENODEV: it is gone: close the device and look for it anew.
 */
ACCEL_API int accel_device_recover(accel_device *device, int64_t timeout);
/*
 * Resets the card, works it or not, by this rung (SOFT_RESET..FIRMWARE) and no other. All contexts of
 * all processes are lost. -EPERM; -EACCES: the rung is forbidden; -EOPNOTSUPP: the backend does not
 * have it; -EIO: it did not help. -ETIMEDOUT: with the kernel driver, the reset goes on.
 */
ACCEL_API int accel_device_reset(accel_device *device, enum accel_rung rung, int64_t timeout);
/*
 * Every engine computes known answers; *failed: mask of those that gave a wrong one. -EPERM.
 * -ETIMEDOUT: the card ends it without the caller, and nobody loses anything by that.
 */
ACCEL_API int accel_device_self_test(accel_device *device, uint64_t *failed, int64_t timeout);

enum accel_lost {
	ACCEL_LOST_NO,
	ACCEL_LOST_INNOCENT,	/* the card was reset for another's sake */
	ACCEL_LOST_GUILTY,	/* a command of this context was the cause */
};
/* Whether a context is lost: what calls with it and its queues give -ESTALE for. Returns the enum. */
ACCEL_API int accel_context_lost(accel_context *context);

/* ---- Events ------------------------------------------------------------------------------- */

struct accel_event {
	uint64_t sequence;	/* 1, 2, 3 ... since power-on: a gap means lost events */
	uint64_t card_ns;	/* 0: an event of the driver */
	uint64_t argument;	/* meaning depends on the code */
	uint32_t code;
	uint32_t severity;	/* 0 info, 1 warning, 2 context-fatal, 3 card-fatal */
	uint64_t boot_ns;	/* CLOCK_BOOTTIME, when the driver heard of it; 0: read from the card */
	uint32_t action;
	uint32_t generation;	/* of the card */
	uint32_t context;	/* the card's id; 0: none */
	uint32_t queue;		/* 0: none */
};
/*
 * Copies events from sequence `from` on, oldest first. Returns how many. Of the card's own log, which it is
 * asked for; a stream waits for no card.
 */
ACCEL_API int accel_events_read(accel_device *device, uint64_t from, struct accel_event *events,
				int max);
/*
 * A subscription: events of the card and of its driver in one stream, kept over resets of the card.
 * sequence counts this stream. Any number of them, each with its own place.
 */
typedef struct accel_event_stream accel_event_stream;
/* from: first sequence number wanted, 1 = all that are kept; 0 = only what is to come. */
ACCEL_API int accel_event_stream_open(accel_device *device, uint64_t from,
				      accel_event_stream **stream);
ACCEL_API void accel_event_stream_close(accel_event_stream *stream);
/* Polls readable when there is something to read; owned by the stream. */
ACCEL_API int accel_event_stream_fd(accel_event_stream *stream, int *fd);
/*
 * Waits for at least one. Returns 1..max, -ETIMEDOUT, or -ENODEV once the card is gone and all is read.
 * Who is too slow gets an event MISSED that says how many are gone.
 */
ACCEL_API int accel_event_stream_read(accel_event_stream *stream, struct accel_event *events,
				      int max, int64_t timeout);

/* Name ("THERMAL_WARNING"), meaning and recommended action of an event code; NULL if unknown. */
ACCEL_API const char *accel_event_name(uint32_t code);
ACCEL_API const char *accel_event_text(uint32_t code);
ACCEL_API const char *accel_event_action(uint32_t code);

#ifdef __cplusplus
}
#endif

#endif
