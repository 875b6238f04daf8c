// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The card as a vfio-user client sees it: answers each message from the card, and is the card's way
// to host memory and interrupts. Keeps what belongs to one client (DMA maps, eventfds) and drops it
// on disconnect; the card's state stays. Knows no socket: see channel.hpp.
//
// While the card works it may have to ask the client for memory (a DMA message), and the client may
// be waiting for an answer from us at that moment. So requests are served in between, except that
// the card must not change under its own feet:
//  - reads go to the card at once;
//  - writes are acknowledged and reach the card when it is back (they are posted on PCIe, too);
//  - a reset, or the unmapping of memory the card may be using, refuses the DMA in hand, and is
//    carried out and answered when the card is back.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <model/card.hpp>

#include "channel.hpp"
#include "dma_table.hpp"
#include "irq_table.hpp"
#include "log.hpp"

namespace oac::vfio_user
{

class endpoint final : public emu::card_port
{
public:
	endpoint(std::string name, unsigned vectors) : log_(std::move(name)), irqs_(vectors) {}

	/* Once, before anything else; borrowed. The card was made with this as its port. */
	void attach(emu::card &card) { card_ = &card; }

	void connect(channel &peer);	/* borrowed until disconnect() */
	void disconnect();
	bool is_connected() const { return peer_ != nullptr; }

	/* Serves one message. false: this connection cannot go on. */
	bool handle(message m);
	/* Lets the card work, see card.hpp. */
	bool step()
	{
		const bool has_more = card_->step();
		return has_left_ ? finish_step(has_more) : has_more;
	}
	/* Does something to the card that is none of the client's business, between two steps. */
	void visit(const std::function<void()> &work);
	/* The connection broke while the card was working. */
	bool is_broken() const { return is_broken_; }

	/* For the card. */
	std::span<std::byte> dma_window(std::uint64_t addr, std::uint64_t length,
					emu::access kind) override;
	bool dma_read(std::uint64_t addr, std::span<std::byte> to) override;
	bool dma_write(std::uint64_t addr, std::span<const std::byte> from) override;
	void interrupt(unsigned vector) override;
	std::uint64_t now_ns() override;
	void pause(std::uint64_t ns) override;

	log &lines() { return log_; }
	const dma_table &maps() const { return maps_; }

private:
	struct reply {
		std::vector<std::byte> fixed;
		std::vector<std::byte> data;
		int fd = -1;
	};
	using handler = int (endpoint::*)(message &, reply &);
	/* Around every call into the card that may come back through the port, but step()'s. */
	class card_call
	{
	public:
		explicit card_call(endpoint &e) : e_(e) {}
		~card_call()
		{
			if (!e_.is_exchanging_)
				e_.end_call();
		}
		card_call(const card_call &) = delete;
		card_call &operator=(const card_call &) = delete;

	private:
		endpoint &e_;
	};

	/* One per message: 0, -errno, or POSTPONED. */
	int on_version(message &m, reply &r);
	int on_dma_map(message &m, reply &r);
	int on_dma_unmap(message &m, reply &r);
	int on_device_info(message &m, reply &r);
	int on_region_info(message &m, reply &r);
	int on_irq_info(message &m, reply &r);
	int on_set_irqs(message &m, reply &r);
	int on_region_read(message &m, reply &r);
	int on_region_write(message &m, reply &r);
	int on_reset(message &m, reply &r);

	bool serve(message m);
	int dispatch(message &m, reply &r);
	void answer(const message &m, int error, const reply &r);
	void settle();
	void end_call();
	bool finish_step(bool has_more);

	int check_region(const vfio_user_region_access &a, const char *what);
	int apply_write(const vfio_user_region_access &a, std::span<const std::byte> data);
	int connect_irqs(message &m, const vfio_user_irq_set &set);
	int trigger_irqs(const message &m, const vfio_user_irq_set &set);

	bool is_window_in_use(std::uint64_t first, std::uint64_t last) const;
	bool exchange(std::uint16_t cmd, std::uint64_t addr, std::span<std::byte> in,
		      std::span<const std::byte> out);
	bool take_dma_reply(const message &m, std::span<std::byte> in);

	log log_;
	emu::card *card_ = nullptr;
	channel *peer_ = nullptr;
	dma_table maps_;
	irq_table irqs_;

	bool is_negotiated_ = false;
	bool is_broken_ = false;
	bool has_dma_messages_ = true;	/* the client answers them */
	std::uint64_t max_transfer_ = VFIO_USER_MAX_DATA_XFER_SIZE;
	std::uint16_t next_id_ = 1;

	/* While the card works; messages are served meanwhile only in exchange(): */
	bool is_exchanging_ = false;
	bool is_dma_refused_ = false;
	bool has_left_ = false;		/* there is something in one of those below */
	std::vector<std::pair<std::uint64_t, std::uint64_t>> windows_;	/* given out: first, last */
	std::deque<message> writes_;			/* acknowledged, not yet done */
	std::optional<message> postponed_;		/* not yet answered */
};

} // namespace oac::vfio_user
