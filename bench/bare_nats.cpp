// NATS by its client: core with a flush after every 512 messages, JetStream asynchronously with the
// library's 4,000 in flight.

#include "bare_clients.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nats/nats.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::uint64_t batch = 512;

void must(natsStatus status) {
  if (status != NATS_OK) {
    std::fprintf(stderr, "nats: %s\n", natsStatus_GetText(status));
    std::exit(1);
  }
}

using connection = std::unique_ptr<natsConnection, void (*)(natsConnection*)>;

connection connect(std::uint16_t port) {
  const auto address = "nats://127.0.0.1:" + std::to_string(port);
  natsConnection* made = nullptr;
  auto status = NATS_ERR;
  for (int tries = 0; tries < 500 && status != NATS_OK; ++tries) { // it may still be starting
    status = natsConnection_ConnectTo(&made, address.c_str());
    if (status != NATS_OK)
      ::usleep(10'000);
  }
  must(status);
  return {made, natsConnection_Destroy};
}

std::unique_ptr<broker_server> start(bool jetstream) {
  auto made = std::make_unique<broker_server>();
  const auto port = std::to_string(made->port);
  made->url = "nats://127.0.0.1:" + port + "?topic=lessons" + (jetstream ? "&jetstream=true" : "");
  std::vector<std::string> command = {
      "nats-server", "-a", "127.0.0.1", "-p", port, "-l", made->place.path() + "/log"};
  if (jetstream)
    command.insert(command.end(), {"-js", "-sd", made->place.path()});
  made->process = std::make_unique<child>(child::program(command));
  const auto server = connect(made->port);
  if (!jetstream)
    return made;
  jsCtx* context = nullptr;
  must(natsConnection_JetStream(&context, server.get(), nullptr));
  const char* subjects[] = {"lessons"};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = "LESSONS";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  config.MaxMsgs = 10'000; // the oldest go
  must(js_AddStream(nullptr, context, &config, nullptr, nullptr));
  jsCtx_Destroy(context);
  return made;
}

/// As a mirror's message has it.
natsMsg* message_of(const std::string& body, const std::string& content_type) {
  natsMsg* made = nullptr;
  must(natsMsg_Create(&made, "lessons", nullptr, body.data(), static_cast<int>(body.size())));
  must(natsMsgHeader_Set(made, "content-type", content_type.c_str()));
  return made;
}

void publish_core(const broker_server& to, std::uint64_t events, const std::string& body,
                  const std::string& content_type) {
  const auto server = connect(to.port);
  for (std::uint64_t sent = 0; sent < events;) {
    const auto now = std::min(batch, events - sent);
    for (std::uint64_t i = 0; i < now; ++i) {
      auto* message = message_of(body, content_type);
      must(natsConnection_PublishMsg(server.get(), message));
      natsMsg_Destroy(message);
    }
    must(natsConnection_FlushTimeout(server.get(), 60'000));
    sent += now;
  }
}

void publish_stream(const broker_server& to, std::uint64_t events, const std::string& body,
                    const std::string& content_type) {
  const auto server = connect(to.port);
  jsOptions how;
  jsOptions_Init(&how);
  how.PublishAsync.StallWait = 60'000;
  jsCtx* context = nullptr;
  must(natsConnection_JetStream(&context, server.get(), &how));
  jsPubOptions each;
  jsPubOptions_Init(&each);
  static std::uint64_t ids = 0;
  for (std::uint64_t i = 0; i < events; ++i) {
    const auto id = std::to_string(++ids);
    each.MsgId = id.c_str();
    auto* message = message_of(body, content_type);
    must(js_PublishMsgAsync(context, &message, &each));
  }
  jsPubOptions all;
  jsPubOptions_Init(&all);
  all.MaxWait = 60'000;
  must(js_PublishAsyncComplete(context, &all));
  jsCtx_Destroy(context);
}

std::string missing() { return is_installed("nats-server") ? "" : "nats-server"; }

} // namespace

bare_client bare_nats() {
  return {"nats", missing(), 200'000, [] { return start(false); }, publish_core};
}

bare_client bare_jetstream() {
  return {"jetstream", missing(), 100'000, [] { return start(true); }, publish_stream};
}

} // namespace bench
