#pragma once
// What a server with TLS and its clients show each other, as files in PEM.

#include "tests/support/certificates.hpp"
#include <openssl/x509v3.h>
#include <string>

namespace edupulse::test {

/// The server is `localhost`, and one authority has signed for all of them. They are good at the
/// time of the real clock.
struct broker_certificates {
  explicit broker_certificates(const scratch_dir& in) : dir((in / "").string()) {
    certificate_form form;
    form.not_before = today - 3650 * one_day;
    form.not_after = today + 18'250 * one_day;
    const authority signer("test authority", form);
    form.names = {{GEN_DNS, "localhost"}};
    write_file(ca(), signer.pem());
    write_file(dir + "stranger.pem", authority("another").pem());
    for (const std::string who : {"server", "client"}) {
      const auto one = signer.issue(form);
      write_file(dir + who + ".pem", one.certificate_pem());
      write_file(dir + who + ".key", one.key_pem());
    }
  }

  std::string ca() const { return dir + "ca.pem"; }
  /// An authority that has signed for nobody here.
  std::string stranger() const { return dir + "stranger.pem"; }
  std::string server() const { return dir + "server.pem"; }
  std::string server_key() const { return dir + "server.key"; }
  /// The settings of an address that show the client's.
  std::string of_client() const {
    return "&certificate=" + dir + "client.pem&key=" + dir + "client.key";
  }

  std::string dir;
};

} // namespace edupulse::test
