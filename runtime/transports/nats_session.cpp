#include "runtime/transports/nats_session.hpp"

#include "runtime/transports/broker_factory.hpp"
#include "runtime/transports/times.hpp"
#include <algorithm>
#include <array>
#include <nats/nats.h>
#include <poll.h>

namespace edupulse {

namespace {

/// What has no end is two lines of the protocol, and `*` and `>` are for subscribers.
bool is_subject(std::string_view text) {
  const auto is_plain = [](char c) { return c > ' ' && c != 0x7F && c != '*' && c != '>'; };
  return !text.empty() && std::ranges::all_of(text, is_plain) && text.front() != '.' &&
         text.back() != '.' && text.find("..") == text.npos;
}

/// Null: the library has no memory.
nats_message make_message(const broker_message& from) {
  natsMsg* made = nullptr;
  if (::natsMsg_Create(&made, from.topic.c_str(), nullptr, from.body.data(),
                       static_cast<int>(from.body.size())) != NATS_OK)
    return {};
  nats_message owned(made);
  bool good = ::natsMsgHeader_Set(made, "content-type", from.content_type.data()) == NATS_OK;
  for (const auto& [name, value] : from.headers)
    good = good && ::natsMsgHeader_Set(made, name.c_str(), value.c_str()) == NATS_OK;
  return good ? std::move(owned) : nats_message();
}

/// What the server, or the library before it, thinks of one message.
outcome outcome_of(natsStatus status, const std::string& words) {
  switch (status) {
  case NATS_OK:
    return outcome::ok();
  case NATS_MAX_PAYLOAD:
  case NATS_INVALID_SUBJECT:
  case NATS_INVALID_ARG:
    return outcome::reject(nats_said(words));
  default:
    return outcome::unavailable(nats_said(words));
  }
}

// -- called by threads of the library -----------------------------------------------------------

void* closure_of(const nats_acks& acks) { return reinterpret_cast<void*>(acks.number()); }
std::shared_ptr<nats_acks> acks_of(void* closure) {
  return nats_acks::find(reinterpret_cast<std::uintptr_t>(closure));
}

void on_end(natsConnection* connection, void* closure) {
  if (const auto acks = acks_of(closure))
    acks->lose(nats_end_of(connection));
}

/// `"subject"` in what the server says of a subject.
bool is_about(std::string_view words, std::string_view subject) {
  return words.find('"' + std::string(subject) + '"') != words.npos;
}

/// Of JetStream, when it begins to refuse subjects: nothing will ever acknowledge these messages,
/// and which they are is not said for all of them. All are given back, and sent more carefully.
void on_denial(natsConnection*, natsSubscription*, natsStatus status, void* closure) {
  if (const auto acks = acks_of(closure); acks && status == NATS_NOT_PERMITTED)
    acks->deny();
}

/// https://github.com/nats-io/nats-server/blob/main/server/errors.json
constexpr int header_too_large = 10'097;
constexpr std::array outages = {10'008, 10'009, 10'023, 10'028, 10'039, 10'076, 10'077, 10'109};

outcome outcome_of(const jsPubAckErr& refused) {
  const bool has_words = refused.ErrText != nullptr && *refused.ErrText != '\0';
  const auto text = nats_said(has_words ? refused.ErrText : ::natsStatus_GetText(refused.Err));
  const int code = refused.ErrCode;
  if (refused.Err == NATS_TIMEOUT)
    return outcome::unavailable(nats_said("no acknowledgement in time"));
  if (refused.Err == NATS_NO_RESPONDERS) // no stream has the subject, or none that works now
    return outcome::retry(text + ": does a stream have this subject?");
  if (code == JSStreamMessageExceedsMaximumErr || code == header_too_large)
    return outcome::reject(text);
  return std::ranges::find(outages, code) != outages.end() ? outcome::unavailable(text)
                                                           : outcome::retry(text);
}

void on_ack(jsCtx*, natsMsg* message, jsPubAck*, jsPubAckErr* refused, void* closure) {
  if (const auto acks = acks_of(closure)) {
    auto what = refused == nullptr ? outcome::ok() : outcome_of(*refused);
    const bool lost = what.what() == outcome::kind::unavailable;
    std::string why(what.reason());
    acks->answer(nats_acks::key_of(message), std::move(what));
    if (lost) // an outage is that of all
      acks->lose(std::move(why));
  }
  ::natsMsg_Destroy(message);
}

} // namespace

nats_session::nats_session(nats_login how, std::uint64_t in_flight)
    : how_(std::move(how)), in_flight_(in_flight) {}

nats_session::~nats_session() { close(); }

void nats_session::close() noexcept {
  if (acks_) {
    const auto why = outcome::unavailable(nats_said("the connection ended"));
    acks_->answer_all(why);
    deferral::complete_all(unconfirmed_, why);
    careful_ = careful_ || acks_->denied();
  }
  acks_.reset();
  ::jsCtx_Destroy(std::exchange(stream_, nullptr));
  ::natsConnection_Destroy(std::exchange(to_, nullptr));
  denied_.clear();
  allowed_.clear();
  last_denial_.clear();
}

tl::unexpected<error> nats_session::over(std::string why) {
  acks_->answer_all(outcome::unavailable(why));
  deferral::complete_all(unconfirmed_, outcome::unavailable(why));
  close();
  return fail(errc::io, std::move(why));
}

expected<nats_options> nats_session::make_options() {
  auto made = make_nats_options(how_);
  if (!made)
    return made;
  ::natsOptions_SetClosedCB(made->get(), on_end, closure_of(*acks_));
  if (has_stream() && !careful_)
    ::natsOptions_SetErrorHandler(made->get(), on_denial, closure_of(*acks_));
  ::natsOptions_SetSendAsap(made->get(), careful_);
  return made;
}

expected<void> nats_session::connect() {
  close();
  acks_ = nats_acks::make();
  if (acks_->news() < 0)
    return over(nats_said("there are no file descriptors left"));
  const auto options = make_options();
  if (!options)
    return tl::unexpected(options.error());
  const auto status = ::natsConnection_Connect(&to_, options->get());
  if (status != NATS_OK)
    return over(nats_refusal(status, how_));
  return has_stream() ? open_jetstream() : expected<void>();
}

/// Asks whether there is one: its answer is clearer than those to messages would be.
expected<void> nats_session::open_jetstream() {
  jsOptions options;
  ::jsOptions_Init(&options);
  options.Wait = as_ms(how_.connect_timeout);
  options.PublishAsync.MaxPending = static_cast<std::int64_t>(in_flight_);
  options.PublishAsync.StallWait = as_ms(how_.ack_timeout);
  options.PublishAsync.AckHandler = on_ack;
  options.PublishAsync.AckHandlerClosure = closure_of(*acks_);
  if (const auto status = ::natsConnection_JetStream(&stream_, to_, &options); status != NATS_OK)
    return over(nats_said(nats_words(status)));
  jsAccountInfo* info = nullptr;
  jsErrCode code{};
  const auto status = ::js_GetAccountInfo(&info, stream_, nullptr, &code);
  ::jsAccountInfo_Destroy(info);
  if (status != NATS_OK)
    return over(nats_said("JetStream: " + nats_words(status)));
  return {};
}

expected<void> nats_session::send(std::vector<outgoing> batch) {
  std::size_t bytes = 0;
  for (auto one = batch.begin(); one != batch.end(); ++one) {
    bytes += one->message.body.size();
    auto good = send_one(*one);
    if (good && !has_stream() && bytes >= most_unconfirmed_ && one + 1 != batch.end()) {
      good = confirm();
      bytes = 0;
    }
    if (!good) {
      batch.erase(batch.begin(), one + 1);
      answer_all(batch, outcome::unavailable(good.error().text));
      return good;
    }
  }
  acks_->tell();
  return has_stream() ? expected<void>() : confirm();
}

/// Of core: what was sent has arrived. What takes too long is tried again in smaller portions, or a
/// slow network would never get on.
expected<void> nats_session::confirm() {
  const auto portion =
      std::exchange(most_unconfirmed_, std::max(most_unconfirmed_ / 4, least_portion));
  if (auto good = flush(); !good)
    return good;
  most_unconfirmed_ = std::min(portion * 2, largest_portion);
  if (!careful_ && !new_denial().empty())
    return begin_to_be_careful();
  deferral::complete_all(unconfirmed_, outcome::ok());
  return {};
}

/// The token is answered at once, or waits among `unconfirmed_` or `acks_`.
expected<void> nats_session::send_one(outgoing& one) {
  const auto& topic = one.message.topic;
  if (!is_subject(topic)) {
    one.done.complete(outcome::reject(nats_said(quote(topic) + " is no subject")));
    return {};
  }
  if (const auto no = known_denial(topic); !no.empty()) {
    one.done.complete(outcome::reject(nats_said(no)));
    return {};
  }
  return has_stream() ? store(one) : publish(one);
}

expected<void> nats_session::publish(outgoing& one) {
  const auto sent = make_message(one.message);
  unconfirmed_.push_back(std::move(one.done));
  if (const auto status = ::natsConnection_PublishMsg(to_, sent.get()); status != NATS_OK) {
    auto what = outcome_of(status, nats_words(status));
    if (what.what() == outcome::kind::unavailable)
      return over(acks_->lost().empty() ? std::string(what.reason()) : acks_->lost());
    unconfirmed_.back().complete(std::move(what));
    unconfirmed_.pop_back();
    return {};
  }
  const auto denial = denial_of_last(one.message.topic);
  if (!denial)
    return tl::unexpected(denial.error());
  if (!denial->empty()) {
    unconfirmed_.back().complete(outcome::reject(nats_said(*denial)));
    unconfirmed_.pop_back();
  }
  return {};
}

/// Why the message that was sent last may not be published there. Empty: it may, as far as is
/// known.
expected<std::string> nats_session::denial_of_last(const std::string& topic) {
  if (!careful_ || allowed_.contains(topic))
    return std::string();
  if (auto good = flush(); !good)
    return tl::unexpected(std::move(good.error()));
  if (!new_denial().empty())
    return std::string(known_denial(topic));
  if (allowed_.size() < 10'000)
    allowed_.insert(topic);
  return std::string();
}

/// The message is the library's until its acknowledgement comes.
expected<void> nats_session::store(outgoing& one) {
  natsMsg* sent = make_message(one.message).release();
  const auto key = nats_acks::key_of(sent);
  const auto id = to_string(one.done.event().id());
  acks_->expect(key, std::move(one.done)); // its acknowledgement may be quicker than we are
  jsPubOptions options;
  ::jsPubOptions_Init(&options);
  options.MsgId = id.c_str(); // of those with the same id the stream keeps one
  options.MaxWait = as_ms(how_.ack_timeout);
  const auto status = ::js_PublishMsgAsync(stream_, &sent, &options);
  if (status == NATS_OK) {
    const auto denial = denial_of_last(one.message.topic);
    if (!denial)
      return tl::unexpected(denial.error());
    if (!denial->empty())
      acks_->answer(key, outcome::reject(nats_said(*denial)));
    return {};
  }
  auto what = outcome_of(status, nats_words(status));
  ::natsMsg_Destroy(sent); // still ours
  if (what.what() == outcome::kind::unavailable)
    return over(acks_->lost().empty() ? std::string(what.reason()) : acks_->lost());
  acks_->answer(key, std::move(what));
  return {};
}

/// The server has read all that was sent before. The library's own word is not enough (3.4): it
/// says yes when it could not write its question, and when its other thread had given up on
/// writing. The one leaves an error of this thread, the other one of the connection.
expected<void> nats_session::flush() {
  constexpr auto untouched = NATS_INVALID_TIMEOUT; // what the next line leaves
  ::natsConnection_FlushTimeout(to_, 0);
  auto status = ::natsConnection_FlushTimeout(to_, as_ms(how_.ack_timeout));
  auto found = NATS_OK;
  ::nats_GetLastError(&found);
  if (status == NATS_OK && found != untouched)
    status = found;
  const char* words = nullptr;
  found = ::natsConnection_GetLastError(to_, &words);
  if (status == NATS_OK && found != NATS_NOT_PERMITTED)
    status = found;
  if (status == NATS_OK)
    return {};
  if (auto why = acks_->lost(); !why.empty())
    return over(std::move(why));
  return over(nats_said(status == NATS_TIMEOUT ? "no answer within " + ms_text(how_.ack_timeout)
                                               : nats_words(status)));
}

// -- what the user may not publish ----------------------------------------------------------------
//
// The server drops it, and says so by subject, beside everything else and ahead of its answer to a
// flush. Of several it may be heard once. So after the first denial everything is sent again, on a
// connection that writes at once, and each new subject is asked about.

/// Empty: nothing new.
std::string nats_session::new_denial() {
  const char* words = nullptr;
  if (::natsConnection_GetLastError(to_, &words) != NATS_NOT_PERMITTED || words == nullptr ||
      last_denial_ == words)
    return {};
  return last_denial_ = words;
}

/// Why nothing may be published there, if it is known.
std::string_view nats_session::known_denial(const std::string& topic) {
  if (is_about(last_denial_, topic))
    denied_.emplace(topic, last_denial_);
  const auto found = denied_.find(topic);
  return found == denied_.end() ? std::string_view{} : found->second;
}

expected<void> nats_session::begin_to_be_careful() {
  careful_ = true;
  return over(nats_said(last_denial_));
}

// -- the end --------------------------------------------------------------------------------------

expected<void> nats_session::wait(int wake) {
  std::array<pollfd, 2> watched = {{{wake, POLLIN, 0}, {acks_->news(), POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), -1);
  acks_->tell();
  if (auto why = acks_->lost(); !why.empty())
    return over(std::move(why));
  return {};
}

expected<std::unique_ptr<broker_session>> make_nats_session(const broker_url& url,
                                                            setting_reader& settings,
                                                            const broker_times& times,
                                                            broker_options& how) {
  auto login = nats_login::read(url, settings, times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  const bool jetstream = settings.flag("jetstream", false);
  const auto in_flight = settings.number("in_flight", 4096, 1, 65'536);
  how.message.header_prefix = "ce-";
  how.message.escapes_headers = true;
  return std::make_unique<nats_session>(std::move(*login), jetstream ? in_flight : 0);
}

} // namespace edupulse
