#include "runtime/control/verbs.hpp"
#include "schemas/codec.hpp"
#include "schemas/json_payload.hpp"
#include "schemas/payload_reader.hpp"
#include <algorithm>

namespace edupulse::control {

namespace {

constexpr std::size_t listed_max = 1000;
constexpr std::size_t payload_max = 4096;
constexpr std::size_t json_max = std::size_t{8} << 20;

void tell_attempt(const dead_letter_attempt& from, DeadLetter::Attempt::Builder to) {
  to.setEndedMs(from.wall_ms);
  to.setWhat(from.what);
  to.setErrorType(from.error_type);
  to.setText(from.text);
}

void tell_letter(const dead_letter& from, DeadLetter::Builder to) {
  const auto& event = *from.event;
  to.setId(from.id);
  to.setSubscription(from.subscription);
  to.setNode(from.node);
  to.setTopic(std::string(event.topic()));
  to.setKey(std::string(event.key()));
  to.setEventId(to_string(event.id()));
  to.setPublisher(to_string(event.publisher()));
  to.setOccurredAtMs(event.occurred_at_ms());
  to.setDiedMs(from.died_ms);
  to.setReason(from.reason);
  if (!from.attempts.empty())
    to.setErrorType(from.attempts.back().error_type);
  to.setRedrives(from.redrives);
  to.setRedriving(from.redriving);
  auto all = to.initAttempts(count_of(from.attempts.size()));
  for (unsigned i = 0; i < all.size(); ++i)
    tell_attempt(from.attempts[i], all[i]);
}

/// Empty where the schema is not known, or JSON cannot say it.
std::string payload_json(const bench& on, const envelope& event) {
  const auto* type = event.type();
  if (type == nullptr && on.types)
    type = on.types(event.name());
  if (type == nullptr || type->schema == nullptr || type->schema_id != event.schema_id())
    return {};
  std::string json;
  const auto read = catching(errc::bad_json, [&] {
    payload_reader reader(event);
    auto written = write_payload_json(reader.as<capnp::DynamicStruct>(type->schema()));
    if (written && written->size() <= json_max)
      json = std::move(*written);
  });
  return read ? json : std::string();
}

void tell_event(const bench& on, const envelope& event, WholeDeadLetter::Builder to) {
  auto meta = to.initMeta(count_of(event.meta_count()));
  for (unsigned i = 0; i < meta.size(); ++i) {
    const auto [name, value] = event.meta_at(i);
    meta[i].setName(std::string(name));
    meta[i].setValue(std::string(value));
  }
  to.setSchemaId(event.schema_id());
  const auto bytes = std::as_bytes(event.payload_words());
  to.setPayloadBytes(count_of(bytes.size()));
  if (const auto json = payload_json(on, event); !json.empty())
    return to.setPayloadJson(json);
  const auto shown = std::min(bytes.size(), payload_max);
  to.setPayload({reinterpret_cast<const capnp::byte*>(bytes.data()), shown});
}

expected<void> tell_count(const expected<std::size_t>& done, Answer::Builder to) {
  if (!done)
    return tl::unexpected(done.error());
  to.initDone().setCount(*done);
  return {};
}

expected<void> for_selection(bench& on, DeadSelection::Reader which, Answer::Builder to,
                             expected<void> (node::*one)(std::uint64_t),
                             expected<std::size_t> (node::*all)(std::string_view)) {
  switch (which.which()) {
  case DeadSelection::ID:
    return tell_count((on.at.*one)(which.getId()).map([] { return std::size_t{1}; }), to);
  case DeadSelection::SUBSCRIPTION:
    if (view(which.getSubscription()).empty()) // letters of all would be asked for
      return fail(errc::invalid_option, "name the subscription whose letters are meant");
    return tell_count((on.at.*all)(view(which.getSubscription())), to);
  }
  return fail(errc::malformed, "a selection that this node does not know");
}

} // namespace

expected<void> list_dead(const bench& on, DeadList::Reader which, Answer::Builder to) {
  dead_letter_filter page;
  page.subscription = view(which.getSubscription());
  page.after = which.getAfter();
  page.limit = std::min<std::size_t>(which.getLimit(), listed_max);
  const auto letters = on.at.dead_letters(page);
  if (!letters)
    return tl::unexpected(letters.error());
  auto all = to.initDeadLetters(count_of(letters->size()));
  for (unsigned i = 0; i < all.size(); ++i)
    tell_letter((*letters)[i], all[i]);
  return {};
}

expected<void> show_dead(const bench& on, std::uint64_t id, Answer::Builder to) {
  dead_letter_filter page;
  page.limit = 1;
  page.after = id - (id > 0);
  const auto letters = on.at.dead_letters(page);
  if (!letters)
    return tl::unexpected(letters.error());
  if (letters->empty() || letters->front().id != id)
    return tl::unexpected(dead_letter_errors::not_found(id));
  auto whole = to.initDeadLetter();
  tell_letter(letters->front(), whole.initLetter());
  tell_event(on, *letters->front().event, whole);
  return {};
}

expected<void> retry_dead(bench& on, DeadSelection::Reader which, Answer::Builder to) {
  return for_selection(on, which, to, &node::redrive, &node::redrive_all);
}

expected<void> discard_dead(bench& on, DeadSelection::Reader which, Answer::Builder to) {
  return for_selection(on, which, to, &node::discard, &node::discard_all);
}

} // namespace edupulse::control
