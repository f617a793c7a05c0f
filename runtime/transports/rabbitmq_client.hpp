#pragma once
// One connection to RabbitMQ with one channel, for the mirror and the source.

#include "runtime/transports/broker_factory.hpp"
#include <amqp.h>
#include <memory>
#include <string>
#include <string_view>

namespace edupulse {

struct rabbitmq_login {
  host_port at;
  std::string user = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  duration heartbeat = std::chrono::seconds(10);
  duration connect_timeout{}; ///< of each step
  duration ack_timeout{};     ///< for the next confirmation
  bool tls = false;           ///< `amqps`
  std::string ca;
  std::string certificate; ///< empty: none is shown
  std::string key;

  /// Errors: `invalid_option`, about the address.
  static expected<rabbitmq_login> read(const broker_url& url, setting_reader& settings,
                                       const broker_times& times);
};

namespace rabbitmq {

inline constexpr amqp_channel_t channel = 1;

struct closer {
  void operator()(amqp_connection_state_t_* what) const noexcept {
    ::amqp_destroy_connection(what);
  }
};
using connection = std::unique_ptr<amqp_connection_state_t_, closer>;

/// `name`: for the broker's list of connections. Errors: `io`, in the broker's or the client's
/// words.
expected<connection> connect(const rabbitmq_login& how, const std::string& name);
/// If that can be done at once: else the broker logs a connection that broke.
void say_goodbye(connection& to) noexcept;

/// Of the last call. Errors: `io`.
expected<void> reply(const connection& from);
tl::unexpected<error> said(const std::string& why);
/// `status` of the client library; `errno` says more where it is the system's.
std::string words_of(int status);
/// Of the end of a channel or a connection.
std::string words_of(const amqp_method_t& closed);

inline amqp_bytes_t as_bytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}
inline std::string as_text(const amqp_bytes_t& bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}
amqp_table_entry_t text_entry(std::string_view name, std::string_view value);

} // namespace rabbitmq

} // namespace edupulse
