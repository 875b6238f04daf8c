// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// EXEC: every operator through the card, in place and staged, against the reference; and every
// reason to refuse a descriptor.
#include <random>

#include <compute/reference.hpp>

#include "bench.hpp"

namespace oac::emu::test
{
namespace
{

class exec_test : public bench
{
protected:
	exec_test() { start(); }

	template <typename Type>
	std::uint64_t random_tensor(std::size_t count)
	{
		const std::uint64_t at = alloc(count * sizeof(Type));
		for (std::size_t i = 0; i < count; i++) {
			const int value = static_cast<int>(random_() % 255) - 127;
			array<Type>(at)[i] = static_cast<Type>(value);
		}
		return at;
	}

	std::uint64_t requants(std::size_t count)
	{
		const std::uint64_t at = alloc(count * sizeof(oac_requant));
		for (std::size_t i = 0; i < count; i++)
			array<oac_requant>(at)[i] = { 1000 + static_cast<__le32>(i), 20 };
		return at;
	}

	oac_op make_op(unsigned op, unsigned dtype, unsigned out_dtype, unsigned flags = 0)
	{
		oac_op made{};
		made.header = { static_cast<__le16>(op), static_cast<__le16>(flags),
				static_cast<__u8>(dtype), static_cast<__u8>(out_dtype), 0 };
		return made;
	}

	oac_op gemm_s8(std::uint32_t m, std::uint32_t n, std::uint32_t k)
	{
		oac_op op = make_op(OAC_OP_GEMM, OAC_DTYPE_S8, OAC_DTYPE_S8,
				    OAC_OP_PER_CHANNEL | OAC_OP_FUSE_RELU);
		op.body.gemm = { random_tensor<std::int8_t>(m * k),
				 random_tensor<std::int8_t>(k * n),
				 random_tensor<std::int32_t>(n),
				 requants(n),
				 alloc(m * n),
				 m,
				 n,
				 k,
				 0 };
		return op;
	}

	oac_op conv_f32()
	{
		oac_op op = make_op(OAC_OP_CONV2D, OAC_DTYPE_F32, OAC_DTYPE_F32);
		op.body.conv2d = { random_tensor<float>(2 * 9 * 8 * 5),
				   random_tensor<float>(6 * 3 * 3 * 5),
				   0,
				   0,
				   alloc(2 * 9 * 8 * 6 * 4),
				   2,
				   9,
				   8,
				   5,
				   6,
				   3,
				   3,
				   1,
				   1,
				   1,
				   1,
				   1,
				   1,
				   0 };
		return op;
	}

	std::uint16_t fails(const oac_op &op)
	{
		user_queue q = create_queue(1);
		const std::uint16_t status = exec(q, op).status;
		oac_admin_cmd cmd = command(OAC_ADMIN_QUEUE_DESTROY);
		cmd.arg.queue_destroy.queue_id = 1;
		EXPECT_EQ(status_of(cmd), OAC_ST_SUCCESS);
		return status;
	}

	void expect_gemm_s8(const oac_op &op)
	{
		const oac_op_gemm &g = op.body.gemm;
		std::vector<std::int8_t> want(g.m * g.n);
		compute::reference::gemm_s8({ g.m, g.n, g.k, false, true }, array<std::int8_t>(g.a),
					    array<std::int8_t>(g.b), array<std::int32_t>(g.bias),
					    { array<oac_requant>(g.requant), true, want.data(),
					      nullptr });
		EXPECT_EQ(std::memcmp(want.data(), host_.at(g.out), want.size()), 0);
	}

