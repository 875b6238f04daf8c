// SPDX-License-Identifier: MIT
// Copyright the OAC authors
//
// accelctl fw build, sign, inspect, verify, keygen: images and keys as files; no card is touched.
#include "verb.hpp"

#include <optional>

#include <fw_image.hpp>
#include <fw_names.hpp>

#include "fw_failure.hpp"

namespace accelctl
{

namespace
{

namespace fw = oac::fw;

struct paths {
	std::string image, manifest, code, notes, key, to, public_key;
	std::uint32_t min_security_version = 0;
};

fw::bytes read_image(const std::string &path)
{
	return fw::read_file(path, std::size_t{ OAC_FW_IMAGE_SIZE_MAX } + 1);
}

std::string read_text(const std::string &path)
{
	const fw::bytes raw = fw::read_file(path, OAC_FW_IMAGE_SIZE_MAX);

	return { raw.begin(), raw.end() };
}

report run_build(const paths &p)
{
	report out("fw-build");
	fw::description what = fw::parse_manifest(read_text(p.manifest), p.manifest);

	if (!p.code.empty())
		what.code = fw::read_file(p.code, OAC_FW_IMAGE_SIZE_MAX);
	if (!p.notes.empty())
		what.notes = read_text(p.notes);
	fw::bytes image = fw::build(what);
	if (!p.key.empty())
		fw::sign(image, fw::read_secret_key(p.key));
	fw::replace_file(p.image, image);
	out.body["image"] = p.image;
	out.body["size_bytes"] = image.size();
	out.body["signed"] = !p.key.empty();
	return out;
}

report run_sign(const paths &p)
{
	report out("fw-sign");
	fw::bytes image = read_image(p.image);
	const fw::verdict before = fw::verify(image, {});

	if (before.fail != OAC_FAIL_NONE)
		throw failure(exit_code::check_failed, p.image,
			      std::string(fw::fail_text(before.fail)) + " (" + before.detail + ")",
			      "not signed; build it again");
	image.resize(fw::image_size(image));
	fw::sign(image, fw::read_secret_key(p.key));
	out.body["image"] = p.to.empty() ? p.image : p.to;
	fw::replace_file(out.body["image"].get<std::string>(), image);
	return out;
}

report run_inspect(const paths &p)
{
	report out("fw-inspect");

	out.body["image"] = p.image;
	const tree facts = fw::inspect(read_image(p.image));
	if (facts.empty())
		throw failure(exit_code::check_failed, p.image, fw::fail_text(OAC_FAIL_MAGIC));
	out.body.update(facts);
	return out;
}

exit_code code_of(const fw::verdict &verdict)
{
	return verdict.fail == OAC_FAIL_PROTOCOL ? exit_code::version : exit_code::check_failed;
}

report run_verify(const paths &p)
{
	report out("fw-verify");
	const fw::bytes image = read_image(p.image);
	fw::verify_options options;

	if (!p.key.empty())
		options.key = fw::read_public_key(p.key);
	options.min_security_version = p.min_security_version;
	const fw::verdict verdict = fw::verify(image, options);
	out.body["image"] = p.image;
	out.body["verdict"] = verdict.fail == OAC_FAIL_NONE ? "good" : "bad";
	const bool is_bad = verdict.fail != OAC_FAIL_NONE;
	if (is_bad) {
		out.body["first_failure"] = fw::fail_name(verdict.fail);
		out.body["detail"] = verdict.detail;
	} else {
		set_absent(out.body, "first_failure", "all checks passed");
	}
	out.body["signature_checked"] = verdict.signature_checked;
	out.body["damaged_sections"] = tree::array();
	for (const std::size_t section : verdict.damaged)
		out.body["damaged_sections"].push_back(fw::section_name(image, section));

	if (is_bad)
		out.errors.emplace_back(code_of(verdict), p.image,
					std::string(fw::fail_text(verdict.fail)) + " (" +
						verdict.detail + ")");
	else if (!options.key)
		out.errors.emplace_back(exit_code::skipped, p.image,
					"good but for its signature, which was not checked",
					"give the public key with --key");
	return out;
}

report run_keygen(const paths &p)
{
	report out("fw-keygen");

	fw::make_key_files(p.key, p.public_key);
	out.body["secret_key"] = p.key;
	out.body["public_key"] = p.public_key;
	return out;
}

CLI::App *add_file_verb(CLI::App &parent, session &s, const verb_text &text,
			report (*run)(const paths &), const std::shared_ptr<paths> &p)
{
	return add_verb(parent, s, text,
			[run, p] { return with_fw_errors([&] { return run(*p); }); });
}

void add_build(CLI::App &parent, session &s)
{
	const auto p = std::make_shared<paths>();
	CLI::App *const verb = add_file_verb(
		parent, s,
		{ "build", "Make an image from a manifest, and sign it if there is a key",
		  "fw build oac1.json oac1.fw --code oac1.code --key vendor.key\n"
		  "fw build oac1.json unsigned.fw --notes release-notes.txt" },
		run_build, p);
	verb->add_option("manifest", p->manifest, "What the firmware makes of the card, in JSON")
		->required()
		->type_name("MANIFEST");
	verb->add_option("image", p->image, "The image to write")->required()->type_name("IMAGE");
	verb->add_option("--code", p->code, "Engine microcode to put in")->type_name("FILE");
	verb->add_option("--notes", p->notes, "Text for people, instead of the manifest's notes")
		->type_name("FILE");
	verb->add_option("--key", p->key, "Secret key to sign with")->type_name("FILE");
}

void add_sign(CLI::App &parent, session &s)
{
	const auto p = std::make_shared<paths>();
	CLI::App *const verb =
		add_file_verb(parent, s,
			      { "sign", "Sign an image, if it is good otherwise",
				"fw sign oac1.fw --key vendor.key\n"
				"fw sign unsigned.fw --key vendor.key --to oac1.fw" },
			      run_sign, p);
	verb->add_option("image", p->image, "The image")->required()->type_name("IMAGE");
	verb->add_option("--key", p->key, "Secret key to sign with")->required()->type_name("FILE");
	verb->add_option("--to", p->to, "Write the signed image there, not in place")
		->type_name("FILE");
}

void add_inspect(CLI::App &parent, session &s)
{
	const auto p = std::make_shared<paths>();
	CLI::App *const verb = add_file_verb(parent, s,
					     { "inspect", "Show what an image says of itself",
					       "fw inspect oac1.fw\n"
					       "fw inspect oac1.fw -o json" },
					     run_inspect, p);
	verb->add_option("image", p->image, "The image")->required()->type_name("IMAGE");
}

void add_verify(CLI::App &parent, session &s)
{
	const auto p = std::make_shared<paths>();
	CLI::App *const verb = add_file_verb(
		parent, s,
		{ "verify", "Check an image as a card's boot ROM does, and name damaged parts",
		  "fw verify oac1.fw --key vendor.pub\n"
		  "fw verify oac1.fw --key vendor.pub --min-security-version 3" },
		run_verify, p);
	verb->add_option("image", p->image, "The image")->required()->type_name("IMAGE");
	verb->add_option("--key", p->key, "Public key that must have signed it")->type_name("FILE");
	verb->add_option("--min-security-version", p->min_security_version,
			 "Lowest security version that the card accepts (0)")
		->type_name("NUMBER");
}

void add_keygen(CLI::App &parent, session &s)
{
	const auto p = std::make_shared<paths>();
	CLI::App *const verb =
		add_file_verb(parent, s,
			      { "keygen", "Make a pair of keys; existing files are left alone",
				"fw keygen vendor.key vendor.pub" },
			      run_keygen, p);
	verb->add_option("secret", p->key, "Secret key to write, readable by you alone")
		->required()
		->type_name("SECRET");
	verb->add_option("public", p->public_key, "Public key to write")
		->required()
		->type_name("PUBLIC");
}

} // namespace

void add_fw_files(CLI::App &parent, session &s)
{
	add_build(parent, s);
	add_sign(parent, s);
	add_inspect(parent, s);
	add_verify(parent, s);
	add_keygen(parent, s);
}

} // namespace accelctl
