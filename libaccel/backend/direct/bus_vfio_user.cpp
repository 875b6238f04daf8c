// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See bus_vfio_user.hpp.
#include "bus_vfio_user.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/stat.h>

#include <hw/oac_regs.h>

#include "error.hpp"

namespace accel::direct
{

namespace
{

/* In configuration space. */
constexpr std::uint64_t PCI_ID_OFFSET = 0x00;
constexpr std::uint64_t PCI_COMMAND_OFFSET = 0x04;
constexpr std::uint16_t PCI_COMMAND_MEMORY_AND_MASTER = 0x0006;

constexpr std::size_t REGION_INFO_ROOM = 4096;

template <typename Part>
std::span<const std::byte> bytes_of(const Part &part)
{
	return std::as_bytes(std::span(&part, 1));
}

template <typename Part>
Part part_of(std::span<const std::byte> payload, std::size_t offset = 0)
{
	Part part{};
	if (offset <= payload.size() && payload.size() - offset >= sizeof(part))
		std::memcpy(&part, payload.data() + offset, sizeof(part));
	return part;
}

/* Whether the capabilities of a region allow to map all of it. None at all does. */
bool is_whole(const vfio_user_region_info &info, std::span<const std::byte> payload)
{
	if (!(info.flags & VFIO_USER_REGION_HAS_CAPS))
		return true;
	const auto sparse = part_of<vfio_user_sparse_mmap>(payload, info.cap_offset);
	if (sparse.header.id != VFIO_USER_CAP_SPARSE_MMAP || sparse.nr_areas != 1)
		return false;
	const auto area = part_of<vfio_user_sparse_area>(payload, info.cap_offset + sizeof(sparse));
	return area.offset == 0 && area.size == info.size;
}

bool has_bytes(int fd, std::uint64_t offset, std::uint64_t size)
{
	struct stat status;
	if (fstat(fd, &status) != 0 || status.st_size < 0)
		return false;
	const auto length = static_cast<std::uint64_t>(status.st_size);
	return offset <= length && length - offset >= size;
}

} // namespace

bus_vfio_user::bus_vfio_user(unique_fd socket, const std::string &name, std::int64_t timeout_ns)
	: name_(name), client_(std::move(socket), name, timeout_ns)
{
	negotiate();
	check_device();
	check_identity();
	if (look_at_region(VFIO_USER_REGION_BAR0 + OAC_BAR_REGS).size < OAC_BAR_REGS_SIZE)
		not_a_card("its BAR0 is too small");
	doorbells_ = look_at_region(VFIO_USER_REGION_BAR0 + OAC_BAR_DOORBELL);
	local_memory_ = look_at_region(VFIO_USER_REGION_BAR0 + OAC_BAR_LMEM);
	vectors_ = look_at_vectors();
}

void bus_vfio_user::not_a_card(const std::string &what)
{
	client_.die();
	throw failure(EPROTO, "card " + name_ + ": " + what +
				      "; this is no OAC card, or one of another version");
}

void bus_vfio_user::negotiate()
{
	const vfio_user_version version{ VFIO_USER_VERSION_MAJOR, VFIO_USER_VERSION_MINOR };
	const auto reply = client_.request(VFIO_USER_VERSION, bytes_of(version),
					   std::as_bytes(std::span(VFIO_USER_CAPABILITIES)), {},
					   sizeof(version));
	if (part_of<vfio_user_version>(reply.payload).major != VFIO_USER_VERSION_MAJOR)
		not_a_card("it speaks another version of vfio-user");
}

void bus_vfio_user::check_device()
{
	vfio_user_device_info info{};
	info.argsz = sizeof(info);
	const auto reply =
		client_.request(VFIO_USER_DEVICE_GET_INFO, bytes_of(info), {}, {}, sizeof(info));
	info = part_of<vfio_user_device_info>(reply.payload);
	if (!(info.flags & VFIO_USER_DEVICE_IS_PCI) ||
	    info.num_regions <= VFIO_USER_REGION_CONFIG || info.num_irqs <= VFIO_USER_IRQ_MSIX)
		not_a_card("it is no PCI function");
}

/* Who it is; then memory accesses and bus mastering on, as any driver does. */
void bus_vfio_user::check_identity()
{
	std::uint16_t ids[2] = {};
	read_region(VFIO_USER_REGION_CONFIG, PCI_ID_OFFSET, std::as_writable_bytes(std::span(ids)));
	if (ids[0] != OAC_PCI_VENDOR_ID || ids[1] != OAC_PCI_DEVICE_ID)
		not_a_card("its PCI vendor and device ids are others");
	std::uint16_t command = 0;
	const auto bytes = std::as_writable_bytes(std::span(&command, 1));
	read_region(VFIO_USER_REGION_CONFIG, PCI_COMMAND_OFFSET, bytes);
	command = static_cast<std::uint16_t>(command | PCI_COMMAND_MEMORY_AND_MASTER);
	write_region(VFIO_USER_REGION_CONFIG, PCI_COMMAND_OFFSET, bytes);
}

bus_vfio_user::region bus_vfio_user::look_at_region(std::uint32_t index)
{
	vfio_user_region_info info{};
	info.argsz = REGION_INFO_ROOM;
	info.index = index;
	const auto reply = client_.request(VFIO_USER_DEVICE_GET_REGION_INFO, bytes_of(info), {}, {},
					   sizeof(info));
	info = part_of<vfio_user_region_info>(reply.payload);
	if (info.index != index)
		not_a_card("it answered for another region than asked");
	region found;
	found.size = info.size;
	if (!(info.flags & VFIO_USER_REGION_CAN_MMAP) || reply.fds.size() != 1 || info.size == 0 ||
	    info.size > SIZE_MAX || !is_whole(info, reply.payload) ||
	    !has_bytes(reply.fds[0].get(), info.offset, info.size))
		return found;
	void *start = mmap(nullptr, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   reply.fds[0].get(), static_cast<off_t>(info.offset));
	if (start != MAP_FAILED) {
		found.memory = mapping(start, info.size);
		madvise(start, info.size, MADV_DONTFORK);
	}
	return found;
}

unsigned bus_vfio_user::look_at_vectors()
{
	vfio_user_irq_info info{};
	info.argsz = sizeof(info);
	info.index = VFIO_USER_IRQ_MSIX;
	const auto reply = client_.request(VFIO_USER_DEVICE_GET_IRQ_INFO, bytes_of(info), {}, {},
					   sizeof(info));
	info = part_of<vfio_user_irq_info>(reply.payload);
	if (!(info.flags & VFIO_USER_IRQ_EVENTFD) || info.count < 1)
		not_a_card("it has no interrupt vector");
	return std::min(info.count, std::uint32_t{ OAC_MSIX_VECTORS });
}

void bus_vfio_user::read_region(std::uint32_t index, std::uint64_t offset, std::span<std::byte> to)
{
	const vfio_user_region_access access{ offset, index,
					      static_cast<std::uint32_t>(to.size()) };
	const auto reply = client_.request(VFIO_USER_REGION_READ, bytes_of(access), {}, {},
					   sizeof(access) + to.size());
	std::memcpy(to.data(), reply.payload.data() + sizeof(access), to.size());
}

void bus_vfio_user::write_region(std::uint32_t index, std::uint64_t offset,
				 std::span<const std::byte> from)
{
	const vfio_user_region_access access{ offset, index,
					      static_cast<std::uint32_t>(from.size()) };
	client_.request(VFIO_USER_REGION_WRITE, bytes_of(access), from, {}, 0);
}

std::uint32_t bus_vfio_user::read32(std::uint32_t offset)
{
	std::uint32_t value = 0;
	read_region(VFIO_USER_REGION_BAR0 + OAC_BAR_REGS, offset,
		    std::as_writable_bytes(std::span(&value, 1)));
	return value;
}

void bus_vfio_user::write32(std::uint32_t offset, std::uint32_t value)
{
	write_region(VFIO_USER_REGION_BAR0 + OAC_BAR_REGS, offset, bytes_of(value));
}

std::span<std::byte> bus_vfio_user::doorbells() noexcept
{
	return { doorbells_.memory.data(), doorbells_.memory.size() };
}

std::uint64_t bus_vfio_user::doorbells_size() const noexcept
{
	return doorbells_.size;
}

int bus_vfio_user::doorbell_write(std::uint64_t offset, std::uint64_t value,
				  unsigned width) noexcept
{
	struct {
		vfio_user_region_access access;
		std::uint64_t value;
	} const message{ { offset, VFIO_USER_REGION_BAR0 + OAC_BAR_DOORBELL, width }, value };
	return client_.post(VFIO_USER_REGION_WRITE,
			    bytes_of(message).first(sizeof(message.access) + width));
}

std::span<std::byte> bus_vfio_user::local_memory() noexcept
{
	return { local_memory_.memory.data(), local_memory_.memory.size() };
}

void bus_vfio_user::dma_map(int fd, std::uint64_t size, std::uint64_t address)
{
	vfio_user_dma_map map{};
	map.argsz = sizeof(map);
	map.flags = VFIO_USER_DMA_MAP_READ | VFIO_USER_DMA_MAP_WRITE;
	map.address = address;
	map.size = size;
	client_.request(VFIO_USER_DMA_MAP, bytes_of(map), {}, std::span(&fd, 1), 0);
}

void bus_vfio_user::dma_unmap(std::uint64_t address, std::uint64_t size)
{
	vfio_user_dma_unmap unmap{};
	unmap.argsz = sizeof(unmap);
	unmap.address = address;
	unmap.size = size;
	client_.request(VFIO_USER_DMA_UNMAP, bytes_of(unmap), {}, {}, 0);
}

unsigned bus_vfio_user::vectors() const noexcept
{
	return vectors_;
}

void bus_vfio_user::connect_vector(unsigned vector, int event_fd)
{
	vfio_user_irq_set set{};
	set.argsz = sizeof(set);
	set.flags = VFIO_USER_IRQ_SET_DATA_EVENTFD | VFIO_USER_IRQ_SET_ACTION_TRIGGER;
	set.index = VFIO_USER_IRQ_MSIX;
	set.start = vector;
	set.count = 1;
	client_.request(VFIO_USER_DEVICE_SET_IRQS, bytes_of(set), {}, std::span(&event_fd, 1), 0);
}

bool bus_vfio_user::reset()
{
	client_.request(VFIO_USER_DEVICE_RESET, {}, {}, {}, 0);
	check_identity();
	return true;
}

int bus_vfio_user::numa_node() const noexcept
{
	return -1;
}

int bus_vfio_user::lost_fd() const noexcept
{
	return client_.fd();
}

bool bus_vfio_user::is_dead() const noexcept
{
	return client_.is_dead();
}

void bus_vfio_user::die() noexcept
{
	client_.die();
}

} // namespace accel::direct
