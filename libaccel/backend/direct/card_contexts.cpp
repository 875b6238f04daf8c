// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Contexts of a card and maps into them. The backend's number of a context is the card's as long as
// no lost one has that number still.
#include <cerrno>

#include "card_queue.hpp"
#include "error.hpp"

namespace accel::direct
{

namespace
{

/* Numbers of the backend's for one of the card's are so far apart. */
constexpr std::uint32_t STEP = 0x10000;

oac_admin_cmd command(std::uint8_t opcode, std::uint32_t context)
{
	oac_admin_cmd cmd{};
	cmd.opcode = opcode;
	cmd.context = context;
	return cmd;
}

} // namespace

std::uint32_t card::context_create(std::uint32_t group)
{
	const auto lock = hold();
	require_firmware();
	const auto id = take_context();
	if (!id)
		throw failure(ENOSPC, "card " + name_ + ": all " +
					      std::to_string(identity_.max_contexts) +
					      " contexts are in use; destroy one");
	std::uint32_t context = *id;
	try {
		oac_admin_cmd cmd = command(OAC_ADMIN_CONTEXT_CREATE, *id);
		cmd.arg.context_create.group = group;
		const std::uint32_t session = admin_.session();
		admin_.run("create a context", cmd, {}, {}, { session, 0 });
		const std::lock_guard facts(facts_mutex_);
		const std::lock_guard table_lock(table_mutex_);
		while (context_table_.count(context) > 0)
			context += STEP;
		spent_[context] = {};
		context_table_[context] = { *id, session, OAC_LOST_NO };
	} catch (...) {
		give_context(*id);
		throw;
	}
	return context;
}

/* Under life_mutex_, as are the next. */
std::optional<std::uint32_t> card::take_context()
{
	const std::lock_guard facts(facts_mutex_);
	return contexts_.take();
}

void card::give_context(std::uint32_t context) noexcept
{
	const std::lock_guard facts(facts_mutex_);
	contexts_.give(context);
}

void card::context_destroy(std::uint32_t context) noexcept
{
	const std::lock_guard lock(life_mutex_);
	forget_usage(context);
	auto record = [&] {
		const std::lock_guard table_lock(table_mutex_);
		return context_table_.extract(context);
	}();
	if (!record || record.mapped().lost != OAC_LOST_NO)
		return;
	const std::uint32_t id = record.mapped().id;
	try {
		admin_.run("destroy a context", command(OAC_ADMIN_CONTEXT_DESTROY, id), {}, {},
			   { record.mapped().session, 0 });
		give_context(id);
		/* With it went a queue that would not go alone. */
		if (has_orphans_)
			lose_queues([&](const queue_record &one) {
				return one.context == context ? OAC_LOST_INNOCENT : OAC_LOST_NO;
			});
	} catch (const std::exception &) {
		/* Lost, and with it the context. If the card only refused, a queue of it hangs. */
		if (bus_->is_dead() || !admin_.is_enabled()) {
			give_context(id);
			return;
		}
		record.mapped().is_orphan = has_orphans_ = true;
		const std::lock_guard table_lock(table_mutex_);
		context_table_.insert(std::move(record));
	}
}

card::context_record card::live(std::uint32_t context)
{
	const std::lock_guard lock(table_mutex_);
	const auto found = context_table_.find(context);
	if (found == context_table_.end())
		throw failure(EINVAL,
			      "card " + name_ + ": there is no context " + std::to_string(context));
	if (bus_->is_dead())
		throw failure(ENODEV, "card " + name_ + ": it is lost; close and open it again");
	if (found->second.lost != OAC_LOST_NO)
		stale("use a context");
	return found->second;
}

std::uint32_t card::context_lost(std::uint32_t context)
{
	const std::lock_guard lock(table_mutex_);
	const auto found = context_table_.find(context);
	return found == context_table_.end() ? OAC_LOST_NO : found->second.lost;
}

void card::map(std::uint32_t context, std::uint64_t target, std::size_t size, std::uint64_t va,
	       std::uint32_t flags, const local_memory *local)
{
	const context_record in = live(context);
	if (local && local->session() != in.session)
		throw failure(ESTALE, "card " + name_ +
					      ": map a buffer: the card was reset, and what was in "
					      "this local buffer is gone; free it and allocate "
					      "another");
	oac_segment segment{};
	segment.target = target;
	segment.length = size;
	oac_admin_cmd cmd = command(OAC_ADMIN_MAP, in.id);
	cmd.arg.map.va = va;
	cmd.arg.map.segment_count = 1;
	cmd.arg.map.flags = flags;
	admin_.run("map a buffer", cmd, std::as_bytes(std::span(&segment, 1)), {},
		   { in.session, 0 });
}

void card::unmap(std::uint32_t context, std::uint64_t va, std::size_t size)
{
	const context_record in = live(context);
	oac_admin_cmd cmd = command(OAC_ADMIN_UNMAP, in.id);
	cmd.arg.unmap.va = va;
	cmd.arg.unmap.length = size;
	admin_.run("unmap a buffer", cmd, {}, {}, { in.session, 0 });
}

} // namespace accel::direct
