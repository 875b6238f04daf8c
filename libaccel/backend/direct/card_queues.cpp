// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The queues of a card: create, ring, wait, destroy.
#include "card_queue.hpp"

#include <atomic>
#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <hw/oac_regs.h>

#include "clock.hpp"
#include "error.hpp"
#include "ring.hpp"

namespace accel::direct
{

namespace
{

/* Of a card that is about to be reset; that takes milliseconds. */
constexpr std::int64_t RESET_LIMIT_NS = 2 * NS_PER_S;

} // namespace

void card::ring_admin(std::uint32_t tail)
{
	if (is_shared_) {
		std::byte *page = bus_->doorbells().data();
		mmio_store32(page + OAC_DB_SQ_TAIL, tail);
		/* The store before the look at ASLEEP; the card sets ASLEEP before its last look. */
		std::atomic_thread_fence(std::memory_order_seq_cst);
		if (mmio_load32(page + OAC_DB_ASLEEP) == 0)
			return;
	}
	bus_->doorbell_write(OAC_DB_SQ_TAIL, tail, sizeof(tail));
}

std::byte *card::doorbell_page(std::uint32_t queue, queue_record &record, bool is_trapped)
{
	if (is_shared_ && !is_trapped)
		return bus_->doorbells().data() + std::size_t{ queue } * OAC_DB_PAGE_SIZE;
	record.page = std::make_unique<submit_page>();
	return record.page->bytes;
}

queue_port card::queue_create(std::uint32_t context, const queue_rings &rings)
{
	const auto lock = hold();
	require_firmware();
	const context_record in = live(context);
	auto record = std::make_shared<queue_record>(interrupts_, context);
	const auto queue = take_queue();
	if (!queue)
		throw failure(ENOSPC, "card " + name_ + ": all " + std::to_string(queues_.count()) +
					      " queues are in use; destroy one");
	try {
		const std::uint64_t line = std::uint64_t{ *queue } * sizeof(oac_progress);
		new (line_of(*queue)) oac_progress{};
		oac_admin_cmd cmd{};
		cmd.opcode = OAC_ADMIN_QUEUE_CREATE;
		cmd.context = in.id;
		oac_admin_queue_create &how = cmd.arg.queue_create;
		how.sq_va = rings.sq_va;
		how.cq_va = rings.cq_va;
		how.tail_va = rings.tail_va;
		how.progress_addr = progress_->bus_address() + line;
		how.queue_id = static_cast<std::uint16_t>(*queue);
		how.vector = static_cast<std::uint16_t>(record->line.vector);
		how.depth_log2 = static_cast<std::uint8_t>(rings.depth_log2);
		how.priority = static_cast<std::uint8_t>(rings.priority);
		how.weight = static_cast<__le16>(rings.weight);
		std::byte *page = doorbell_page(*queue, *record, rings.is_driver_submit);
		record->doorbell = page;
		{
			const std::lock_guard table_lock(table_mutex_);
			table_[*queue] = record;
		}
		admin_.run("create a queue", cmd, {}, {}, { in.session, 0 });
		return { *queue, page, true };
	} catch (...) {
		{
			const std::lock_guard table_lock(table_mutex_);
			table_.erase(*queue);
		}
		give_queue(*queue);
		throw;
	}
}

/* Under life_mutex_, as is the next. */
std::optional<std::uint32_t> card::take_queue()
{
	const std::lock_guard facts(facts_mutex_);
	return queues_.take();
}

void card::give_queue(std::uint32_t queue) noexcept
{
	const std::lock_guard facts(facts_mutex_);
	queues_.give(queue);
}

/*
 * The card did not let go of the queue and is about to be reset. Its owner may not go on before that:
 * commands of the queue could still touch his memory.
 */
void card::wait_until_lost(const queue_record &record) const noexcept
{
	const std::int64_t end = now_ns() + RESET_LIMIT_NS;
	pollfd fd{ record.line.event_fd, POLLIN, 0 };
	while (record.lost == OAC_LOST_NO && !bus_->is_dead() && now_ns() < end) {
		ppoll(&fd, 1, time_left(end).get(), nullptr);
		eventfd_t count;
		eventfd_read(fd.fd, &count);
	}
}

void card::queue_destroy(std::uint32_t queue) noexcept
{
	std::unique_lock lock(life_mutex_);
	const auto record = find(queue);
	try {
		if (record && record->lost == OAC_LOST_NO) {
			oac_admin_cmd cmd{};
			cmd.opcode = OAC_ADMIN_QUEUE_DESTROY;
			cmd.arg.queue_destroy.queue_id = static_cast<std::uint16_t>(queue);
			admin_.run("destroy a queue", cmd, {}, {});
		}
		add_ended(queue);
		give_queue(queue);
	} catch (const std::exception &) {
		/* Lost, or about to be, and with it the queue. If the card only refused, it hangs. */
		if (!bus_->is_dead() && admin_.is_enabled() && record) {
			record->is_orphan = has_orphans_ = true;
			watch_->wake();
			return;
		}
		if (record) {
			lock.unlock();
			wait_until_lost(*record);
			lock.lock();
		}
		give_queue(queue);
	}
	const std::lock_guard table_lock(table_mutex_);
	table_.erase(queue);
}

int card::queue_ring(std::uint32_t queue, unsigned offset, std::uint64_t value,
		     unsigned width) noexcept
{
	const std::uint64_t page = std::uint64_t{ queue } * OAC_DB_PAGE_SIZE;
	if (const auto record = find(queue); !record || record->lost.load() != OAC_LOST_NO)
		return bus_->is_dead() ? -ENODEV : -ESTALE;
	if (is_shared_) {
		std::byte *const stored = bus_->doorbells().data() + page;
		/* The library may have stored it in a page of its own (driver's submission): the card
		 * reads this one whenever it is awake. */
		if (width == sizeof(std::uint32_t))
			mmio_store32(stored + offset, static_cast<std::uint32_t>(value));
		else
			mmio_store64(stored + offset, value);
		/* One message wakes it: what is stored meanwhile, ARM as a rule, needs no other. */
		mmio_store32(stored + OAC_DB_ASLEEP, 0);
		std::atomic_thread_fence(std::memory_order_seq_cst);
	}
	return bus_->doorbell_write(page + offset, value, width);
}

std::shared_ptr<card::queue_record> card::find(std::uint32_t queue)
{
	const std::lock_guard lock(table_mutex_);
	const auto found = table_.find(queue);
	return found == table_.end() ? nullptr : found->second;
}

int card::queue_event_fd(std::uint32_t queue)
{
	const auto record = find(queue);
	if (!record)
		throw failure(EINVAL,
			      "card " + name_ + ": there is no queue " + std::to_string(queue));
	return record->line.event_fd;
}

std::map<std::uint32_t, std::shared_ptr<card::queue_record>> card::queues()
{
	const std::lock_guard lock(table_mutex_);
	return table_;
}

oac_progress *card::line_of(std::uint32_t queue) const noexcept
{
	return reinterpret_cast<oac_progress *>(progress_->data() +
						std::size_t{ queue } * sizeof(oac_progress));
}

/* The card writes the counts last, in one store: the acquire orders the rest of the line. */
queue_progress card::read_progress(std::uint32_t queue) const noexcept
{
	oac_progress *const line = line_of(queue);
	static_assert(offsetof(oac_progress, sq_head) == 0 &&
		      offsetof(oac_progress, completed) == 4);
	const std::uint64_t counts = std::atomic_ref(*reinterpret_cast<std::uint64_t *>(line))
					     .load(std::memory_order_acquire);
	queue_progress progress;
	progress.taken = static_cast<std::uint32_t>(counts);
	progress.completed = static_cast<std::uint32_t>(counts >> 32);
	progress.state = std::atomic_ref<__le32>(line->state).load(std::memory_order_relaxed);
	progress.status = std::atomic_ref<__le32>(line->status).load(std::memory_order_relaxed);
	progress.fault_addr =
		std::atomic_ref<__le64>(line->fault_addr).load(std::memory_order_relaxed);
	return progress;
}

/*
 * Interrupts by their edges, so that nothing has to be read back after a wait: an event that came
 * after the last one costs a look too many, no more. -1: there is none to be had.
 */
int card::sleeper_of(queue_record &record) noexcept
{
	const std::lock_guard lock(table_mutex_);
	if (record.sleeper.is_open())
		return record.sleeper.get();
	unique_fd made(epoll_create1(EPOLL_CLOEXEC));
	const auto add = [&](int fd, std::uint32_t events) {
		epoll_event event{};
		event.events = events;
		event.data.fd = fd;
		return fd < 0 || epoll_ctl(made.get(), EPOLL_CTL_ADD, fd, &event) == 0;
	};
	if (!add(record.line.event_fd, EPOLLIN | EPOLLET) || !add(bus_->lost_fd(), EPOLLRDHUP))
		return -1;
	record.sleeper = std::move(made);
	return record.sleeper.get();
}

/* true: the interrupt fired, or the card is lost; false: the deadline passed. */
bool card::wait_for_event(queue_record &record, std::int64_t deadline) noexcept
{
	const int sleeper = sleeper_of(record);
	for (;;) {
		epoll_event event;
		const int ready =
			epoll_pwait2(sleeper, &event, 1, time_left(deadline).get(), nullptr);
		if (ready > 0 && event.data.fd != record.line.event_fd)
			bus_->die();
		if (ready >= 0)
			return ready > 0;
		/* No descriptor left, or a kernel (a sandbox, a tool) without this call. */
		if (errno != EINTR)
			return poll_for_event(record.line.event_fd, deadline);
	}
}

/* The same in two calls. */
bool card::poll_for_event(int event_fd, std::int64_t deadline) noexcept
{
	pollfd fds[2] = { { event_fd, POLLIN, 0 }, { bus_->lost_fd(), POLLRDHUP, 0 } };
	for (;;) {
		const int ready = ppoll(fds, 2, time_left(deadline).get(), nullptr);
		if (ready > 0 && fds[1].revents)
			bus_->die();
		if (ready > 0) {
			eventfd_t count;
			eventfd_read(event_fd, &count);
			return true;
		}
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

bool card::is_gone() noexcept
{
	pollfd fd{ bus_->lost_fd(), POLLRDHUP, 0 };
	if (poll(&fd, 1, 0) > 0)
		bus_->die();
	return bus_->is_dead();
}

int card::queue_wait(std::uint32_t queue, std::uint32_t seen, std::int64_t deadline,
		     queue_progress *progress) noexcept
{
	const auto record = find(queue);
	if (!record)
		return -EINVAL;
	const auto is_lost = [&] { return record->lost.load() != OAC_LOST_NO; };
	const auto give_last = [&] {
		*progress = record->last;
		return bus_->is_dead() ? -ENODEV : -ESTALE;
	};
	if (is_lost())
		return give_last();
	*progress = read_progress(queue);
	const auto is_news = [&] {
		return progress->completed != seen || progress->state != OAC_QUEUE_RUNNING;
	};
	bool has_event = is_news();
	if (!has_event && deadline != 0) {
		has_event = wait_for_event(*record, deadline);
		*progress = read_progress(queue);
	}
	if (bus_->is_dead())
		return -ENODEV;
	if (is_lost())
		return give_last();
	return has_event || is_news() ? 0 : -ETIMEDOUT;
}

} // namespace accel::direct
