// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// What a command costs that does nothing (goals 1 to 8): the card stepped by this very thread, on the
// other core, in another process; one queue and many, one thread and two.
#include "noop.hpp"

#include <atomic>
#include <stdexcept>

#include "cards.hpp"
#include "floors.hpp"
#include "partner.hpp"

namespace bench
{

namespace
{

constexpr int AT_ONCE = 128;
constexpr unsigned MANY_CARDS = 8;
constexpr unsigned MANY_QUEUES = 16;

[[noreturn]] void give_up(int result)
{
	throw std::runtime_error("a command failed: " + std::to_string(result) + " " +
				 accel_error_text());
}

void write_nops(accel_queue *queue, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (const int result = accel_queue_nop(queue, i); result != 0) [[unlikely]]
			give_up(result);
	if (const int result = accel_queue_submit(queue); result != 0) [[unlikely]]
		give_up(result);
}

int reap(accel_queue *queue, int max = AT_ONCE)
{
	accel_completion completions[AT_ONCE];
	const int count = accel_queue_reap(queue, completions, max);
	if (count < 0 || (count > 0 && completions[count - 1].result != 0)) [[unlikely]]
		give_up(count);
	return count;
}

/* A queue of a card that this thread steps. Destroyed from the last member to the first. */
struct inline_queue {
	explicit inline_queue(unsigned flags, unsigned index = 0)
		: on(card_in_process(index)), queue(on.make_queue(flags)), taken(index)
	{
	}
	card on;
	queue_ptr queue;
	inline_card taken;

	/* As short as they can be: every instruction of them counts against the library. */
	void run_one_by_one(long n)
	{
		accel_queue *const on_it = queue.get();
		accel_completion done;
		for (; n > 0; n--) {
			const int wrong = accel_queue_nop(on_it, 1) | accel_queue_submit(on_it);
			int count;
			do {
				taken.step();
				count = accel_queue_reap(on_it, &done, 1);
			} while (count == 0);
			if ((wrong | count) < 0) [[unlikely]]
				give_up(wrong | count);
		}
	}
	void run_batches(unsigned batch, long n)
	{
		accel_queue *const on_it = queue.get();
		accel_completion completions[AT_ONCE];
		for (; n > 0; n -= batch) {
			int wrong = 0;
			for (unsigned i = 0; i < batch; i++)
				wrong |= accel_queue_nop(on_it, i);
			wrong |= accel_queue_submit(on_it);
			for (int left = static_cast<int>(batch); left > 0;) {
				taken.step();
				const int count = accel_queue_reap(on_it, completions, left);
				wrong |= count;
				if (wrong < 0) [[unlikely]]
					give_up(wrong);
				left -= count;
			}
		}
	}
};

/* cards x queues of them, each command on the next one. */
class inline_many
{
public:
	inline_many(unsigned cards, unsigned queues)
	{
		for (unsigned i = 0; i < cards; i++) {
			cards_.emplace_back(card_in_process(i));
			for (unsigned j = 0; j < queues; j++)
				places_.push_back(
					{ cards_.back().make_queue(ACCEL_QUEUE_ONE_THREAD),
					  nullptr });
		}
		for (unsigned i = 0; i < cards; i++) {
			taken_.push_back(std::make_unique<inline_card>(i));
			for (unsigned j = 0; j < queues; j++)
				places_[i * queues + j].taken = taken_.back().get();
		}
	}
	void run(long n)
	{
		accel_completion done;
		for (; n > 0; n--) {
			const place &at = places_[next_];
			next_ = next_ + 1 == places_.size() ? 0 : next_ + 1;
			int wrong = accel_queue_nop(at.queue.get(), 1);
			wrong |= accel_queue_submit(at.queue.get());
			int count;
			do {
				at.taken->step();
				count = accel_queue_reap(at.queue.get(), &done, 1);
			} while (count == 0);
			if ((wrong | count) < 0) [[unlikely]]
				give_up(wrong | count);
		}
	}

private:
	struct place {
		queue_ptr queue;
		const inline_card *taken;
	};
	std::vector<card> cards_;
	std::vector<place> places_;
	std::vector<std::unique_ptr<inline_card>> taken_;
	std::size_t next_ = 0;
};

/* A queue of a card that works by itself. */
struct queue_on_card {
	explicit queue_on_card(const std::string &name, unsigned flags = ACCEL_QUEUE_ONE_THREAD)
		: on(name), queue(on.make_queue(flags))
	{
		pin_cards_in_process(CARD);
	}
	card on;
	queue_ptr queue;

