// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// See floors.hpp. Each is the plainest code that does the thing; none of it is shared with libaccel.
#include "floors.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bare_ring.hpp"
#include "partner.hpp"

namespace bench
{

namespace
{

template <typename T>
void keep(T &value)
{
	asm volatile("" : "+r,m"(value) : : "memory");
}

[[noreturn]] void fail(const char *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

void run_batches(bare_ring &ring, unsigned batch, long n)
{
	for (long done = 0; done < n; done += batch) {
		for (unsigned i = 0; i < batch; i++)
			ring.write(static_cast<std::uint64_t>(done));
		ring.ring();
		ring.work();
		std::uint64_t id;
		for (unsigned i = 0; i < batch; i++)
			while (!ring.reap(id)) {}
	}
}

/* Two threads in step: a card's half on the other core, the host's half here. */
figure two_threads(const char *name, std::function<std::pair<body, body>()> make,
		   unsigned whose = CARD)
{
	figure made;
	made.name = name;
	made.needs_two_cores = whose == CARD;
	made.make = [make = std::move(make), whose]() -> body {
		auto [host, card] = make();
		auto other = std::make_shared<partner>(card, whose);
		return [host, other](long n) {
			other->start(n);
			host(n);
			other->wait();
		};
	};
	return made;
}

struct alignas(64) line {
	std::atomic<std::uint64_t> value{ 0 };
};

void wait_for(const line &of, std::uint64_t value)
{
	while (of.value.load(std::memory_order_acquire) != value)
		relax();
}

struct events {
	int there = eventfd(0, EFD_CLOEXEC);
	int back = eventfd(0, EFD_CLOEXEC);
	events()
	{
		if (there < 0 || back < 0)
			fail("eventfd");
	}
	events(const events &) = delete;
	events &operator=(const events &) = delete;
	~events()
	{
		close(there);
		close(back);
	}
};

void give(int fd)
{
	if (eventfd_write(fd, 1) != 0)
		abort();
}

void take(int fd)
{
	eventfd_t value;
	if (eventfd_read(fd, &value) != 0)
		abort();
}

/* Huge pages where possible, touched. */
std::shared_ptr<char> memory(std::size_t size)
{
	constexpr std::size_t HUGE = std::size_t{ 2 } << 20;
	const std::size_t rounded = (size + HUGE - 1) / HUGE * HUGE;
	auto *at = static_cast<char *>(std::aligned_alloc(HUGE, rounded));
	if (!at)
		throw std::bad_alloc();
	madvise(at, rounded, MADV_HUGEPAGE);
	std::memset(at, 1, rounded);
	return { at, std::free };
}

body copier(std::size_t size)
{
	return [to = memory(size), from = memory(size), size](long n) {
		for (; n > 0; n--) {
			std::memcpy(to.get(), from.get(), size);
			char *at = to.get();
			keep(at);
		}
	};
}

} // namespace

figure ring_one_thread(unsigned batch)
{
	figure made;
	made.name = "ring_one_thread_batch" + std::to_string(batch);
	made.make = [batch]() -> body {
		return [ring = std::make_shared<bare_ring>(), batch](long n) {
			run_batches(*ring, batch, n);
		};
	};
	return made;
}

figure ring_two_cores_depth1()
{
	return two_threads("ring_two_cores_depth1", [] {
		auto ring = std::make_shared<bare_ring>();
		return std::pair<body, body>(
			[ring](long n) {
				std::uint64_t id;
				for (; n > 0; n--) {
					ring->write(7);
					ring->ring();
					while (!ring->reap(id))
						relax();
				}
			},
			[ring](long n) {
				while (n > 0) {
					const std::uint32_t did = ring->work();
					if (did == 0)
						relax();
					n -= did;
				}
			});
	});
}

figure ring_published_tail(unsigned depth)
{
	const std::string name = "ring_published_tail_depth" + std::to_string(depth);
	return two_threads(name.c_str(), [depth] {
		auto ring = std::make_shared<bare_ring>();
		return std::pair<body, body>(
			[ring, depth](long n) {
				std::uint64_t sum = 0;
				long written = 0, reaped = 0;
				while (reaped < n) {
					const long room = depth - (written - reaped);
					if (room >= depth / 4 && written < n) {
						for (long i = 0; i < room && written < n; i++)
							ring->write(static_cast<std::uint64_t>(
								written++));
						ring->ring();
					}
					const std::uint32_t got = ring->reap_published(sum);
					if (got == 0)
						relax();
					reaped += got;
				}
				keep(sum);
			},
			[ring](long n) {
				while (n > 0) {
					const std::uint32_t did = ring->work();
					did ? ring->publish() : relax();
					n -= did;
				}
			});
	});
}

figure ring_threads(unsigned threads)
{
	constexpr unsigned BATCH = 32;
	figure made;
	made.name = "ring_" + std::to_string(threads) + "_threads";
	made.of = unit::millions;
	made.needs_two_cores = threads > 1;
	if (threads == 1) {
		made.make = []() -> body {
			return [ring = std::make_shared<bare_ring>()](long n) {
				run_batches(*ring, BATCH, n);
			};
		};
		return made;
	}
	made.make = [] {
		return [ring = std::make_shared<bare_ring>(),
			other = std::make_shared<partner>(
				[ring = std::make_shared<bare_ring>()](long n) {
					run_batches(*ring, BATCH, n);
				})](long n) {
			other->start(n / 2);
			run_batches(*ring, BATCH, n - n / 2);
			other->wait();
		};
	};
	return made;
}

figure ping_pong()
{
	return two_threads("ping_pong", [] {
		auto lines = std::shared_ptr<line[]>(new line[4]);
		return std::pair<body, body>(
			[lines](long n) {
				std::uint64_t value = lines[0].value;
				for (; n > 0; n--) {
					lines[0].value.store(++value, std::memory_order_release);
					wait_for(lines[2], value);
				}
			},
			[lines](long n) {
				std::uint64_t value = lines[2].value;
				for (; n > 0; n--) {
					wait_for(lines[0], ++value);
					lines[2].value.store(value, std::memory_order_release);
				}
			});
	});
}

figure ping_pong_eventfd_one_core()
{
	return two_threads(
		"ping_pong_eventfd_one_core",
		[] {
			auto both = std::make_shared<events>();
			return std::pair<body, body>(
				[both](long n) {
					for (; n > 0; n--) {
						give(both->there);
						take(both->back);
					}
				},
				[both](long n) {
					for (; n > 0; n--) {
						take(both->there);
						give(both->back);
					}
				});
		},
		HOST);
}

figure poll_there_eventfd_back()
{
	return two_threads("poll_there_eventfd_back", [] {
		auto both = std::make_shared<events>();
		auto there = std::make_shared<line>();
		auto value = std::make_shared<std::uint64_t>(0);
		return std::pair<body, body>(
			[both, there](long n) {
				std::uint64_t next = there->value;
				for (; n > 0; n--) {
					there->value.store(++next, std::memory_order_release);
					take(both->back);
				}
			},
			[both, there, value](long n) {
				for (; n > 0; n--) {
					wait_for(*there, ++*value);
					give(both->back);
				}
			});
	});
}

figure copy_memory(unsigned threads, std::size_t size)
{
	figure made;
	made.name = "memcpy_" + std::to_string(threads) + "x" + std::to_string(size >> 10) + "KiB";
	made.of = unit::gigabytes;
	made.bytes = static_cast<double>(size);
	if (threads == 1) {
		made.make = [size] { return copier(size); };
		return made;
	}
	made.needs_two_cores = true;
	made.make = [size]() -> body {
		return [mine = copier(size),
			other = std::make_shared<partner>(copier(size))](long n) {
			other->start(n / 2);
			mine(n - n / 2);
			other->wait();
		};
	};
	return made;
}

figure read_sysfs()
{
	figure made;
	made.name = "sysfs_open_read_close";
	made.of = unit::us;
	made.make = []() -> body {
		return [](long n) {
			char text[256];
			for (; n > 0; n--) {
				const int fd = open("/sys/devices/system/cpu/online",
						    O_RDONLY | O_CLOEXEC);
				if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
					fail("/sys/devices/system/cpu/online");
				close(fd);
			}
		};
	};
	return made;
}

} // namespace bench
