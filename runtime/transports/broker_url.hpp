#pragma once
// Where a broker is and how it is spoken to, as one text:
//
//     nats://user:password@host:4222,other:4222/path?setting=value&setting=value
//
// Percent signs escape, as in every URL.

#include "runtime/wire/address.hpp"
#include "schemas/envelope.hpp"
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

struct broker_url {
  std::string scheme;
  std::string user;
  std::string password;
  std::string hosts; ///< `host:port`, or several with commas, as they were written
  std::string path;  ///< without its first slash
  std::map<std::string, std::string> settings;

  /// Errors: `invalid_option`, which never shows a password.
  static expected<broker_url> parse(std::string_view text);
  /// For people: without user, password and settings.
  std::string shown() const;
};

/// Of a broker that has one address. Errors: `invalid_option`.
expected<host_port> only_host(const broker_url& url, std::uint16_t default_port);

/// Takes settings one after the other, remembers the first that is wrong, and knows at the end
/// which ones nobody asked for.
class setting_reader {
public:
  explicit setting_reader(const broker_url& from) : from_(&from) {}

  std::string text(std::string_view name, std::string_view fallback);
  bool flag(std::string_view name, bool fallback);
  std::uint64_t number(std::string_view name, std::uint64_t fallback, std::uint64_t least,
                       std::uint64_t most);
  /// `250ms`, `10s`, `2min`. 1 ms to 1 h.
  duration span(std::string_view name, duration fallback);
  /// All whose names begin so, without that, for a library's own options.
  std::vector<std::pair<std::string, std::string>> with_prefix(std::string_view prefix);
  /// For what a setting's own parser found wrong.
  void wrong(error why);

  /// Errors: `invalid_option`: the first setting that was wrong, or is unknown.
  expected<void> finish() const;

private:
  const std::string* find(std::string_view name);
  void wrong_value(std::string_view name, std::string_view value, const std::string& wanted);

  const broker_url* from_;
  std::vector<std::string> known_;
  expected<void> first_;
};

} // namespace edupulse