	std::mt19937 random_{ 17 };
};

TEST_F(exec_test, GemmS8InPlaceAndWithoutWindows)
{
	user_queue q = create_queue(1);
	for (const bool windows : { true, false }) {
		const oac_op op = gemm_s8(33, 17, 70);
		host_.set_windows(windows);
		EXPECT_EQ(exec(q, op).status, OAC_ST_SUCCESS);
		expect_gemm_s8(op);
	}
	EXPECT_EQ(counter(OAC_COUNTER_OPERATORS), 2u);
}

TEST_F(exec_test, OperandsInScatteredPagesAndLocalMemory)
{
	/* a: pages in reverse order; out: local memory, read back through BAR2 */
	user_queue q = create_queue(1);
	oac_op op = gemm_s8(64, 32, 256);
	const std::uint64_t a = op.body.gemm.a, va = 1ull << 40, local = 1ull << 41;
	std::vector<oac_segment> pages;
	const std::uint64_t scattered = alloc(4 * OAC_PAGE_SIZE);
	for (std::uint64_t i = 0; i < 4; i++) {
		pages.push_back({ scattered + (3 - i) * OAC_PAGE_SIZE, OAC_PAGE_SIZE });
		std::memcpy(host_.at(pages[i].target), host_.at(a + i * OAC_PAGE_SIZE),
			    OAC_PAGE_SIZE);
	}
	ASSERT_EQ(map(1, va, pages, OAC_MAP_READ), OAC_ST_SUCCESS);
	ASSERT_EQ(map(1, local, { { MIB, MIB } }, OAC_MAP_WRITE | OAC_MAP_LOCAL), OAC_ST_SUCCESS);
	const std::uint64_t out = op.body.gemm.out;
	op.body.gemm.a = va;
	op.body.gemm.out = local;
	EXPECT_EQ(exec(q, op).status, OAC_ST_SUCCESS);
	EXPECT_TRUE(card_->bar_read(OAC_BAR_LMEM, MIB, std::span(host_.at(out), 64 * 32)));
	op.body.gemm.a = a;
	op.body.gemm.out = out;
	expect_gemm_s8(op);
}

TEST_F(exec_test, GemmF32AndS32Out)
{
	user_queue q = create_queue(1);
	oac_op op = make_op(OAC_OP_GEMM, OAC_DTYPE_F32, OAC_DTYPE_F32, OAC_OP_TRANS_B);
	op.body.gemm = { random_tensor<float>(5 * 7),
			 random_tensor<float>(7 * 6),
			 random_tensor<float>(6),
			 0,
			 alloc(4096),
			 5,
			 6,
			 7,
			 0 };
	EXPECT_EQ(exec(q, op).status, OAC_ST_SUCCESS);
	const oac_op_gemm &g = op.body.gemm;
	std::vector<float> want(30);
	compute::reference::gemm_f32({ 5, 6, 7, true, false }, array<float>(g.a), array<float>(g.b),
				     array<float>(g.bias), want.data());
	for (std::size_t i = 0; i < want.size(); i++)
		EXPECT_NEAR(array<float>(g.out)[i], want[i], 1e-2);
	oac_op wide = gemm_s8(9, 8, 7);
	wide.header.flags = 0;
	wide.header.out_dtype = OAC_DTYPE_S32;
	wide.body.gemm.requant = 0;
	wide.body.gemm.out = alloc(4096);
	EXPECT_EQ(exec(q, wide).status, OAC_ST_SUCCESS);
	std::vector<std::int32_t> want32(72);
	compute::reference::gemm_s8({ 9, 8, 7 }, array<std::int8_t>(wide.body.gemm.a),
				    array<std::int8_t>(wide.body.gemm.b),
				    array<std::int32_t>(wide.body.gemm.bias),
				    { nullptr, false, nullptr, want32.data() });
	EXPECT_EQ(std::memcmp(want32.data(), host_.at(wide.body.gemm.out), 288), 0);
}

TEST_F(exec_test, LongGemmIsCutIntoSlices)
{
	user_queue q = create_queue(1), other = create_queue(2);
	oac_op op = gemm_s8(2048, 1024, 1024);
	const std::uint64_t at = alloc(sizeof(op));
	oac_cmd cmd = make_cmd(OAC_CMD_EXEC);
	host<oac_op>(at) = op;
	cmd.body.exec = { at, sizeof(op), 0 };
	push(q, cmd);
	ring(q);
	EXPECT_TRUE(card_->step());
	EXPECT_FALSE(reap(q)) << "2^31 multiply-adds in one step";
	push(other, make_cmd(OAC_CMD_NOP));
	ring(other);
	card_->step();
	card_->step();
	EXPECT_TRUE(reap(other));
	settle();
	EXPECT_EQ(reap(q)->status, OAC_ST_SUCCESS);
	/* rows at both ends of slices, by hand */
	const oac_op_gemm &g = op.body.gemm;
	for (const std::size_t row : { 0u, 1023u, 1024u, 2047u }) {
		std::vector<std::int8_t> want(g.n);
		compute::reference::gemm_s8(
			{ 1, g.n, g.k, false, true }, array<std::int8_t>(g.a) + row * g.k,
			array<std::int8_t>(g.b), array<std::int32_t>(g.bias),
			{ array<oac_requant>(g.requant), true, want.data(), nullptr });
		EXPECT_EQ(std::memcmp(want.data(), host_.at(g.out + row * g.n), g.n), 0) << row;
	}
}

TEST_F(exec_test, Conv2d)
{
	user_queue q = create_queue(1);
	const oac_op op = conv_f32();
	EXPECT_EQ(exec(q, op).status, OAC_ST_SUCCESS);
	const oac_op_conv2d &c = op.body.conv2d;
	std::vector<float> want(2 * 9 * 8 * 6);
	const compute::conv_shape shape = { 2, 9, 8, 5, 6, 3, 3, 1, 1, 1, 1, 1, 1, 9, 8 };
	compute::reference::conv_f32(shape, { 0, shape.pixels() }, array<float>(c.in),
				     array<float>(c.weights), nullptr, want.data());
	for (std::size_t i = 0; i < want.size(); i++)
		ASSERT_NEAR(array<float>(c.out)[i], want[i], 1);
}

TEST_F(exec_test, PoolReluAddSoftmax)
{
	user_queue q = create_queue(1);
	oac_op pool = make_op(OAC_OP_MAX_POOL, OAC_DTYPE_S8, OAC_DTYPE_S8);
	pool.body.max_pool = {
		random_tensor<std::int8_t>(2 * 7 * 7 * 3), alloc(4096), 2, 7, 7, 3, 3, 3, 2, 2, 0
	};
	EXPECT_EQ(exec(q, pool).status, OAC_ST_SUCCESS);
	std::vector<std::int8_t> want(2 * 3 * 3 * 3);
	compute::reference::max_pool({ 2, 7, 7, 3, 3, 3, 2, 2, 3, 3 },
				     array<std::int8_t>(pool.body.max_pool.in), want.data());
	EXPECT_EQ(std::memcmp(want.data(), host_.at(pool.body.max_pool.out), want.size()), 0);

	oac_op add = make_op(OAC_OP_ADD, OAC_DTYPE_S8, OAC_DTYPE_S8);
	add.body.eltwise = { random_tensor<std::int8_t>(300), random_tensor<std::int8_t>(300), 0,
			     300 };
	add.body.eltwise.out = add.body.eltwise.a;
	want.resize(300);
	compute::reference::add(300, array<std::int8_t>(add.body.eltwise.a),
				array<std::int8_t>(add.body.eltwise.b), want.data());
	EXPECT_EQ(exec(q, add).status, OAC_ST_SUCCESS) << "over its input, exactly";
	EXPECT_EQ(std::memcmp(want.data(), host_.at(add.body.eltwise.out), 300), 0);

	oac_op softmax = make_op(OAC_OP_SOFTMAX, OAC_DTYPE_F32, OAC_DTYPE_F32);
	softmax.body.softmax = { random_tensor<float>(40), alloc(160), 4, 10 };
	EXPECT_EQ(exec(q, softmax).status, OAC_ST_SUCCESS);
	float sum = 0;
	for (std::size_t i = 0; i < 10; i++)
		sum += array<float>(softmax.body.softmax.out)[i];
	EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(exec_test, HeaderIsChecked)
{
	const oac_op good = gemm_s8(2, 2, 2);
	const auto refused = [&](auto change, std::uint16_t status) {
		oac_op op = good;
		change(op);
		EXPECT_EQ(fails(op), status);
	};
	refused([](auto &o) { o.header.op = 0; }, OAC_ST_BAD_OP);
	refused([](auto &o) { o.header.op = 0x300; }, OAC_ST_BAD_OP);
	refused([](auto &o) { o.header.rsvd = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.header.flags = 8; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.header.dtype = 0; }, OAC_ST_BAD_DTYPE);
	refused([](auto &o) { o.header.dtype = OAC_DTYPE_S32; }, OAC_ST_BAD_DTYPE);
	refused([](auto &o) { o.header.out_dtype = OAC_DTYPE_F32; }, OAC_ST_BAD_DTYPE);
	refused([](auto &o) { o.header.out_dtype = OAC_DTYPE_S32; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.body.gemm.rsvd = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.body.bytes[119] = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.body.gemm.requant = 0; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.body.gemm.requant += 4; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &o) { o.body.gemm.bias += 2; }, OAC_ST_BAD_ALIGNMENT);
	refused([](auto &o) { o.body.gemm.out = o.body.gemm.a; }, OAC_ST_BAD_FIELD);
	refused([](auto &o) { o.body.gemm.m = 0; }, OAC_ST_BAD_SHAPE);
	refused([](auto &o) { o.body.gemm.n = OAC_DIM_MAX + 1; }, OAC_ST_BAD_SHAPE);
	refused([](auto &o) { o.body.gemm.m = o.body.gemm.n = 0x10000; }, OAC_ST_BAD_SHAPE);
	refused([](auto &o) { o.body.gemm.a = 0x1000; }, OAC_ST_ACCESS_FAULT);
	refused([](auto &o) { o.body.gemm.out = 0x1000; }, OAC_ST_ACCESS_FAULT);
	refused([&](auto &o) { array<oac_requant>(o.body.gemm.requant)[1].shift = 63; },
		OAC_ST_BAD_FIELD);
	refused(
		[&](auto &o) {
			array<oac_requant>(o.body.gemm.requant)[1] = { 0, 1 };
		},
		OAC_ST_BAD_FIELD);
	refused(
		[&](auto &o) {
			array<oac_requant>(o.body.gemm.requant)[1] = { 1u << 31, 1 };
		},
		OAC_ST_BAD_FIELD);
	refused(
		[&](auto &o) {
			array<oac_requant>(o.body.gemm.requant)[1] = { 1, 1 };
		},
		OAC_ST_SUCCESS);
}

TEST_F(exec_test, ShapesAreChecked)
{
	const oac_op good = conv_f32();
	const auto refused = [&](auto change, std::uint16_t status) {
		oac_op op = good;
		change(op.body.conv2d);
		EXPECT_EQ(fails(op), status);
	};
	refused([](auto &c) { c.kh = 0; }, OAC_ST_BAD_SHAPE);
	refused([](auto &c) { c.stride_w = 0; }, OAC_ST_BAD_SHAPE);
	refused([](auto &c) { c.pad_top = 3; }, OAC_ST_BAD_SHAPE);
	refused([](auto &c) { c.kw = 11, c.pad_left = 1; }, OAC_ST_BAD_SHAPE);
	refused([](auto &c) { c.n = 0; }, OAC_ST_BAD_SHAPE);
	refused([](auto &c) { c.rsvd = 1; }, OAC_ST_BAD_FIELD);
	refused([](auto &c) { c.requant = 8; }, OAC_ST_BAD_FIELD);
	oac_op deep = make_op(OAC_OP_CONV2D, OAC_DTYPE_S8, OAC_DTYPE_S32);
	deep.body.conv2d = { alloc(2 * MIB),
			     alloc(2 * MIB),
			     0,
			     0,
			     alloc(4096),
			     1,
			     2,
			     1,
			     0x10000,
			     1,
			     2,
			     1,
			     1,
			     1,
			     0,
			     0,
			     0,
			     0,
			     0 };
	EXPECT_EQ(fails(deep), OAC_ST_BAD_SHAPE) << "K * 128 * 128 reaches 2^31";
	oac_op relu = make_op(OAC_OP_RELU, OAC_DTYPE_S8, OAC_DTYPE_S8);
	relu.body.eltwise = { alloc(4096), 0, alloc(4096), 0 };
	EXPECT_EQ(fails(relu), OAC_ST_BAD_SHAPE);
	relu.body.eltwise.count = UINT64_MAX;
	EXPECT_EQ(fails(relu), OAC_ST_BAD_SHAPE);
	relu.body.eltwise.count = 100;
	relu.body.eltwise.out = relu.body.eltwise.a + 1;
	EXPECT_EQ(fails(relu), OAC_ST_BAD_FIELD) << "partly over its input";
	relu.body.eltwise.b = 8;
	EXPECT_EQ(fails(relu), OAC_ST_BAD_FIELD);
	oac_op softmax = make_op(OAC_OP_SOFTMAX, OAC_DTYPE_S8, OAC_DTYPE_S8);
	softmax.body.softmax = { alloc(4096), alloc(4096), 1, 1 };
	EXPECT_EQ(fails(softmax), OAC_ST_BAD_DTYPE);
	oac_op pool = make_op(OAC_OP_MAX_POOL, OAC_DTYPE_S8, OAC_DTYPE_S8);
	pool.body.max_pool = { alloc(4096), alloc(4096), 1, 2, 2, 1, 3, 1, 1, 1, 0 };
	EXPECT_EQ(fails(pool), OAC_ST_BAD_SHAPE);
}

TEST_F(exec_test, CommandIsChecked)
{
	const auto refused = [&](std::uint16_t id, oac_cmd_exec body, std::uint16_t status) {
		user_queue q = create_queue(id);
		oac_cmd cmd = make_cmd(OAC_CMD_EXEC);
		cmd.body.exec = body;
		EXPECT_EQ(run(q, cmd).status, status);
	};
	const std::uint64_t at = alloc(4096);
	refused(1, { at, sizeof(oac_op) - 1, 0 }, OAC_ST_BAD_FIELD);
	refused(2, { at, sizeof(oac_op), 1 }, OAC_ST_BAD_FIELD);
	refused(3, { at + 4, sizeof(oac_op), 0 }, OAC_ST_BAD_ALIGNMENT);
	refused(4, { 0x1000, sizeof(oac_op), 0 }, OAC_ST_ACCESS_FAULT);
}

TEST_F(exec_test, FirmwareDecidesWhatRuns)
{
	firmware_builder builder;
	builder.manifest.features = OAC_FEATURE_INT8;
	builder.manifest.op_mask[0] &= ~(1ull << OAC_OP_RELU);
	card_->reset(reset_kind::bus);
	ASSERT_EQ(boot(builder.build()), static_cast<unsigned>(OAC_STATE_RUNNING));
	enable_admin();
	ASSERT_EQ(status_of(command(OAC_ADMIN_CONTEXT_CREATE, 1)), OAC_ST_SUCCESS);
	ASSERT_EQ(map(1, fake_host::BASE, { { fake_host::BASE, fake_host::SIZE } }, 3),
		  OAC_ST_SUCCESS);
	EXPECT_EQ(fails(gemm_s8(2, 2, 2)), OAC_ST_SUCCESS);
	EXPECT_EQ(fails(conv_f32()), OAC_ST_BAD_DTYPE);
	oac_op relu = make_op(OAC_OP_RELU, OAC_DTYPE_S8, OAC_DTYPE_S8);
	relu.body.eltwise = { alloc(4096), 0, alloc(4096), 8 };
	EXPECT_EQ(fails(relu), OAC_ST_BAD_OP);
}

} // namespace
} // namespace oac::emu::test
