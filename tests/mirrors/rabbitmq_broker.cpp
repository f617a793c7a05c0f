#include "tests/mirrors/rabbitmq_broker.hpp"

#include "tests/support/real_time.hpp"
#include <amqp.h>
#include <amqp_tcp_socket.h>

namespace edupulse::test {

namespace {

constexpr const char* cookie = "edupulse";

/// The queues are there before anybody can connect: a mirror that was first would find no route.
/// `small` takes ten messages, and no more.
constexpr const char* definitions = R"({
  "vhosts": [{"name": "/"}],
  "users": [{"name": "school", "password": "secret", "tags": []}],
  "permissions": [{"user": "school", "vhost": "/",
                   "configure": ".*", "write": ".*", "read": ".*"}],
  "exchanges": [{"name": "edupulse", "vhost": "/", "type": "topic", "durable": true,
                 "auto_delete": false, "internal": false, "arguments": {}}],
  "queues": [{"name": "lessons", "vhost": "/", "durable": true, "auto_delete": false,
              "arguments": {}},
             {"name": "small", "vhost": "/", "durable": true, "auto_delete": false,
              "arguments": {"x-max-length": 10, "x-overflow": "reject-publish"}}],
  "bindings": [{"source": "edupulse", "vhost": "/", "destination": "small",
                "destination_type": "queue", "routing_key": "small", "arguments": {}},
               {"source": "edupulse", "vhost": "/", "destination": "lessons",
                "destination_type": "queue", "routing_key": "lessons", "arguments": {}}]})";

using connection_ptr = std::unique_ptr<amqp_connection_state_t_, int (*)(amqp_connection_state_t)>;

bool good(const amqp_rpc_reply_t& reply) { return reply.reply_type == AMQP_RESPONSE_NORMAL; }

/// With channel 1; null when it is not there.
connection_ptr connect(std::uint16_t port) {
  connection_ptr made(::amqp_new_connection(), ::amqp_destroy_connection);
  if (::amqp_socket_open(::amqp_tcp_socket_new(made.get()), "127.0.0.1", port) != AMQP_STATUS_OK ||
      !good(::amqp_login(made.get(), "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN,
                         "school", "secret")))
    return {nullptr, ::amqp_destroy_connection};
  ::amqp_channel_open(made.get(), 1);
  REQUIRE(good(::amqp_get_rpc_reply(made.get())));
  return made;
}

std::string as_text(const amqp_bytes_t& bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

rabbitmq_broker::message as_message(const amqp_message_t& from) {
  const auto& with = from.properties;
  rabbitmq_broker::message made{.body = as_text(from.body),
                                .content_type = as_text(with.content_type),
                                .id = as_text(with.message_id),
                                .type = as_text(with.type),
                                .headers = {},
                                .persistent = with.delivery_mode == AMQP_DELIVERY_PERSISTENT};
  if ((with._flags & AMQP_BASIC_HEADERS_FLAG) != 0)
    for (int i = 0; i < with.headers.num_entries; ++i)
      made.headers.emplace_back(as_text(with.headers.entries[i].key),
                                as_text(with.headers.entries[i].value.value.bytes));
  return made;
}

} // namespace

rabbitmq_broker::rabbitmq_broker() {
  write_file(dir_ / ".erlang.cookie", cookie, 0400);
  write_file(dir_ / "plugins", "[].");
  write_file(dir_ / "definitions.json", definitions);
  write_file(dir_ / "rabbitmq.conf",
             "load_definitions = " + (dir_ / "definitions.json").string() +
                 "\n"
                 "max_message_size = 1000000\n" // to be found too large before the node says so
                 "listeners.ssl.1 = 127.0.0.1:" +
                 std::to_string(tls_port_) + "\nssl_options.cacertfile = " + certificates_.ca() +
                 "\nssl_options.certfile = " + certificates_.server() +
                 "\nssl_options.keyfile = " + certificates_.server_key() +
                 "\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n");
}

