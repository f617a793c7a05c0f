// What a frame says, in words: by hand and not by Cap'n Proto's printer, so that it is what the
// runtime makes of the bytes.

#include "actors/interest.hpp"
#include "schemas/membership_codec.hpp"
#include "schemas/payload_reader.hpp"
#include "tests/support/wire_conversation.hpp"
#include <capnp/any.h>
#include <sstream>

namespace edupulse::test {

namespace {

namespace msg = membership_messages;
using lines = std::vector<std::string>;

template <class... Ts> std::string line(const Ts&... parts) {
  std::ostringstream text;
  const char* between = "";
  ((text << std::exchange(between, " ") << parts), ...);
  auto all = text.str();
  return all.substr(0, all.find_last_not_of(' ') + 1);
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string listed(std::span<const std::byte> bytes) {
  std::string text = "(";
  for (const auto byte : bytes)
    text += (text.size() > 1 ? " " : "") + std::to_string(static_cast<unsigned>(byte));
  return text + ")";
}

lines words(const hello_message& what) {
  lines all{line("hello", what.bulk ? "bulk" : "control", "version", what.version_major,
                 what.version_minor, "features", what.features),
            line("cluster", quoted(what.cluster), "node", to_string(what.node), "epoch",
                 what.boot_epoch, "instance", what.instance),
            line("name", quoted(what.name), "address", quoted(what.address)),
            line("session", what.session, "largest event", what.max_event_bytes)};
  for (const auto& [name, value] : what.settings)
    all.push_back(line("setting", quoted(name), quoted(value)));
  return all;
}

lines words(const refusal_message& what) {
  return {line("refusal", static_cast<int>(what.reason), quoted(what.text), "epoch",
               what.boot_epoch, "address", quoted(what.address))};
}

lines words(const link_resume& what) {
  lines all{line("resume: control seen", what.control_seen)};
  for (const auto& [subscription, next] : what.expected)
    all.push_back(line("subscription", subscription, "expects", next));
  if (what.more)
    all.push_back(line("and more"));
  return all;
}

lines words(const link_taken& what) {
  return {line("taken: control", what.control, "frames", what.frames)};
}

lines words(const announced_subscription& what) {
  return {line("added", what.number, quoted(what.name), quoted(what.filter.text()), "group",
               quoted(what.group), "order", static_cast<int>(what.order)),
          line("overload", static_cast<int>(what.overload.policy), "backlog", what.overload.events,
               what.overload.bytes, "stall ms",
               what.overload.stall_after / std::chrono::milliseconds(1), "window",
               what.window_events, what.window_bytes)};
}

lines carried_words(std::uint64_t number, const std::vector<std::byte>& bytes) {
  const auto interest = decode_interest(bytes);
  if (!interest)
    return {line("numbered", number, "carries", listed(bytes))};
  lines all{line("numbered", number, "interest", interest->version)};
  for (const auto& one : interest->added)
    for (auto& text : words(one))
      all.push_back(std::move(text));
  for (const auto gone : interest->removed)
    all.push_back(line("removed", gone));
  return all;
}

lines words(const link_numbered& what) {
  if (const auto* bytes = std::get_if<std::vector<std::byte>>(&what.what))
    return carried_words(what.number, *bytes);
  lines all{line("numbered", what.number, "acks")};
  for (const auto& run : std::get<std::vector<ack_run>>(what.what))
    all.push_back(line("subscription", run.subscription, "events", run.first, "count", run.count,
                       to_string(run.how), run.how == fate::dropped ? to_string(run.why) : ""));
  return all;
}

// -- events ---------------------------------------------------------------------------------

lines words(const envelope& what, time_point now) {
  lines all{line("event", to_string(what.id()), "by", to_string(what.publisher()), "at",
                 what.occurred_at_ms()),
            line(quoted(what.name()), "subject", quoted(what.subject()), "key", quoted(what.key()),
                 "schema", what.schema_id(), what.schema_version())};
  for (std::size_t i = 0; i < what.meta_count(); ++i)
    all.push_back(line("meta", quoted(what.meta_at(i).first), quoted(what.meta_at(i).second)));
  payload_reader reader(what);
  const auto payload = reader.getRoot<capnp::AnyPointer>();
  if (!payload.isNull()) {
    const auto root = payload.getAs<capnp::AnyStruct>();
    const auto text = root.getPointerSection()[1].getAs<capnp::Text>();
    all.push_back(line("payload", static_cast<int>(root.getDataSection()[0]),
                       quoted({text.begin(), text.size()})));
  }
  const bool ends = what.expires_at() != time_point::max();
  all.push_back(line(what.level() == delivery_level::best_effort ? "best effort" : "acknowledged",
                     "expires in ms",
                     ends ? (what.expires_at() - now) / std::chrono::milliseconds(1) : 0));
  return all;
}

lines event_words(std::span<const std::byte> body, node_id from) {
  constexpr time_point now{std::chrono::hours(1)};
  const auto runs = decode_events(body, from, now, {});
  if (!runs)
    return {runs.error().text};
  lines all;
  for (const auto& run : *runs) {
    all.push_back(line("run of", run.events.size()));
    for (const auto& to : run.targets)
      all.push_back(line("for", to.remote, "from", to.dseq, "missed", to.missed));
    for (auto at = run.events.begin; at < run.events.end; ++at)
      for (auto& text : words(*run.events.events->entries[at].event, now))
        all.push_back(std::move(text));
  }
  return all;
}

// -- membership -----------------------------------------------------------------------------

struct message_words {
  std::string operator()(const msg::unknown&) const { return "unknown"; }
  std::string operator()(const msg::ping& what) const {
    return line("ping", what.seq, to_string(what.target));
  }
  std::string operator()(const msg::ack& what) const { return line("ack", what.seq); }
  std::string operator()(const msg::ping_request& what) const {
    return line("ping request", what.seq, to_string(what.target));
  }
  std::string operator()(const msg::nack& what) const { return line("nack", what.seq); }
  std::string operator()(const msg::gossip&) const { return "gossip"; }
  std::string operator()(const msg::offer& what) const { return line("offer", what.digest); }
  std::string operator()(const msg::same&) const { return "same"; }
  std::string operator()(const msg::table& what) const {
    return line("table", what.part, "of", what.parts, what.wanted ? "wanted" : "");
  }
  std::string operator()(const msg::join& what) const {
    return line("join", quoted(what.cluster), what.version_major, what.version_minor);
  }
  std::string operator()(const msg::join_ok& what) const {
    return line("join ok", what.part, "of", what.parts);
  }
  std::string operator()(const msg::refused& what) const {
    return line("refused", to_string(what.reason), quoted(what.text), "epoch", what.boot_epoch,
                quoted(what.address));
  }
  std::string operator()(const msg::leave& what) const { return line("leave", what.seq); }
};

lines member_words(std::span<const std::byte> body) {
  const auto frame = decode_membership(body);
  if (!frame)
    return {frame.error().text};
  lines all{std::visit(message_words(), frame->message),
            line("cluster", frame->header.cluster, "sender", to_string(frame->header.sender),
                 "epoch", frame->header.boot_epoch, "incarnation", frame->header.inc)};
  for (const auto& one : frame->updates) {
    all.push_back(line("update", to_string(one.node), "epoch", one.boot_epoch, "incarnation",
                       one.inc, to_string(one.state), "from", to_string(one.from)));
    if (one.profile.is_known())
      all.push_back(line("name", quoted(one.profile.name), "address", quoted(one.profile.address),
                         "metadata", listed(one.profile.meta)));
  }
  return all;
}

lines words(const control_message& what) {
  return std::visit([](const auto& one) { return words(one); }, what);
}

template <class T> lines words_of(const expected<T>& what) {
  return what ? words(*what) : lines{what.error().text};
}

} // namespace

std::vector<std::string> in_words(frame_kind kind, std::span<const std::byte> body, node_id from) {
  switch (kind) {
  case frame_kind::hello:
    return words_of(decode_hello(body));
  case frame_kind::refusal:
    return words_of(decode_refusal(body));
  case frame_kind::control:
    return words_of(decode_control(body));
  case frame_kind::events:
    return event_words(body, from);
  case frame_kind::membership:
    return member_words(body);
  case frame_kind::none:
    break;
  }
  return {"no frame"};
}

} // namespace edupulse::test
