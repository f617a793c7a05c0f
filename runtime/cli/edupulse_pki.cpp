// edupulse-pki: certificates for a cluster, in three commands. See docs/tls.md.

#include "runtime/cli/pki_directory.hpp"
#include "runtime/tls/files.hpp"
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <vector>

namespace edupulse::cli {
namespace {

struct arguments {
  std::string directory = "pki";
  pki_directory::new_authority authority{{}, 3650, 30, overwrite::refused};
  pki_directory::new_node node{{}, {}, 397, overwrite::refused};
  std::vector<std::string> nodes;
  std::string name;
  std::string file;
  bool force = false;
};

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void add_days(CLI::App& to, const std::string& name, int& days, const std::string& what) {
  to.add_option(name, days, what)->check(CLI::Range(1, 36500))->capture_default_str();
}

expected<std::string> show(const std::string& file) {
  const auto read = tls_file::read(file, "file");
  if (!read)
    return tl::unexpected(read.error());
  return pki::describe({read->text(), read->label()}, now());
}

/// One after the other: those before one that fails are there, and are said.
expected<std::string> issue(const pki_directory& at, arguments& with) {
  if (with.nodes.size() > 1 && !with.node.dns_names.empty())
    return fail(errc::invalid_option, "--dns is for one node: issue the others without it");
  for (const auto& name : with.nodes) {
    with.node.name = name;
    const auto done = at.issue(with.node, now());
    if (!done)
      return done;
    std::cout << *done;
  }
  return std::string();
}

/// `command` answers what is to be printed.
int finish(const expected<std::string>& answer) {
  if (answer) {
    std::cout << *answer << std::flush;
    return std::cout ? 0 : 1;
  }
  std::cerr << "edupulse-pki: " << answer.error().text << '\n';
  return 1;
}

expected<std::string> run(const CLI::App& app, arguments& with) {
  with.authority.when_there = with.force ? overwrite::allowed : overwrite::refused;
  with.node.when_there = with.authority.when_there;
  if (app.got_subcommand("show"))
    return show(with.file);
  if (app.got_subcommand("init"))
    return pki_directory::init(with.directory, with.authority, now());
  const auto opened = pki_directory::open(with.directory);
  if (!opened)
    return tl::unexpected(opened.error());
  if (app.got_subcommand("issue"))
    return issue(*opened, with);
  if (app.got_subcommand("revoke"))
    return opened->revoke(with.name, with.authority.crl_days, now());
  return opened->renew_list(with.authority.crl_days, now());
}

void declare(CLI::App& app, arguments& with) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--dir", with.directory, "where the authority is kept")->capture_default_str();

  auto* init = app.add_subcommand("init", "make the authority of a cluster");
  init->add_option("--cluster", with.authority.cluster, "name of the cluster")->required();
  add_days(*init, "--days", with.authority.days, "how long the authority is valid");
  add_days(*init, "--crl-days", with.authority.crl_days, "how long its list is valid");
  init->add_flag("--force", with.force, "replace the authority that is there");

  auto* issue = app.add_subcommand("issue", "make the keys and the certificates of nodes");
  issue->add_option("NAME", with.nodes, "names of nodes")->required();
  issue->add_option("--dns", with.node.dns_names, "a DNS name of it, for other programs");
  add_days(*issue, "--days", with.node.days, "how long the certificate is valid");
  issue->add_flag("--force", with.force, "replace those that are there");

  auto* revoke = app.add_subcommand("revoke", "shut a node out");
  revoke->add_option("NAME", with.name, "name of the node")->required();
  add_days(*revoke, "--crl-days", with.authority.crl_days, "how long the list is valid");

  auto* crl = app.add_subcommand("crl", "write the list of what is revoked anew");
  add_days(*crl, "--crl-days", with.authority.crl_days, "how long it is valid");

  auto* look = app.add_subcommand("show", "say what a certificate, a list or a key is");
  look->add_option("FILE", with.file, "a file in PEM form")->required();
}

} // namespace
} // namespace edupulse::cli

int main(int argc, char* argv[]) {
  CLI::App app("Certificates for an EduPulse cluster", "edupulse-pki");
  edupulse::cli::arguments with;
  edupulse::cli::declare(app, with);
  CLI11_PARSE(app, argc, argv);
  return edupulse::cli::finish(edupulse::cli::run(app, with));
}
