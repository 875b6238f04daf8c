// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The endpoint's life of a message: check, dispatch, answer; and what was put off meanwhile. The
// messages themselves are in endpoint_device.cpp and endpoint_dma.cpp.
#include "endpoint_internal.hpp"

#include <cerrno>
#include <ctime>
#include <new>

#include <nlohmann/json.hpp>

namespace oac::vfio_user
{

void endpoint::connect(channel &peer)
{
	disconnect();
	peer_ = &peer;
}

void endpoint::disconnect()
{
	peer_ = nullptr;
	maps_.clear();
	window_epoch++;
	irqs_.clear();
	windows_.clear();
	writes_.clear();
	postponed_.reset();
	has_left_ = false;
	is_negotiated_ = false;
	is_broken_ = false;
	has_dma_messages_ = true;
	max_transfer_ = VFIO_USER_MAX_DATA_XFER_SIZE;
}

bool endpoint::handle(message m)
{
	const bool is_usable = serve(std::move(m));
	if (is_usable)
		settle();
	return is_usable && !is_broken_;
}

/* What came while the card was busy, in its order. */
void endpoint::settle()
{
	while (!is_broken_ && (!writes_.empty() || postponed_)) {
		if (!writes_.empty()) {
			const message m = std::move(writes_.front());
			writes_.pop_front();
			const auto &access = *m_as<vfio_user_region_access>(m);
			apply_write(access, std::span(m.payload).subspan(sizeof(access)));
		} else {
			message m = std::move(*postponed_);
			postponed_.reset();
			is_broken_ = !serve(std::move(m));
		}
	}
	end_call();
}

/* The card is back: its windows are its own no more. What was put off is settle()'s. */
void endpoint::end_call()
{
	windows_.clear();
	is_dma_refused_ = false;
	has_left_ = !writes_.empty() || postponed_;
}

void endpoint::visit(const std::function<void()> &work)
{
	const card_call call(*this);

	work();
}

/* After a step that has left something; true: there is more to do. */
bool endpoint::finish_step(bool has_more)
{
	end_call();
	if (!has_left_)
		return has_more;
	settle();
	return true;
}

bool endpoint::serve(message m)
{
	if (!m.is_framed) {
		log_.write(log_level::warning, "message of %u bytes: connection closed",
			   m.header.size);
		answer(m, -EINVAL, {});
		return false;
	}
	if (m.is_reply()) {
		log_.write(log_level::debug, "late reply to message %u dropped", m.header.id);
		return true;
	}
	reply r;
	const int error = dispatch(m, r);
	if (error == POSTPONED) {
		is_dma_refused_ = true;
		postponed_ = std::move(m);
		has_left_ = true;
		return true;
	}
	if (error)
		log_.write(log_level::debug, "command %u: error %d", m.header.cmd, -error);
	answer(m, error, r);
	return is_negotiated_;
}

int endpoint::dispatch(message &m, reply &r)
{
	static constexpr handler HANDLERS[] = {
		nullptr,
		&endpoint::on_version,
		&endpoint::on_dma_map,
		&endpoint::on_dma_unmap,
		&endpoint::on_device_info,
		&endpoint::on_region_info,
		nullptr,	/* region io fds */
		&endpoint::on_irq_info,
		&endpoint::on_set_irqs,
		&endpoint::on_region_read,
		&endpoint::on_region_write,
		nullptr,	/* DMA read and write: ours to send */
		nullptr,
		&endpoint::on_reset,
	};
	static_assert(std::size(HANDLERS) == VFIO_USER_DEVICE_RESET + 1);

	if ((m.header.flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND || !m.has_all_fds)
		return -EINVAL;
	if (is_negotiated_ == (m.header.cmd == VFIO_USER_VERSION)) {
		log_.write(log_level::warning,
			   is_negotiated_ ? "second VERSION" : "command %u before VERSION",
			   m.header.cmd);
		return -EINVAL;
	}
	const handler on = m.header.cmd < std::size(HANDLERS) ? HANDLERS[m.header.cmd] : nullptr;
	if (!on) {
		log_.write(log_level::warning, "unknown command %u", m.header.cmd);
		return -EOPNOTSUPP;
	}
	if (!m.fds.empty() && m.header.cmd != VFIO_USER_DMA_MAP &&
	    m.header.cmd != VFIO_USER_DEVICE_SET_IRQS)
		return -EINVAL;
	try {
		return (this->*on)(m, r);
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

void endpoint::answer(const message &m, int error, const reply &r)
{
	if (!peer_ || (m.header.flags & VFIO_USER_FLAG_NO_REPLY))
		return;
	vfio_user_header header{};
	header.id = m.header.id;
	header.cmd = m.header.cmd;
	header.flags = VFIO_USER_TYPE_REPLY;
	if (error) {
		header.flags |= VFIO_USER_FLAG_ERROR;
		header.error = static_cast<std::uint32_t>(-error);
		is_broken_ |= !peer_->send(encode(header, {}), -1);
	} else {
		is_broken_ |= !peer_->send(encode(header, r.fixed, r.data), r.fd);
	}
}

/* What the client's capabilities change for us; anything else in them is its own business. */
int endpoint::on_version(message &m, reply &r)
{
	using nlohmann::json;
	const auto *version = m_as<vfio_user_version>(m);
	if (!version || m.payload.back() != std::byte{ 0 })
		return -EINVAL;
	if (version->major != VFIO_USER_VERSION_MAJOR) {
		log_.write(log_level::warning, "client speaks vfio-user %u.%u, not 0.0",
			   version->major, version->minor);
		return -EINVAL;
	}
	const auto *text = reinterpret_cast<const char *>(m.payload.data()) + sizeof(*version);
	const std::size_t length = m.payload.size() - sizeof(*version);
	if (length > 1) {
		const json offer = json::parse(text, text + length - 1, nullptr, false);
		if (!offer.is_object())
			return -EINVAL;
		const json capabilities = offer.value("capabilities", json::object());
		if (!capabilities.is_object())
			return -EINVAL;
		const auto size = capabilities.find("max_data_xfer_size");
		if (size != capabilities.end() && size->is_number_unsigned())
			max_transfer_ = std::clamp<std::uint64_t>(size->get<std::uint64_t>(), 1,
								  VFIO_USER_MAX_DATA_XFER_SIZE);
		const auto no_dma = capabilities.find("no_dma_messages");
		has_dma_messages_ = no_dma == capabilities.end() || *no_dma != json(true);
	}
	put(r.fixed, vfio_user_version{ VFIO_USER_VERSION_MAJOR, VFIO_USER_VERSION_MINOR });
	const auto mine = std::as_bytes(std::span(VFIO_USER_CAPABILITIES));	/* with its NUL */
	r.data.assign(mine.begin(), mine.end());
	is_negotiated_ = true;
	return 0;
}

void endpoint::interrupt(unsigned vector)
{
	irqs_.trigger(vector);
}

std::uint64_t endpoint::now_ns()
{
	timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1000000000u +
	       static_cast<std::uint64_t>(now.tv_nsec);
}

void endpoint::pause(std::uint64_t ns)
{
	timespec left{ static_cast<time_t>(ns / 1000000000u), static_cast<long>(ns % 1000000000u) };

	while (ns && clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

} // namespace oac::vfio_user
