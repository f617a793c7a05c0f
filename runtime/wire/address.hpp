#pragma once
// "host:port" as people write it, and as the kernel wants it.

#include "schemas/error.hpp"
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace edupulse {

struct host_port {
  std::string host; ///< a name, an IPv4 or (in brackets) an IPv6 address
  std::uint16_t port = 0;
};
/// Errors: `invalid_option` that shows the text.
expected<host_port> parse_host_port(std::string_view text);
std::string to_string(const host_port& what);

/// One address of a host, of either family.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
  /// 127.0.0.0/8, ::1, or the former inside the latter's family.
  bool is_loopback() const noexcept;
  /// 0.0.0.0 or ::, which is every address of the machine and nobody can dial.
  bool is_any() const noexcept;
  std::uint16_t port() const noexcept;
  std::string host() const;
};

/// It is an address already: no resolver is asked for it.
bool is_number(const host_port& what);
/// Asks the system's resolver, which may take seconds for a name, and no time for a number.
/// Errors: `io` with the resolver's words.
expected<std::vector<socket_address>> resolve(const host_port& what, bool to_listen);

} // namespace edupulse
