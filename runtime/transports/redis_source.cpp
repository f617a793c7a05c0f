#include "runtime/transports/redis_source.hpp"

#include "runtime/transports/times.hpp"
#include <algorithm>

namespace edupulse {

namespace {

using message_list = std::vector<inbound_message>;

constexpr std::string_view only_new = ">";

std::span<redisReply* const> elements(const redisReply& what) {
  return what.type == REDIS_REPLY_ARRAY ? std::span<redisReply* const>(what.element, what.elements)
                                        : std::span<redisReply* const>();
}

} // namespace

expected<void> redis_source::connect(std::string_view client) {
  consumer_ = how_.consumer.empty() ? std::string(client) : how_.consumer;
  open_.clear();
  next_.assign(how_.streams.size(), "0-0");
  next_claim_ = std::chrono::steady_clock::now() + how_.claim_after;
  if (auto good = to_.connect(); !good)
    return good;
  return make_groups();
}

expected<void> redis_source::make_groups() {
  for (const auto& stream : how_.streams) {
    const auto made =
        to_.ask({"XGROUP", "CREATE", stream, all_.group, how_.from_begin ? "0" : "$", "MKSTREAM"});
    if (!made)
      return tl::unexpected(made.error());
    const bool refused = (*made)->type == REDIS_REPLY_ERROR;
    if (refused && !words_of(**made).starts_with("BUSYGROUP")) { // else there is one already
      to_.close();
      return fail(errc::io,
                  "redis: stream " + quote(stream) + ": " + std::string(words_of(**made)));
    }
  }
  return {};
}

expected<message_list> redis_source::receive(duration patience) {
  if (const auto now = std::chrono::steady_clock::now(); now >= next_claim_) {
    next_claim_ = now + how_.claim_after / 2;
    for (std::size_t stream = 0; stream < how_.streams.size(); ++stream)
      if (auto claimed = claim(stream); !claimed || !claimed->empty())
        return claimed;
  }
  const auto count = std::to_string(how_.batch);
  const auto block = std::to_string(std::max<std::int64_t>(1, as_ms(patience)));
  std::vector<std::string_view> words = {"XREADGROUP", "GROUP", all_.group, consumer_, "COUNT",
                                         count,        "BLOCK", block,      "STREAMS"};
  words.insert(words.end(), how_.streams.begin(), how_.streams.end());
  words.insert(words.end(), next_.begin(), next_.end());
  const auto reply = to_.demand(words);
  if (!reply)
    return tl::unexpected(reply.error());
  message_list made;
  for (const auto* one : elements(**reply)) {
    if (one->elements != 2)
      continue;
    const auto at = std::ranges::find(how_.streams, words_of(*one->element[0]));
    if (at == how_.streams.end())
      continue;
    const auto stream = static_cast<std::size_t>(at - how_.streams.begin());
    const auto& entries = *one->element[1];
    const auto before = made.size();
    take(entries, stream, made);
    if (next_[stream] != only_new) // else, or when nothing is left of what it had
      next_[stream] = made.size() == before ? std::string(only_new) : open_.at(last_token_).id;
  }
  return made;
}

void redis_source::take(const redisReply& entries, std::size_t stream, message_list& into) {
  for (const auto* entry : elements(entries))
    if (entry->elements == 2)
      into.push_back(read(*entry, stream));
}

/// An entry that the stream has forgotten has no fields: it is a message without a body, and so a
/// dead letter.
inbound_message redis_source::read(const redisReply& entry, std::size_t stream) {
  inbound_message made;
  const std::string id(words_of(*entry.element[0]));
  made.token = ++last_token_;
  made.topic = how_.streams[stream];
  made.place = made.topic + "/" + id;
  const auto fields = elements(*entry.element[1]);
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto field = words_of(*fields[i]);
    const auto value = words_of(*fields[i + 1]);
    if (field == how_.body)
      made.body = value;
    else if (field == "content-type")
      made.content_type = value;
    else
      made.headers.emplace_back(field, value);
  }
  open_.emplace(made.token, place{stream, id});
  return made;
}

/// What others have had for too long. Not our own: that is only slow.
expected<message_list> redis_source::claim(std::size_t stream) {
  const auto& key = how_.streams[stream];
  const auto idle = std::to_string(as_ms(how_.claim_after));
  const auto count = std::to_string(how_.batch);
  const auto pending = to_.demand({"XPENDING", key, all_.group, "IDLE", idle, "-", "+", count});
  if (!pending)
    return tl::unexpected(pending.error());
  std::vector<std::string_view> words = {"XCLAIM", key, all_.group, consumer_, idle};
  const auto before = words.size();
  for (const auto* one : elements(**pending))
    if (one->elements >= 2 && words_of(*one->element[1]) != consumer_)
      words.push_back(words_of(*one->element[0]));
  message_list made;
  if (words.size() == before)
    return made;
  const auto claimed = to_.demand(words);
  if (!claimed)
    return tl::unexpected(claimed.error());
  take(**claimed, stream, made);
  return made;
}

expected<void> redis_source::acknowledge(std::span<const std::uint64_t> tokens) {
  std::vector<std::vector<std::string>> ids(how_.streams.size());
  for (const auto token : tokens)
    if (auto found = open_.extract(token))
      ids[found.mapped().stream].push_back(std::move(found.mapped().id));
  for (std::size_t stream = 0; stream < ids.size(); ++stream) {
    if (ids[stream].empty())
      continue;
    std::vector<std::string_view> words = {"XACK", how_.streams[stream], all_.group};
    words.insert(words.end(), ids[stream].begin(), ids[stream].end());
    if (const auto done = to_.demand(words); !done)
      return tl::unexpected(done.error());
  }
  return {};
}

expected<source_ptr> make_redis_source(const broker_url& url, setting_reader& settings,
                                       source_settings all) {
  auto login = redis_login::read(url, settings, all.times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  redis_source_options how;
  how.streams = all.topics;
  how.consumer = settings.text("consumer", "");
  how.body = settings.text("body", "data");
  how.from_begin = all.from_begin;
  how.batch = settings.number("batch", how.batch, 1, 10'000);
  how.claim_after = settings.span("claim_after", std::chrono::minutes(1));
  if (how.streams.empty())
    settings.wrong({errc::invalid_option, "setting topic: the streams that are read are missing"});
  return source_ptr(
      std::make_unique<redis_source>(std::move(*login), std::move(how), std::move(all)));
}

} // namespace edupulse
