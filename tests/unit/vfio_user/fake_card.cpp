// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See fake_card.hpp.
#include "fake_card.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>

fake_hooks *fake;

namespace oac::emu
{

struct card::impl {
	card_port &port;
	bool has_shared_doorbells;
	std::array<std::byte, OAC_BAR_REGS_SIZE> registers{};
	std::array<std::byte, 4096> config{};
	int lmem;
	int doorbells;
	std::atomic_ref<std::uint32_t> doorbell() { return std::atomic_ref(*page); }
	std::uint32_t *page;
	std::uint32_t seen = 0;
	bool is_going = false;

	impl(const card_config &c, card_port &p)
		: port(p), has_shared_doorbells(c.shared_doorbells),
		  lmem(memfd_create("fake-lmem", MFD_CLOEXEC)),
		  doorbells(memfd_create("fake-doorbells", MFD_CLOEXEC))
	{
		if (ftruncate(lmem, FAKE_BAR2_SIZE) || ftruncate(doorbells, FAKE_BAR4_SIZE))
			std::abort();
		page = static_cast<std::uint32_t *>(mmap(
			nullptr, FAKE_BAR4_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, doorbells, 0));
		const std::uint32_t id = OAC_PCI_DEVICE_ID << 16 | OAC_PCI_VENDOR_ID;
		std::memcpy(config.data(), &id, sizeof(id));
	}
	~impl()
	{
		munmap(page, FAKE_BAR4_SIZE);
		close(lmem);
		close(doorbells);
	}
	void set(std::uint64_t offset, std::uint32_t value)
	{
		std::memcpy(registers.data() + offset, &value, sizeof(value));
	}
};

card::card(const card_config &config, card_port &port) : impl_(std::make_unique<impl>(config, port))
{
}

card::~card() = default;

bool card::config_read(std::uint64_t offset, std::span<std::byte> to)
{
	std::memcpy(to.data(), impl_->config.data() + offset, to.size());
	return true;
}

bool card::config_write(std::uint64_t offset, std::span<const std::byte> from)
{
	std::memcpy(impl_->config.data() + offset, from.data(), from.size());
	return true;
}

bool card::bar_read(unsigned bar, std::uint64_t offset, std::span<std::byte> to)
{
	if (bar != OAC_BAR_REGS || to.size() != 4 || offset % 4)
		return false;
	std::memcpy(to.data(), impl_->registers.data() + offset, 4);
	return true;
}

bool card::bar_write(unsigned bar, std::uint64_t offset, std::span<const std::byte> from)
{
	if (bar == OAC_BAR_DOORBELL) {
		fake->doorbells++;
		return true;
	}
	if (bar != OAC_BAR_REGS || from.size() != 4 || offset % 4)
		return false;
	std::uint32_t value;
	std::memcpy(&value, from.data(), 4);
	impl_->set(offset, value);
	if (offset == FAKE_INTERRUPT)
		impl_->port.interrupt(value);
	impl_->is_going |= offset == FAKE_GO;
	return true;
}

std::uint64_t card::bar_size(unsigned bar) const
{
	switch (bar) {
	case OAC_BAR_REGS:
		return OAC_BAR_REGS_SIZE;
	case OAC_BAR_LMEM:
		return FAKE_BAR2_SIZE;
	case OAC_BAR_DOORBELL:
		return FAKE_BAR4_SIZE;
	default:
		return 0;
	}
}

std::optional<bar_memory> card::bar_backing(unsigned bar) const
{
	if (bar == OAC_BAR_LMEM)
		return bar_memory{ impl_->lmem, FAKE_BAR2_SIZE };
	if (bar == OAC_BAR_DOORBELL && impl_->has_shared_doorbells)
		return bar_memory{ impl_->doorbells, FAKE_BAR4_SIZE };
	return std::nullopt;
}

void card::reset(reset_kind)
{
	fake->resets++;
}

bool card::step()
{
	if (const std::uint32_t now = impl_->doorbell().load(); now != impl_->seen) {
		impl_->seen = now;
		fake->doorbells++;
	}
	if (!impl_->is_going)
		return false;
	impl_->is_going = false;
	impl_->set(FAKE_RESULT, fake->on_step(impl_->port) ? 2 : 1);
	return false;
}

void card::tick()
{
}

std::uint64_t card::step_cost() const
{
	return 1;
}

std::optional<std::uint64_t> card::next_event_ns() const
{
	if (!fake->next_event_ns)
		return std::nullopt;
	return fake->next_event_ns;
}

bool card::fall_asleep()
{
	fake->is_asleep = true;
	fake->sleeps++;
	return impl_->doorbell().load() == impl_->seen;
}

void card::wake()
{
	fake->is_asleep = false;
}

} // namespace oac::emu
