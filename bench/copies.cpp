// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Moving data (goals 9 and 11): large copies against memcpy, a scattered list against one piece, and
// what a buffer that is mapped already costs the host.
#include "ours.hpp"

#include <cerrno>
#include <stdexcept>

#include "cards.hpp"
#include "machine.hpp"
#include "partner.hpp"

/*
 * The host's half of a command, apart, so that a tool that counts instructions can be told to count
 * these two and nothing else: names with C linkage, never inlined.
 */
extern "C" {
[[gnu::noinline]] void accel_bench_host_push(accel_queue *queue, std::uint64_t to,
					     std::uint64_t from, std::uint64_t size)
{
	if (size)
		accel_queue_copy(queue, to, from, size, 1);
	else
		accel_queue_nop(queue, 1);
	accel_queue_submit(queue);
}

[[gnu::noinline]] int accel_bench_host_reap(accel_queue *queue, accel_completion *done)
{
	return accel_queue_reap(queue, done, 1);
}
}

namespace bench
{

namespace
{

constexpr unsigned OUTSTANDING = 64;
constexpr std::uint64_t PIECE = 4096;
constexpr unsigned PIECES = 64;

void expect_success(const accel_completion *done, int count)
{
	for (int i = 0; i < count; i++)
		if (done[i].result != 0)
			throw std::runtime_error(std::string("the card failed a copy: ") +
						 accel_code_text(done[i].code));
}

/* A card, source and destination. */
struct copier {
	copier(const std::string &card_name, std::size_t bytes)
		: on(card_name), from(on.make_buffer(bytes)), to(destination(bytes)),
		  queue(on.make_queue(ACCEL_QUEUE_ONE_THREAD)), size(bytes)
	{
	}
	/* In the card's own memory, if it lets us have some. */
	mapped destination(std::size_t bytes) const
	{
		try {
			return on.make_buffer(bytes, true);
		} catch (const std::runtime_error &) {
			return on.make_buffer(bytes);
		}
	}
	void refill(long &left)
	{
		while (left > 0 && accel_queue_outstanding(queue.get()) < OUTSTANDING) {
			check(accel_queue_copy(queue.get(), to.address, from.address, size, 1));
			left--;
		}
		check(accel_queue_submit(queue.get()));
	}
	int wait()
	{
		accel_completion done[OUTSTANDING];
		const int count = check(
			accel_queue_wait(queue.get(), done, OUTSTANDING, ACCEL_TIMEOUT_DEFAULT));
		expect_success(done, count);
		return count;
	}
	bool is_busy() const { return accel_queue_outstanding(queue.get()) > 0; }

	card on;
	mapped from, to;
	queue_ptr queue;
	std::size_t size;
};

class copiers
{
public:
	copiers(unsigned cards, std::size_t size)
	{
		for (unsigned i = 0; i < cards; i++)
			all_.push_back(std::make_unique<copier>(card_in_process(i), size));
		pin_threads("oac-card0", CARD);
		if (cards > 1)
			pin_threads("oac-card1", HOST);
	}
	~copiers() { pin_threads("oac-card", CARD); }

	void run(long n)
	{
		std::vector<long> left(all_.size(), n / static_cast<long>(all_.size()));
		left[0] += n % static_cast<long>(all_.size());
		for (bool is_busy = true; is_busy;) {
			is_busy = false;
			for (std::size_t i = 0; i < all_.size(); i++) {
				all_[i]->refill(left[i]);
				is_busy |= all_[i]->is_busy();
			}
			for (const auto &one : all_)
				if (one->is_busy())
					one->wait();
		}
	}

private:
	std::vector<std::unique_ptr<copier>> all_;
};

/* 256 KiB in one piece, or in pieces that are not neighbours. */
class list_copier
{
public:
	explicit list_copier(bool is_scattered)
		: inside_(card_in_process(), PIECES * PIECE * 2), is_scattered_(is_scattered)
	{
		pin_cards_in_process(CARD);
	}
	void run(long n)
	{
		for (; n > 0; n--) {
			const int wanted = push();
			check(accel_queue_submit(inside_.queue.get()));
			accel_completion done[PIECES];
			for (int got = 0; got < wanted;) {
				const int count =
					check(accel_queue_reap(inside_.queue.get(), done, PIECES));
				expect_success(done, count);
				if (count == 0)
					relax();
				got += count;
			}
		}
	}

private:
	int push()
	{
		accel_queue *queue = inside_.queue.get();
		const std::uint64_t to = inside_.to.address, from = inside_.from.address;
		if (!is_scattered_) {
			check(accel_queue_copy(queue, to, from, PIECES * PIECE, 1));
			return 1;
		}
		for (unsigned i = 0; i < PIECES; i++) {
			/* Every other page, in an order that is not that of addresses. */
			const std::uint64_t at = (i * 5 % PIECES) * 2 * PIECE;
			check(accel_queue_copy(queue, to + i * PIECE, from + at, PIECE, i));
		}
		return PIECES;
	}

