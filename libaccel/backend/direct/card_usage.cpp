// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What contexts spent on a card, from the progress lines of their queues. Lines count from 0 for
// each queue, so what a queue spent is added up when it ends.
#include "card_queue.hpp"

#include <atomic>

#include <unistd.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

void add(usage_reading &sum, const usage_reading &part)
{
	sum.compute_ns += part.compute_ns;
	sum.copy_ns += part.copy_ns;
	sum.commands += part.commands;
	sum.errors += part.errors;
}

} // namespace

/* Under facts_mutex_. Between two looks at a queue fewer than 2^32 of its commands complete. */
usage_reading card::read_usage(std::uint32_t queue, queue_record &record) const noexcept
{
	oac_progress *const line = line_of(queue);
	const auto load = [](__le64 &word) {
		return std::atomic_ref<__le64>(word).load(std::memory_order_relaxed);
	};
	const std::uint32_t completed =
		std::atomic_ref<__le32>(line->completed).load(std::memory_order_acquire);
	record.commands += completed - static_cast<std::uint32_t>(record.commands);
	usage_reading usage;
	usage.compute_ns = load(line->compute_ns);
	usage.copy_ns = load(line->copy_ns);
	usage.commands = record.commands;
	usage.errors = load(line->error_count);
	return usage;
}

/* Under facts_mutex_. context 0: all of them. */
usage_reading card::live_usage(std::uint32_t context) noexcept
{
	const std::lock_guard lock(table_mutex_);
	usage_reading sum;
	for (const auto &[queue, record] : table_) {
		if (context == 0 || record->context == context)
			add(sum, read_usage(queue, *record));
	}
	return sum;
}

/* Under life_mutex_, when the card has let go of the queue and writes its line no more. */
void card::add_ended(std::uint32_t queue) noexcept
{
	if (read_progress(queue).completed != 0)
		has_worked_ = true;
	const std::lock_guard facts(facts_mutex_);
	const auto record = find(queue);
	const auto sum = record ? spent_.find(record->context) : spent_.end();
	if (sum != spent_.end())
		add(sum->second, read_usage(queue, *record));
}

/* Under life_mutex_, when a context goes. */
void card::forget_usage(std::uint32_t context) noexcept
{
	const std::lock_guard facts(facts_mutex_);
	const auto ended = spent_.find(context);
	if (ended == spent_.end())
		return;
	add(spent_before_, ended->second);
	spent_.erase(ended);
}

usage_reading card::context_usage(std::uint32_t context)
{
	const std::lock_guard facts(facts_mutex_);
	require_firmware();
	live(context);
	usage_reading usage = live_usage(context);
	if (const auto ended = spent_.find(context); ended != spent_.end())
		add(usage, ended->second);
	return usage;
}

client_reading card::client()
{
	const std::lock_guard facts(facts_mutex_);
	usage_reading usage = live_usage(0);
	add(usage, spent_before_);
	for (const auto &[context, ended] : spent_)
		add(usage, ended);
	client_reading client;
	client.id = 1;
	client.pid = getpid();
	client.uid = geteuid();
	client.contexts = contexts_.count();
	client.queues = queues_.count();
	client.host_bytes = host_bytes.load();
	client.local_bytes = local_.used();
	client.compute_ns = usage.compute_ns;
	client.copy_ns = usage.copy_ns;
	client.commands = usage.commands;
	return client;
}

} // namespace accel::direct
