#include "runtime/transports/nats_source.hpp"

#include "runtime/transports/times.hpp"
#include "runtime/transports/via.hpp"
#include <algorithm>

namespace edupulse {

namespace {

using message_list = std::vector<inbound_message>;

/// Of core: what waits for us in the client. More is lost, and counted.
constexpr int most_waiting = 65'536;
constexpr int most_waiting_bytes = 64 << 20;
constexpr auto farewell = std::chrono::milliseconds(500);

int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/// Values of headers, as CloudEvents has them escaped. A percent sign that escapes nothing stays.
std::string percent_decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex(text[i + 2]);
    if (low < 0) {
      made += text[i];
      continue;
    }
    made += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return made;
}

bool is_escaped(std::string_view header) {
  return header.starts_with("ce-") || header == via_header;
}

void read_headers(natsMsg* from, inbound_message& to) {
  const char** names = nullptr;
  int count = 0;
  if (::natsMsgHeader_Keys(from, &names, &count) != NATS_OK)
    return;
  for (int i = 0; i < count; ++i) {
    const char* value = nullptr;
    if (::natsMsgHeader_Get(from, names[i], &value) != NATS_OK)
      continue;
    const std::string_view name = names[i];
    if (name == "content-type" || name == "Content-Type")
      to.content_type = value;
    else
      to.headers.emplace_back(name, is_escaped(name) ? percent_decoded(value) : value);
  }
  ::free(static_cast<void*>(names));
}

/// The stream's name and the number in it.
std::string place_of(natsMsg* what) {
  jsMsgMetaData* about = nullptr;
  if (::natsMsg_GetMetaData(&about, what) != NATS_OK)
    return {};
  auto made = std::string(about->Stream) + "/" + std::to_string(about->Sequence.Stream);
  ::jsMsgMetaData_Destroy(about);
  return made;
}

} // namespace

void nats_source::end() noexcept {
  lost_before_ += std::exchange(lost_now_, 0);
  for (const auto& [token, message] : open_)
    to_return_.emplace_back(::natsMsg_GetReply(message.get()));
  open_.clear();
  from_.clear();
  ::jsCtx_Destroy(std::exchange(jetstream_, nullptr));
  ::natsConnection_Destroy(std::exchange(to_, nullptr));
}

/// JetStream need not wait for what this source will not acknowledge any more. It had what was on
/// its way to the last connection, too, and gives that to somebody after `ack_wait`.
void nats_source::give_back() {
  for (const auto& reply : std::exchange(to_return_, {}))
    ::natsConnection_PublishString(to_, reply.c_str(), "-NAK");
}

void nats_source::close() noexcept {
  for (const auto& [token, message] : open_)
    ::natsMsg_Nak(message.get(), nullptr);
  open_.clear();
  if (to_ != nullptr) // acknowledgements are on their way, too
    ::natsConnection_FlushTimeout(to_, as_ms(farewell));
  end();
}

tl::unexpected<error> nats_source::over(natsStatus status) {
  auto why = nats_end_of(to_);
  if (::natsConnection_Status(to_) == NATS_CONN_STATUS_CONNECTED)
    why = nats_said(nats_words(status));
  end();
  return fail(errc::io, std::move(why));
}

expected<void> nats_source::connect(std::string_view client) {
  end();
  const auto options = make_nats_options(login_);
  if (!options)
    return tl::unexpected(options.error());
  ::natsOptions_SetName(options->get(), std::string(client).c_str());
  ::natsOptions_SetPingInterval(options->get(), as_ms(login_.ack_timeout));
  if (const auto status = ::natsConnection_Connect(&to_, options->get()); status != NATS_OK)
    return fail(errc::io, nats_refusal(status, login_));
  return subscribe();
}

