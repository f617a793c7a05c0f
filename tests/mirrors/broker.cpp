#include "tests/mirrors/broker.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace edupulse::test {

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&at), size) == 0);
  REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  ::close(socket);
  return ntohs(at.sin_port);
}

std::string header_of(const std::vector<std::pair<std::string, std::string>>& headers,
                      const std::string& name) {
  for (const auto& [known, value] : headers)
    if (known == name)
      return value;
  return "none";
}

seen_event from_cloudevent(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  return {json.at("id"), json.at("partitionkey"),
          std::stoi(json.at("data").at("title").get<std::string>())};
}

} // namespace edupulse::test
