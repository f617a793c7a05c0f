#include "tests/mirrors/nats_broker.hpp"

#include "tests/support/real_time.hpp"
#include <fstream>

namespace edupulse::test {

namespace {

using namespace std::chrono_literals;

nats_broker::message copy_of(natsMsg* from) {
  nats_broker::message made{
      natsMsg_GetSubject(from),
      {natsMsg_GetData(from), static_cast<std::size_t>(natsMsg_GetDataLength(from))},
      {}};
  const char** names = nullptr;
  int count = 0;
  if (natsMsgHeader_Keys(from, &names, &count) == NATS_OK) {
    for (int i = 0; i < count; ++i) {
      const char* value = nullptr;
      natsMsgHeader_Get(from, names[i], &value);
      made.headers.emplace_back(names[i], value);
    }
    std::free(names); // NOLINT: the library says so
  }
  return made;
}

} // namespace

nats_broker::~nats_broker() {
  natsSubscription_Destroy(subscription_);
  natsConnection_Destroy(reader_);
}

/// Clients show a certificate, too.
std::string nats_broker::tls_config() const {
  const auto& at = certificates_;
  return "tls { cert_file: \"" + at.server() + "\", key_file: \"" + at.server_key() +
         "\", ca_file: \"" + at.ca() + "\", verify: true }\n";
}

void nats_broker::start() {
  const auto config = dir_ / "nats.conf";
  std::ofstream(config)
      << "listen: \"127.0.0.1:" << port_ << "\"\nmax_payload: 200KB\n"
      << "authorization { users = [ { user: edu, password: secret, permissions: {\n"
      << "  publish: { deny: [\"lessons.lesson.forbidden\", \"lessons.secret.>\"] } } } ] }\n"
      << (is_ == kind::jetstream ? "jetstream { store_dir: \"" + (dir_ / "js").string() + "\" }\n"
                                 : "")
      << (how_ == security::tls ? tls_config() : "");
  server_ =
      std::make_unique<program>("nats-server", std::vector<std::string>{"-c", config.string()});
  while (reader_ == nullptr) {
    natsOptions* how = nullptr;
    natsOptions_Create(&how);
    // By its number where no certificate asks for a name: the reader must be there before a mirror.
    const std::string host = how_ == security::tls ? "localhost" : "127.0.0.1";
    natsOptions_SetURL(how, ("nats://edu:secret@" + host + ":" + std::to_string(port_)).c_str());
    if (how_ == security::tls) {
      natsOptions_SetSecure(how, true);
      natsOptions_LoadCATrustedCertificates(how, certificates_.ca().c_str());
      natsOptions_LoadCertificatesChain(how, (certificates_.dir + "client.pem").c_str(),
                                        (certificates_.dir + "client.key").c_str());
    }
    natsOptions_SetReconnectWait(how, 10);
    natsOptions_SetReconnectJitter(how, 1, 1);
    natsOptions_SetMaxReconnect(how, -1);
    natsOptions_SetErrorHandler(
        how, [](natsConnection*, natsSubscription*, natsStatus, void*) {}, nullptr);
    if (natsConnection_Connect(&reader_, how) != NATS_OK)
      rest(1ms);
    natsOptions_Destroy(how);
  }
  while (natsConnection_FlushTimeout(reader_, 1000) != NATS_OK) // it is still coming back
    rest(10ms);
  if (is_ == kind::core)
    listen();
  else
    make_stream();
}

void nats_broker::listen() {
  if (subscription_ != nullptr)
    return;
  const auto hear = [](natsConnection*, natsSubscription*, natsMsg* what, void* self) {
    auto& here = *static_cast<nats_broker*>(self);
    std::lock_guard guard(here.mutex_);
    here.heard_.push_back(copy_of(what));
    natsMsg_Destroy(what);
  };
  REQUIRE(natsConnection_Subscribe(&subscription_, reader_, "lessons.>", hear, this) == NATS_OK);
  natsSubscription_SetPendingLimits(subscription_, -1, -1);
  REQUIRE(natsConnection_FlushTimeout(reader_, 10'000) == NATS_OK);
}

void nats_broker::with_stream(const std::function<void(jsCtx*)>& does) const {
  jsCtx* context = nullptr;
  REQUIRE(natsConnection_JetStream(&context, reader_, nullptr) == NATS_OK);
  does(context);
  jsCtx_Destroy(context);
}

void nats_broker::make_stream() {
  with_stream([](jsCtx* context) {
    const char* subjects[] = {"lessons.lesson.*"};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = "LESSONS";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Discard = js_DiscardNew;
    jsErrCode code{};
    natsStatus status = NATS_ERR;
    while ((status = js_AddStream(nullptr, context, &config, nullptr, &code)) != NATS_OK &&
           code != JSStreamNameExistErr)
      rest(10ms);
  });
}

void nats_broker::limit(std::int64_t messages) {
  with_stream([&](jsCtx* context) {
    jsStreamInfo* info = nullptr;
    REQUIRE(js_GetStreamInfo(&info, context, "LESSONS", nullptr, nullptr) == NATS_OK);
    info->Config->MaxMsgs = messages == 0 ? -1 : messages;
    CHECK(js_UpdateStream(nullptr, context, info->Config, nullptr, nullptr) == NATS_OK);
    jsStreamInfo_Destroy(info);
  });
}

std::vector<nats_broker::message> nats_broker::stored() {
  std::vector<message> all;
  with_stream([&](jsCtx* context) {
    jsStreamInfo* info = nullptr;
    REQUIRE(js_GetStreamInfo(&info, context, "LESSONS", nullptr, nullptr) == NATS_OK);
    jsSubOptions ordered;
    jsSubOptions_Init(&ordered);
    ordered.Ordered = true;
    natsSubscription* reader = nullptr;
    REQUIRE(js_SubscribeSync(&reader, context, "lessons.>", nullptr, &ordered, nullptr) == NATS_OK);
    while (all.size() < info->State.Msgs) {
      natsMsg* one = nullptr;
      REQUIRE(natsSubscription_NextMsg(&one, reader, 10'000) == NATS_OK);
      all.push_back(copy_of(one));
      natsMsg_Destroy(one);
    }
    natsSubscription_Destroy(reader);
    jsStreamInfo_Destroy(info);
  });
  return all;
}

std::vector<nats_broker::message> nats_broker::messages() {
  if (is_ == kind::jetstream)
    return stored();
  // What the server had before this is delivered before its answer.
  REQUIRE(natsConnection_FlushTimeout(reader_, 30'000) == NATS_OK);
  int waiting = 0;
  while (natsSubscription_GetPending(subscription_, &waiting, nullptr) == NATS_OK && waiting != 0)
    rest(1ms);
  rest(20ms); // the one that is being heard
  std::lock_guard guard(mutex_);
  return heard_;
}

std::vector<seen_event> nats_broker::read() {
  std::vector<seen_event> seen;
  for (const auto& one : messages())
    seen.push_back(from_cloudevent(one.text));
  return seen;
}

} // namespace edupulse::test
