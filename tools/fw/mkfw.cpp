// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// mkfw: makes keys and the default image during the build. It is not installed; people use
// `accelctl fw`, which is the same library. It stands apart from accelctl because the emulated card
// embeds the image, and must not have to wait for libaccel.
#include <cstdio>
#include <exception>
#include <string>

#include "fw_file.hpp"
#include "fw_image.hpp"

namespace fw = oac::fw;

namespace
{

void build(const std::string &manifest_path, const std::string &code_path,
	   const std::string &key_path, const std::string &image_path)
{
	const fw::bytes text = fw::read_file(manifest_path, OAC_FW_IMAGE_SIZE_MAX);
	fw::description what =
		fw::parse_manifest(std::string(text.begin(), text.end()), manifest_path);

	what.code = fw::read_file(code_path, OAC_FW_IMAGE_SIZE_MAX);
	fw::bytes image = fw::build(what);
	fw::sign(image, fw::read_secret_key(key_path));
	fw::replace_file(image_path, image);
}

} // namespace

int main(int argc, char **argv)
{
	const std::string verb = argc > 1 ? argv[1] : "";

	try {
		if (verb == "keygen" && argc == 4) {
			fw::make_key_files(argv[2], argv[3]);
			return 0;
		}
		if (verb == "build" && argc == 6) {
			build(argv[2], argv[3], argv[4], argv[5]);
			return 0;
		}
	} catch (const std::exception &e) {
		std::fprintf(stderr, "mkfw: %s\n", e.what());
		return 1;
	}
	std::fputs("usage: mkfw keygen SECRET PUBLIC | mkfw build MANIFEST CODE SECRET IMAGE\n",
		   stderr);
	return 2;
}
