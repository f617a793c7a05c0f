// The relay. One thread, level-triggered `poll`, two directions for each connection:
//
//     the node <- socketpair -> here <- TCP -> the peer
//
// A direction reads while it holds less than `held_bytes`, and writes what is due: `delay` after it
// was read, not faster than its rate, and nothing while it is blocked. The end of what is read
// travels in the same queue.

#include <edupulse/faulty_wire.hpp>

#include "runtime/descriptor.hpp"
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <fcntl.h>
#include <list>
#include <map>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace edupulse {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t piece_bytes = 64u << 10;
/// How much a limited direction may send at once: enough for a small rate to move at all.
constexpr double burst_seconds = 0.02;
constexpr double burst_least = 1500;

/// One direction.
class passage {
public:
  bool reads() const noexcept { return !ended_ && held_ < faulty_wire::held_bytes; }
  bool is_over() const noexcept { return over_; }

  void read(int from, clock::time_point now, const wire_way& how) {
    thread_local std::array<char, piece_bytes> buffer;
    const auto got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    std::vector<char> bytes(buffer.begin(), buffer.begin() + std::max<ssize_t>(got, 0));
    ended_ = bytes.empty();
    held_ += bytes.size();
    pieces_.push_back({now + how.delay, std::move(bytes)});
  }

  /// When there is something to write; never: max.
  clock::time_point due(const wire_way& how, clock::time_point now) const {
    if (pieces_.empty() || how.blocked)
      return clock::time_point::max();
    if (how.bytes_per_second <= 0 || credit_at(how, now) >= 1)
      return pieces_.front().due;
    const auto wait = std::chrono::duration<double>(1 / how.bytes_per_second + 0.001);
    return std::max(pieces_.front().due, now + std::chrono::duration_cast<clock::duration>(wait));
  }

  /// False: the writer must wait for the socket.
  bool write(int to, clock::time_point now, const wire_way& how) {
    while (due(how, now) <= now) {
      auto& front = pieces_.front();
      if (front.bytes.empty()) { // the end
        ::shutdown(to, SHUT_WR);
        over_ = true;
        pieces_.clear();
        return true;
      }
      auto most = front.bytes.size() - sent_;
      if (how.bytes_per_second > 0)
        most = std::min(most, static_cast<std::size_t>(take_credit(how, now)));
      const auto sent = ::send(to, front.bytes.data() + sent_, most, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
      if (sent < 0) {
        over_ = true;
        return true;
      }
      sent_ += static_cast<std::size_t>(sent);
      held_ -= static_cast<std::size_t>(sent);
      credit_ -= static_cast<double>(sent);
      if (sent_ == front.bytes.size()) {
        pieces_.pop_front();
        sent_ = 0;
      }
    }
    return true;
  }

private:
  struct piece {
    clock::time_point due;
    std::vector<char> bytes; ///< none: the end
  };

  double credit_at(const wire_way& how, clock::time_point now) const {
    const double most = std::max(burst_least, how.bytes_per_second * burst_seconds);
    const double passed = std::chrono::duration<double>(now - counted_).count();
    return std::min(most, credit_ + passed * how.bytes_per_second);
  }
  double take_credit(const wire_way& how, clock::time_point now) {
    credit_ = credit_at(how, now);
    counted_ = now;
    return credit_;
  }

  std::deque<piece> pieces_;
  std::size_t held_ = 0;
  std::size_t sent_ = 0; ///< of the first piece
  bool ended_ = false;   ///< nothing more comes
  bool over_ = false;    ///< and all of it has left
  double credit_ = 0;    ///< bytes that may go, at `counted_`
  clock::time_point counted_{};
};

struct relay {
  std::string address;
  std::shared_ptr<descriptor> node;
  std::shared_ptr<descriptor> peer;
  passage to;
  passage from;
  bool broken = false;
};

void fail_hard(int socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

} // namespace

class faulty_wire::relay_thread {
public:
  relay_thread() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    ended_ = true;
    ring();
    thread_.join();
  }
  void add(const std::string& address, int node, int peer) {
    std::lock_guard guard(mutex_);
    relays_.push_back({address,
                       std::make_shared<descriptor>(node),
                       std::make_shared<descriptor>(peer),
                       {},
                       {},
                       false});
    ring();
  }
  void set(const std::string& address, const wire_line& how) {
    std::lock_guard guard(mutex_);
    lines_[address] = how;
    ring();
  }
  void heal() {
    std::lock_guard guard(mutex_);
    lines_.clear();
    ring();
  }
  void reset(const std::string& address) {
    std::lock_guard guard(mutex_);
    for (auto& one : relays_)
      one.broken = one.broken || one.address == address;
    ring();
  }
  std::size_t size() const {
    std::lock_guard guard(mutex_);
    return relays_.size();
  }
  bool is_blocked(const std::string& address) const {
    std::lock_guard guard(mutex_);
    const auto& how = line_of(address);
    return how.to.blocked || how.from.blocked;
  }
  bool has_ended() const noexcept { return ended_; }

private:
  void ring() const { ::eventfd_write(wake_.number(), 1); }

