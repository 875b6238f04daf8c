// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl fw load: boots an image on cards, all of them at once, with a verdict each. It needs to
// be told which cards: without -d and --all it does so only where there is just one.
#include "verb.hpp"

#include <fw_error.hpp>
#include <fw_file.hpp>
#include <hw/oac_firmware.h>

#include "fw_failure.hpp"
#include "progress.hpp"

namespace accelctl
{

namespace
{

struct choice {
	std::string image;
	std::int64_t timeout_ns = ACCEL_TIMEOUT_DEFAULT;
};

void fill_row(card &of, tree &row, const oac::fw::bytes &image, std::int64_t timeout_ns)
{
	row["verdict"] = "failed";
	of.put(row, "version_before", ACCEL_STRING_FIRMWARE_VERSION, "no firmware was running");
	const int error = accel_firmware_load(of.device(), image.data(), image.size(), timeout_ns);
	if (error != 0) {
		row["verdict"] = error == -EBADMSG ? "refused" : "failed";
		throw library_failure(error, of.name());
	}
	row["verdict"] = "running";
	of.put(row, "version", ACCEL_STRING_FIRMWARE_VERSION, "the card does not tell");
}

report run_load(const session &s, const choice &wanted)
{
	return with_fw_errors([&] {
		report out("fw-load");
		const oac::fw::bytes image =
			oac::fw::read_file(wanted.image, OAC_FW_IMAGE_SIZE_MAX);
		card_set cards(s.set, unselected::only);
		progress line("loading firmware", cards.count());
		cards.visit(out, order::together, [&](card &of, tree &row) {
			fill_row(of, row, image, wanted.timeout_ns);
			line.add_done();
		});
		return out;
	});
}

} // namespace

void add_fw_load(CLI::App &fw, session &s)
{
	const auto wanted = std::make_shared<choice>();
	CLI::App *const verb = add_verb(fw, s,
					{ "load", "Boot a firmware image on cards, all at once",
					  "fw load /lib/firmware/oac/oac1.fw --all\n"
					  "fw load oac1.fw -d 0000:03:00.0 --timeout 10" },
					[&s, wanted] { return run_load(s, *wanted); });
	verb->add_option("image", wanted->image, "The image, as made by fw build")
		->required()
		->type_name("IMAGE");
	add_selection(*verb, s);
	add_timeout(*verb, wanted->timeout_ns);
}

} // namespace accelctl
