#pragma once
// How an operator talks to a node: a unix socket that the `edupulse` tool asks.
//
//   auto control = edupulse::control_socket::open(node).value(); // DATA_DIR/control.sock
//
// Only the node's own user and root may speak to it. What is said is in schemas/control.capnp.

#include "schemas/json.hpp"
#include <cstdint>
#include <edupulse/node.hpp>
#include <filesystem>
#include <functional>
#include <memory>

namespace edupulse {

class plugin_desk;

struct control_options {
  /// At most 103 bytes. Empty: `control.sock` in the node's data directory.
  std::filesystem::path path{};
  /// For a request to arrive, and for its answer to be taken. Too short: a tool on a machine that
  /// is busy is cut off. Too long: who says nothing holds a connection that long.
  duration patience = std::chrono::seconds(5);
  /// At once; one more is answered `back_pressure`. Each has a thread while it lasts. 1 to 64.
  std::size_t connections = 8;
  /// Schemas of events, by name: letters that were read from a file are shown as JSON with them.
  type_lookup types{};
  /// What makes a transport of an address: `open_transport` with its `types`. Null: an operator
  /// cannot add mirrors.
  std::function<expected<transport_ptr>(std::string_view url)> transports{};
  /// The same for sources: `open_source`.
  std::function<expected<source_ptr>(std::string_view url)> sources{};
  /// Null: the node takes no plugins. Must outlive the socket.
  plugin_desk* plugins = nullptr;
};

/// Answers until it is destroyed; calls that have begun end first. Any thread but a handler's.
class control_socket {
public:
  /// `at` must outlive it, and stay where it is. A socket that a dead process left is replaced.
  /// Errors: `invalid_option`; `io`; `refused` when somebody answers there (and who that is), or
  /// when what is there is no socket.
  static expected<control_socket> open(node& at, control_options options = {});
  control_socket(control_socket&&) noexcept;
  control_socket& operator=(control_socket&&) noexcept;
  ~control_socket();

  const std::filesystem::path& path() const noexcept;

private:
  class impl;
  explicit control_socket(std::unique_ptr<impl> made);
  std::unique_ptr<impl> impl_;
};

} // namespace edupulse
