// edupulse-backend: one process that serves HTTP and is a node of a cluster. Read `run`: a node,
// one subscription, an HTTP server, and a signal that ends it.

#include "fts5_index.hpp"
#include "interrupt.hpp"
#include "options.hpp"
#include "service.hpp"
#include <cstdio>
#include <cstdlib>
#include <sys/socket.h>
#include <thread>

namespace edupulse::backend {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_body_bytes = 1u << 20; ///< no event is larger
constexpr std::size_t http_threads = 8;
constexpr auto outage_limit = 60s; ///< of the index, before its lessons are dead letters

/// Without SO_REUSEPORT, which httplib sets by default: two services on one port would share it in
/// silence.
void socket_options(socket_t at) {
  const int on = 1;
  ::setsockopt(at, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

/// Binds; the port that was taken. Errors: `io`.
expected<int> open_http(httplib::Server& server, const options& how) {
  server.set_socket_options(socket_options);
  server.set_payload_max_length(max_body_bytes);
  server.set_keep_alive_timeout(1); // a connection holds a thread
  server.set_read_timeout(5);
  server.new_task_queue = [] { return new httplib::ThreadPool(http_threads); };
  const int port = how.http_port == 0
                       ? server.bind_to_any_port(how.http_host)
                       : (server.bind_to_port(how.http_host, how.http_port) ? how.http_port : -1);
  if (port > 0)
    return port;
  return fail(errc::io, "cannot take " + how.http_host + ":" + std::to_string(how.http_port) +
                            " for HTTP: is it in use? Give another one with --http");
}

expected<void> run(const options& how) {
  const search::interrupt stop; // before there are threads
  httplib::Server server;
  const auto port = open_http(server, how);
  if (!port)
    return tl::unexpected(port.error());
  auto node = node::start(how.node);
  if (!node)
    return tl::unexpected(node.error());

  const auto index = how.data_dir / "index.sqlite";
  auto desk = std::make_shared<search::index_desk>(
      std::make_unique<search::fts5_index>(search::fts5_options{.file = index}), outage_limit);
  auto indexing = node->subscribe("lesson.>", "search-indexer",
                                  [desk] { return std::make_unique<search::indexer>(desk); });
  if (!indexing)
    return tl::unexpected(indexing.error());

  service answers(*node, desk);
  answers.add_routes(server);
  std::jthread serving([&] { server.listen_after_bind(); });
  std::printf("name=%s http=%s:%d node=%s\n", node->name().c_str(), how.http_host.c_str(), *port,
              node->address().c_str());
  std::fflush(stdout); // whoever waits for this line reads a pipe
  stop.wait_ms(-1);
  server.stop(); // first nobody asks any more, then the node says goodbye
  serving.join();
  node->stop();
  return {};
}

} // namespace

} // namespace edupulse::backend

int main(int argc, char** argv) {
  namespace backend = edupulse::backend;
  const auto how = backend::parse_options(argc, argv);
  if (const int* code = std::get_if<int>(&how))
    return *code;
  const auto done = backend::run(std::get<backend::options>(how));
  if (done)
    return EXIT_SUCCESS;
  std::fprintf(stderr, "edupulse-backend: %s\n", done.error().text.c_str());
  return done.error().code == edupulse::errc::invalid_option ? 2 : EXIT_FAILURE;
}
