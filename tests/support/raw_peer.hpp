#pragma once
// A socket that says to a node what no node would say.

#include "runtime/descriptor.hpp"
#include "runtime/wire/address.hpp"
#include "tests/support/one_switchboard.hpp"
#include <arpa/inet.h>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/socket.h>

namespace edupulse::test {

class raw_peer {
public:
  /// `from`: an address of this machine, 127.0.0.2 say, to be somebody else than the others.
  explicit raw_peer(const std::string& address, const char* from = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto where = parse_host_port(address).value();
    const auto here = of(from, 0);
    const auto there = of(where.host.c_str(), where.port);
    REQUIRE(::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0);
    REQUIRE(::connect(socket_.number(), reinterpret_cast<const sockaddr*>(&there), sizeof there) ==
            0);
  }

  /// False: nobody takes it any more.
  bool send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0)
        return false;
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool send(std::string_view text) { return send(std::as_bytes(std::span(text))); }
  template <class What> bool say(const What& what) {
    frame_bytes bytes;
    append_frame(bytes, what);
    return send(std::as_bytes(std::span(bytes)));
  }
  bool say(frame_kind kind, std::span<const std::byte> body) {
    frame_bytes bytes;
    append_frame(bytes, kind, body);
    return send(std::as_bytes(std::span(bytes)));
  }
  /// Takes all that comes until the node has closed the connection.
  std::vector<std::byte> read_to_end() {
    auto all = std::exchange(read_, {});
    while (read_some(all))
      continue;
    return all;
  }
  /// Waits for something. False: the connection is closed.
  bool read_some(std::vector<std::byte>& to) {
    std::byte part[4096];
    const auto count = ::recv(socket_.number(), part, sizeof part, 0);
    if (count <= 0)
      return false;
    to.insert(to.end(), part, part + count);
    return true;
  }
  /// Whether there is something to read, within so long.
  bool has_some(std::chrono::milliseconds most) const {
    pollfd one{socket_.number(), POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(most.count())) > 0;
  }
  /// Waits for the next frame, and answers its kind. `none`: the connection is closed.
  frame_kind next_frame() {
    const auto whole = [&] { // as far as it is known
      std::uint32_t body = 0;
      if (read_.size() >= frame_header::size)
        std::memcpy(&body, read_.data(), sizeof body);
      return frame_header::size + body;
    };
    while (read_.size() < whole())
      if (!read_some(read_))
        return frame_kind::none;
    const auto size = whole();
    const auto kind = static_cast<frame_kind>(read_[4]);
    read_.erase(read_.begin(), read_.begin() + static_cast<std::ptrdiff_t>(size));
    return kind;
  }
  bool is_closed() const {
    pollfd one{socket_.number(), POLLIN | POLLRDHUP, 0};
    return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
  }

private:
  static sockaddr_in of(const char* host, std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    ::inet_pton(AF_INET, host, &at.sin_addr);
    return at;
  }
  descriptor socket_;
  std::vector<std::byte> read_; ///< and not looked at
};

/// A member that keeps to the protocol until the test says otherwise; its session is up.
class rogue_member {
public:
  rogue_member(const std::string& address, std::uint64_t number)
      : who(peer(number)), control(address, "127.0.0.2"), bulk(address, "127.0.0.2") {
    control.say(one_switchboard::hello_of(who, 1000 + number, false));
    REQUIRE(control.next_frame() == frame_kind::hello);
    bulk.say(one_switchboard::hello_of(who, 1000 + number, true));
    REQUIRE(bulk.next_frame() == frame_kind::hello);
    control.say(one_switchboard::resume());
    tell(msg::join{who.cluster, 1, 0}, {about(who, member_state::alive)});
    auto kind = frame_kind::membership; // the session is up when the node has spoken in it, too
    while (kind == frame_kind::membership)
      kind = control.next_frame();
    REQUIRE(kind == frame_kind::control);
  }
  bool tell(const membership_message& what, const std::vector<member_update>& updates = {}) {
    return control.say(frame_kind::membership, one_member::frame(who, what, updates));
  }
  bool numbered(decltype(link_numbered::what) what) {
    return control.say(control_message(link_numbered{++last_, std::move(what)}));
  }

  peer_identity who;
  raw_peer control;
  raw_peer bulk;

private:
  std::uint64_t last_ = 0;
};

} // namespace edupulse::test
