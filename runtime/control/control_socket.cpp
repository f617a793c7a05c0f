// One thread takes connections and gives each a thread for the one request that it carries. Few
// people ask at once, a request may take as long as a plugin takes to load, and nobody waits for
// another one's.

#include "runtime/control/channel.hpp"
#include "runtime/control/listener.hpp"
#include "runtime/control/verbs.hpp"
#include "runtime/node_access.hpp"
#include "runtime/node_impl.hpp"
#include <atomic>
#include <cerrno>
#include <cstring>
#include <edupulse/control.hpp>
#include <list>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>

namespace edupulse {

namespace {

constexpr auto breather = std::chrono::milliseconds(100); ///< when there are no descriptors left

} // namespace

class control_socket::impl {
public:
  impl(node& at, control_options how, std::unique_ptr<control::listener> door)
      : how_(std::move(how)), bench_{at, how_.plugins, how_.types, how_.transports, how_.sources},
        door_(std::move(door)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { take_connections(); }) {}
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;
  ~impl() {
    ::eventfd_write(stop_.number(), 1);
    thread_.join();
  }

  const std::filesystem::path& path() const noexcept { return door_->path(); }

private:
  struct guest {
    explicit guest(int number) : socket(number) {}
    descriptor socket;
    std::atomic<bool> done = false;
    std::jthread thread{};
  };

  void take_connections();
  bool wait(int socket, duration patience) const;
  void welcome(int socket);
  void serve(guest& who);
  void converse(const control::channel& with);
  void say(const control::channel& to, const error& what) const;
  void warn(const std::string& text) const {
    node_access::impl(bench_.at).say(log_level::warning, "control socket: " + text);
  }
  time_point deadline() const { return std::chrono::steady_clock::now() + how_.patience; }

  const control_options how_;
  control::bench bench_;
  std::unique_ptr<control::listener> door_;
  descriptor stop_;
  std::list<guest> guests_; ///< of `thread_` alone; joined when they leave
  std::thread thread_;      ///< last: it uses all of the above
};

/// False once it is time to stop.
bool control_socket::impl::wait(int socket, duration patience) const {
  pollfd on[] = {{stop_.number(), POLLIN, 0}, {socket, POLLIN, 0}};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  ::poll(on, socket < 0 ? 1 : 2, static_cast<int>(ms));
  return on[0].revents == 0;
}

void control_socket::impl::take_connections() {
  constexpr auto for_ever = std::chrono::milliseconds(-1);
  while (wait(door_->number(), for_ever)) {
    const int socket = ::accept4(door_->number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0)
      welcome(socket);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
      wait(-1, breather);
  }
  guests_.clear();
}

void control_socket::impl::welcome(int socket) {
  guests_.remove_if([](const guest& one) { return one.done.load(); });
  auto& who = guests_.emplace_back(socket);
  const control::channel with(socket, stop_.number());
  const auto from = control::credentials_of(socket);
  if (!from || (from->user != ::geteuid() && from->user != 0)) {
    ++bench_.refused;
    warn("refused " + (from ? to_string(*from) : std::string("somebody")));
    say(with, {errc::refused, "only the node's own user and root may speak to it"});
    guests_.pop_back();
    return;
  }
  if (guests_.size() > how_.connections) {
    say(with, {errc::back_pressure, "the node answers " + std::to_string(how_.connections) +
                                        " others just now: ask again in a moment"});
    guests_.pop_back();
    return;
  }
  try {
    who.thread = std::jthread([this, &who] { serve(who); });
  } catch (const std::system_error& none) {
    say(with, {errc::back_pressure, std::string("the node has no thread left: ") + none.what()});
    guests_.pop_back();
  }
}

void control_socket::impl::serve(guest& who) {
  const control::channel with(who.socket.number(), stop_.number());
  try {
    converse(with);
  } catch (const std::exception& thrown) { // out of memory, say: others are not to notice
    say(with, {errc::io, std::string("the node could not answer: ") + thrown.what()});
  }
  who.done = true; // first: who sees the end of the connection finds room for the next one
  ::shutdown(who.socket.number(), SHUT_RDWR); // it is closed when the thread is joined
}

void control_socket::impl::converse(const control::channel& with) {
  const auto asked = with.receive(control::max_request_bytes, deadline());
  if (!asked) {
    ++bench_.malformed;
    return say(with, asked.error());
  }
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<control::Answer>();
  const auto read = control::reading(*asked, [&](capnp::MessageReader& request) {
    control::answer(bench_, request.getRoot<control::Request>(), root);
  });
  ++(read ? bench_.answered : bench_.malformed);
  if (!read)
    control::put_error(read.error(), root);
  const auto sent = with.send(message, control::max_answer_bytes, deadline());
  if (!sent && sent.error().code == errc::too_large)
    say(with, sent.error());
}

/// Whoever does not take it is gone.
void control_socket::impl::say(const control::channel& to, const error& what) const {
  capnp::MallocMessageBuilder message;
  control::put_error(what, message.initRoot<control::Answer>());
  static_cast<void>(to.send(message, control::max_answer_bytes, deadline()));
}

// -- control_socket -----------------------------------------------------------------------

expected<control_socket> control_socket::open(node& at, control_options options) {
  if (options.connections < 1 || options.connections > 64)
    return fail(errc::invalid_option, "option `connections` of a control socket is 1 to 64");
  if (options.patience <= duration::zero() || options.patience > std::chrono::hours(1))
    return fail(errc::invalid_option, "option `patience` of a control socket is above zero, and an "
                                      "hour at most");
  if (options.path.empty()) {
    const auto& home = node_access::impl(at).options().data_dir;
    if (home.empty())
      return fail(errc::invalid_option, "a control socket needs a `path` when the node has no "
                                        "data directory");
    options.path = home / "control.sock";
  }
  auto door = control::listener::open(options.path);
  if (!door)
    return tl::unexpected(door.error());
  return control_socket(std::make_unique<impl>(at, std::move(options), std::move(*door)));
}

control_socket::control_socket(std::unique_ptr<impl> made) : impl_(std::move(made)) {}
control_socket::control_socket(control_socket&&) noexcept = default;
control_socket& control_socket::operator=(control_socket&&) noexcept = default;
control_socket::~control_socket() = default;
const std::filesystem::path& control_socket::path() const noexcept { return impl_->path(); }

} // namespace edupulse
