// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// Finding cards and getting the first command done (goal 17), on cards that are running already: 8 of
// them behind sockets.
#include "ours.hpp"

#include <cstdlib>
#include <stdexcept>

#include "cards.hpp"
#include "floors.hpp"
#include "machine.hpp"
#include "partner.hpp"

namespace bench
{

namespace
{

constexpr unsigned CARDS = 8;

/* The environment says where cards are; put back when gone. */
class served_cards
{
public:
	served_cards() : server_(CARDS)
	{
		const char *before = std::getenv("ACCEL_EMU");
		emulated_ = before ? before : "";
		unsetenv("ACCEL_EMU");
		setenv("ACCEL_SOCKETS", server_.directory().c_str(), 1);
	}
	served_cards(const served_cards &) = delete;
	served_cards &operator=(const served_cards &) = delete;
	~served_cards()
	{
		unsetenv("ACCEL_SOCKETS");
		if (!emulated_.empty())
			setenv("ACCEL_EMU", emulated_.c_str(), 1);
	}

	void list() const
	{
		accel_device_list *list;
		check(accel_device_list_create(&list));
		const std::size_t count = accel_device_list_count(list);
		accel_device_list_free(list);
		if (count < CARDS)
			throw std::runtime_error("the list has " + std::to_string(count) +
						 " cards, not 8");
	}
	/* Boots it, if it is not. */
	void open() const
	{
		const card opened(server_.card(0));
		const queue_ptr queue = opened.make_queue(ACCEL_QUEUE_ONE_THREAD);
		check(accel_queue_nop(queue.get(), 1));
		check(accel_queue_submit(queue.get()));
		accel_completion done;
		while (check(accel_queue_reap(queue.get(), &done, 1)) == 0)
			relax();
	}

private:
	card_server server_;
	std::string emulated_;
};

} // namespace

static figure on_served_cards(const char *name, void (served_cards::*first)() const,
			      void (served_cards::*second)() const)
{
	figure made;
	made.name = name;
	made.of = unit::us;
	made.make = [=]() -> body {
		return [=, cards = std::make_shared<served_cards>()](long n) {
			for (; n > 0; n--) {
				((*cards).*first)();
				if (second)
					((*cards).*second)();
			}
		};
	};
	return made;
}

figure list_cards()
{
	return on_served_cards("list_8_cards", &served_cards::list, nullptr);
}

figure list_and_open()
{
	return on_served_cards("list_open_first_command", &served_cards::list, &served_cards::open);
}

figure list_bound_and_1ms()
{
	figure made;
	made.name = "240_sysfs_reads_and_1ms";
	made.of = unit::us;
	made.make_value = [] {
		return [reads = read_sysfs().make()](std::int64_t) {
			constexpr long READS = 8 * 30;
			const std::int64_t begin = now_ns();
			reads(READS);
			return static_cast<double>(now_ns() - begin) / 1e3 + 1000;
		};
	};
	return made;
}

} // namespace bench
