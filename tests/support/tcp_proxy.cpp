#include "tests/support/tcp_proxy.hpp"

#include "tests/support/real_time.hpp"
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace edupulse::test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

/// The peer sees ECONNRESET.
void close_hard(int socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket);
}

} // namespace

tcp_proxy::tcp_proxy(std::uint16_t to) : to_(to) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto at = loopback(0);
  socklen_t size = sizeof at;
  auto* any = reinterpret_cast<sockaddr*>(&at);
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, any, &size) != 0)
    throw std::runtime_error("the proxy cannot listen");
  port_ = ntohs(at.sin_port);
  thread_ = std::thread([this] { run(); });
}

tcp_proxy::~tcp_proxy() {
  ended_ = true;
  thread_.join();
  for (const auto& one : pairs_) {
    ::close(one.client);
    ::close(one.server);
  }
  ::close(listener_);
}

void tcp_proxy::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto at = loopback(to_);
  if (client < 0 || ::connect(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
    ::close(server);
    if (client >= 0)
      close_hard(client);
    return;
  }
  ++accepted_;
  pairs_.push_back({client, server});
}

/// False: this connection is over.
bool tcp_proxy::carry(int from, int to, std::size_t most) {
  std::array<char, 1u << 16> bytes;
  const auto got = ::recv(from, bytes.data(), std::min(most, bytes.size()), MSG_DONTWAIT);
  if (got < 0)
    return errno == EAGAIN;
  return got > 0 && ::send(to, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

void tcp_proxy::run() {
  while (!ended_) {
    if (reset_.exchange(false)) {
      for (const auto& one : pairs_) {
        close_hard(one.client);
        close_hard(one.server);
      }
      pairs_.clear();
    }
    std::vector<pollfd> watched = {{listener_, POLLIN, 0}};
    for (const auto& one : pairs_) {
      watched.push_back({one.client, POLLIN, 0});
      watched.push_back({one.server, POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), 5);
    if (watched.front().revents != 0)
      accept_one();
    const std::size_t pace = pace_;
    pairs_.remove_if([&](const pair& one) {
      const bool open =
          carry(one.client, one.server, pace) && carry(one.server, one.client, 1u << 16);
      if (!open) {
        ::close(one.client);
        ::close(one.server);
      }
      return !open;
    });
    if (pace < 1u << 16)
      rest(std::chrono::milliseconds(1));
  }
}

} // namespace edupulse::test
