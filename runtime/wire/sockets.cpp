#include "runtime/wire/sockets.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace edupulse {

namespace {

constexpr int backlog = 1024;
constexpr int pause_ms = 100;

std::string words(int number) { return std::strerror(number); }

/// Small messages leave at once; batches are made above.
void send_at_once(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace

// -- acceptor -----------------------------------------------------------------------------

expected<std::unique_ptr<acceptor>> acceptor::open(const socket_address& at) {
  const auto trouble = [&](std::string_view what) {
    return fail(errc::io, "cannot listen at " + to_string(host_port{at.host(), at.port()}) + ": " +
                              std::string(what) + ": " + words(errno));
  };
  const int listening = ::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listening < 0)
    return trouble("socket");
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  std::unique_ptr<acceptor> made(new acceptor(listening, wake, at));
  if (wake < 0)
    return trouble("eventfd");
  const int on = 1;
  ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listening, at.get(), at.size) != 0)
    return trouble("bind");
  if (::listen(listening, backlog) != 0)
    return trouble("listen");
  socket_address real;
  real.size = sizeof real.storage;
  ::getsockname(listening, real.get(), &real.size);
  made->where_ = real; // port 0 has become one
  return made;
}

acceptor::acceptor(int listening, int wake, socket_address where)
    : listening_(listening), wake_(wake), where_(where) {}

acceptor::~acceptor() {
  if (!thread_.joinable())
    return;
  ::eventfd_write(wake_.number(), 1);
  thread_.join();
}

void acceptor::start(take_socket take, std::function<void(std::string)> trouble) {
  take_ = std::move(take);
  trouble_ = std::move(trouble);
  thread_ = std::thread([this] { run(); });
}

void acceptor::pause() const {
  pollfd end{wake_.number(), POLLIN, 0};
  ::poll(&end, 1, pause_ms);
}

void acceptor::run() {
  for (;;) {
    pollfd either[2] = {{wake_.number(), POLLIN, 0}, {listening_.number(), POLLIN, 0}};
    if (::poll(either, 2, -1) < 0 && errno != EINTR)
      pause();
    if ((either[0].revents & POLLIN) != 0)
      return;
    if (handed_over_.load(std::memory_order_relaxed) >= handed_over_max || !take_one())
      pause();
  }
}

