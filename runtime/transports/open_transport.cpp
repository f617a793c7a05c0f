#include "runtime/transports/broker_factory.hpp"
#include "schemas/nearest.hpp"
#include <edupulse/transports.hpp>
#include <map>

namespace edupulse {

namespace {

using namespace std::chrono_literals;

/// By scheme.
const std::map<std::string, session_maker*, std::less<>>& makers() {
  static const std::map<std::string, session_maker*, std::less<>> all = {
#ifdef EDUPULSE_WITH_KAFKA
      {"kafka", make_kafka_session},
#endif
#ifdef EDUPULSE_WITH_NATS
      {"nats", make_nats_session},
#endif
#ifdef EDUPULSE_WITH_RABBITMQ
      {"amqp", make_rabbitmq_session}, {"amqps", make_rabbitmq_session},
#endif
#ifdef EDUPULSE_WITH_REDIS
      {"redis", make_redis_session},
#endif
  };
  return all;
}

/// What the build leaves out, and what nobody knows.
tl::unexpected<error> no_maker(const std::string& scheme) {
  static const std::vector<std::string> known = {"amqp", "amqps", "kafka", "nats", "redis"};
  const bool left_out = std::ranges::find(known, scheme) != known.end();
  return fail(errc::invalid_option,
              left_out ? "this build has no transport to " + scheme +
                             ": its client library was not there when it was configured"
                       : "no transport has the scheme " + quote(scheme) +
                             did_you_mean(scheme, transport_schemes()));
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
  made.mark = settings.text("mark", "");
  if (made.mark.find(' ') != std::string::npos)
    settings.wrong({errc::invalid_option, "setting mark=" + quote(made.mark) +
                                              " must not have spaces: they are between marks"});
  return made;
}

} // namespace

expected<transport_ptr> open_transport(std::string_view text, type_lookup types) {
  const auto url = broker_url::parse(text);
  if (!url)
    return tl::unexpected(url.error());
  const auto maker = makers().find(url->scheme);
  if (maker == makers().end())
    return no_maker(url->scheme);
  setting_reader settings(*url);
  broker_options how{.name = url->scheme, .where = url->shown(), .message = read_message(settings)};
  how.message.types = std::move(types);
  const broker_times times{settings.span("connect_timeout", 2s), settings.span("ack_timeout", 10s)};
  auto session = maker->second(*url, settings, times, how);
  if (auto good = settings.finish(); !good)
    return tl::unexpected(std::move(good.error()));
  if (!session)
    return tl::unexpected(std::move(session.error()));
  return broker_transport::make(std::move(how), std::move(*session));
}

std::vector<std::string> transport_schemes() {
  std::vector<std::string> all;
  for (const auto& [scheme, maker] : makers())
    all.push_back(scheme);
  return all;
}

} // namespace edupulse
