#pragma once
// Where edupulse-pki keeps an authority, and what it hands out:
//
//   DIR/ca.crt, ca.key, ca.crl      the authority; the key never leaves the directory
//   DIR/issued/SERIAL.crt           every certificate it ever made, so that it can be revoked
//   DIR/nodes/NAME/                 what the node NAME needs, to be copied as it is:
//     ca.crt, node.crt, node.key, ca.crl

#include "runtime/cli/atomic_file.hpp"
#include "runtime/tls/pki.hpp"
#include <filesystem>
#include <string>
#include <vector>

namespace edupulse::cli {

/// One process at a time: the others wait. The results are lines for people.
class pki_directory {
public:
  struct new_authority {
    std::string cluster;
    int days;
    int crl_days;
    overwrite when_there;
  };
  static expected<std::string> init(const std::filesystem::path& directory,
                                    const new_authority& what, std::int64_t now);

  static expected<pki_directory> open(std::filesystem::path directory);

  struct new_node {
    std::string name;
    std::vector<std::string> dns_names;
    int days;
    overwrite when_there;
  };
  expected<std::string> issue(const new_node& what, std::int64_t now) const;
  /// Every certificate of the node that is in force.
  expected<std::string> revoke(const std::string& name, int crl_days, std::int64_t now) const;
  /// The same list anew, before it expires.
  expected<std::string> renew_list(int crl_days, std::int64_t now) const;

private:
  pki_directory(std::filesystem::path where, directory_lock lock, pki::authority ca)
      : where_(std::move(where)), lock_(std::move(lock)), ca_(std::move(ca)) {}
  /// Of the certificates that have neither expired nor been revoked.
  expected<std::vector<std::string>> serials_of(const std::string& name, std::int64_t now) const;
  /// Writes the list with these added, here and to all nodes.
  expected<void> write_list(const std::vector<std::string>& serials, int crl_days,
                            std::int64_t now) const;

  std::filesystem::path where_;
  directory_lock lock_;
  pki::authority ca_;
};

} // namespace edupulse::cli
