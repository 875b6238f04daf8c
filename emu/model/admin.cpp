// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See admin.hpp.
#include "admin.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "self_test.hpp"

namespace oac::emu
{

namespace
{

/* What each command takes; whatever it does not take must be zero. */
struct admin_rules {
	unsigned opcode;
	std::size_t arg;
	bool has_context;
	bool has_data;
};

constexpr admin_rules RULES[] = {
	{ OAC_ADMIN_IDENTIFY, 0, false, true },
	{ OAC_ADMIN_TIME_SYNC, sizeof(oac_admin_time_sync), false, false },
	{ OAC_ADMIN_CONTEXT_CREATE, sizeof(oac_admin_context_create), true, false },
	{ OAC_ADMIN_CONTEXT_DESTROY, 0, true, false },
	{ OAC_ADMIN_MAP, sizeof(oac_admin_map), true, true },
	{ OAC_ADMIN_UNMAP, sizeof(oac_admin_unmap), true, false },
	{ OAC_ADMIN_SCRUB, sizeof(oac_admin_scrub), false, false },
	{ OAC_ADMIN_QUEUE_CREATE, sizeof(oac_admin_queue_create), true, false },
	{ OAC_ADMIN_QUEUE_DESTROY, sizeof(oac_admin_queue_destroy), false, false },
	{ OAC_ADMIN_QUEUE_ABORT, sizeof(oac_admin_queue_abort), false, false },
	{ OAC_ADMIN_SELF_TEST, 0, false, false },
	{ OAC_ADMIN_GET_LOG, sizeof(oac_admin_get_log), false, true },
};

constexpr std::uint64_t DATA_ALIGNMENT = 8;
constexpr std::uint64_t LINE = 64; /* rings, tails and progress lines */

const admin_rules *find_rules(unsigned opcode)
{
	const admin_rules *rules =
		std::find_if(std::begin(RULES), std::end(RULES),
			     [&](const admin_rules &r) { return r.opcode == opcode; });

	return rules == std::end(RULES) ? nullptr : rules;
}

std::uint16_t check_fields(const oac_admin_cmd &cmd, const admin_rules &rules)
{
	const std::span<const __u8> arg(cmd.arg.bytes);
	const auto padding = arg.subspan(rules.arg);

	if (cmd.rsvd0 || cmd.rsvd1 ||
	    std::any_of(padding.begin(), padding.end(), [](__u8 byte) { return byte; }))
		return OAC_ST_BAD_FIELD;
	if (!rules.has_context && cmd.context)
		return OAC_ST_BAD_FIELD;
	if (!rules.has_data && (cmd.data_addr || cmd.data_size))
		return OAC_ST_BAD_FIELD;
	return cmd.data_addr % DATA_ALIGNMENT ? OAC_ST_BAD_ALIGNMENT : OAC_ST_SUCCESS;
}

outcome failed(std::uint16_t status)
{
	return { status, 0 };
}

} // namespace

void admin::enable(std::uint64_t sq, std::uint64_t cq, std::uint32_t depth)
{
	enabled_ = true;
	sq_ = sq;
	cq_ = cq;
	depth_ = depth;
	head_ = 0;
	completed_ = 0;
	seen_tail_ = 0;
	board_.doorbells.store<std::uint32_t>(OAC_DB_SQ_TAIL, 0);
	board_.tell_events(true);
}

void admin::reset()
{
	disable();
	error_ = false;
	turns_.reset();
	live_.clear();
	queues_.clear();
	contexts_.clear();
	host_ns_ = 0;
}

void admin::step()
{
	const std::uint32_t pending = board_.doorbells.load<std::uint32_t>(OAC_DB_SQ_TAIL) - head_;
	const std::uint32_t slot = head_ & (depth_ - 1);
	oac_admin_cmd cmd;

	if (board_.hooks && is_doorbell_lost()) [[unlikely]]
		return;
	if (pending > depth_ || !board_.host_read(sq_ + slot * sizeof(cmd), bytes_of(cmd))) {
		error_ = true;
		return;
	}
	head_++;
	if (board_.hooks && !board_.hooks->on_admin(cmd)) [[unlikely]]
		return;
	answer(cmd, execute(cmd));
}

bool admin::is_doorbell_lost()
{
	const auto tail = board_.doorbells.load<std::uint32_t>(OAC_DB_SQ_TAIL);

	if (tail == seen_tail_ || board_.hooks->on_doorbell({ 0, 0 })) {
		seen_tail_ = tail;
		return false;
	}
	board_.doorbells.store<std::uint32_t>(OAC_DB_SQ_TAIL, seen_tail_);
	return true;
}

void admin::answer(const oac_admin_cmd &cmd, const outcome &result)
{
	const oac_completion entry = { result.info, cmd.cid, result.status, 0 };

	if (!board_.hooks) [[likely]] {
		post(entry, false, true);
		return;
	}
	const post_order order = board_.hooks->on_admin_answer(cmd, entry);
	if (order.is_interrupt_early) {
		board_.interrupt(OAC_MSIX_ADMIN_VECTOR);
		board_.port.pause(order.pause_ns);
	}
	for (const posted_completion &each : order.entries)
		post(each.entry, each.has_wrong_phase, !order.is_interrupt_early);
}

void admin::post(const oac_completion &what, bool has_wrong_phase, bool interrupts)
{
	const std::uint16_t pass = static_cast<std::uint16_t>(completed_ / depth_);
	const std::uint32_t place = completed_ & (depth_ - 1);
	oac_completion entry = what;
	const std::span<std::byte> bytes = bytes_of(entry);
	const std::uint64_t address = cq_ + place * sizeof(entry);

	entry.phase = (pass & 1) ^ (has_wrong_phase ? 0 : OAC_PHASE_MASK);
	/* the word with the phase last */
	constexpr std::size_t half = sizeof(entry) / 2;
	error_ = !board_.host_write(address, bytes.first(half));
	std::atomic_thread_fence(std::memory_order_release);
	error_ = error_ || !board_.host_write(address + half, bytes.subspan(half));
	completed_++;
	if (!error_ && interrupts)
		board_.interrupt(OAC_MSIX_ADMIN_VECTOR);
}

outcome admin::execute(const oac_admin_cmd &cmd)
{
	const admin_rules *rules = find_rules(cmd.opcode);

	if (!rules)
		return failed(OAC_ST_BAD_OPCODE);
	const std::uint16_t status = check_fields(cmd, *rules);
	if (status != OAC_ST_SUCCESS)
		return failed(status);
	switch (cmd.opcode) {
	case OAC_ADMIN_IDENTIFY:
		return identify(cmd);
	case OAC_ADMIN_TIME_SYNC:
		return time_sync(cmd);
	case OAC_ADMIN_CONTEXT_CREATE:
		return context_create(cmd);
	case OAC_ADMIN_CONTEXT_DESTROY:
		return context_destroy(cmd);
	case OAC_ADMIN_MAP:
		return map(cmd);
	case OAC_ADMIN_UNMAP:
		return unmap(cmd);
	case OAC_ADMIN_SCRUB:
		return scrub(cmd);
	case OAC_ADMIN_QUEUE_CREATE:
		return queue_create(cmd);
	case OAC_ADMIN_QUEUE_DESTROY:
		return queue_destroy(cmd);
	case OAC_ADMIN_QUEUE_ABORT:
		return queue_abort(cmd);
	case OAC_ADMIN_SELF_TEST:
		return self_test();
	}
	return get_log(cmd);
}

context *admin::find_context(std::uint32_t id) const
{
	const auto found = contexts_.find(id);

	return found == contexts_.end() ? nullptr : found->second.get();
}

outcome admin::identify(const oac_admin_cmd &cmd)
{
	const oac_fw_header &header = board_.running->header;
	oac_identify data{};

	if (cmd.data_size != sizeof(data))
		return failed(OAC_ST_BAD_FIELD);
	std::memcpy(data.model, limits().model, sizeof(data.model));
	data.serial = serial_;
	data.lmem_size = board_.lmem.size();
	data.features = limits().features;
	std::copy_n(limits().cmd_mask, OAC_MASK_WORDS, data.cmd_mask);
	std::copy_n(limits().op_mask, OAC_MASK_WORDS, data.op_mask);
	std::copy_n(header.version, std::size(data.fw_version), data.fw_version);
	data.security_version = header.security_version;
	data.engine_count = limits().engine_count;
	data.engine_clock_khz = limits().engine_clock_khz;
	data.max_contexts = limits().max_contexts;
	data.max_queues = limits().max_queues;
	data.max_depth_log2 = limits().max_depth_log2;
	data.max_segments = limits().max_segments;
	data.max_maps = limits().max_maps;
	data.sensor_count = limits().sensor_count;
	data.event_capacity = limits().event_capacity;
	data.power_limit_mw = limits().power_limit_mw;
	if (board_.hooks) [[unlikely]]
		board_.hooks->on_admin_data(cmd, bytes_of(data));
	const bool done = board_.host_write(cmd.data_addr, bytes_of(data));
	return failed(done ? OAC_ST_SUCCESS : OAC_ST_DMA_ERROR);
}

outcome admin::time_sync(const oac_admin_cmd &cmd)
{
	host_ns_ = cmd.arg.time_sync.host_ns;
	return { OAC_ST_SUCCESS, board_.clock_ns() };
}

outcome admin::context_create(const oac_admin_cmd &cmd)
{
	const oac_admin_context_create &arg = cmd.arg.context_create;

	if (arg.rsvd)
		return failed(OAC_ST_BAD_FIELD);
	if (cmd.context == 0 || cmd.context > limits().max_contexts)
		return failed(OAC_ST_BAD_CONTEXT);
	if (find_context(cmd.context))
		return failed(OAC_ST_ID_IN_USE);
	contexts_.emplace(cmd.context, std::make_unique<context>(cmd.context, board_, arg.group));
	board_.lines.say(board_.clock_ns(), "context %u: made, group %u", cmd.context, arg.group);
	return {};
}

outcome admin::context_destroy(const oac_admin_cmd &cmd)
{
	const context *found = find_context(cmd.context);

	if (!found)
		return failed(OAC_ST_BAD_CONTEXT);
	if (found->queue_count && !destroy_stuck_queues(*found))
		return failed(OAC_ST_BUSY);
	contexts_.erase(cmd.context);
	board_.lines.say(board_.clock_ns(), "context %u: gone", cmd.context);
	return {};
}

bool admin::destroy_stuck_queues(const context &in)
{
	std::vector<queue *> all;

	for (queue *each : live_) {
		if (&each->owner() == &in)
			all.push_back(each);
	}
	if (!std::all_of(all.begin(), all.end(), [](const queue *each) {
		    return each->is_frozen() && each->is_released(rung::context);
	    }))
		return false;
	for (queue *each : all)
		destroy(*each);
	return true;
}

void admin::reconsider()
{
	seen_tail_ = board_.doorbells.load<std::uint32_t>(OAC_DB_SQ_TAIL);
	for (queue *each : live_)
		each->reconsider();
}

void admin::note_poison()
{
	for (const auto &[id, each] : contexts_)
		each->note_poison();
}

outcome admin::map(const oac_admin_cmd &cmd)
{
	const oac_admin_map &arg = cmd.arg.map;
	context *in = find_context(cmd.context);

	if (!in)
		return failed(OAC_ST_BAD_CONTEXT);
	if (arg.segment_count == 0 ||
	    cmd.data_size != std::uint64_t{ arg.segment_count } * sizeof(oac_segment))
		return failed(OAC_ST_BAD_FIELD);
	if (arg.segment_count > limits().max_segments)
		return failed(OAC_ST_LIMIT);
	std::vector<oac_segment> segments(arg.segment_count);
	if (!board_.host_read(cmd.data_addr, std::as_writable_bytes(std::span(segments))))
		return failed(OAC_ST_DMA_ERROR);
	return failed(in->map(arg.va, segments, arg.flags));
}

outcome admin::unmap(const oac_admin_cmd &cmd)
{
	context *in = find_context(cmd.context);

	if (!in)
		return failed(OAC_ST_BAD_CONTEXT);
	if (board_.hooks) [[unlikely]]
		in->tell_host_memory(cmd.arg.unmap.va, cmd.arg.unmap.length);
	return failed(in->unmap(cmd.arg.unmap.va, cmd.arg.unmap.length));
}

outcome admin::scrub(const oac_admin_cmd &cmd)
{
	const oac_admin_scrub &arg = cmd.arg.scrub;

	if ((arg.offset | arg.length) % OAC_PAGE_SIZE)
		return failed(OAC_ST_BAD_ALIGNMENT);
	if (arg.length == 0 || !board_.lmem.contains(arg.offset, arg.length))
		return failed(OAC_ST_BAD_FIELD);
	board_.lmem.scrub(arg.offset, arg.length);
	board_.heal(arg.offset, arg.length);
	note_poison();
	board_.count.add(OAC_COUNTER_SCRUBBED_BYTES, arg.length);
	return {};
}

outcome admin::queue_create(const oac_admin_cmd &cmd)
{
	const oac_admin_queue_create &arg = cmd.arg.queue_create;
	context *in = find_context(cmd.context);

	if (!in)
		return failed(OAC_ST_BAD_CONTEXT);
	if (arg.queue_id == 0 || arg.queue_id > limits().max_queues)
		return failed(OAC_ST_BAD_QUEUE);
	if (find_queue(arg.queue_id))
		return failed(OAC_ST_ID_IN_USE);
	if (arg.weight > OAC_WEIGHT_MAX || arg.vector >= vectors_ ||
	    arg.priority > OAC_PRIORITY_MAX || arg.depth_log2 == 0 ||
	    arg.depth_log2 > limits().max_depth_log2)
		return failed(OAC_ST_BAD_FIELD);
	if ((arg.sq_va | arg.cq_va | arg.tail_va | arg.progress_addr) % LINE)
		return failed(OAC_ST_BAD_ALIGNMENT);
	if (queues_.size() <= arg.queue_id)
		queues_.resize(arg.queue_id + 1u);
	queues_[arg.queue_id] = std::make_unique<queue>(board_, *in, arg);
	live_.push_back(queues_[arg.queue_id].get());
	turns_.add(*live_.back());
	return {};
}

outcome admin::queue_destroy(const oac_admin_cmd &cmd)
{
	const oac_admin_queue_destroy &arg = cmd.arg.queue_destroy;

	for (const __le16 padding : arg.rsvd) {
		if (padding)
			return failed(OAC_ST_BAD_FIELD);
	}
	queue *found = find_queue(arg.queue_id);
	if (!found)
		return failed(OAC_ST_BAD_QUEUE);
	if (!found->is_released(rung::queue))
		return failed(OAC_ST_BUSY);
	destroy(*found);
	return {};
}

void admin::destroy(queue &gone)
{
	const std::uint16_t id = gone.id;

	turns_.remove(gone);
	std::erase(live_, &gone);
	queues_[id].reset();
}

outcome admin::queue_abort(const oac_admin_cmd &cmd)
{
	const oac_admin_queue_abort &arg = cmd.arg.queue_abort;

	for (const __le16 padding : arg.rsvd) {
		if (padding)
			return failed(OAC_ST_BAD_FIELD);
	}
	queue *found = find_queue(arg.queue_id);
	if (!found)
		return failed(OAC_ST_BAD_QUEUE);
	board_.lines.say(board_.clock_ns(), "queue %u: abort", arg.queue_id);
	return failed(found->abort() ? OAC_ST_SUCCESS : OAC_ST_BUSY);
}

outcome admin::self_test()
{
	const std::uint64_t failed_now = test_engines(board_);

	board_.lines.say(board_.clock_ns(), "self-test: wrong engines %#llx",
			 static_cast<unsigned long long>(failed_now));
	if (failed_now & ~board_.failed_engines)
		board_.add_event(OAC_EVENT_SELF_TEST_FAILED, failed_now);
	board_.failed_engines |= failed_now;
	return { OAC_ST_SUCCESS, failed_now };
}

/* As many entries of all as the host has room for. */
template <typename Entry>
outcome admin::write_log(const oac_admin_cmd &cmd, const std::vector<Entry> &all)
{
	const std::uint64_t room = cmd.data_size / sizeof(Entry);
	const std::uint64_t first = std::min<std::uint64_t>(cmd.arg.get_log.start, all.size());
	const std::uint64_t count = std::min(room, all.size() - first);

	std::vector<Entry> part(all.begin() + static_cast<std::ptrdiff_t>(first),
				all.begin() + static_cast<std::ptrdiff_t>(first + count));
	const std::span<std::byte> bytes = std::as_writable_bytes(std::span(part));
	if (board_.hooks) [[unlikely]]
		board_.hooks->on_admin_data(cmd, bytes);
	if (count && !board_.host_write(cmd.data_addr, bytes))
		return failed(OAC_ST_DMA_ERROR);
	return { OAC_ST_SUCCESS, count };
}

outcome admin::get_log(const oac_admin_cmd &cmd)
{
	const oac_admin_get_log &arg = cmd.arg.get_log;

	if (arg.rsvd)
		return failed(OAC_ST_BAD_FIELD);
	board_.update_sensors();
	switch (arg.page) {
	case OAC_LOG_SENSOR_INFO:
		return write_log(cmd, board_.sense.info());
	case OAC_LOG_SENSOR_VALUES:
		return write_log(cmd, board_.sense.values());
	case OAC_LOG_COUNTERS:
		return write_log(cmd, board_.count.log());
	}
	/* start is a sequence number, and log() takes it into account */
	oac_admin_cmd rest = cmd;
	rest.arg.get_log.start = 0;
	if (arg.page == OAC_LOG_EVENTS)
		return write_log(rest,
				 board_.events.log(arg.start, cmd.data_size / sizeof(oac_event)));
	if (arg.page == OAC_LOG_FIRMWARE)
		return write_log(rest,
				 board_.lines.log(arg.start, cmd.data_size / sizeof(oac_fw_line)));
	return failed(OAC_ST_BAD_LOG);
}

} // namespace oac::emu