/// False: it cannot go on at once.
bool acceptor::take_one() {
  socket_address from;
  from.size = sizeof from.storage;
  const int socket =
      ::accept4(listening_.number(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    in_trouble_ = false;
    send_at_once(socket);
    handed_over_.fetch_add(1, std::memory_order_relaxed);
    take_({0, from.host(), std::make_shared<descriptor>(socket), {}});
    return true;
  }
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
    return true;
  if (!std::exchange(in_trouble_, true))
    trouble_("cannot take connections: " + words(errno) + "; trying again ten times a second");
  return false;
}

// -- dialer -------------------------------------------------------------------------------

struct dialer::line {
  std::deque<std::pair<std::uint64_t, std::string>> wanted;
  std::condition_variable changed;
};

struct dialer::shared {
  settings how;
  take_socket take;
  std::mutex mutex;
  line numbers;
  line names;
  bool ended = false;

  bool has_ended() {
    std::lock_guard guard(mutex);
    return ended;
  }
};

/// The threads share the state and are not waited for: one may sit in the system's resolver, which
/// cannot be called back.
dialer::dialer(settings how, take_socket take) : state_(std::make_shared<shared>()) {
  state_->how = std::move(how);
  state_->take = std::move(take);
  for (auto* of : {&state_->numbers, &state_->names})
    for (std::size_t i = 0; i < state_->how.threads; ++i)
      std::thread([at = state_, of] { run(at, *of); }).detach();
}

dialer::~dialer() {
  std::lock_guard guard(state_->mutex); // nobody is inside `take` while we are here
  state_->ended = true;
  state_->take = nullptr;
  state_->numbers.changed.notify_all();
  state_->names.changed.notify_all();
}

void dialer::dial(std::uint64_t ticket, std::string address) {
  const auto where = parse_host_port(address);
  auto& to = where && !is_number(*where) ? state_->names : state_->numbers;
  std::lock_guard guard(state_->mutex);
  to.wanted.emplace_back(ticket, std::move(address));
  to.changed.notify_one();
}

void dialer::run(const std::shared_ptr<shared>& at, line& of) {
  std::unique_lock guard(at->mutex);
  for (;;) {
    of.changed.wait(guard, [&] { return at->ended || !of.wanted.empty(); });
    if (at->ended)
      return;
    const auto [ticket, address] = std::move(of.wanted.front());
    of.wanted.pop_front();
    guard.unlock();
    auto made = connect(*at, ticket, address);
    guard.lock();
    if (at->ended)
      return;
    at->take(std::move(made));
  }
}

namespace {

/// A connection to a free port of this machine may get that very port for its own end, and then
/// talks to itself.
bool is_its_own_peer(int socket) {
  socket_address here;
  socket_address there;
  here.size = there.size = sizeof here.storage;
  ::getsockname(socket, here.get(), &here.size);
  ::getpeername(socket, there.get(), &there.size);
  return here.port() == there.port() && here.host() == there.host();
}

/// Errors: what the kernel says, or that time is up.
expected<std::shared_ptr<descriptor>> connect_to(const socket_address& to,
                                                 std::chrono::milliseconds patience,
                                                 const std::function<bool()>& ended) {
  const int number = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (number < 0)
    return fail(errc::io, "socket: " + words(errno));
  auto socket = std::make_shared<descriptor>(number);
  send_at_once(number);
  if (::connect(number, to.get(), to.size) != 0) {
    if (errno != EINPROGRESS)
      return fail(errc::io, words(errno));
    pollfd done{number, POLLOUT, 0};
    for (auto left = patience.count();; left -= pause_ms) {
      if (left <= 0)
        return fail(errc::io, "no answer in " + std::to_string(patience.count()) + " ms");
      if (::poll(&done, 1, pause_ms) > 0)
        break;
      if (ended())
        return fail(errc::stopping, "the node stops");
    }
    int wrong = 0;
    socklen_t size = sizeof wrong;
    ::getsockopt(number, SOL_SOCKET, SO_ERROR, &wrong, &size);
    if (wrong != 0)
      return fail(errc::io, words(wrong));
  }
  if (is_its_own_peer(number))
    return fail(errc::io, words(ECONNREFUSED));
  return socket;
}

expected<std::shared_ptr<descriptor>> through_hook(wire_hook& hook, descriptor& socket,
                                                   const std::string& address) {
  const auto instead = hook.dialled(socket.release(), address);
  if (!instead)
    return tl::unexpected<error>(instead.error());
  return std::make_shared<descriptor>(*instead);
}

} // namespace

new_socket dialer::connect(shared& at, std::uint64_t ticket, const std::string& address) {
  const auto where = parse_host_port(address);
  if (!where)
    return {ticket, address, nullptr, where.error().text};
  const auto all = at.how.resolve(*where);
  if (!all)
    return {ticket, address, nullptr, all.error().text};
  std::string why = "it has no address";
  for (const auto& to : *all) {
    if (at.how.loopback_only && !to.is_loopback()) {
      why = "another machine is not dialled without TLS: set `cluster.tls`, or "
            "`cluster.insecure_plaintext` if everybody on the network may read along";
      continue;
    }
    auto made = connect_to(to, at.how.patience, [&] { return at.has_ended(); });
    if (made && at.how.hook)
      made = through_hook(*at.how.hook, **made, address);
    if (made)
      return {ticket, to.host(), std::move(*made), {}};
    why = made.error().text;
  }
  return {ticket, address, nullptr, std::move(why)};
}

} // namespace edupulse
