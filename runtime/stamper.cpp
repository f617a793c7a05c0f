#include "runtime/stamper.hpp"

namespace edupulse {

expected<stamper::stamped> stamper::publish(envelope_writer& writer, std::string_view key,
                                            const publish_options& options, std::int64_t wall_ms,
                                            time_point expires) {
  if (writer.type().name.front() == '$')
    return fail(errc::bad_topic, "topics that begin with `$` are the runtime's own: applications "
                                 "may subscribe to them, and not publish");
  std::vector<std::pair<std::string_view, std::string_view>> meta(options.meta.begin(),
                                                                  options.meta.end());
  auto made = writer.finish({ids_.next(wall_ms), publisher_, wall_ms, options.subject, key, meta},
                            max_event_bytes_);
  if (!made)
    return tl::unexpected<error>(made.error());
  auto event = std::move(*made);
  auto given = send_off(event, options.level.value_or(writer.type().level), expires, options.track);
  return stamped{std::move(event), std::move(given)};
}

receipt stamper::send_off(envelope_ptr& event, delivery_level level, time_point expires,
                          bool track) {
  receipt_tracker* tracked = nullptr;
  if (track) {
    tracked = new receipt_tracker; // one reference here, one for the envelope
    tracked->retain();
  }
  if (tracked != nullptr || expires != time_point::max() || level != delivery_level::acknowledged)
    envelope_writer::set_travel(event, level, expires, tracked,
                                tracked != nullptr ? receipt_tracker::release_tracker : nullptr);
  return {event->id(), tracked};
}

expected<envelope_ptr> stamper::make(const event_type& type,
                                     const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                     std::string_view subject, std::string_view key,
                                     event_port::metadata meta, std::int64_t wall_ms) {
  envelope_writer writer(type);
  fill(writer.payload());
  std::string own_key;
  if (key.empty() && type.key_of != nullptr) {
    own_key = type.key_of(writer.payload().asReader());
    key = own_key;
  }
  auto made = writer.finish({ids_.next(wall_ms), publisher_, wall_ms, subject, key, meta},
                            max_event_bytes_);
  if (made && type.level != delivery_level::acknowledged)
    envelope_writer::set_travel(*made, type.level, time_point::max());
  return made;
}

} // namespace edupulse