  const wire_line& line_of(const std::string& address) const {
    static const wire_line good;
    const auto at = lines_.find(address);
    return at == lines_.end() ? good : at->second;
  }

  void run() {
    while (!ended_) {
      std::vector<pollfd> all{{wake_.number(), POLLIN, 0}};
      const auto wait = turn(all);
      ::poll(all.data(), static_cast<nfds_t>(all.size()), wait);
      eventfd_t any = 0;
      ::eventfd_read(wake_.number(), &any);
    }
  }

  /// Moves what can be moved, and says what to wait for, and how long (milliseconds).
  int turn(std::vector<pollfd>& wanted) {
    std::lock_guard guard(mutex_);
    const auto now = clock::now();
    auto next = clock::time_point::max();
    for (auto at = relays_.begin(); at != relays_.end();) {
      auto& one = *at;
      const auto& how = line_of(one.address);
      if (one.broken) {
        fail_hard(one.peer->number());
        at = relays_.erase(at);
        continue;
      }
      short node = 0;
      short peer = 0;
      move(one.to, one.node->number(), one.peer->number(), how.to, now, next, node, peer);
      move(one.from, one.peer->number(), one.node->number(), how.from, now, next, peer, node);
      if (one.to.is_over() && one.from.is_over()) {
        at = relays_.erase(at);
        continue;
      }
      // Without events poll would still report a hang-up, again and again.
      if (node != 0)
        wanted.push_back({one.node->number(), node, 0});
      if (peer != 0)
        wanted.push_back({one.peer->number(), peer, 0});
      ++at;
    }
    if (next == clock::time_point::max())
      return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  static void move(passage& way, int from, int to, const wire_way& how, clock::time_point now,
                   clock::time_point& next, short& from_events, short& to_events) {
    if (way.is_over())
      return;
    if (way.reads())
      way.read(from, now, how);
    const bool waits_for_socket = !way.write(to, now, how);
    if (waits_for_socket)
      to_events = static_cast<short>(to_events | POLLOUT);
    else
      next = std::min(next, way.due(how, now));
    if (way.reads() && !way.is_over())
      from_events = static_cast<short>(from_events | POLLIN);
  }

  const descriptor wake_;
  std::atomic<bool> ended_{false};
  mutable std::mutex mutex_;
  std::list<relay> relays_;
  std::map<std::string, wire_line> lines_;
  std::thread thread_;
};

faulty_wire::faulty_wire() : thread_(std::make_shared<relay_thread>()) { thread_->start(); }

faulty_wire::~faulty_wire() { thread_->stop(); }

expected<int> faulty_wire::dialled(int socket, const std::string& address) {
  descriptor peer(socket);
  const auto at = thread_; // outlives this object while a dial waits here
  for (auto left = dial_patience; at->is_blocked(address); left -= std::chrono::milliseconds(20)) {
    if (left.count() <= 0 || at->has_ended())
      return fail(errc::io, "no answer: the line is cut");
    ::poll(nullptr, 0, 20);
  }
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return fail(errc::io, "no socket for the relay");
  at->add(address, pair[1], peer.release());
  return pair[0];
}

void faulty_wire::set(const std::string& address, const wire_line& how) {
  thread_->set(address, how);
}
void faulty_wire::heal() { thread_->heal(); }
void faulty_wire::reset(const std::string& address) { thread_->reset(address); }
std::size_t faulty_wire::connections() const { return thread_->size(); }

} // namespace edupulse
