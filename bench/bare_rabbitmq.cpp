// RabbitMQ by its client: persistent messages with confirms, at most 512 of them open.

#include "bare_clients.hpp"
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::uint64_t most_open = 512;
/// The one in PATH asks who is calling.
constexpr const char* server_program = "/usr/lib/rabbitmq/bin/rabbitmq-server";

using connection = std::unique_ptr<amqp_connection_state_t_, int (*)(amqp_connection_state_t)>;

void must(bool good, const char* what) {
  if (good)
    return;
  std::fprintf(stderr, "rabbitmq: %s failed\n", what);
  std::exit(1);
}

bool good(const amqp_rpc_reply_t& reply) { return reply.reply_type == AMQP_RESPONSE_NORMAL; }

/// Null: not yet.
connection connect(std::uint16_t port) {
  connection made(::amqp_new_connection(), ::amqp_destroy_connection);
  if (::amqp_socket_open(::amqp_tcp_socket_new(made.get()), "127.0.0.1", port) != AMQP_STATUS_OK ||
      !good(::amqp_login(made.get(), "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN,
                         "guest", "guest")))
    return {nullptr, ::amqp_destroy_connection};
  ::amqp_channel_open(made.get(), 1);
  must(good(::amqp_get_rpc_reply(made.get())), "a channel");
  return made;
}

/// A durable queue that keeps the last 10,000.
void make_queue(const connection& at) {
  auto* const channel = at.get();
  ::amqp_exchange_declare(channel, 1, amqp_cstring_bytes("edupulse"), amqp_cstring_bytes("topic"),
                          0, 1, 0, 0, amqp_empty_table);
  amqp_table_entry_t most{amqp_cstring_bytes("x-max-length"), {}};
  most.value.kind = AMQP_FIELD_KIND_I32;
  most.value.value.i32 = 10'000;
  ::amqp_queue_declare(channel, 1, amqp_cstring_bytes("lessons"), 0, 1, 0, 0, {1, &most});
  must(good(::amqp_get_rpc_reply(channel)), "a queue");
  ::amqp_queue_bind(channel, 1, amqp_cstring_bytes("lessons"), amqp_cstring_bytes("edupulse"),
                    amqp_cstring_bytes("lessons"), amqp_empty_table);
  must(good(::amqp_get_rpc_reply(channel)), "a binding");
}

std::unique_ptr<broker_server> start() {
  auto made = std::make_unique<broker_server>();
  const auto& place = made->place.path();
  const auto names = std::to_string(free_port());
  made->url = "amqp://127.0.0.1:" + std::to_string(made->port) + "?topic=lessons";
  made->place.write("plugins", "[].");
  made->helper =
      std::make_unique<child>(child::program({"epmd", "-port", names, "-address", "127.0.0.1"}));
  made->process = std::make_unique<child>(child::program(
      {server_program},
      {"HOME=" + place, "RUNNING_UNDER_SYSTEMD=true", "ERL_EPMD_ADDRESS=127.0.0.1",
       "ERL_EPMD_PORT=" + names, "RABBITMQ_NODENAME=bench" + names + "@localhost",
       "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT=" + std::to_string(made->port),
       "RABBITMQ_DIST_PORT=" + std::to_string(free_port()), "RABBITMQ_MNESIA_BASE=" + place + "/db",
       "RABBITMQ_LOG_BASE=" + place + "/log", "RABBITMQ_CONFIG_FILE=" + place + "/none",
       "RABBITMQ_CONF_ENV_FILE=" + place + "/none",
       "RABBITMQ_ENABLED_PLUGINS_FILE=" + place + "/plugins"}));
  auto at = connect(made->port);
  for (int tries = 0; !at && tries < 600; ++tries) {
    ::usleep(100'000);
    at = connect(made->port);
  }
  must(at != nullptr, "to start the server");
  make_queue(at);
  return made;
}

/// Confirmations that have come, or one if none has.
std::uint64_t confirmed(amqp_connection_state_t at, std::uint64_t before, bool wait) {
  for (;;) {
    amqp_frame_t frame;
    const timeval now{};
    const int status = ::amqp_simple_wait_frame_noblock(at, &frame, wait ? nullptr : &now);
    if (status == AMQP_STATUS_TIMEOUT)
      return before;
    must(status == AMQP_STATUS_OK && frame.frame_type == AMQP_FRAME_METHOD &&
             frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
         "a confirmation");
    const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    before = ack.multiple != 0 ? ack.delivery_tag : before + 1;
    ::amqp_maybe_release_buffers(at);
    wait = false;
  }
}

void publish(const broker_server& to, std::uint64_t events, const std::string& body,
             const std::string& content_type) {
  const auto at = connect(to.port);
  ::amqp_confirm_select(at.get(), 1);
  must(good(::amqp_get_rpc_reply(at.get())), "confirms");
  amqp_basic_properties_t with{};
  with._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  with.content_type = {content_type.size(), const_cast<char*>(content_type.data())};
  with.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  std::uint64_t settled = 0;
  for (std::uint64_t sent = 0; settled < events;) {
    if (sent < events && sent - settled < most_open) {
      must(::amqp_basic_publish(at.get(), 1, amqp_cstring_bytes("edupulse"),
                                amqp_cstring_bytes("lessons"), 1, 0, &with,
                                {body.size(), const_cast<char*>(body.data())}) == AMQP_STATUS_OK,
           "a publish");
      ++sent;
      if (sent % 64 != 0)
        continue;
    }
    settled = confirmed(at.get(), settled, sent == events || sent - settled == most_open);
  }
}

} // namespace

bare_client bare_rabbitmq() {
  return {"rabbitmq", ::access(server_program, X_OK) == 0 ? "" : "rabbitmq-server", 30'000, start,
          publish};
}

} // namespace bench