	copier inside_;
	bool is_scattered_;
};

class waiter
{
public:
	waiter() : inside_(chosen_card(), SIZE) { pin_cards_in_process(CARD); }
	void run(unsigned batch, long n)
	{
		accel_queue *const queue = inside_.queue.get();
		for (long done = 0; done < n; done += batch) {
			check(accel_queue_copy(queue, inside_.to.address, inside_.from.address,
					       SIZE, 0));
			for (unsigned i = 1; i < batch; i++)
				check(accel_queue_nop(queue, i));
			check(accel_queue_submit(queue));
			while (inside_.is_busy())
				inside_.wait();
		}
	}

private:
	/* Milliseconds: longer than any wait polls. */
	static constexpr std::size_t SIZE = std::size_t{ 16 } << 20;
	copier inside_;
};

class half
{
public:
	explicit half(std::uint64_t size)
		: on_(card_in_process()), from_(on_.make_buffer(PIECE)),
		  to_(on_.make_buffer(PIECE)), queue_(on_.make_queue(ACCEL_QUEUE_ONE_THREAD)),
		  taken_(0), size_(size)
	{
	}
	void run(long n)
	{
		accel_completion done;
		for (; n > 0; n--) {
			accel_bench_host_push(queue_.get(), to_.address, from_.address, size_);
			while (accel_queue_outstanding(queue_.get()) > 0) {
				taken_.work();
				if (accel_bench_host_reap(queue_.get(), &done) > 0)
					expect_success(&done, 1);
			}
		}
	}

private:
	card on_;
	mapped from_, to_;
	queue_ptr queue_;
	inline_card taken_;
	std::uint64_t size_;
};

} // namespace

figure copy_on_cards(unsigned cards, std::size_t size)
{
	figure made;
	made.name = "copy_" + std::to_string(cards) + "x" + std::to_string(size >> 10) + "KiB";
	made.of = unit::gigabytes;
	made.bytes = static_cast<double>(size);
	made.needs_two_cores = true;
	made.make = [=]() -> body {
		return [state = std::make_shared<copiers>(cards, size)](long n) { state->run(n); };
	};
	return made;
}

static figure copy_list(const char *name, bool is_scattered)
{
	figure made;
	made.name = name;
	made.of = unit::us;
	made.needs_two_cores = true;
	made.make = [=]() -> body {
		return [state = std::make_shared<list_copier>(is_scattered)](long n) {
			state->run(n);
		};
	};
	return made;
}

figure copy_scattered()
{
	return copy_list("copy_64x4KiB_list", true);
}

figure copy_in_one()
{
	return copy_list("copy_256KiB", false);
}

figure copy_waited(unsigned batch)
{
	figure made;
	made.name = "slept_batch" + std::to_string(batch);
	made.make = [batch]() -> body {
		return [state = std::make_shared<waiter>(), batch](long n) {
			state->run(batch, n);
		};
	};
	return made;
}

figure host_half(bool is_copy)
{
	figure made;
	made.name = is_copy ? "host_half_copy" : "host_half_noop";
	made.make = [=]() -> body {
		return [state = std::make_shared<half>(is_copy ? 64 : 0)](long n) {
			state->run(n);
		};
	};
	return made;
}

} // namespace bench
