#pragma once
// Transports to brokers, and sources from them, by their addresses. docs/mirrors.md and
// docs/sources.md are about them.

#include "schemas/event_traits.hpp"
#include <edupulse/source.hpp>
#include <edupulse/transport.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

/// A transport to the broker at `url`, for `node::attach_mirror`:
///
///     redis://:password@cache.example:6379?topic=events.{name}&format=cloudevents-json
///
/// The scheme chooses the broker, the settings are those of its page; these are the same for all:
///
///     topic            where events go; places: {topic} {name} {subject} {key} {publisher} and
///                      the names of metadata                              [{topic}]
///     format           cloudevents, cloudevents-json, cloudevents-capnp, flattened, envelope
///     meta.NAME        only events whose metadata NAME is this            [all]
///     mark             the name of this cluster, for sources that must not take its events in
///                      again                                              [none]
///     connect_timeout  of one attempt                                     [2s]
///     ack_timeout      for the broker to confirm; less than the mirror's `time_limit`  [10s]
///
/// Returns at once: a broker that cannot be reached is no error here but an outage, as later on.
/// Errors: `invalid_option`, for an address or a setting that makes no sense, and a broker whose
/// transport this build does not have; `io`, without file descriptors.
/// `types`: schemas by name, of events that this program was not compiled with; any thread.
expected<transport_ptr> open_transport(std::string_view url, type_lookup types = {});

/// A source at the broker at `url`, for `node::attach_source`:
///
///     redis://:password@cache.example:6379?topic=lessons&group=search
///
/// The scheme chooses the broker, the settings are those of its page; these are the same for all:
///
///     topic            what is read: several with commas in between
///     group            readers of the same group share the messages        [edupulse]
///     from             where a group begins that is new: begin, now        [begin]
///     acknowledge      accepted, concluded: see `acknowledge_when`         [accepted]
///     in_flight        messages that are not concluded                     [1024]
///     event            the event of messages that do not name one          [none]
///     mark             the name of this cluster                            [none]
///     strict           unknown fields make a message malformed             [false]
///     connect_timeout  of one attempt                                      [2s]
///
/// Returns at once, as `open_transport`, and with its errors.
expected<source_ptr> open_source(std::string_view url, type_lookup types = {});

/// A lookup of events that are compiled in: `types_of<LessonPublished, LessonRemoved>()`.
template <class... Events> type_lookup types_of() {
  (require_event<Events>(), ...);
  return [](std::string_view name) {
    const event_type* found = nullptr;
    const auto look = [&](const event_type& one) { found = one.name == name ? &one : found; };
    (look(event_traits<Events>::type()), ...);
    return found;
  };
}

/// The schemes that `open_transport` and `open_source` know in this build.
std::vector<std::string> transport_schemes();

} // namespace edupulse
