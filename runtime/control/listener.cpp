#include "runtime/control/listener.hpp"
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>

namespace edupulse::control {

namespace {

constexpr int waiting_max = 16;
constexpr const char* draft = ".new"; ///< where the socket is bound before it takes its place

tl::unexpected<error> trouble(const char* doing, const std::filesystem::path& path) {
  const int code = errno;
  return fail(errc::io, std::string("cannot ") + doing + " the control socket " +
                            quote(path.string(), 128) + ": " + std::strerror(code));
}

expected<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  constexpr auto most = sizeof address.sun_path - 1;
  const auto& text = path.native();
  if (text.empty() || text.size() > most || text.find('\0') != text.npos)
    return fail(errc::invalid_option, "the path of a control socket, " + quote(text, 128) +
                                          ", needs 1 to " + std::to_string(most) +
                                          " bytes: choose another one");
  text.copy(address.sun_path, text.size());
  return address;
}

std::unique_ptr<descriptor> make_socket() {
  return std::make_unique<descriptor>(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// Errors: `refused` when there is something that must stay.
expected<void> check_place(const std::filesystem::path& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0)
    return errno == ENOENT ? expected<void>() : trouble("look at", path);
  if (!S_ISSOCK(there.st_mode))
    return fail(errc::refused, quote(path.string(), 128) +
                                   " is no socket, and is left as it is: choose another place");
  const auto reached = dial(path);
  if (!reached)
    return reached.error().code == errc::not_found
               ? expected<void>()
               : expected<void>(tl::unexpected(reached.error()));
  const auto who = credentials_of((*reached)->number());
  return fail(errc::refused, (who ? to_string(*who) : "somebody") + " answers at " +
                                 quote(path.string(), 128) +
                                 ": stop it, or choose another place for the control socket");
}

} // namespace

std::optional<credentials> credentials_of(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return std::nullopt;
  return credentials{who.pid, who.uid};
}

std::string to_string(const credentials& who) {
  return "process " + std::to_string(who.pid) + " of user " + std::to_string(who.user);
}

expected<std::unique_ptr<descriptor>> dial(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address)
    return tl::unexpected(address.error());
  auto socket = make_socket();
  if (!*socket)
    return trouble("open", path);
  if (::connect(socket->number(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) ==
      0)
    return socket;
  if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR || errno == ENOTSOCK)
    return fail(errc::not_found, "no node answers at " + quote(path.string(), 128));
  return trouble("reach", path);
}

// -- listener -----------------------------------------------------------------------------

listener::listener(std::filesystem::path path, std::unique_ptr<descriptor> socket)
    : path_(std::move(path)), socket_(std::move(socket)) {}

/// The mode is the socket's own before it has a name, and it has its name when it can be called: at
/// no moment is there one that others may open, or that looks like what a dead process left.
expected<std::unique_ptr<listener>> listener::open(const std::filesystem::path& path) {
  const auto fresh = path.native() + draft;
  const auto address = address_of(fresh);
  if (!address)
    return tl::unexpected(address.error());
  for (const auto& place : {std::filesystem::path(fresh), path})
    if (auto good = check_place(place); !good)
      return tl::unexpected(good.error());
  auto socket = make_socket();
  if (!*socket || ::fchmod(socket->number(), S_IRUSR | S_IWUSR) != 0)
    return trouble("open", path);
  ::unlink(fresh.c_str());
  struct stat made {};
  if (::bind(socket->number(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) !=
          0 ||
      ::listen(socket->number(), waiting_max) != 0 || ::lstat(fresh.c_str(), &made) != 0 ||
      ::rename(fresh.c_str(), path.c_str()) != 0)
    return trouble("make", path);
  std::unique_ptr<listener> all(new listener(path, std::move(socket)));
  all->device_ = made.st_dev;
  all->file_ = made.st_ino;
  return all;
}

listener::~listener() {
  struct stat there {};
  if (::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == file_)
    ::unlink(path_.c_str());
}

} // namespace edupulse::control
