#include "runtime/transports/broker_factory.hpp"
#include "schemas/nearest.hpp"
#include <edupulse/transports.hpp>
#include <map>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

struct maker {
  session_maker* session;
  source_maker* source;
};

/// By scheme.
const std::map<std::string, maker, std::less<>>& makers() {
  static const std::map<std::string, maker, std::less<>> all = {
#ifdef EDUPULSE_WITH_KAFKA
      {"kafka", {make_kafka_session, make_kafka_source}},
#endif
#ifdef EDUPULSE_WITH_NATS
      {"nats", {make_nats_session, make_nats_source}},
#endif
#ifdef EDUPULSE_WITH_RABBITMQ
      {"amqp", {make_rabbitmq_session, make_rabbitmq_source}},
      {"amqps", {make_rabbitmq_session, make_rabbitmq_source}},
#endif
#ifdef EDUPULSE_WITH_REDIS
      {"redis", {make_redis_session, make_redis_source}},
#endif
  };
  return all;
}

/// What the build leaves out, and what nobody knows.
tl::unexpected<error> no_maker(const std::string& scheme) {
  static const std::vector<std::string> known = {"amqp", "amqps", "kafka", "nats", "redis"};
  const bool left_out = std::ranges::find(known, scheme) != known.end();
  return fail(errc::invalid_option,
              left_out ? "this build cannot speak to " + scheme +
                             ": its client library was not there when it was configured"
                       : "no broker has the scheme " + quote(scheme) +
                             did_you_mean(scheme, transport_schemes()));
}

std::string read_mark(setting_reader& settings) {
  auto mark = settings.text("mark", "");
  if (mark.find(' ') != mark.npos)
    settings.wrong({errc::invalid_option, "setting mark=" + quote(mark) +
                                              " must not have spaces: they are between marks"});
  return mark;
}

source_options read_options(setting_reader& settings) {
  source_options made;
  const auto when = settings.text("acknowledge", "accepted");
  if (when != "accepted" && when != "concluded")
    settings.wrong({errc::invalid_option,
                    "setting acknowledge=" + quote(when) + " must be accepted or concluded"});
  made.acknowledge = when == "concluded" ? acknowledge_when::concluded : acknowledge_when::accepted;
  made.in_flight = settings.number("in_flight", made.in_flight, 1, 1'000'000);
  made.event = settings.text("event", "");
  made.mark = read_mark(settings);
  made.strict = settings.flag("strict", false);
  return made;
}

bool read_from(setting_reader& settings) {
  const auto where = settings.text("from", "begin");
  if (where != "begin" && where != "now")
    settings.wrong(
        {errc::invalid_option, "setting from=" + quote(where) + " must be begin or now"});
  return where == "begin";
}

/// With commas in between; empty ones are none.
std::vector<std::string> read_list(std::string_view text) {
  std::vector<std::string> made;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    if (end > 0)
      made.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return made;
}

/// The address and the maker for it.
struct found_maker {
  broker_url url;
  const maker* how;
};

expected<found_maker> find_maker(std::string_view text) {
  auto url = broker_url::parse(text);
  if (!url)
    return tl::unexpected(url.error());
  const auto found = makers().find(url->scheme);
  if (found == makers().end())
    return no_maker(url->scheme);
  return found_maker{std::move(*url), &found->second};
}

message_options read_message(setting_reader& settings) {
  message_options made;
  if (auto topic = topic_template::parse(settings.text("topic", "{topic}")))
    made.topic = std::move(*topic);
  else
    settings.wrong(std::move(topic.error()));
  if (auto form = parse_message_form(settings.text("format", "cloudevents")))
    made.form = *form;
  else
    settings.wrong(std::move(form.error()));
  made.only = settings.with_prefix("meta.");
  made.mark = read_mark(settings);
  return made;
}

} // namespace

expected<transport_ptr> open_transport(std::string_view text, type_lookup types) {
  const auto found = find_maker(text);
  if (!found)
    return tl::unexpected(found.error());
  const auto& url = found->url;
  setting_reader settings(url);
  broker_options how{.name = url.scheme, .where = url.shown(), .message = read_message(settings)};
  how.message.types = std::move(types);
  const broker_times times{settings.span("connect_timeout", 2s), settings.span("ack_timeout", 10s)};
  auto session = found->how->session(url, settings, times, how);
  if (auto good = settings.finish(); !good)
    return tl::unexpected(std::move(good.error()));
  if (!session)
    return tl::unexpected(std::move(session.error()));
  return broker_transport::make(std::move(how), std::move(*session));
}

expected<source_ptr> open_source(std::string_view text, type_lookup types) {
  const auto found = find_maker(text);
  if (!found)
    return tl::unexpected(found.error());
  const auto& url = found->url;
  setting_reader settings(url);
  source_settings how{url.shown(),
                      read_options(settings),
                      read_list(settings.text("topic", "")),
                      settings.text("group", "edupulse"),
                      read_from(settings),
                      {settings.span("connect_timeout", 2s), settings.span("ack_timeout", 10s)}};
  how.options.types = std::move(types);
  auto made = found->how->source(url, settings, std::move(how));
  if (auto good = settings.finish(); !good)
    return tl::unexpected(std::move(good.error()));
  return made;
}

std::vector<std::string> transport_schemes() {
  std::vector<std::string> all;
  for (const auto& [scheme, maker] : makers())
    all.push_back(scheme);
  return all;
}

} // namespace edupulse
