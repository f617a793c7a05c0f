#include "runtime/wire/address.hpp"
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netdb.h>

namespace edupulse {

expected<host_port> parse_host_port(std::string_view text) {
  const auto bad = [&] {
    return fail(errc::invalid_option, "the address " + quote(text) +
                                          " is not \"host:port\", such as \"10.0.0.7:4711\" or "
                                          "\"[::1]:4711\"");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return bad();
  auto host = text.substr(0, colon);
  const auto digits = text.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']' && host.size() > 2)
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return bad();
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (wrong != std::errc() || end != digits.data() + digits.size() || host.size() > 253)
    return bad();
  return host_port{std::string(host), port};
}

std::string to_string(const host_port& what) {
  const bool v6 = what.host.find(':') != std::string::npos;
  return (v6 ? "[" + what.host + "]" : what.host) + ":" + std::to_string(what.port);
}

bool socket_address::is_loopback() const noexcept {
  if (family() == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &storage, sizeof in);
    return ntohl(in.sin_addr.s_addr) >> 24 == 127;
  }
  sockaddr_in6 in;
  std::memcpy(&in, &storage, sizeof in);
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr))
    return in.sin6_addr.s6_addr[12] == 127;
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
}

bool socket_address::is_any() const noexcept {
  if (family() == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &storage, sizeof in);
    return in.sin_addr.s_addr == htonl(INADDR_ANY);
  }
  sockaddr_in6 in;
  std::memcpy(&in, &storage, sizeof in);
  return IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr);
}

std::uint16_t socket_address::port() const noexcept {
  sockaddr_in6 in; // the port is in the same place in both families
  std::memcpy(&in, &storage, sizeof in);
  return ntohs(in.sin6_port);
}

std::string socket_address::host() const {
  char text[NI_MAXHOST] = "?";
  ::getnameinfo(get(), size, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return text;
}

bool is_number(const host_port& what) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(what.host.c_str(), nullptr, &wanted, &found) != 0)
    return false;
  ::freeaddrinfo(found);
  return true;
}

expected<std::vector<socket_address>> resolve(const host_port& what, bool to_listen) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  const auto port = std::to_string(what.port);
  const int wrong = ::getaddrinfo(what.host.c_str(), port.c_str(), &wanted, &found);
  if (wrong != 0)
    return fail(errc::io, "the host " + quote(what.host) + " is not known: " +
                              (wrong == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(wrong)));
  std::vector<socket_address> all;
  for (const auto* one = found; one != nullptr; one = one->ai_next) {
    socket_address to;
    std::memcpy(&to.storage, one->ai_addr, one->ai_addrlen);
    to.size = one->ai_addrlen;
    all.push_back(to);
  }
  ::freeaddrinfo(found);
  return all;
}

} // namespace edupulse
