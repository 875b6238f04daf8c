// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// io_uring's no-op, submitted and reaped: the kernel's own submission path at its shortest.
#include <memory>
#include <system_error>

#include <liburing.h>

#include "floors.hpp"

namespace bench
{

namespace
{

class uring
{
public:
	uring()
	{
		int error = io_uring_queue_init(
			SIZE, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
		if (error == -EINVAL)
			error = io_uring_queue_init(SIZE, &ring_, 0);
		if (error < 0)
			throw std::system_error(-error, std::generic_category(),
						"io_uring is not to be had here");
	}
	uring(const uring &) = delete;
	uring &operator=(const uring &) = delete;
	~uring() { io_uring_queue_exit(&ring_); }

	void nops(unsigned batch)
	{
		for (unsigned i = 0; i < batch; i++)
			io_uring_prep_nop(io_uring_get_sqe(&ring_));
		io_uring_submit_and_wait(&ring_, batch);
		io_uring_cqe *completion;
		unsigned head, count = 0;
		io_uring_for_each_cqe(&ring_, head, completion) count++;
		io_uring_cq_advance(&ring_, count);
	}

private:
	static constexpr unsigned SIZE = 256;
	io_uring ring_{};
};

} // namespace

figure io_uring_nop(unsigned batch)
{
	figure made;
	made.name = "io_uring_nop_batch" + std::to_string(batch);
	made.make = [batch]() -> body {
		return [ring = std::make_shared<uring>(), batch](long n) {
			for (long done = 0; done < n; done += batch)
				ring->nops(batch);
		};
	};
	return made;
}

} // namespace bench