expected<void> nats_source::subscribe() {
  if (has_stream()) {
    jsOptions options;
    ::jsOptions_Init(&options);
    options.Wait = as_ms(login_.connect_timeout);
    if (const auto status = ::natsConnection_JetStream(&jetstream_, to_, &options);
        status != NATS_OK)
      return over(status);
    give_back();
    return open_consumer(all_.topics.empty() ? std::string() : all_.topics.front());
  }
  for (const auto& topic : all_.topics) {
    natsSubscription* made = nullptr;
    auto status =
        ::natsConnection_QueueSubscribeSync(&made, to_, topic.c_str(), all_.group.c_str());
    if (status == NATS_OK)
      status = ::natsSubscription_SetPendingLimits(made, most_waiting, most_waiting_bytes);
    if (status != NATS_OK)
      return over(status);
    from_.emplace_back(made);
  }
  // A subject that the user may not read is told of beside the answer to this.
  const auto status = ::natsConnection_FlushTimeout(to_, as_ms(login_.connect_timeout));
  const char* words = nullptr;
  if (status == NATS_OK && ::natsConnection_GetLastError(to_, &words) != NATS_NOT_PERMITTED)
    return {};
  auto why = fail(errc::io, nats_said(status == NATS_OK ? words : nats_words(status)));
  end();
  return why;
}

/// One that is there stays as it is: somebody may have made it with options of their own.
expected<void> nats_source::look_for_consumer(const std::string& topic) {
  jsConsumerInfo* found = nullptr;
  jsErrCode code{};
  auto status = ::js_GetConsumerInfo(&found, jetstream_, how_.stream.c_str(), all_.group.c_str(),
                                     nullptr, &code);
  ::jsConsumerInfo_Destroy(found);
  if (status == NATS_OK || code != JSConsumerNotFoundErr)
    return status == NATS_OK ? expected<void>() : over(status);
  jsConsumerConfig made;
  ::jsConsumerConfig_Init(&made);
  made.Durable = all_.group.c_str();
  made.DeliverPolicy = all_.from_begin ? js_DeliverAll : js_DeliverNew;
  made.AckPolicy = js_AckExplicit;
  made.AckWait = how_.ack_wait.count();
  made.MaxAckPending = static_cast<std::int64_t>(all_.options.in_flight + 2 * how_.batch);
  made.FilterSubject = topic.empty() ? nullptr : topic.c_str();
  found = nullptr;
  status = ::js_AddConsumer(&found, jetstream_, how_.stream.c_str(), &made, nullptr, &code);
  ::jsConsumerInfo_Destroy(found);
  return status == NATS_OK ? expected<void>() : over(status);
}

expected<void> nats_source::open_consumer(const std::string& topic) {
  if (auto good = look_for_consumer(topic); !good)
    return good;
  jsSubOptions options;
  ::jsSubOptions_Init(&options);
  options.Stream = how_.stream.c_str();
  options.Consumer = all_.group.c_str(); // so the library does not take it for its own to delete
  jsErrCode code{};
  natsSubscription* made = nullptr;
  const auto status = ::js_PullSubscribe(&made, jetstream_, topic.empty() ? ">" : topic.c_str(),
                                         all_.group.c_str(), nullptr, &options, &code);
  if (status != NATS_OK)
    return over(status);
  from_.emplace_back(made);
  next_sign_ = std::chrono::steady_clock::now() + how_.ack_wait / 3;
  return {};
}

void nats_source::keep(nats_message what, message_list& into) {
  inbound_message made;
  made.token = ++last_token_;
  made.topic = ::natsMsg_GetSubject(what.get());
  made.body.assign(::natsMsg_GetData(what.get()),
                   static_cast<std::size_t>(::natsMsg_GetDataLength(what.get())));
  read_headers(what.get(), made);
  if (has_stream()) {
    made.place = place_of(what.get());
    open_.emplace(made.token, std::move(what));
  }
  into.push_back(std::move(made));
}

