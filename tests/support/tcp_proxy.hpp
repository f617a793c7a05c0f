#pragma once
// A network between a client and a server on this machine, that resets and dawdles on command.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <thread>

namespace edupulse::test {

class tcp_proxy {
public:
  /// Listens on a port of the loopback and connects each client to port `to`.
  explicit tcp_proxy(std::uint16_t to);
  ~tcp_proxy();

  std::uint16_t port() const noexcept { return port_; }
  /// Every connection ends with a reset, in the middle of what it was about.
  void reset_all() { reset_ = true; }
  /// Bytes that go to the server in each millisecond, of all connections together.
  void slow_down(std::size_t bytes_per_ms) { pace_ = bytes_per_ms; }
  std::size_t connections() const noexcept { return accepted_; }

private:
  struct pair {
    int client;
    int server;
  };
  void run();
  void accept_one();
  bool carry(int from, int to, std::size_t most);

  std::uint16_t port_ = 0;
  const std::uint16_t to_;
  int listener_ = -1;
  std::list<pair> pairs_; ///< of the thread
  std::atomic<bool> ended_{false};
  std::atomic<bool> reset_{false};
  std::atomic<std::size_t> pace_{1u << 20};
  std::atomic<std::size_t> accepted_{0};
  std::thread thread_;
};

} // namespace edupulse::test
