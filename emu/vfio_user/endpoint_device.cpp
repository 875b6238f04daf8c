// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// The endpoint's messages about the device: what it has, register accesses, interrupts, reset.
#include "endpoint_internal.hpp"

namespace oac::vfio_user
{

int endpoint::on_device_info(message &m, reply &r)
{
	const auto *ask = m_as<vfio_user_device_info>(m);
	if (!ask || ask->argsz < sizeof(*ask))
		return -EINVAL;
	put(r.fixed, vfio_user_device_info{
			     .argsz = sizeof(*ask),
			     .flags = VFIO_USER_DEVICE_CAN_RESET | VFIO_USER_DEVICE_IS_PCI,
			     .num_regions = VFIO_USER_NUM_REGIONS,
			     .num_irqs = VFIO_USER_NUM_IRQS,
		     });
	return 0;
}

int endpoint::on_region_info(message &m, reply &r)
{
	const auto *ask = m_as<vfio_user_region_info>(m);
	if (!ask || ask->argsz < sizeof(*ask) || ask->index >= VFIO_USER_NUM_REGIONS)
		return -EINVAL;
	vfio_user_region_info info{};
	info.argsz = sizeof(info);
	info.index = ask->index;
	std::optional<emu::bar_memory> memory;
	if (ask->index <= VFIO_USER_REGION_BAR5) {
		info.size = card_->bar_size(ask->index);
		memory = card_->bar_backing(ask->index);
	} else if (ask->index == VFIO_USER_REGION_CONFIG) {
		info.size = VFIO_USER_CONFIG_SIZE;
	}
	if (info.size)
		info.flags = VFIO_USER_REGION_CAN_READ | VFIO_USER_REGION_CAN_WRITE;
	if (!memory) {
		put(r.fixed, info);
		return 0;
	}

	/* cap_offset counts as soon as flags say so, also in an answer that is too short for it. */
	const vfio_user_sparse_mmap sparse{
		{ VFIO_USER_CAP_SPARSE_MMAP, VFIO_USER_CAP_SPARSE_MMAP_VERSION, 0 }, 1, 0
	};
	const vfio_user_sparse_area area{ 0, memory->size };
	info.flags |= VFIO_USER_REGION_CAN_MMAP | VFIO_USER_REGION_HAS_CAPS;
	info.cap_offset = sizeof(info);
	info.argsz = sizeof(info) + sizeof(sparse) + sizeof(area);
	r.fd = memory->fd;
	put(r.fixed, info);
	if (ask->argsz >= info.argsz) {
		put(r.data, sparse);
		put(r.data, area);
	}
	return 0;
}

int endpoint::on_irq_info(message &m, reply &r)
{
	const auto *ask = m_as<vfio_user_irq_info>(m);
	if (!ask || ask->argsz < sizeof(*ask) || ask->index >= VFIO_USER_NUM_IRQS)
		return -EINVAL;
	vfio_user_irq_info info{};
	info.argsz = sizeof(info);
	info.index = ask->index;
	if (ask->index == VFIO_USER_IRQ_MSIX) {
		info.flags = VFIO_USER_IRQ_EVENTFD;
		info.count = irqs_.size();
	}
	put(r.fixed, info);
	return 0;
}

int endpoint::on_set_irqs(message &m, reply &)
{
	const auto *set = m_as<vfio_user_irq_set>(m);
	if (!set || set->argsz < sizeof(*set) || set->index >= VFIO_USER_NUM_IRQS)
		return -EINVAL;
	const std::uint32_t vectors = set->index == VFIO_USER_IRQ_MSIX ? irqs_.size() : 0;
	if (set->start > vectors || set->count > vectors - set->start)
		return -EINVAL;
	const std::uint32_t data = set->flags & VFIO_USER_IRQ_SET_DATA_MASK;
	if ((set->flags & ~VFIO_USER_IRQ_SET_DATA_MASK) != VFIO_USER_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;		/* masking is the host's, as on every MSI-X card */
	if (data != VFIO_USER_IRQ_SET_DATA_EVENTFD && !m.fds.empty())
		return -EINVAL;
	switch (data) {
	case VFIO_USER_IRQ_SET_DATA_EVENTFD:
		return connect_irqs(m, *set);
	case VFIO_USER_IRQ_SET_DATA_NONE:
		if (set->count == 0 && set->index == VFIO_USER_IRQ_MSIX)
			irqs_.clear();
		[[fallthrough]];
	case VFIO_USER_IRQ_SET_DATA_BOOL:
		return trigger_irqs(m, *set);
	default:
		return -EINVAL;
	}
}

int endpoint::connect_irqs(message &m, const vfio_user_irq_set &set)
{
	if (!m.fds.empty() && m.fds.size() != set.count)
		return -EINVAL;
	for (std::uint32_t i = 0; i < set.count; i++) {
		if (m.fds.empty())
			irqs_.disconnect(set.start + i);
		else if (const int error = irqs_.connect(set.start + i, m.fds[i]))
			return error;
	}
	return 0;
}

/* Loopback, for a client that tests its eventfds. */
int endpoint::trigger_irqs(const message &m, const vfio_user_irq_set &set)
{
	const auto chosen = std::span(m.payload).subspan(sizeof(set));
	const bool is_bool = (set.flags & VFIO_USER_IRQ_SET_DATA_BOOL) != 0;
	if (is_bool && chosen.size() < set.count)
		return -EINVAL;
	for (std::uint32_t i = 0; i < set.count; i++) {
		if (!is_bool || chosen[i] != std::byte{ 0 })
			irqs_.trigger(set.start + i);
	}
	return 0;
}

/* Errors here are a driver's mistakes: always worth a line. */
int endpoint::check_region(const vfio_user_region_access &a, const char *what)
{
	std::uint64_t size = 0;
	if (a.region <= VFIO_USER_REGION_BAR5)
		size = card_->bar_size(a.region);
	else if (a.region == VFIO_USER_REGION_CONFIG)
		size = VFIO_USER_CONFIG_SIZE;
	if (a.count && a.count <= VFIO_USER_MAX_DATA_XFER_SIZE && a.offset < size &&
	    a.count <= size - a.offset)
		return 0;
	log_.write(log_level::warning, "%s of %u bytes at region %u offset %#llx: out of range",
		   what, a.count, a.region, static_cast<unsigned long long>(a.offset));
	return -EINVAL;
}

int endpoint::on_region_read(message &m, reply &r)
{
	const auto *access = m_as<vfio_user_region_access>(m);
	if (!access)
		return -EINVAL;
	if (const int error = check_region(*access, "read"))
		return error;
	r.data.resize(access->count);
	bool is_done;
	{
		card_call call(*this);
		is_done = access->region == VFIO_USER_REGION_CONFIG ?
				  card_->config_read(access->offset, r.data) :
				  card_->bar_read(access->region, access->offset, r.data);
	}
	if (!is_done) {
		log_.write(log_level::warning,
			   "card refused read of %u bytes at region %u offset %#llx", access->count,
			   access->region, static_cast<unsigned long long>(access->offset));
		return -EINVAL;
	}
	put(r.fixed, *access);
	return 0;
}

int endpoint::on_region_write(message &m, reply &r)
{
	const auto *access = m_as<vfio_user_region_access>(m);
	if (!access || m.payload.size() - sizeof(*access) != access->count)
		return -EINVAL;
	if (const int error = check_region(*access, "write"))
		return error;
	put(r.fixed, *access);
	if (is_exchanging_) {
		message later;
		later.payload = std::move(m.payload);
		writes_.push_back(std::move(later));
		has_left_ = true;
		return 0;
	}
	return apply_write(*access, std::span(m.payload).subspan(sizeof(*access)));
}

int endpoint::apply_write(const vfio_user_region_access &a, std::span<const std::byte> data)
{
	bool is_done;
	{
		card_call call(*this);
		is_done = a.region == VFIO_USER_REGION_CONFIG ?
				  card_->config_write(a.offset, data) :
				  card_->bar_write(a.region, a.offset, data);
	}
	if (is_done)
		return 0;
	log_.write(log_level::warning, "card refused write of %u bytes at region %u offset %#llx",
		   a.count, a.region, static_cast<unsigned long long>(a.offset));
	return -EINVAL;
}

int endpoint::on_reset(message &, reply &)
{
	if (is_exchanging_)
		return POSTPONED;
	card_call call(*this);
	card_->reset(emu::reset_kind::bus);
	return 0;
}

} // namespace oac::vfio_user
