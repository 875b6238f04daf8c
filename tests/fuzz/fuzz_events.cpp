// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// libaccel on a card that lies: identity, sensors, counters, event log, registers, completions and
// progress are the input's. What the API hands out must be what its header says, no call may hang,
// and no event may be there twice.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <accel/accel.h>
#include <hw/oac_health.h>
#include <hw/oac_telemetry.h>

#include "card_registry.hpp"
#include "device.hpp"
#include "lying_card.hpp"

namespace
{

constexpr int EVENTS = 100;
constexpr std::int64_t PATIENCE_NS = 1000000;
constexpr unsigned ACTIONS = 32, DEPTH = 16;

void require(bool is_so, int line = __builtin_LINE())
{
	if (is_so)
		return;
	std::fprintf(stderr, "line %d does not hold\n", line);
	std::abort();
}

/* 0..most, or a code. */
void require_result(int result, int most = 0, int line = __builtin_LINE())
{
	require(result <= most && result > -4096, line);
}

class session
{
public:
	session(accel_device &device, lying_card &card) : device_(device), card_(card) {}
	~session()
	{
		accel_queue_destroy(queue_);
		accel_context_destroy(context_);
		accel_event_stream_close(stream_);
	}

	void act()
	{
		switch (card_.pick(0, 9)) {
		case 0:
			read_telemetry();
			break;
		case 1:
			read_log();
			break;
		case 2:
			read_stream();
			break;
		case 3:
			read_identity();
			break;
		case 4:
			read_health();
			break;
		case 5:
			require_result(accel_device_recover(&device_, 10 * PATIENCE_NS));
			break;
		case 6:
			self_test();
			break;
		case 7:
			card_.scribble();
			break;
		default:
			use_queue();
		}
	}

private:
	void read_telemetry();
	void read_log();
	void read_stream();
	void read_identity();
	void read_health();
	void self_test();
	void use_queue();
	void make_queue();
	static void check(const accel_event &event);

	accel_device &device_;
	lying_card &card_;
	accel_context *context_ = nullptr;
	accel_queue *queue_ = nullptr;
	accel_event_stream *stream_ = nullptr;
	std::uint64_t last_ = 0;	/* of the stream */
	std::uint32_t next_tag_ = 1;
};

void session::read_telemetry()
{
	accel_telemetry *snapshot = nullptr;
	const int result = accel_telemetry_read(&device_, &snapshot);

	require_result(result);
	if (result < 0)
		return;
	const std::size_t sensors = accel_telemetry_sensors(snapshot);
	require(sensors <= OAC_SENSOR_MAX);
	for (std::size_t i = 0; i < sensors; i++) {
		double value;
		const char *reason = nullptr;
		const int found = accel_telemetry_sensor_value(snapshot, i, &value, &reason);
		require(found == 0 || (found == -ENODATA && reason));
		require(accel_telemetry_sensor_name(snapshot, i) &&
			accel_telemetry_sensor_label(snapshot, i) &&
			accel_telemetry_sensor_unit(snapshot, i));
		require_result(accel_telemetry_sensor_warn(snapshot, i, &value));
		require_result(accel_telemetry_sensor_critical(snapshot, i, &value));
	}
	for (std::size_t i = accel_telemetry_counters(snapshot); i > 0; i--)
		require(accel_telemetry_counter_name(snapshot, i - 1) &&
			accel_telemetry_counter_text(snapshot, i - 1));
	accel_telemetry_free(snapshot);
}

void session::check(const accel_event &event)
{
	const bool is_known = accel_event_name(event.code) != nullptr;

	require(is_known == (accel_event_text(event.code) != nullptr));
	require(is_known == (accel_event_action(event.code) != nullptr));
	require(event.severity <= OAC_SEVERITY_CARD_FATAL);
	require(event.action <= OAC_ACTION_REPLACE_CARD);
}

void session::read_log()
{
	accel_event events[EVENTS];
	const int count = accel_events_read(&device_, card_.pick<std::uint64_t>(0, UINT64_MAX),
					    events, card_.pick(0, EVENTS));

	require_result(count, EVENTS);
	for (int i = 0; i < count; i++)
		check(events[i]);
}

void session::read_stream()
{
	accel_event events[EVENTS];

	if (!stream_)
		require(accel_event_stream_open(&device_, 1, &stream_) == 0);
	const int count = accel_event_stream_read(stream_, events, EVENTS, 0);
	require_result(count, EVENTS);
	for (int i = 0; i < count; i++) {
		require(events[i].sequence > last_);
		last_ = events[i].sequence;
		check(events[i]);
	}
}

void session::read_identity()
{
	for (int i = ACCEL_STRING_NAME; i <= ACCEL_STRING_PROTOCOL; i++)
		accel_device_string(&device_, static_cast<accel_string>(i));
	for (int i = ACCEL_NUMBER_NUMA_NODE; i <= ACCEL_NUMBER_FEATURE_PEER; i++) {
		std::uint64_t value;
		require_result(accel_device_number(&device_, static_cast<accel_number>(i), &value));
	}
}

void session::read_health()
{
	accel_health health;

	require(accel_device_health(&device_, &health) == 0);
	require(health.state <= OAC_HEALTH_FAILED);
	require(accel_health_reason_name(health.reason) && accel_health_reason_text(health.reason));
	require(health.action <= OAC_ACTION_REPLACE_CARD);
}

void session::self_test()
{
	std::uint64_t failed;

	require_result(accel_device_self_test(&device_, &failed, 10 * PATIENCE_NS));
}

void session::make_queue()
{
	require_result(accel_context_create(&device_, &context_));
	if (context_)
		require_result(accel_queue_create(context_, DEPTH, 1, &queue_));
	if (!queue_) {
		accel_context_destroy(context_);
		context_ = nullptr;
	}
}

void session::use_queue()
{
	accel_completion completions[DEPTH];

	if (!queue_)
		make_queue();
	if (!queue_)
		return;
	for (unsigned i = card_.pick(0u, 3u); i > 0; i--)
		require_result(accel_queue_nop(queue_, next_tag_++));
	require_result(accel_queue_submit(queue_), DEPTH);
	card_.scribble();
	const unsigned outstanding = accel_queue_outstanding(queue_);
	const int count = card_.pick(0, 1) ?
				  accel_queue_reap(queue_, completions, DEPTH) :
				  accel_queue_wait(queue_, completions, DEPTH, PATIENCE_NS);
	require_result(count, static_cast<int>(outstanding));
	for (int i = 0; i < count; i++)
		require(completions[i].tag < next_tag_ && completions[i].result <= 0);
	if (count == -ESTALE || count == -ENODEV) {
		accel_queue_destroy(queue_);
		accel_context_destroy(context_);
		queue_ = nullptr;
		context_ = nullptr;
	}
}

void run(FuzzedDataProvider &input)
{
	auto bus = std::make_unique<lying_card>(input);
	lying_card &card = *bus;
	auto device = std::make_unique<accel_device>();

	try {
		auto opened =
			std::make_shared<accel::direct::card>("fuzz", "", std::move(bus), nullptr);
		device->backend = accel::direct::handle_on(std::move(opened));
	} catch (const accel::failure &) {
		return;	/* no card of this kind */
	}
	card.wait_for_watch();
	{
		session user(*device, card);
		for (unsigned i = 0; i < ACTIONS && card.has_more(); i++)
			user.act();
	}
	require(accel_device_close(device.release()) == 0);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
	setenv("ACCEL_HANG_MS", "100", 1);
	return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	FuzzedDataProvider input(data, size);

	run(input);
	return 0;
}
