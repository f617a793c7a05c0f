#pragma once
// Authorities and certificates of every kind, the bad ones too, which edupulse-pki would not make.

#include "runtime/tls/openssl.hpp"
#include "runtime/tls/tls_context.hpp"
#include "tests/support/scratch_dir.hpp"
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace edupulse::test {

/// The wall clock of all these tests: 2026-11-24 00:00:00 UTC.
inline constexpr std::int64_t today = 1'795'478'400;
inline constexpr std::int64_t one_day = 86'400;

struct certificate_form {
  std::vector<std::pair<int, std::string>> names; ///< GEN_URI or GEN_DNS, and the bytes
  std::int64_t not_before = today - one_day;
  std::int64_t not_after = today + 30 * one_day;
  bool authority = false;
  bool names_twice = false; ///< the extension, not a name in it
  bool names_empty = false; ///< the extension is there, and nothing in it
  std::string usage = "serverAuth,clientAuth";
  std::string common_name = "somebody";
  std::size_t padding = 0; ///< bytes of an extension that nobody knows
};

struct certified {
  ossl::certificate_ptr certificate;
  ossl::key_ptr key;

  std::string certificate_pem() const;
  std::string key_pem() const;
};

certificate_form node_form(const std::string& name, const std::string& cluster = "school");

class authority {
public:
  explicit authority(const std::string& name = "test authority", certificate_form form = {});
  /// An authority below this one.
  authority below(const std::string& name) const;

  certified issue(const certificate_form& form) const;
  certified issue(const std::string& name) const { return issue(node_form(name)); }
  std::string revoke(const std::vector<const X509*>& certificates,
                     std::int64_t this_update = today - one_day,
                     std::int64_t next_update = today + 30 * one_day) const;
  std::string pem() const { return self_.certificate_pem(); }
  const certified& self() const { return self_; }

private:
  explicit authority(certified self) : self_(std::move(self)) {}
  certified self_;
};

void write_file(const std::filesystem::path& file, const std::string& text, int mode = 0600);

/// A directory with the four files of a node, and the context that reads them.
class node_place {
public:
  node_place(const authority& ca, const certified& own);
  node_place(const authority& ca, const std::string& name) : node_place(ca, ca.issue(name)) {}

  /// Also replaces what is there.
  void put(const std::string& name, const std::string& text, int mode = 0600) const {
    write_file(dir_ / name, text, mode);
  }
  void put(const certified& own) const;
  std::filesystem::path file(const std::string& name) const { return dir_ / name; }

  expected<std::unique_ptr<tls_context>> open(std::int64_t now = today,
                                              std::string cluster = "school") const;
  /// As above; throws instead of an error.
  std::unique_ptr<tls_context> must_open(std::int64_t now = today) const;

private:
  scratch_dir dir_;
};

/// The other end made with OpenSSL directly, for what ours would never do.
class stranger {
public:
  /// `prepare` is called before the session is made. A server when `accepts`.
  explicit stranger(bool accepts, const std::function<void(SSL_CTX*)>& prepare = {});
  /// Shows this certificate.
  void show(const certified& own);

  /// Feeds it, and takes what it has to say.
  std::vector<std::byte> answer(std::span<const std::byte> bytes);
  SSL* ssl() const { return ssl_.get(); }
  bool is_open() const { return SSL_is_init_finished(ssl_.get()) == 1; }

private:
  ossl::context_ptr context_;
  ossl::session_ptr ssl_;
};

} // namespace edupulse::test