natsStatus nats_source::receive_core(natsSubscription* from, duration patience,
                                     message_list& into) {
  auto wait = std::max<std::int64_t>(1, as_ms(patience));
  while (into.size() < how_.batch) {
    natsMsg* one = nullptr;
    if (const auto status = ::natsSubscription_NextMsg(&one, from, wait); status != NATS_OK)
      return status;
    keep(nats_message(one), into);
    wait = 0;
  }
  return NATS_OK;
}

natsStatus nats_source::receive_stream(natsSubscription* from, duration patience,
                                       message_list& into) {
  natsMsgList all{};
  jsErrCode code{};
  const auto status = ::natsSubscription_Fetch(&all, from, static_cast<int>(how_.batch),
                                               std::max<std::int64_t>(1, as_ms(patience)), &code);
  for (int i = 0; i < all.Count; ++i)
    keep(nats_message(std::exchange(all.Msgs[i], nullptr)), into);
  ::natsMsgList_Destroy(&all);
  return status;
}

expected<message_list> nats_source::receive(duration patience) {
  if (auto good = keep_alive(); !good)
    return tl::unexpected(std::move(good.error()));
  message_list made;
  for (std::size_t i = 0; i < from_.size(); ++i) {
    auto* from = from_[turn_++ % from_.size()].get();
    const auto wait =
        made.empty() ? patience / static_cast<std::int64_t>(from_.size()) : duration::zero();
    const auto status =
        has_stream() ? receive_stream(from, wait, made) : receive_core(from, wait, made);
    if (status != NATS_OK && status != NATS_TIMEOUT && status != NATS_SLOW_CONSUMER && made.empty())
      return over(status);
  }
  if (made.empty() && ::natsConnection_Status(to_) != NATS_CONN_STATUS_CONNECTED)
    return over(NATS_CONNECTION_CLOSED);
  count_lost();
  return made;
}

void nats_source::count_lost() {
  lost_now_ = 0;
  for (const auto& one : from_)
    if (std::int64_t dropped = 0; ::natsSubscription_GetDropped(one.get(), &dropped) == NATS_OK)
      lost_now_ += static_cast<std::uint64_t>(dropped);
}

expected<void> nats_source::acknowledge(std::span<const std::uint64_t> tokens) {
  for (const auto token : tokens)
    if (const auto found = open_.extract(token))
      if (const auto status = ::natsMsg_Ack(found.mapped().get(), nullptr); status != NATS_OK)
        return over(status);
  return {};
}

/// JetStream would give what is not acknowledged to somebody else.
expected<void> nats_source::keep_alive() {
  const auto now = std::chrono::steady_clock::now();
  if (!has_stream() || now < next_sign_)
    return {};
  next_sign_ = now + how_.ack_wait / 3;
  for (const auto& [token, message] : open_)
    if (const auto status = ::natsMsg_InProgress(message.get(), nullptr); status != NATS_OK)
      return over(status);
  return {};
}

expected<source_ptr> make_nats_source(const broker_url& url, setting_reader& settings,
                                      source_settings all) {
  auto login = nats_login::read(url, settings, all.times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  nats_source_options how;
  const bool jetstream = settings.flag("jetstream", false);
  if (jetstream)
    how.stream = settings.text("stream", "");
  how.batch = settings.number("batch", how.batch, 1, 10'000);
  how.ack_wait = settings.span("ack_wait", std::chrono::seconds(30));
  if (jetstream && how.stream.empty())
    settings.wrong({errc::invalid_option, "setting stream: the stream that is read is missing"});
  if (jetstream && all.topics.size() > 1)
    settings.wrong({errc::invalid_option, "setting topic: a consumer of JetStream has one subject; "
                                          "it may have wildcards"});
  if (!jetstream && all.topics.empty())
    settings.wrong({errc::invalid_option, "setting topic: the subjects that are read are missing"});
  return source_ptr(
      std::make_unique<nats_source>(std::move(*login), std::move(how), std::move(all)));
}

} // namespace edupulse
