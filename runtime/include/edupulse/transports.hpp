#pragma once
// Transports to brokers, by their addresses. docs/mirrors.md has a page for each.

#include "schemas/json.hpp"
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

/// The schemes that `open_transport` knows in this build.
std::vector<std::string> transport_schemes();

} // namespace edupulse