void rabbitmq_broker::launch() {
  const auto in_dir = [&](const std::string& name) { return (dir_ / name).string(); };
  if (!epmd_) // it outlives a server that is killed
    epmd_ = std::make_unique<program>(
        "epmd",
        std::vector<std::string>{"-port", std::to_string(epmd_port_), "-address", "127.0.0.1"});
  // The script of its package asks who is calling; the one below it does not, and becomes the
  // server when systemd seems to run it.
  server_ = std::make_unique<program>(
      "env", std::vector<std::string>{
                 "HOME=" + dir_.path().string(), "RUNNING_UNDER_SYSTEMD=true",
                 "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + std::to_string(epmd_port_),
                 "RABBITMQ_NODENAME=" + node_ + "@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
                 "RABBITMQ_NODE_PORT=" + std::to_string(port_),
                 "RABBITMQ_DIST_PORT=" + std::to_string(dist_port_),
                 "RABBITMQ_MNESIA_BASE=" + in_dir("mnesia"), "RABBITMQ_LOG_BASE=" + in_dir("log"),
                 "RABBITMQ_CONFIG_FILE=" + in_dir("rabbitmq.conf"),
                 "RABBITMQ_CONF_ENV_FILE=" + in_dir("none"),
                 "RABBITMQ_ENABLED_PLUGINS_FILE=" + in_dir("plugins"), "RABBITMQ_LOGS=-",
                 "/usr/lib/rabbitmq/bin/rabbitmq-server"});
}

void rabbitmq_broker::start() {
  const bool ran = server_ != nullptr;
  if (!ran)
    launch();
  auto to = connect(port_);
  for (; !to; to = connect(port_))
    rest(std::chrono::milliseconds(50));
  if (ran) {
    ::amqp_queue_purge(to.get(), 1, ::amqp_cstring_bytes("lessons"));
    REQUIRE(good(::amqp_get_rpc_reply(to.get())));
  }
}

std::size_t rabbitmq_broker::empty(const char* queue) const {
  const auto to = connect(port_);
  REQUIRE(to);
  for (std::size_t count = 0;; ++count) {
    const auto got = ::amqp_basic_get(to.get(), 1, ::amqp_cstring_bytes(queue), 1);
    REQUIRE(good(got));
    if (got.reply.id == AMQP_BASIC_GET_EMPTY_METHOD)
      return count;
    amqp_message_t one;
    REQUIRE(good(::amqp_read_message(to.get(), 1, &one, 0)));
    ::amqp_destroy_message(&one);
    ::amqp_maybe_release_buffers(to.get());
  }
}

std::vector<rabbitmq_broker::message> rabbitmq_broker::read_messages() {
  const auto queue = ::amqp_cstring_bytes("lessons");
  const auto to = connect(port_);
  REQUIRE(to);
  const auto* there = ::amqp_queue_declare(to.get(), 1, queue, 1, 1, 0, 0, amqp_empty_table);
  REQUIRE(there);
  const auto count = there->message_count;
  ::amqp_basic_consume(to.get(), 1, queue, amqp_empty_bytes, 0, 1, 0, amqp_empty_table);
  REQUIRE(good(::amqp_get_rpc_reply(to.get())));
  std::vector<message> all;
  for (std::uint32_t i = 0; i < count; ++i) {
    amqp_envelope_t one;
    REQUIRE(good(::amqp_consume_message(to.get(), &one, nullptr, 0)));
    all.push_back(as_message(one.message));
    ::amqp_destroy_envelope(&one);
    ::amqp_maybe_release_buffers(to.get());
  }
  return all;
}

std::vector<seen_event> rabbitmq_broker::read() {
  std::vector<seen_event> seen;
  for (const auto& one : read_messages())
    seen.push_back(from_cloudevent(one.body));
  return seen;
}

std::string rabbitmq_broker::tls_url(const std::string& host, const std::string& ca) const {
  return "amqps://school:secret@" + host + ":" + std::to_string(tls_port_) +
         "?topic=lessons&ca=" + ca;
}

std::string rabbitmq_broker::call(const std::string& what) const {
  program caller("env",
                 {"ERL_EPMD_PORT=" + std::to_string(epmd_port_), "/usr/lib/erlang/bin/erl_call",
                  "-c", cookie, "-n", node_ + "@localhost", "-a", what});
  REQUIRE(caller.wait() == 0);
  return caller.output();
}

} // namespace edupulse::test
