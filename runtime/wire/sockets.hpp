#pragma once
// The two things about sockets that may wait, on threads of their own: taking connections, and
// making them. What is connected goes to the wire, which never waits.

#include "runtime/descriptor.hpp"
#include "runtime/wire/address.hpp"
#include <atomic>
#include <condition_variable>
#include <deque>
#include <edupulse/wire_hook.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace edupulse {

/// A connection, or why there is none.
struct new_socket {
  std::uint64_t ticket = 0; ///< of the dial; 0: it was accepted
  std::string from;         ///< the other end, without the port
  std::shared_ptr<descriptor> socket;
  std::string trouble;
};
using take_socket = std::function<void(new_socket)>;

/// Takes connections. When the process has no descriptors left it waits a moment and tries again,
/// and those who dial wait in the kernel's queue.
class acceptor {
public:
  /// Errors: `io` when the address cannot be had: it is in use, or not one of this machine.
  static expected<std::unique_ptr<acceptor>> open(const socket_address& at);
  ~acceptor();
  acceptor(const acceptor&) = delete;
  acceptor& operator=(const acceptor&) = delete;

  const socket_address& where() const noexcept { return where_; }
  /// Begins. `take` is called on the acceptor's thread; `trouble`, once for each run of failures,
  /// too. At most `handed_over_max` sockets are on their way: call `arrived` for each that came.
  void start(take_socket take, std::function<void(std::string)> trouble);
  void arrived() noexcept { handed_over_.fetch_sub(1, std::memory_order_relaxed); }

private:
  acceptor(int listening, int wake, socket_address where);
  void run();
  bool take_one();
  void pause() const;

  static constexpr int handed_over_max = 256;
  const descriptor listening_;
  const descriptor wake_; ///< an eventfd: end
  socket_address where_;
  take_socket take_;
  std::function<void(std::string)> trouble_;
  std::atomic<int> handed_over_{0};
  bool in_trouble_ = false;
  std::thread thread_;
};

/// Makes connections, on a few threads: a host that does not answer holds up one of them for some
/// seconds. Names have threads of their own: a resolver may take much longer.
class dialer {
public:
  struct settings {
    std::size_t threads = 4; ///< for names, and as many for numbers
    std::chrono::milliseconds patience{3000};
    bool loopback_only = true;
    std::shared_ptr<wire_hook> hook{}; ///< is shown what was connected
    std::function<expected<std::vector<socket_address>>(const host_port&)> resolve =
        [](const host_port& what) { return edupulse::resolve(what, false); };
  };
  /// `take` is called on one of its threads.
  dialer(settings how, take_socket take);
  /// What is under way is given up, and `take` not called any more.
  ~dialer();
  dialer(const dialer&) = delete;
  dialer& operator=(const dialer&) = delete;

  /// Answered with one `take`. Bounded by the caller, who has so many under way at most.
  void dial(std::uint64_t ticket, std::string address);

private:
  struct shared;
  struct line;
  static void run(const std::shared_ptr<shared>& at, line& of);
  static new_socket connect(shared& at, std::uint64_t ticket, const std::string& address);

  std::shared_ptr<shared> state_;
};

} // namespace edupulse