	void poll_one_by_one(long n)
	{
		for (; n > 0; n--) {
			write_nops(queue.get(), 1);
			while (reap(queue.get()) == 0)
				relax();
		}
	}
	/* Refilled a quarter at a time, as the bare ring is. */
	void poll_deep(unsigned depth, long n)
	{
		const long quarter = depth / 4;
		long written = 0, reaped = 0;
		while (reaped < n) {
			const long room = std::min(depth - (written - reaped), n - written);
			if (room >= quarter || (room > 0 && written + room == n)) {
				write_nops(queue.get(), static_cast<unsigned>(room));
				written += room;
			}
			const int count = reap(queue.get());
			if (count == 0)
				relax();
			reaped += count;
		}
	}
	void wait_batches(unsigned batch, long n)
	{
		accel_completion completions[AT_ONCE];
		for (long done = 0; done < n; done += batch) {
			write_nops(queue.get(), batch);
			for (unsigned got = 0; got < batch;)
				got += static_cast<unsigned>(check(accel_queue_wait(
					queue.get(), completions, AT_ONCE, ACCEL_TIMEOUT_DEFAULT)));
		}
	}
};

/* One queue for two threads: whoever finds the card free works for it. */
class shared_queue
{
public:
	explicit shared_queue(unsigned index) : inside_(0, index) {}
	void run(long n)
	{
		for (long done = 0; done < n; done += BATCH) {
			write_nops(inside_.queue.get(), BATCH);
			for (int got = 0; got < static_cast<int>(BATCH);) {
				step();
				got += reap(inside_.queue.get(), static_cast<int>(BATCH) - got);
			}
		}
	}

private:
	static constexpr unsigned BATCH = 32;
	void step()
	{
		if (is_stepping_.exchange(true, std::memory_order_acquire))
			return;
		inside_.taken.step();
		is_stepping_.store(false, std::memory_order_release);
	}

	inline_queue inside_;
	alignas(64) std::atomic<bool> is_stepping_{ false };
};

template <typename State>
figure over_state(std::string name, std::function<std::shared_ptr<State>()> make,
		  std::function<void(State &, long)> run)
{
	figure made;
	made.name = std::move(name);
	made.make = [=]() -> body { return [run, state = make()](long n) { run(*state, n); }; };
	return made;
}

figure over_two_threads(std::string name, std::function<std::pair<body, body>()> make)
{
	figure made;
	made.name = std::move(name);
	made.of = unit::millions;
	made.needs_two_cores = true;
	made.make = [=]() -> body {
		auto [mine, theirs] = make();
		auto other = std::make_shared<partner>(theirs);
		return [mine, other](long n) {
			other->start(n / 2);
			mine(n - n / 2);
			other->wait();
		};
	};
	return made;
}

} // namespace

figure noop_inline(unsigned flags, unsigned batch)
{
	const char *kind = flags & ACCEL_QUEUE_ONE_THREAD ? "noop_inline" : "noop_inline_shared";
	return over_state<inline_queue>(
		kind + ("_batch" + std::to_string(batch)),
		[flags] { return std::make_shared<inline_queue>(flags); },
		[batch](inline_queue &queue, long n) {
			batch == 1 ? queue.run_one_by_one(n) : queue.run_batches(batch, n);
		});
}

figure noop_inline_many(unsigned cards, unsigned queues)
{
	return over_state<inline_many>(
		"noop_inline_" + std::to_string(cards) + "x" + std::to_string(queues),
		[=] { return std::make_shared<inline_many>(cards, queues); },
		[](inline_many &many, long n) { many.run(n); });
}

static figure on_card(std::string name, std::function<std::string()> card_name,
		      std::function<void(queue_on_card &, long)> run)
{
	figure made = over_state<queue_on_card>(
		std::move(name), [=] { return std::make_shared<queue_on_card>(card_name()); },
		std::move(run));
	made.needs_two_cores = true;
	return made;
}

figure noop_polled(const std::string &suffix, std::function<std::string()> card_name)
{
	return on_card("noop_polled_depth1" + suffix, std::move(card_name),
		       [](queue_on_card &queue, long n) { queue.poll_one_by_one(n); });
}

figure noop_deep(const std::string &suffix, std::function<std::string()> card_name)
{
	return on_card("noop_polled_depth128" + suffix, std::move(card_name),
		       [](queue_on_card &queue, long n) { queue.poll_deep(128, n); });
}

figure noop_waited(unsigned batch)
{
	return on_card("noop_waited_batch" + std::to_string(batch), chosen_card,
		       [batch](queue_on_card &queue, long n) { queue.wait_batches(batch, n); });
}

/* Figures of one benchmark live side by side, and who has taken a card has it alone: one card each. */
figure noop_one_queue(unsigned threads)
{
	figure made;
	if (threads == 1) {
		made.name = "one_queue_1_thread";
		made.of = unit::millions;
		made.make = []() -> body {
			return [queue = std::make_shared<shared_queue>(1)](long n) {
				queue->run(n);
			};
		};
		return made;
	}
	return over_two_threads("one_queue_2_threads", [] {
		auto queue = std::make_shared<shared_queue>(2);
		const body run = [queue](long n) { queue->run(n); };
		return std::pair<body, body>(run, run);
	});
}

figure noop_two_cards(unsigned threads)
{
	constexpr unsigned BATCH = 32;
	figure made;
	if (threads == 1) {
		made.name = "own_card_1_thread";
		made.of = unit::millions;
		made.make = []() -> body {
			return [state = std::make_shared<inline_queue>(ACCEL_QUEUE_ONE_THREAD)](
				       long n) { state->run_batches(BATCH, n); };
		};
		return made;
	}
	return over_two_threads("own_card_2_threads", [] {
		auto first = std::make_shared<inline_queue>(ACCEL_QUEUE_ONE_THREAD, 2);
		auto second = std::make_shared<inline_queue>(ACCEL_QUEUE_ONE_THREAD, 3);
		return std::pair<body, body>([first](long n) { first->run_batches(BATCH, n); },
					     [second](long n) { second->run_batches(BATCH, n); });
	});
}

} // namespace bench
